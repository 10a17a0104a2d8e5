"""Choosing what a server of the lab, or the called user, does from now on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.tui.theme import BAD, DIM, STRONG

from .overlay import Overlay

SERVER_CHOICES = (
    ("ok", "works"),
    ("503", "not available: the next server is tried"),
    ("503 retry-after 30", "the same, with Retry-After"),
    ("silent", "answers nothing: a wait, then the next server"),
    ("refuse", "closed port: ICMP over UDP, reset over TCP"),
    ("trying", "100, then nothing: the call stays here"),
    ("ringing", "180, then nothing: the call stays here"),
    ("404", "Not Found: an answer, no other server"),
    ("486", "Busy Here: an answer, no other server"),
    ("500", "Server Internal Error: an answer as well"),
    ("ok, INVITE: 503", "registers, but takes no calls"),
    ("delay 2s", "answers late"),
    ("loss 0.3", "loses three datagrams in ten"),
)
CALLEE_CHOICES = (
    (CalleeBehaviour.ANSWER, "takes the call"),
    (CalleeBehaviour.BUSY, "486 Busy Here"),
    (CalleeBehaviour.REJECT, "603 Decline"),
    (CalleeBehaviour.NO_ANSWER, "lets it ring"),
)


class BehaviourScreen(Overlay[str]):
    """A list of behaviours, and a field for any other; answers with the behaviour's text."""

    def __init__(
        self,
        title: str,
        current: str,
        choices: Sequence[tuple[str, str]],
        check: Callable[[str], object] | None,
    ) -> None:
        super().__init__()
        self._title = title
        self._current = current
        self._choices = choices
        self._check = check

    @classmethod
    def for_server(cls, name: str, current: str) -> BehaviourScreen:
        """What shall the server *name* do?"""
        return cls(f"{name}: from now on", current, SERVER_CHOICES, Behaviour.parse)

    @classmethod
    def for_callee(cls, current: str) -> BehaviourScreen:
        """What shall the called user do?"""
        return cls("called user: from now on", current, CALLEE_CHOICES, None)

    def compose(self) -> ComposeResult:
        """The list, and for servers the field."""
        with Vertical(classes="box") as box:
            box.border_title = self._title
            box.border_subtitle = "Enter: take it · Esc: leave it"
            choices = OptionList(
                *(
                    Option(_choice(text, means, text == self._current), id=text)
                    for text, means in self._choices
                ),
                id="choices",
                markup=False,
            )
            names = [text for text, _ in self._choices]
            choices.highlighted = names.index(self._current) if self._current in names else 0
            yield choices
            if self._check is not None:
                yield Input(
                    placeholder="or write one: 503 delay=2s, ok, INVITE: silent …", compact=True, id="own"
                )
                yield Static(id="fault", markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Chosen from the list."""
        self.dismiss(event.option_id)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Written by hand; said what is wrong with it, if anything is."""
        event.stop()
        try:
            if self._check is not None:
                self._check(event.value)
        except ValueError as error:
            self.query_one("#fault", Static).update(Content.styled(str(error), BAD))
            return
        self.dismiss(event.value)


def _choice(text: str, means: str, current: bool) -> Content:
    return Content.assemble(("▸ " if current else "  ", DIM), (f"{text:<20} ", STRONG), (means, DIM))
