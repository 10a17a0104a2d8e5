"""The timers of SIP transactions and how long they run (RFC 3261 table 4, RFC 6026)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite


class Timer(StrEnum):
    """A timer of a transaction. Its letter is the RFC's."""

    A = "timer A"
    """INVITE client: send the INVITE again. Doubles each time, without a cap."""
    B = "timer B"
    """INVITE client: nothing was heard, give up."""
    D = "timer D"
    """INVITE client: retransmissions of the final response have ended."""
    E = "timer E"
    """Non-INVITE client: send the request again. Doubles up to T2; T2 once a 1xx was heard."""
    F = "timer F"
    """Non-INVITE client: no final response, give up."""
    G = "timer G"
    """INVITE server: send the final response again. Doubles up to T2."""
    H = "timer H"
    """INVITE server: no ACK, give up."""
    I = "timer I"  # noqa: E741 (the RFC's letter)
    """INVITE server: retransmissions of the ACK have ended."""
    J = "timer J"
    """Non-INVITE server: retransmissions of the request have ended."""
    K = "timer K"
    """Non-INVITE client: retransmissions of the final response have ended."""
    L = "timer L"
    """INVITE server: retransmissions of an accepted INVITE have ended (RFC 6026)."""
    M = "timer M"
    """INVITE client: 2xx retransmissions and 2xx of other branches have ended (RFC 6026)."""
    TRYING = "200 ms"
    """INVITE server: the user of the transaction is slow, send 100 for it (RFC 3261 section 17.2.1)."""


RETRANSMITS = frozenset({Timer.A, Timer.E, Timer.G})
"""The timers that start again each time they fire. They never run over a reliable transport."""

LINGERS = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})
"""The timers that only soak up retransmissions: zero over a reliable transport, which has none."""

TRYING_SECONDS = 0.2
"""How long the user of an INVITE server transaction may stay silent before 100 is sent for it."""

SHORTEST_D = 32.0
"""Timer D is at least 32 s: the far end's T1, and so its Timer H, is not known here."""

SHORTEST = 0.001
"""Seconds. A shorter T1, T2 or T4 would flood the far end."""


@dataclass(frozen=True, slots=True)
class Timers:
    """The durations of all timers, from the three that a phone can be told; all in seconds.

    Raises ValueError when one of the three is not a number of at least SHORTEST.
    """

    t1: float = 0.5
    """Estimated round trip (``sip.timer_t1``)."""
    t2: float = 4.0
    """Longest pause between retransmissions of anything but an INVITE (``sip.timer_t2``)."""
    t4: float = 5.0
    """How long a message may stay in the network (``sip.timer_t4``)."""
    _durations: dict[tuple[Timer, bool], float | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, seconds in (("T1", self.t1), ("T2", self.t2), ("T4", self.t4)):
            if not (isfinite(seconds) and seconds >= SHORTEST):
                raise ValueError(f"SIP timer {name} must be at least {SHORTEST} s, not {seconds} s")
        ways = [(timer, reliable) for timer in Timer for reliable in (False, True)]
        object.__setattr__(self, "_durations", {way: self._duration(*way) for way in ways})

    @property
    def b(self) -> float:
        """Timer B: 64*T1."""
        return 64 * self.t1

    @property
    def d(self) -> float:
        """Timer D over UDP: 64*T1, and at least 32 s."""
        return max(SHORTEST_D, 64 * self.t1)

    @property
    def f(self) -> float:
        """Timer F: 64*T1."""
        return 64 * self.t1

    @property
    def h(self) -> float:
        """Timer H: 64*T1."""
        return 64 * self.t1

    @property
    def i(self) -> float:
        """Timer I over UDP: T4."""
        return self.t4

    @property
    def j(self) -> float:
        """Timer J over UDP: 64*T1."""
        return 64 * self.t1

    @property
    def k(self) -> float:
        """Timer K over UDP: T4."""
        return self.t4

    @property
    def l(self) -> float:  # noqa: E743 (the RFC's letter)
        """Timer L, over every transport: 64*T1."""
        return 64 * self.t1

    @property
    def m(self) -> float:
        """Timer M, over every transport: 64*T1."""
        return 64 * self.t1

    def duration(self, timer: Timer, *, reliable: bool) -> float | None:
        """How long *timer* runs when it starts, in seconds; None where it does not run at all.

        *reliable* tells whether the transport retransmits by itself (TCP, TLS).
        """
        return self._durations[timer, reliable]

    def _duration(self, timer: Timer, reliable: bool) -> float | None:
        if timer in RETRANSMITS:
            return None if reliable else self.t1
        if timer in LINGERS and reliable:
            return 0.0
        if timer is Timer.TRYING:
            return TRYING_SECONDS
        if timer is Timer.D:
            return self.d
        if timer in (Timer.I, Timer.K):
            return self.t4
        return 64 * self.t1

    def next_interval(self, timer: Timer, interval: float, *, proceeding: bool) -> float:
        """How long *timer*, one of RETRANSMITS, runs after it ran for *interval* seconds.

        *proceeding* tells whether the transaction has heard a 1xx (RFC 3261 section 17.1.2.2).
        """
        if timer is Timer.A:
            return 2 * interval
        return self.t2 if proceeding else min(2 * interval, self.t2)
