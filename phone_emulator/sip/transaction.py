"""Transactions: one request and its responses (RFC 3261 section 17, RFC 6026). Pure: ``now`` in, actions out.

What each kind does is a table in ``tables.py``; here is what turns the tables. Whoever keeps a transaction

- makes it (:func:`invite_client` and its three siblings), calls ``start(now)``, and tells it what happens;
- does what the returned actions say, in their order;
- calls ``fire(now)`` when the clock shows ``next_timer``, which may have changed after any call;
- forgets it at :class:`Ended`. Forgetting it sooner is allowed, and stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from . import values
from .message import Message, MessageError, Request, Response, response_to
from .tables import CLIENTS, RESTING, RUNNING, TABLES, Do, Event, Kind, State, Step
from .timers import RETRANSMITS, Timer, Timers

MAGIC_COOKIE = "z9hG4bK"
"""What a Via branch begins with where it names one transaction only (RFC 3261 section 8.1.1.7)."""
COOKIE = MAGIC_COOKIE.lower()

NOTHING: Mapping[Event | Timer, Step] = {}
"""The row of Terminated."""

INSTANT = 1e-6
"""Seconds. Times closer than this are the same: sums of intervals may differ in their last bits."""


class FailureKind(StrEnum):
    """Why a transaction failed."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport"


@dataclass(slots=True)
class Send:
    """Send this message: to the request's target (clients), to where the request came from (servers)."""

    message: Request | Response


@dataclass(slots=True)
class Deliver:
    """Hand this message to the user of the transaction."""

    message: Request | Response


@dataclass(slots=True)
class Failed:
    """Tell the user that it failed. Servers may live on; :class:`Ended` follows where it ended."""

    reason: FailureKind
    detail: str
    """For people: ``no response within 64*T1 = 32.0 s``, ``ICMP port unreachable``."""


@dataclass(slots=True)
class Ended:
    """The transaction is over: forget it."""


Action = Send | Deliver | Failed | Ended


