"""The four transaction machines as data (RFC 3261 section 17, RFC 6026).

Theory of operation
-------------------

A transaction is one request and all responses to it. It stands between the transport, which loses and repeats
messages, and the user of the transaction (a registration, a call), who wants to see each message once.

There are four kinds. An INVITE takes as long as a human takes, so its client stops waiting for good at the
first 1xx, and its server's final answer is confirmed by an ACK. Every other request is answered at once: the
answer itself is the confirmation, and the client asks until it comes.

Each kind is a table: state x event -> what to do, and the next state. Three rules hold for all four:

- **No key, no effect.** An event that the state's row does not name is ignored: late or repeated messages of
  the far end, and responses of the user that come too late, are normal life and not errors.
- **A timer runs in exactly the states whose row names it.** Entering a state starts its timers; one that runs
  already goes on; one that the new row does not name is stopped. So a 1xx stops timers A and B for good, and
  leaves timers E and F running. Over a reliable transport timers A, E and G do not run, and timers D, I, J
  and K are zero: the state that waits for them is left at once.
- **Terminated is the end.** Entering it is told to whoever keeps the transaction; it has no row.

Most of what a busy endpoint keeps has nothing left to do. A state **rests** when its timer ends it, and until
then repetitions at most draw the last response again: `resting.py` keeps such a transaction as its key and
those bytes. A server goes **straight** when its table says deliver, run no timer, send the final response,
rest: no machine is made for it until something else happens. Both are read off the tables, below.

What does not fit the tables stands in `transaction.py`: the first 1xx of an INVITE server's user stops its
200 ms timer without leaving the state, timer E is T2 in Proceeding whatever it was before, and giving up goes
before retransmitting when both are due.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from .timers import Timer


class Kind(StrEnum):
    """Which of the four machines."""

    INVITE_CLIENT = "INVITE client"
    NON_INVITE_CLIENT = "non-INVITE client"
    INVITE_SERVER = "INVITE server"
    NON_INVITE_SERVER = "non-INVITE server"

    @property
    def is_client(self) -> bool:
        """Whether this end sent the request."""
        return self in (Kind.INVITE_CLIENT, Kind.NON_INVITE_CLIENT)


class State(StrEnum):
    """The states, by the RFC's names; Initial is before ``start``."""

    INITIAL = "Initial"
    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    ACCEPTED = "Accepted"
    TERMINATED = "Terminated"


class Event(StrEnum):
    """What can happen, besides timers. Clients receive responses; servers are given them by their user."""

    START = "start"
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    REQUEST = "request again"
    """The same request came once more."""
    ACK = "ACK"
    TRANSPORT_ERROR = "transport error"


class Do(StrEnum):
    """What a machine does on an event, in this order."""

    SEND_REQUEST = "send request"
    SEND_ACK = "send ACK"
    """The ACK to 300-699, which belongs to the transaction; the ACK to a 2xx belongs to the call."""
    SEND_RESPONSE = "send response"
    """The one that the user has just given."""
    SEND_AGAIN = "send last response again"
    """Nothing, where none was sent yet."""
    SEND_TRYING = "send 100"
    STOP_TRYING = "stop 200 ms"
    DELIVER = "deliver"
    """Hand the message to the user."""
    FAIL = "tell failure"


class Step(NamedTuple):
    """One cell of a table."""

    do: tuple[Do, ...]
    then: State


Table = Mapping[State, Mapping[Event | Timer, Step]]

# RFC 3261 figure 5, as RFC 6026 redraws it.
INVITE_CLIENT: Table = {
    State.INITIAL: {
        Event.START: Step((Do.SEND_REQUEST,), State.CALLING),
    },
    State.CALLING: {
        Timer.A: Step((Do.SEND_REQUEST,), State.CALLING),
        Timer.B: Step((Do.FAIL,), State.TERMINATED),
        Event.PROVISIONAL: Step((Do.DELIVER,), State.PROCEEDING),
        Event.SUCCESS: Step((Do.DELIVER,), State.ACCEPTED),
        Event.FAILURE: Step((Do.SEND_ACK, Do.DELIVER), State.COMPLETED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.TERMINATED),
    },
    State.PROCEEDING: {
        Event.PROVISIONAL: Step((Do.DELIVER,), State.PROCEEDING),
        Event.SUCCESS: Step((Do.DELIVER,), State.ACCEPTED),
        Event.FAILURE: Step((Do.SEND_ACK, Do.DELIVER), State.COMPLETED),
    },
    State.COMPLETED: {
        Timer.D: Step((), State.TERMINATED),
        Event.FAILURE: Step((Do.SEND_ACK,), State.COMPLETED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.TERMINATED),
    },
    State.ACCEPTED: {
        Timer.M: Step((), State.TERMINATED),
        Event.SUCCESS: Step((Do.DELIVER,), State.ACCEPTED),
    },
}

# RFC 3261 figure 6.
NON_INVITE_CLIENT: Table = {
    State.INITIAL: {
        Event.START: Step((Do.SEND_REQUEST,), State.TRYING),
    },
    State.TRYING: {
        Timer.E: Step((Do.SEND_REQUEST,), State.TRYING),
        Timer.F: Step((Do.FAIL,), State.TERMINATED),
        Event.PROVISIONAL: Step((Do.DELIVER,), State.PROCEEDING),
        Event.SUCCESS: Step((Do.DELIVER,), State.COMPLETED),
        Event.FAILURE: Step((Do.DELIVER,), State.COMPLETED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.TERMINATED),
    },
    State.PROCEEDING: {
        Timer.E: Step((Do.SEND_REQUEST,), State.PROCEEDING),
        Timer.F: Step((Do.FAIL,), State.TERMINATED),
        Event.PROVISIONAL: Step((Do.DELIVER,), State.PROCEEDING),
        Event.SUCCESS: Step((Do.DELIVER,), State.COMPLETED),
        Event.FAILURE: Step((Do.DELIVER,), State.COMPLETED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.TERMINATED),
    },
    State.COMPLETED: {
        Timer.K: Step((), State.TERMINATED),
    },
}

