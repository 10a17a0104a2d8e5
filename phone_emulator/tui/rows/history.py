"""The calls that have ended, newest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_emulator.events import Direction
from phone_emulator.tui.spans import clock, seconds
from phone_emulator.tui.words import failure_word, parting_word

if TYPE_CHECKING:
    from phone_emulator.phone.calls.call import Call


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A call that has ended."""

    call: str
    """Its id."""
    at: str
    """When it began, on the phone's clock."""
    arrow: str
    """``→`` outgoing, ``←`` incoming."""
    remote: str
    good: bool
    word: str
    """``via secondary``, ``Busy here!``."""
    took: str
    """From dialling to the result."""
    talked: str
    """How long it was up; empty when it never was."""
    attempts: int
    fault: str = ""
    """``BYE not answered``; empty where nothing went wrong at its end."""


def history_rows(calls: Iterable[Call]) -> list[HistoryRow]:
    """*calls*, given oldest first, newest first."""
    return [_row(call) for call in calls][::-1]


def _row(call: Call) -> HistoryRow:
    was_up = call.result == "answered"
    talked = ""
    if call.answered_at is not None and call.ended is not None:
        talked = clock(call.ended - call.answered_at)
    answered = f"via {call.via}" if call.via else "answered"
    return HistoryRow(
        call=call.id,
        at=clock(call.started),
        arrow="→" if call.direction is Direction.OUTGOING else "←",
        remote=call.remote,
        good=was_up or (call.end is not None and call.end.elsewhere),
        word=answered if was_up else failure_word(call),
        took=seconds(call.elapsed),
        talked=talked,
        attempts=len(call.route),
        fault=parting_word(call),
    )
