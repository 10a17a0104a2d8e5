"""Choosing what a server of the lab, or the called user, does from now on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from phone_emulator.events import Transport
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.vocabulary import CALLEE, SERVER, offers
from phone_emulator.tui.lab_control import ServerView
from phone_emulator.tui.theme import BAD, DIM, STRONG

from .overlay import Overlay

COLUMN, WIDEST = 20, 36
"""Characters of a behaviour in the list: most have so many; beyond the second number it is cut short."""


class BehaviourScreen(Overlay[str]):
    """A list of behaviours, and a field for any other; answers with the behaviour's text."""

    def __init__(
        self,
        title: str,
        current: str,
        choices: Sequence[tuple[str, str]],
        read: Callable[[str], object],
        example: str,
    ) -> None:
        super().__init__()
        self._title = title
        self._current = current
        self.choices = choices
        self._read = read
        self._example = example

    @classmethod
    def for_server(cls, server: ServerView) -> BehaviourScreen:
        """What shall *server* do?"""

        def read(text: str) -> Behaviour:
            behaviour = Behaviour.parse(text)
            if wrong := behaviour.why_not([Transport(each) for each in server.transports]):
                raise ValueError(wrong)
            return behaviour

        choices = [choice for choice in offers(SERVER) if _means_something(read, choice[0])]
        example = "503 delay=2s, ok, INVITE: silent …"
        return cls(f"{server.name}: from now on", server.behaviour, choices, read, example)

    @classmethod
    def for_callee(cls, current: str) -> BehaviourScreen:
        """What shall the called user do?"""
        example = "hang-up-after 30s …"
        return cls("called user: from now on", current, offers(CALLEE), CalleeBehaviour.parse, example)

    def compose(self) -> ComposeResult:
        """The list, and the field."""
        with Vertical(classes="box") as box:
            box.border_title = self._title
            box.border_subtitle = "Enter: take it · Esc: leave it"
            names = [str(self._read(text)) for text, _ in self.choices]
            choices = OptionList(
                *(
                    Option(_choice(text, means, name == self._current), id=text)
                    for name, (text, means) in zip(names, self.choices, strict=True)
                ),
                id="choices",
                markup=False,
            )
            choices.highlighted = names.index(self._current) if self._current in names else 0
            yield choices
            yield Input(placeholder=f"or write one: {self._example}", compact=True, id="own")
            yield Static(id="fault", markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Chosen from the list."""
        self.dismiss(event.option_id)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Written by hand; said what is wrong with it, if anything is."""
        event.stop()
        try:
            self._read(event.value)
        except ValueError as error:
            self.query_one("#fault", Static).update(Content.styled(str(error), BAD))
            return
        self.dismiss(event.value)


def _choice(text: str, means: str, current: bool) -> Content:
    shown = text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
    return Content.assemble(("▸ " if current else "  ", DIM), (f"{shown:<{COLUMN}} ", STRONG), (means, DIM))


def _means_something(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
