"""A pane of text that scrolls when there is more of it than room."""

from __future__ import annotations

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


def joined(lines: list[Content]) -> Content:
    """*lines* under each other."""
    return Content("\n").join(lines)
