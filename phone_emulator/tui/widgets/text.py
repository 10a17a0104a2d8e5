"""Text that repaints only what changes: a clock that ticks does not lay the screen out anew."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Text(Static):
    """Text without markup."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, markup=False)
        self._shown: Content | None = None

    def draw(self, content: Content) -> None:
        """Show *content*; does nothing when it is what is shown already."""
        shown, self._shown = self._shown, content
        if shown is None:
            self.update(content)
        elif not content.is_same(shown):
            self.update(content, layout=_widths(shown) != _widths(content))


def _widths(content: Content) -> list[int]:
    """The length of each line: the same lengths take the same room."""
    return [len(line) for line in content.plain.split("\n")]
