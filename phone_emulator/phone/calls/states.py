"""The states of a call as data.

Theory of operation
-------------------

A call is what people see of an INVITE and its dialog: it is dialled or comes in, rings, is up, is held, ends.
Both directions share one table: state x event -> what to do, and the next state. Two rules hold:

- **No key, no effect.** An event that the state's row does not name changes nothing: a 1xx after the answer,
  a second hang-up.
- **Ended is the end.** Entering it takes the call off its line, and tells what hangs on it; it has no row.

Before the answer "hang up", a time-out and a fault lead to Ending: a CANCEL is sent, or held back until a 1xx
allows it (RFC 3261 section 9.1), and the call is over when the INVITE's last response has come. After the
answer "hang up" and a fault lead there too: a BYE is sent. So does an answer after which nothing can be said:
the call was never up (section 13.2.2.4).

What does not fit the table stands in `call.py`, `outgoing.py` and `incoming.py`. The BYE of a call that is up
waits until the far end has acknowledged the 2xx that it is owed (section 15), so whoever ends a call awaits
it there. An incoming call that rings is refused by a final response of this phone, also for a CANCEL or a BYE
of its caller. What a call's result is (answered, rejected, failed, cancelled) is settled beside its state.
Which of a phone's calls may talk is said in `floor.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from phone_emulator.events import CallState


class CallEvent(StrEnum):
    """What can happen to a call."""

    DIAL = "dial"
    INVITE = "INVITE"
    """One has come in, and can be answered."""
    PROVISIONAL = "1xx"
    """101 to 199 have come."""
    SUCCESS = "2xx"
    """One has come, or this phone answers."""
    UNUSABLE = "2xx that cannot be used"
    """One has come after which nothing can be said: it is acknowledged, and a BYE is sent."""
    FINAL = "300-699"
    """One has come or was sent, or no server was left to be tried."""
    HANG_UP = "hang up"
    HOLD = "hold"
    RESUME = "resume"
    BYE = "BYE"
    """One has come in."""
    TIME_OUT = "time-out"
    """The far end rang too long."""
    FAULT = "fault"
    """Something was done for the call that raised what it should not."""
    OVER = "over"
    """Nothing more is owed or awaited."""


class Do(StrEnum):
    """What a call does on an event, besides telling its new state."""

    CANCEL = "CANCEL"
    """Send it, or hold it back until it may be sent; an incoming call has none to send."""
    CLAIM = "claim the floor"
    """Hold every other call of the phone that talks."""
    LEAVE = "leave"
    """Close the session, leave the line, tell what hangs on the call."""


class Step(NamedTuple):
    """One cell of the table."""

    do: tuple[Do, ...]
    then: CallState


_ENDED = Step((Do.LEAVE,), CallState.ENDED)
_CANCELLED = Step((Do.CANCEL,), CallState.ENDING)
_HUNG_UP = Step((), CallState.ENDING)
_TALKING = Step((Do.CLAIM,), CallState.TALKING)

TABLE: Mapping[CallState, Mapping[CallEvent, Step]] = {
    CallState.CALLING: {
        CallEvent.DIAL: Step((Do.CLAIM,), CallState.CALLING),
        CallEvent.INVITE: Step((), CallState.RINGING),
        CallEvent.PROVISIONAL: Step((), CallState.RINGING),
        CallEvent.SUCCESS: _TALKING,
        CallEvent.UNUSABLE: _HUNG_UP,
        CallEvent.FINAL: _ENDED,
        CallEvent.HANG_UP: _CANCELLED,
        CallEvent.TIME_OUT: _CANCELLED,
        CallEvent.FAULT: _CANCELLED,
        CallEvent.OVER: _ENDED,
    },
    CallState.RINGING: {
        CallEvent.SUCCESS: _TALKING,
        CallEvent.UNUSABLE: _HUNG_UP,
        CallEvent.FINAL: _ENDED,
        CallEvent.HANG_UP: _CANCELLED,
        CallEvent.BYE: _CANCELLED,
        CallEvent.TIME_OUT: _CANCELLED,
        CallEvent.FAULT: _CANCELLED,
        CallEvent.OVER: _ENDED,
    },
    CallState.TALKING: {
        CallEvent.HOLD: Step((), CallState.HELD),
        CallEvent.RESUME: Step((), CallState.TALKING),
        CallEvent.FINAL: _ENDED,
        CallEvent.HANG_UP: _HUNG_UP,
        CallEvent.FAULT: _HUNG_UP,
        CallEvent.BYE: _ENDED,
        CallEvent.OVER: _ENDED,
    },
    CallState.HELD: {
        CallEvent.HOLD: Step((), CallState.HELD),
        CallEvent.RESUME: _TALKING,
        CallEvent.HANG_UP: _HUNG_UP,
        CallEvent.FAULT: _HUNG_UP,
        CallEvent.BYE: _ENDED,
        CallEvent.OVER: _ENDED,
    },
    CallState.ENDING: {
        CallEvent.FINAL: _ENDED,
        CallEvent.BYE: _ENDED,
        CallEvent.OVER: _ENDED,
    },
}

UP = frozenset({CallState.TALKING, CallState.HELD})
"""The dialog is confirmed, and nobody has ended it."""
UNANSWERED = frozenset({CallState.CALLING, CallState.RINGING})
