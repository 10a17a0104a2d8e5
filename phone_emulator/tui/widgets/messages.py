"""The messages pane: a call's SIP messages as a ladder, and the text of the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from phone_emulator.tui.rows.ladder import Rung
from phone_emulator.tui.theme import BAD, DIM, GOOD, LINK, WAITING

from .text_pane import TextPane


class MessagesPane(Vertical):
    """The ladder over the text."""

    @dataclass
    class Opened(Message):
        """A message is to be read in full."""

        rung: Rung

    def __init__(self) -> None:
        super().__init__(id="messages")
        self.ladder = Ladder()
        self.text = TextPane(id="message-text")
        self._whose = ""
        self._rungs: list[Rung] = []

    def compose(self) -> ComposeResult:
        """Ladder and text; the text only where there is room."""
        yield self.ladder
        yield self.text

    def show(self, whose: str, rungs: Sequence[Rung]) -> None:
        """Show the ladder of *whose* call; while its last message is highlighted, the highlight follows."""
        following = self.ladder.highlighted in (None, len(self._rungs) - 1)
        grown = whose == self._whose and list(rungs[: len(self._rungs)]) == self._rungs
        if grown and len(rungs) == len(self._rungs) and self._whose:
            return
        new = rungs[len(self._rungs) :] if grown else rungs
        self._whose, self._rungs = whose, list(rungs)
        if not grown:
            self.ladder.clear_options()
        columns = self.ladder.scrollable_content_region.width
        self.ladder.add_options([Option(_rung(rung, columns)) for rung in new])
        self.ladder.border_title = f"Messages · {whose}"
        self.ladder.border_subtitle = "Enter: read it" if rungs else "none"
        if rungs and (following or not grown):
            self.ladder.highlighted = len(rungs) - 1
        if not rungs:
            self.text.draw(Content(""))
            self.text.border_title = ""

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The text follows the highlight."""
        event.stop()
        rung = self._rungs[event.option_index]
        self.text.border_title = heading(rung).replace("[", r"\[")
        self.text.draw(message_text(rung))
        self.text.scroll_home(animate=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        event.stop()
        self.post_message(self.Opened(self._rungs[event.option_index]))


class Ladder(OptionList):
    """The list of messages."""

    def __init__(self) -> None:
        super().__init__(id="ladder", classes="pane", markup=False)
        self.border_title = "Messages"


def heading(rung: Rung) -> str:
    """``0.503 s to primary 192.168.1.13:5060/udp``."""
    way = "to" if rung.outwards else "from"
    return f"{rung.at:.3f} s {way} {rung.peer} {rung.place}".replace("  ", " ")


def message_text(rung: Rung) -> Content:
    """The message, its start line and its header names set off."""
    first, *rest = rung.text.split("\n")
    remark = [Content.styled(rung.remark, BAD), Content("")] if rung.remark else []
    lines = [*remark, Content.styled(first, f"bold {_style(rung)}")]
    in_head = True
    for line in rest:
        in_head = in_head and line != ""
        name, colon, value = line.partition(":")
        if in_head and colon and not line.startswith((" ", "\t")):
            lines.append(Content.assemble((f"{name}:", LINK), value))
        else:
            lines.append(Content(line))
    return Content("\n").join(lines)


def _rung(rung: Rung, columns: int) -> Content:
    """One line; the far end's address only where there is room for all of it."""
    line = Content.assemble(
        (f"{rung.at:8.3f} ", DIM),
        ("──▸ " if rung.outwards else "◂── ", LINK if rung.outwards else _style(rung)),
        (f"{rung.peer or rung.place:<10} ", ""),
        (rung.summary, DIM if rung.again else _style(rung)),
        (" again" if rung.again else "", DIM),
        (f"  {rung.remark}" if rung.remark else "", BAD),
    )
    place = Content.styled(f"  {rung.place}", DIM)
    if not rung.peer or line.cell_length + place.cell_length > columns:
        return line
    return Content.assemble(line, place)


def _style(rung: Rung) -> str:
    status = rung.status
    if status is None:
        return LINK
    if status < 200 or status in (401, 407):
        return WAITING
    return GOOD if status < 300 else BAD