class Transaction:
    """One transaction of any kind; see the functions that make them for their arguments."""

    __slots__ = (
        "_due",
        "_interval",
        "_timeout",
        "_timers",
        "kind",
        "last_sent",
        "reliable",
        "request",
        "state",
    )

    def __init__(
        self, kind: Kind, request: Request, *, reliable: bool, timers: Timers, timeout: float | None = None
    ) -> None:
        self.kind = kind
        self.state = State.INITIAL
        self.request = request
        self.reliable = reliable
        self.last_sent: Request | Response | None = None
        """Clients: the request, later the ACK. Servers: the latest response."""
        self._timers = timers
        self._timeout = timeout
        self._due: dict[Timer, float] = {}
        self._interval = 0.0  # of the one timer of RETRANSMITS that a state may run

    def __repr__(self) -> str:
        return f"<{self.kind} transaction {self.request.method} {self.request.branch} {self.state}>"

    @property
    def next_timer(self) -> float | None:
        """When ``fire`` is due next; None when only the far end or the user can move it, or it has ended."""
        return min(self._due.values()) if self._due else None

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state is State.TERMINATED

    @property
    def resting(self) -> bool:
        """Whether only ``last_sent`` counts, until ``next_timer``: repetitions draw it again, and no more."""
        return self.state in RESTING[self.kind]

    def start(self, now: float) -> list[Action]:
        """Begin: clients send the request, servers deliver it. Raises RuntimeError the second time."""
        if self.state is not State.INITIAL:
            raise RuntimeError(f"{self!r} was started before")
        return self._step(Event.START, now, self.request)

    def receive(self, message: Request | Response, now: float) -> list[Action]:
        """A message that matches came in: a response to a client, the request again or an ACK to a server."""
        event: Event | None = None
        if self.kind in CLIENTS:
            if isinstance(message, Response):
                event = _event_of(message)
        elif isinstance(message, Request):
            if message.method == self.request.method:
                event = Event.REQUEST
            elif message.method == "ACK":
                event = Event.ACK
        return [] if event is None else self._step(event, now, message)

    def respond(self, response: Response, now: float) -> list[Action]:
        """The user of a server transaction answers; too late is no error. Raises RuntimeError on clients."""
        if self.kind in CLIENTS:
            raise RuntimeError(f"{self!r} is a client's: it receives responses and gives none")
        return self._step(_event_of(response), now, response)

    def transport_failed(self, now: float, detail: str) -> list[Action]:
        """What it sent last could not be sent, or drew an ICMP error; *detail* says which, for people."""
        return self._step(Event.TRANSPORT_ERROR, now, detail=detail)

    def fire(self, now: float) -> list[Action]:
        """Every timer that is due at or before *now*, in seconds.

        A retransmission timer keeps its beat, whenever it is looked at; where several beats were missed, the
        message is sent once. Giving up goes first: nothing is retransmitted at that moment or after it.
        """
        actions: list[Action] = []
        while due := [timer for timer, at in self._due.items() if at <= now + INSTANT]:
            timer = min(due, key=RETRANSMITS.__contains__)
            if timer in RETRANSMITS:
                self._rearm(timer, now)
            else:
                del self._due[timer]
            actions += self._step(timer, now)
        return actions

    # -- the machine -------------------------------------------------------------------------------------

    def _step(
        self, event: Event | Timer, now: float, message: Request | Response | None = None, detail: str = ""
    ) -> list[Action]:
        step = TABLES[self.kind].get(self.state, NOTHING).get(event)
        if step is None:
            return []
        actions: list[Action] = []
        for what in step.do:
            action = DEEDS[what](self, message, event, detail)
            if action is not None:
                actions.append(action)
        if step.then is not self.state:
            self._enter(step.then, now, actions)
        return actions

    def _send(self, message: Request | Response | None) -> Send | None:
        if message is None:
            return None
        self.last_sent = message
        return Send(message)

    def _enter(self, state: State, now: float, actions: list[Action]) -> None:
        """Enter *state*: stop the timers that it does not name, start those that it does."""
        self.state = state
        if state is State.TERMINATED:
            self._due = {}
            actions.append(Ended())
            return
        before, running = self._due, RUNNING[self.kind][state]
        if not before and not running:
            return
        self._due = {}
        for timer in running:
            if timer in before:
                self._due[timer] = before[timer]
                continue
            seconds = self._duration(timer)
            if seconds is None:
                continue
            if seconds == 0:
                actions += self._step(timer, now)
                return
            self._due[timer] = now + seconds
            if timer in RETRANSMITS:
                self._interval = seconds

    def _duration(self, timer: Timer) -> float | None:
        if self._timeout is not None and timer in (Timer.B, Timer.F):
            return self._timeout
        return self._timers.duration(timer, reliable=self.reliable)

    def _rearm(self, timer: Timer, now: float) -> None:
        proceeding = self.state is State.PROCEEDING
        while self._due[timer] <= now + INSTANT:
            self._interval = self._timers.next_interval(timer, self._interval, proceeding=proceeding)
            self._due[timer] += self._interval

    def _silence(self, timer: Timer) -> str:
        if timer is Timer.H:
            missing = "no ACK"
        elif self.state is State.PROCEEDING:
            missing = "no final response"
        else:
            missing = "no response"
        if self._timeout is None:
            return f"{missing} within 64*T1 = {round(64 * self._timers.t1, 3)} s"
        return f"{missing} within {round(self._timeout, 3)} s"


# -- what the machine does ---------------------------------------------------------------------------------

Said = Request | Response | None


