"""The last line of the screen: the panes and their keys, help, quit."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from phone_emulator.tui.keymap import View
from phone_emulator.tui.theme import DIM, LINK

from .text import Text


class KeyLine(Text):
    """One line."""

    def __init__(self) -> None:
        super().__init__(id="keys")

    def show(self, views: Sequence[View], current: str) -> None:
        """Name *views*; *current* is the one that is up."""
        parts: list[Content] = []
        for view in views:
            style = f"bold {LINK}" if view.name == current else DIM
            parts.append(Content.assemble((f"{view.key.upper()} ", LINK), (f"{view.label}  ", style)))
        parts.append(Content.assemble(("? ", LINK), ("Help  ", DIM), ("^Q ", LINK), ("Quit", DIM)))
        self.draw(Content.assemble(" ", *parts))
