"""The history pane: the calls that have ended; choosing one shows its route and messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from phone_emulator.cleaning import clean
from phone_emulator.tui.rows.history import HistoryRow
from phone_emulator.tui.theme import BAD, DIM, GOOD, STRONG


class HistoryPane(OptionList):
    """A list, newest first."""

    @dataclass
    class Chosen(Message):
        """A call was chosen."""

        call: str
        opened: bool
        """Whether its route shall come up where there is room for one view only."""

    def __init__(self) -> None:
        super().__init__(id="history", classes="pane", markup=False)
        self.border_title = "History"
        self.border_subtitle = "no calls yet"
        self._rows: list[HistoryRow] = []

    def show(self, rows: Sequence[HistoryRow]) -> None:
        """Show *rows*; the highlight is on the newest call, or stays where the user looks."""
        if list(rows) == self._rows:
            return
        looked_at = self.highlighted if self.has_focus else None
        kept = self._rows[looked_at].call if looked_at is not None else None
        self._rows = list(rows)
        self.set_options([Option(_row(row), id=row.call) for row in rows])
        names = [row.call for row in rows]
        self.highlighted = names.index(kept) if kept in names else (0 if names else None)
        self.border_subtitle = "Enter: its route and messages" if rows else "no calls yet"

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Looking through the list shows each call."""
        event.stop()
        if self.has_focus and event.option_id:
            self.post_message(self.Chosen(event.option_id, opened=False))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        event.stop()
        if event.option_id:
            self.post_message(self.Chosen(event.option_id, opened=True))


def _row(row: HistoryRow) -> Content:
    style = GOOD if row.good else BAD
    tries = f", {row.attempts} servers" if row.attempts > 1 and not row.good else ""
    talked = f", talked {row.talked}" if row.talked else ""
    return Content.assemble(
        ("✓ " if row.good else "✗ ", style),
        (f"{row.at} ", DIM),
        (f"{row.arrow} {clean(row.remote)}  ", STRONG),
        (row.word, style),
        (f"  {row.took}{tries}{talked}", DIM),
        (f", {row.fault}" if row.fault else "", BAD),
    )
