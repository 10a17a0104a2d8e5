"""The call pane: the live calls as on the phone's screen, and the dial field."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from phone_emulator.cleaning import clean
from phone_emulator.tui.rows.call import CallRow
from phone_emulator.tui.theme import DIM, GOOD, STRONG, WAITING

from .dial import DialField
from .text import Text


class CallPane(Vertical, can_focus=True):
    """The call in hand first, then others, then the dial field or the DTMF that was sent."""

    def __init__(self) -> None:
        super().__init__(id="call", classes="pane")
        self.border_title = "Call"
        self.dial = DialField()
        self._cards = Text(id="cards")
        self._prompt = Text(id="prompt")
        self._row = Horizontal(self._prompt, self.dial, id="dial-row")
        self._dtmf = Text(id="dtmf")

    def compose(self) -> ComposeResult:
        """Cards over the dial field."""
        yield self._cards
        yield self._row
        yield self._dtmf

    def show(
        self,
        calls: Sequence[CallRow],
        *,
        idle: str,
        dialling: bool,
        transferring: bool,
        dtmf: str,
        line: str,
    ) -> None:
        """Show the live *calls*.

        Args:
            calls: the one in hand first.
            idle: said when there is none.
            dialling: whether the dial field is offered.
            transferring: whether it asks whom the call in hand is transferred to.
            dtmf: digits sent in the call in hand.
            line: who the next call comes from; empty where the phone has only one line.
        """
        self.border_title = f"Call 1/{len(calls)}" if len(calls) > 1 else "Call"
        self._cards.draw(_cards(calls, self.content_size.width) if calls else Content.styled(idle, DIM))
        self._row.display = dialling
        prompt = "Transfer to " if transferring else f"Dial from {line} " if line else "Dial "
        self._prompt.draw(Content(prompt))
        self._dtmf.display = not dialling
        talking = bool(calls) and calls[0].up
        self._dtmf.draw(
            Content.assemble(("DTMF ", DIM), dtmf or ("0-9 * #", DIM)) if talking else Content("")
        )


def _cards(calls: Sequence[CallRow], columns: int) -> Content:
    """A line a call, or two where one does not fit; one for its tone and encryption, one for its sound."""
    lines = []
    for call in calls:
        style = GOOD if call.up else WAITING
        card = Content.assemble(
            ("▸ " if call.in_hand else "  ", style),
            (f"{call.arrow} {clean(call.remote)}  ", STRONG if call.in_hand else ""),
            (f"{call.word} ", f"bold {style}" if call.ringing else style),
            call.time,
        )
        where = Content.styled(f"  {call.where}", DIM)
        if card.cell_length + where.cell_length <= columns:
            lines.append(Content.assemble(card, where))
        else:
            lines += [card, Content.assemble("  ", where)]
        more = " · ".join(filter(None, (call.levels, call.tone, call.secrecy)))
        if more:
            lines.append(Content.styled(f"    {more}", DIM))
        if call.sound:
            lines.append(Content.styled(f"    {_as_fits(call.sound, columns - 4)}", DIM))
    return Content("\n").join(lines)


def _as_fits(words: Sequence[str], columns: int) -> str:
    """As many of the first *words* as one line takes."""
    line = words[0]
    for word in words[1:]:
        longer = f"{line} · {word}"
        if len(longer) > columns:
            break
        line = longer
    return line