def _send_request(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    return machine._send(machine.request)


def _send_ack(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    if machine.state is not State.COMPLETED and isinstance(message, Response):
        machine.last_sent = ack_to(machine.request, message)
    return machine._send(machine.last_sent)


def _send_response(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    return machine._send(message)


def _send_again(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    return machine._send(machine.last_sent)


def _send_trying(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    return machine._send(response_to(machine.request, 100))


def _stop_trying(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    machine._due.pop(Timer.TRYING, None)
    return None


def _deliver(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    return None if message is None else Deliver(message)


def _fail(machine: Transaction, message: Said, event: Event | Timer, detail: str) -> Action | None:
    if isinstance(event, Timer):
        return Failed(FailureKind.TIMEOUT, machine._silence(event))
    return Failed(FailureKind.TRANSPORT, detail)


DEEDS: Mapping[Do, Callable[[Transaction, Said, Event | Timer, str], Action | None]] = {
    Do.SEND_REQUEST: _send_request,
    Do.SEND_ACK: _send_ack,
    Do.SEND_RESPONSE: _send_response,
    Do.SEND_AGAIN: _send_again,
    Do.SEND_TRYING: _send_trying,
    Do.STOP_TRYING: _stop_trying,
    Do.DELIVER: _deliver,
    Do.FAIL: _fail,
}


def invite_client(
    request: Request, *, reliable: bool, timers: Timers, timeout: float | None = None
) -> Transaction:
    """The client transaction of an INVITE (RFC 3261 section 17.1.1).

    *reliable* tells whether the transport retransmits by itself (TCP, TLS). *timeout*, in seconds, takes the
    place of 64*T1 in timer B: how long silence is waited for.
    """
    return Transaction(Kind.INVITE_CLIENT, request, reliable=reliable, timers=timers, timeout=timeout)


def non_invite_client(
    request: Request, *, reliable: bool, timers: Timers, timeout: float | None = None
) -> Transaction:
    """The client transaction of any other request but ACK (RFC 3261 section 17.1.2).

    *reliable* tells whether the transport retransmits by itself (TCP, TLS). *timeout*, in seconds, takes the
    place of 64*T1 in timer F: how long a final response is waited for.
    """
    return Transaction(Kind.NON_INVITE_CLIENT, request, reliable=reliable, timers=timers, timeout=timeout)


def invite_server(request: Request, *, reliable: bool, timers: Timers) -> Transaction:
    """The server transaction of an INVITE that came in (RFC 3261 section 17.2.1).

    It sends 100 when its user has not responded within 200 ms. A 2xx is repeated by the user, not by it,
    until the user has the ACK (RFC 3261 section 13.3.1.4): each repetition goes through ``respond``.
    """
    return Transaction(Kind.INVITE_SERVER, request, reliable=reliable, timers=timers)


def non_invite_server(request: Request, *, reliable: bool, timers: Timers) -> Transaction:
    """The server transaction of any other request but ACK that came in (RFC 3261 section 17.2.2)."""
    return Transaction(Kind.NON_INVITE_SERVER, request, reliable=reliable, timers=timers)


def server_kind(request: Request) -> Kind:
    """The kind of transaction that *request* begins where it comes in."""
    return Kind.INVITE_SERVER if request.method == "INVITE" else Kind.NON_INVITE_SERVER


def ack_to(request: Request, response: Response) -> Request:
    """The ACK that a client transaction sends for a 300-699 to its INVITE (RFC 3261 section 17.1.1.3).

    It carries what the phone's does: Via, Route, From, To, Call-ID, CSeq, Content-Length and nothing else.
    """
    headers = type(request.headers)([("Via", request.headers.values("Via")[0])])
    for route in request.headers.get_all("Route"):
        headers.add("Route", route)
    headers.add("From", request.headers.get("From") or "")
    headers.add("To", response.headers.get("To") or "")
    headers.add("Call-ID", request.call_id)
    headers.add("CSeq", f"{request.cseq.number} ACK")
    return Request("ACK", request.uri, headers, b"")


Key = str
"""What a message is matched by. Keys of clients and of servers are not compared with each other."""


def client_key(message: Message) -> Key:
    """What a response finds its client transaction by: branch and method (RFC 3261 section 17.1.3)."""
    return client_key_of(message.branch or "", message.cseq.method)


def client_key_of(branch: str, method: str) -> Key:
    """The same of the parts that make it."""
    return f"{branch.lower()}\n{method}"


def server_key(message: Message, method: str | None = None, via: values.Via | None = None) -> Key:
    """What a request finds its server transaction by (RFC 3261 section 17.2.3): branch, sent-by and method.

    An ACK finds the INVITE that it belongs to. A CANCEL has a transaction of its own; *method* ``INVITE``
    gives the key of the one that it cancels. Without the magic cookie and more the branch proves nothing, and
    the message is matched by Request-URI, From tag, Call-ID, CSeq number and the whole top Via (RFC 2543).
    *via* is the top Via, where it is read already.
    """
    if method is None:
        method = message.method if isinstance(message, Request) else message.cseq.method
    if method == "ACK":
        method = "INVITE"
    try:
        _, host, port, parameters = via or message.via
    except MessageError:
        pass  # what does not follow the grammar proves nothing either
    else:
        branch = (parameters.get("branch") or "").lower()
        if branch.startswith(COOKIE) and branch != COOKIE:
            return f"{branch}\n{host.lower()}\n{port}\n{method}"
    uri = message.uri if isinstance(message, Request) else ""
    top = next(iter(message.headers.values("Via")), "")
    return "\n".join((uri, message.from_tag or "", message.call_id, str(message.cseq.number), top, method))


def _event_of(response: Response) -> Event:
    if response.status < 200:
        return Event.PROVISIONAL
    return Event.SUCCESS if response.status < 300 else Event.FAILURE
