"""The lines pane: each line, and for each of its servers where it is registered, and how long that lasts."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from phone_emulator.cleaning import clean
from phone_emulator.tui.rows.registration import BindingRow, LampRow, LineRow, TroubleRow
from phone_emulator.tui.theme import BAD, DIM, GOOD, STRONG, WAITING

from .text_pane import TextPane, hanging, joined

SCROLLBAR = 2
"""Columns that the pane loses where it scrolls."""
TROUBLES_SHOWN = 3
"""Per line; the rest is in the log."""
_STYLES = {"✓": GOOD, "!": WAITING, "✗": BAD, "…": WAITING, "·": DIM}


class LinesPane(TextPane):
    """The lines."""

    TITLE = "Lines"

    def show(self, rows: Sequence[LineRow]) -> None:
        """Show *rows*."""
        several = len(rows) > 1
        lines: list[Content] = []
        for row in rows:
            lines.append(_line(row, several))
            places = max((len(binding.place) for binding in row.bindings), default=0)
            for binding in row.bindings:
                lines += _binding(binding, places, self.columns)
            for trouble in row.troubles[:TROUBLES_SHOWN]:
                lines += _trouble(trouble, self.columns)
            lines += [_lamp(lamp) for lamp in row.lamps]
        self.draw(joined(lines or [Content.styled("no account is enabled", BAD)]))


def _trouble(row: TroubleRow, columns: int) -> list[Content]:
    head = Content.assemble("    ", ("! ", WAITING), f"{row.role:<9} ", clean(row.place))
    told = f"{row.when}: {clean(row.why)}"
    return [head, hanging(Content(" " * 6), told, DIM, columns - SCROLLBAR)]


def _line(row: LineRow, several: bool) -> Content:
    marker = "▸ " if several and row.chosen else "  "
    waits = row.unreachable or (not row.registered and row.word.endswith("ing"))
    style = WAITING if waits else GOOD if row.registered else BAD
    return Content.assemble(
        marker,
        (f"{row.number} {clean(row.label)}", STRONG),
        (f"  {clean(row.who)}  ", DIM),
        (row.word, style),
        (f"  {row.mail}" if row.mail else "", WAITING),
    )


def _lamp(row: LampRow) -> Content:
    symbol, style = ("●", BAD) if row.busy else ("○", DIM)
    return Content.assemble("    ", (f"{symbol} ", style), f"{clean(row.label)}  ", (clean(row.word), style))


def _binding(row: BindingRow, places: int, columns: int) -> list[Content]:
    """One line where it fits, with the reason of a failure under it."""
    style = _STYLES[row.symbol]
    head = Content.assemble(
        "    ",
        (f"{row.symbol} ", style),
        (f"{row.role:<9} ", STRONG if row.working else ""),
        f"{clean(row.place):<{places}}  ",
    )
    if row.symbol == "✓":
        lease = Content.styled(row.lease, DIM)
        if head.cell_length + lease.cell_length <= columns:
            return [Content.assemble(head, lease)]
        return [head, hanging(Content(" " * 16), row.lease, DIM, columns - SCROLLBAR)]
    lines = [Content.assemble(head, (row.word, style), (f"  {row.lease}", DIM) if row.lease else "")]
    if row.unreachable:
        lines.append(hanging(Content(" " * 6), clean(row.unreachable), DIM, columns))
    elif row.symbol == "✗":
        lines.append(hanging(Content(" " * 6), clean(row.reason), DIM, columns))
    return lines
