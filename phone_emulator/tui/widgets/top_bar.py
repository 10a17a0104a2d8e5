"""The first line of the screen: who the phone is, whether it has service, the time."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from phone_emulator.tui.rows.registration import LineRow
from phone_emulator.tui.spans import clock
from phone_emulator.tui.theme import BAD, DIM, GOOD, STRONG, WAITING

from .text import Text


class TopBar(Text):
    """One line; *title* says which world the phone lives in."""

    def __init__(self, title: str) -> None:
        super().__init__(id="top")
        self._title = title

    def show(self, lines: Sequence[LineRow], now: float) -> None:
        """Show the line of the next call and the phone's clock, seconds since it began."""
        left = Content.assemble((" phone-emulator ", STRONG), (f" {self._title}", DIM) if self._title else "")
        default = next((line for line in lines if line.chosen), None)
        right = Content.assemble(_service(default), (f"   {clock(now)} ", DIM))
        room = self.size.width - left.cell_length
        self.draw(Content.assemble(left, right.pad_left(max(room - right.cell_length, 1))))


def _service(line: LineRow | None) -> Content:
    if line is None:
        return Content.assemble(("No Account", BAD))
    if line.registered:
        return Content.assemble((f"{line.label} ", STRONG), ("✓ Registered", GOOD))
    if line.word == "Registering":
        return Content.assemble((f"{line.label} ", STRONG), ("… Registering", WAITING))
    return Content.assemble(("✗ No Service", BAD))
