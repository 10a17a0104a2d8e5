"""The log pane: DNS answers, attempts, registrations, calls, the lab, as they happen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from phone_emulator.cleaning import clean
from phone_emulator.tui.rows.log import LogRow
from phone_emulator.tui.theme import BAD, DIM, LINK

from .text_pane import TextPane, hanging, joined


class LogPane(TextPane):
    """The newest line last, and in sight unless the user looks back."""

    TITLE = "Log"
    _rows: Sequence[LogRow] = ()

    def show(self, rows: Sequence[LogRow]) -> None:
        """Show *rows*."""
        self._rows = rows
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self._wrap()
        if at_end:
            self.call_after_refresh(self.scroll_end, animate=False)

    def on_resize(self) -> None:
        """Use the room there is; while another pane has the place there is none."""
        self._wrap()

    def on_show(self) -> None:
        """Begin at the end."""
        self.call_after_refresh(self.scroll_end, animate=False)

    def _wrap(self) -> None:
        self.draw(joined([_row(row, self.columns) for row in self._rows]))


def _row(row: LogRow, columns: int) -> Content:
    head = Content.assemble((f"{row.at:9.3f} ", DIM), (f"{row.topic:<7} ", LINK))
    return hanging(head, clean(row.text), BAD if row.bad else "", columns)