# RFC 3261 figure 7, as RFC 6026 redraws it: a response that could not be sent no longer ends it, since the
# far end will repeat its INVITE.
INVITE_SERVER: Table = {
    State.INITIAL: {
        Event.START: Step((Do.DELIVER,), State.PROCEEDING),
    },
    State.PROCEEDING: {
        Timer.TRYING: Step((Do.SEND_TRYING,), State.PROCEEDING),
        Event.REQUEST: Step((Do.SEND_AGAIN,), State.PROCEEDING),
        Event.PROVISIONAL: Step((Do.STOP_TRYING, Do.SEND_RESPONSE), State.PROCEEDING),
        Event.SUCCESS: Step((Do.SEND_RESPONSE,), State.ACCEPTED),
        Event.FAILURE: Step((Do.SEND_RESPONSE,), State.COMPLETED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.PROCEEDING),
    },
    State.COMPLETED: {
        Timer.G: Step((Do.SEND_AGAIN,), State.COMPLETED),
        Timer.H: Step((Do.FAIL,), State.TERMINATED),
        Event.REQUEST: Step((Do.SEND_AGAIN,), State.COMPLETED),
        Event.ACK: Step((), State.CONFIRMED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.COMPLETED),
    },
    State.CONFIRMED: {
        Timer.I: Step((), State.TERMINATED),
    },
    State.ACCEPTED: {
        Timer.L: Step((), State.TERMINATED),
        Event.SUCCESS: Step((Do.SEND_RESPONSE,), State.ACCEPTED),
        Event.ACK: Step((Do.DELIVER,), State.ACCEPTED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.ACCEPTED),
    },
}

# RFC 3261 figure 8.
NON_INVITE_SERVER: Table = {
    State.INITIAL: {
        Event.START: Step((Do.DELIVER,), State.TRYING),
    },
    State.TRYING: {
        Event.PROVISIONAL: Step((Do.SEND_RESPONSE,), State.PROCEEDING),
        Event.SUCCESS: Step((Do.SEND_RESPONSE,), State.COMPLETED),
        Event.FAILURE: Step((Do.SEND_RESPONSE,), State.COMPLETED),
    },
    State.PROCEEDING: {
        Event.REQUEST: Step((Do.SEND_AGAIN,), State.PROCEEDING),
        Event.PROVISIONAL: Step((Do.SEND_RESPONSE,), State.PROCEEDING),
        Event.SUCCESS: Step((Do.SEND_RESPONSE,), State.COMPLETED),
        Event.FAILURE: Step((Do.SEND_RESPONSE,), State.COMPLETED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.TERMINATED),
    },
    State.COMPLETED: {
        Timer.J: Step((), State.TERMINATED),
        Event.REQUEST: Step((Do.SEND_AGAIN,), State.COMPLETED),
        Event.TRANSPORT_ERROR: Step((Do.FAIL,), State.TERMINATED),
    },
}

TABLES: Mapping[Kind, Table] = {
    Kind.INVITE_CLIENT: INVITE_CLIENT,
    Kind.NON_INVITE_CLIENT: NON_INVITE_CLIENT,
    Kind.INVITE_SERVER: INVITE_SERVER,
    Kind.NON_INVITE_SERVER: NON_INVITE_SERVER,
}

RUNNING: Mapping[Kind, Mapping[State, tuple[Timer, ...]]] = {
    kind: {state: tuple(e for e in row if isinstance(e, Timer)) for state, row in table.items()}
    for kind, table in TABLES.items()
}
"""The timers that run in each state: those that its row names."""


def _rests(row: Mapping[Event | Timer, Step]) -> bool:
    over = Step((), State.TERMINATED)
    timers = [event for event in row if isinstance(event, Timer)]
    others = [step for event, step in row.items() if event not in (*timers, Event.TRANSPORT_ERROR)]
    return (
        bool(timers)
        and all(row[timer] == over for timer in timers)
        and all(step.do in ((), (Do.SEND_AGAIN,)) for step in others)
    )


RESTING: Mapping[Kind, frozenset[State]] = {
    kind: frozenset(state for state, row in table.items() if _rests(row)) for kind, table in TABLES.items()
}
"""The states in which nothing is left to do but to say the same again, until their timer ends them."""


def _straight(kind: Kind) -> bool:
    start = TABLES[kind][State.INITIAL][Event.START]
    row = TABLES[kind].get(start.then, {})
    finals = [row.get(event) for event in (Event.SUCCESS, Event.FAILURE)]
    return (
        start.do == (Do.DELIVER,)
        and not RUNNING[kind][start.then]
        and all(each is not None and each.do == (Do.SEND_RESPONSE,) for each in finals)
        and all(each is not None and each.then in RESTING[kind] for each in finals)
    )


STRAIGHT = tuple(kind for kind in Kind if _straight(kind))
"""The servers that hand their request on, run no timer, and rest once the final response is sent: as long as
nothing else happens, nothing of the machine is needed."""

CLIENTS = frozenset(kind for kind in Kind if kind.is_client)
