"""The route pane: every server of the call in order, why the call left it, and the wait that goes on."""

from __future__ import annotations

from textual.content import Content

from phone_emulator.cleaning import clean
from phone_emulator.tui.rows.route import SYMBOLS, Mark, RouteRow, RouteView
from phone_emulator.tui.spans import bar
from phone_emulator.tui.theme import BAD, DIM, GOOD, STRONG, WAITING

from .text_pane import TextPane, hanging, joined

STYLES = {Mark.GOOD: GOOD, Mark.BAD: BAD, Mark.LIVE: WAITING, Mark.TO_COME: DIM, Mark.PASSED: DIM}
_BAR = 20


class RoutePane(TextPane):
    """The route of the call that is shown."""

    TITLE = "Route"
    _lines = 0
    """How many were drawn last."""

    def show(self, view: RouteView | None) -> None:
        """Show *view*, or that there has been no call."""
        if view is None:
            self.border_title = self.TITLE
            self.draw(
                Content.styled("The servers that a call tries, in order, with the reason for each step.", DIM)
            )
            return
        self.border_title = f"Route · {clean(view.title)}".replace("[", r"\[")
        places = max((len(row.place) for row in view.rows), default=0)
        lines: list[Content] = []
        for row in view.rows:
            lines += _row(row, places, self.columns)
        lines.append(_sentence(view, self.columns))
        content = joined(lines)
        self.draw(content)
        count = content.plain.count("\n")
        if count != self._lines and view.mark is Mark.LIVE:
            # What goes on is at the end; while nothing new comes, the user may look back.
            self.call_after_refresh(self.scroll_end, animate=False)
        self._lines = count


def _row(row: RouteRow, places: int, columns: int) -> list[Content]:
    style = STYLES[row.mark]
    lines = [
        Content.assemble(
            (f"{SYMBOLS[row.mark]} ", style),
            (f"{row.number} {row.role:<10} ", DIM if row.mark is Mark.TO_COME else STRONG),
            (f"{clean(row.place):<{places}}  ", DIM if row.mark is Mark.TO_COME else ""),
            (f"{row.word:<16} ", style),
            (f"{row.took:>7}", ""),
        )
    ]
    texts = [clean(text) for text in (row.reason, row.sends) if text]
    lines += [hanging(Content("    "), text, DIM, columns) for text in texts]
    return lines


def _sentence(view: RouteView, columns: int) -> Content:
    style = STYLES[view.mark]
    if view.share is None:
        head = Content.styled(f"{SYMBOLS[view.mark]} ", style)
        return hanging(head, clean(view.sentence), style, columns)
    full, empty = bar(view.share, _BAR)
    return Content.assemble("  ", (full, style), (empty, DIM), ("  " + view.sentence, style))
