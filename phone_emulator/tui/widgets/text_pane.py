"""A pane of text that scrolls when there is more of it than room."""

from __future__ import annotations

import textwrap

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from .text import Text


class TextPane(VerticalScroll, can_focus=True):
    """Text under a title."""

    TITLE = ""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes="pane")
        self.border_title = self.TITLE
        self._body = Text()

    def compose(self) -> ComposeResult:
        """One body."""
        yield self._body

    def draw(self, content: Content) -> None:
        """Show *content*."""
        self._body.draw(content)

    @property
    def columns(self) -> int:
        """Cells of text that fit in a line."""
        return max(self.scrollable_content_region.width, 20)


def hanging(head: Content, text: str, style: str, columns: int) -> Content:
    """*head*, then *text* wrapped to *columns* in a column of its own."""
    indent = head.cell_length
    parts = textwrap.wrap(text, max(columns - indent, 20)) or [""]
    lines = [Content.assemble(head, (parts[0], style))]
    lines += [Content.assemble(" " * indent, (part, style)) for part in parts[1:]]
    return joined(lines)


def joined(lines: list[Content]) -> Content:
    """*lines* under each other."""
    return Content("\n").join(lines)
