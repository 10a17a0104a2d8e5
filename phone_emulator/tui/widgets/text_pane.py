"""A pane of text that scrolls when there is more of it than room."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class TextPane(VerticalScroll, can_focus=True):
    """Text under a title."""

    TITLE = ""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id, classes="pane")
        self.border_title = self.TITLE
        self._body = Static(markup=False)
        self._shown: Content | None = None

    def compose(self) -> ComposeResult:
        """One body."""
        yield self._body

    def draw(self, content: Content) -> None:
        """Show *content*; does nothing when it is what is shown already."""
        if self._shown is None or not content.is_same(self._shown):
            self._shown = content
            self._body.update(content)

    @property
    def columns(self) -> int:
        """Cells of text that fit in a line."""
        return max(self.scrollable_content_region.width, 20)


def joined(lines: list[Content]) -> Content:
    """*lines* under each other."""
    return Content("\n").join(lines)
