"""The walk of one request along the targets of a line's servers (C1, C2, C5, D5, R9).

Theory of operation. The walk is asked for its next step and told how the step went:

- ``Locate(hop)``: the targets of this hop are needed; answered by ``located`` or ``unresolved``.
- ``Try(attempt, …)``: the request goes to this target; answered by ``ended`` once ``attempt.outcome`` is set.
- ``None``: the walk is over: an attempt succeeded, or was answered, or every server is exhausted.

An outcome either *moves on* (``MOVES_ON``: the target did not respond correctly) or ends the walk.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from phone_emulator.config.model import FailbackMode, TimerConfig
from phone_emulator.events import Attempt, Outcome, Source, Target, Wait, role_name

from .servers import Hop
from .waiting import Silence, wait_for

MOVES_ON = frozenset(
    {
        Outcome.UNAVAILABLE,
        Outcome.NO_RESPONSE,
        Outcome.ICMP,
        Outcome.CONNECT_FAILED,
        Outcome.TLS_FAILED,
        Outcome.SEND_FAILED,
        Outcome.UNRESOLVED,
        Outcome.SKIPPED,
    }
)
"""The outcomes after which the next target is tried (C2)."""


class Ordered(NamedTuple):
    """A hop's targets in the order of the walk."""

    targets: list[Target]
    """Those that are left out are passed over: they are told as skipped, after the others."""
    why: str = ""
    """Why it is not the list's own order."""
    returning: bool = False
    """Whether the first one is asked again after a failover had left it (F1-F3)."""
    left_out: str = ""
    """Why the others are left out; empty where *why* says it."""


Order = Callable[[Hop, Sequence[Target]], Ordered]
"""Puts a hop's targets into the order of the walk."""
Resting = Callable[[Target, float], str]
"""Why a target is not asked at that time, for people; empty where it is."""


def moves_on(attempt: Attempt) -> bool:
    """Whether the next target is tried after *attempt*.

    Silence after a provisional response never moves a call on (C4), so its outcome alone does not tell; nor
    does it where that is of the REGISTER that goes first, which is no answer to the request (R9).
    """
    answered_something = attempt.outcome is Outcome.NO_RESPONSE and attempt.status is not None
    return attempt.unregistered or (attempt.outcome in MOVES_ON and not answered_something)


@dataclass(frozen=True, slots=True)
class Locate:
    """Ask where this hop's targets are."""

    hop: Hop


@dataclass(frozen=True, slots=True)
class Try:
    """Send the request to ``attempt.target`` and wait as ``attempt.wait`` says."""

    hop: Hop
    attempt: Attempt
    register_first: bool = False
    """REGISTER there first; a REGISTER that fails is a failed target (R9)."""
    last: bool = False
    """Whether the target is the last of its server's list."""


Step = Locate | Try


class Walk:
    """One request's way along the servers.

    Args:
        method: of the request.
        hops: the servers in the order in which they are tried.
        timers: T1 and T2.
        silence: how a silent target's wait is read from the guide.
        skip_redundant: pass over a target whose IP already failed (D5).
        order: puts a hop's targets into the order of the walk (failback); None keeps the list's.
        registered: asked for the targets with a live binding at the time; with register_on_enable others are
            registered at first (R9).
        errors_move_on: an error answered by one server moves the request to the next server (R6).
        resting: tells which targets are passed over; None: none.
    """

    def __init__(
        self,
        method: str,
        hops: Sequence[Hop],
        timers: TimerConfig,
        *,
        silence: Silence = Silence.AUTO,
        skip_redundant: bool = True,
        order: Order | None = None,
        registered: Callable[[], Collection[Target]] = tuple,
        errors_move_on: bool = False,
        resting: Resting | None = None,
    ) -> None:
        self.method = method
        self.route: list[Attempt] = []
        self._hops = list(hops)
        self._timers = timers
        self._silence = silence
        self._skip_redundant = skip_redundant
        self._order = order
        self._registered = registered
        self._errors_move_on = errors_move_on
        self._resting = resting
        self._returning: Target | None = None
        self._hop: Hop | None = None
        self._asked = False
        """Whether the targets of that hop are waited for."""
        self._waiting: list[Target] = []
        self._barred: list[Target] = []
        self._first_why = ""
        self._left_out = ""
        self._failed_addresses: dict[str, Attempt] = {}
        self._over = False

    def next(self, now: float) -> Step | None:
        """The next step at *now*, or None when the walk is over."""
        while not self._over:
            if not self._waiting:
                self._pass_over(now)
                if not self._hops:
                    return None
                self._hop, self._asked = self._hops.pop(0), True
                return Locate(self._hop)
            assert self._hop is not None
            attempt = self._begin(self._hop, self._waiting.pop(0), now)
            if why := self._why_skipped(attempt.target, now):
                attempt.ended, attempt.outcome, attempt.detail = attempt.started, Outcome.SKIPPED, why
                continue
            first = self._must_register(self._hop, attempt.target)
            return Try(self._hop, attempt, register_first=first, last=not self._waiting)
        return None

    def located(self, targets: Sequence[Target]) -> None:
        """The hop asked for has these targets, in the order of DNS."""
        assert self._hop is not None
        self._asked = False
        ordered = Ordered(list(targets)) if self._order is None else self._order(self._hop, targets)
        self._waiting, self._first_why = list(ordered.targets), ordered.why
        self._returning = ordered.targets[0] if ordered.returning else None
        self._barred = [target for target in targets if target not in ordered.targets]
        self._left_out = ordered.left_out or ordered.why

    def unresolved(self, reason: str, asked: float, now: float) -> None:
        """The hop asked for at *asked* has no target; *reason* says why. Counts as a failed attempt (C2)."""
        assert self._hop is not None
        hop, self._asked = self._hop, False
        role = role_name(hop.server, 0)
        target = Target(hop.server, role, hop.host, "", hop.port, hop.transport, Source.DNS)
        attempt = Attempt(len(self.route) + 1, self.method, target, Wait(0.0, ""), self._why(target), asked)
        attempt.ended, attempt.outcome, attempt.detail = now, Outcome.UNRESOLVED, reason
        self.route.append(attempt)

    def ended(self, attempt: Attempt) -> None:
        """*attempt*, the last one handed out, has its outcome."""
        if moves_on(attempt):
            if attempt.target.address:
                self._failed_addresses.setdefault(attempt.target.address, attempt)
        elif self.refused_back(attempt):
            pass  # it is registered where it was until the primary takes it (F5)
        elif self._errors_move_on and attempt.outcome is Outcome.REJECTED:
            self._waiting.clear()  # the server is available, so its other targets would say the same
        else:
            self._over = True

    def returns(self, attempt: Attempt) -> bool:
        """Whether *attempt*, of the hop that is walked now, is its failback."""
        return attempt.target == self._returning

    def refused_back(self, attempt: Attempt) -> bool:
        """Whether *attempt* is a REGISTER on the way back, answered with an error: a failback that failed."""
        refused = self.method == "REGISTER" and attempt.outcome is Outcome.REJECTED
        return refused and self.returns(attempt)

    @property
    def over(self) -> bool:
        """Whether it has come to its end: no target is tried any more, even if there is one."""
        return self._over

    def stop(self) -> None:
        """No further target: the user hung up (C9)."""
        self._over = True

    def rehearsal(self) -> tuple[Walk, Hop | None]:
        """A copy that may be walked on in its place, and the hop whose targets it still waits for."""
        ahead = copy.copy(self)
        ahead.route = [replace(attempt) for attempt in self.route]
        ahead._hops, ahead._waiting, ahead._barred = [*self._hops], [*self._waiting], [*self._barred]
        ahead._failed_addresses = dict(self._failed_addresses)
        return ahead, self._hop if self._asked and not self._over else None

    def _begin(self, hop: Hop, target: Target, now: float) -> Attempt:
        wait = wait_for(
            self.method,
            hop.failover,
            self._timers,
            target.transport,
            last=not self._waiting,
            silence=self._silence,
        )
        attempt = Attempt(len(self.route) + 1, self.method, target, wait, self._why(target), now)
        self.route.append(attempt)
        return attempt

    def _pass_over(self, now: float) -> None:
        """Tell the targets of a hop that the order leaves out."""
        for target in self._barred:
            assert self._hop is not None
            attempt = self._begin(self._hop, target, now)
            attempt.ended, attempt.outcome, attempt.detail = now, Outcome.SKIPPED, self._left_out
        self._barred = []

    def _why_skipped(self, target: Target, now: float) -> str:
        """Why *target* is passed over at *now* (D5, Retry-After); empty where it is asked."""
        failed = self._failed_addresses.get(target.address)
        if self._skip_redundant and failed is not None:
            return (
                f"{target.address} already failed in this route as {failed.target.role} "
                "(sip.skip_redundant_failover_addr = 1)"
            )
        return "" if self._resting is None else self._resting(target, now)

    def _must_register(self, hop: Hop, target: Target) -> bool:
        """Whether a REGISTER goes to *target* first (R9): on a failover, and on the way back from one."""
        if self.method == "REGISTER" or not hop.failover.register_on_enable:
            return False
        if target == self._returning:
            return True  # whatever is left of its lease
        return (len(self.route) > 1 or self._failed_over(hop)) and not self._is_registered(target)

    def _failed_over(self, hop: Hop) -> bool:
        """Whether the line is registered where a failover of *hop* led: whoever was left is unknown (R9).

        So it is also where the failback is not what leads away from there: DNS has other targets by now, or a
        call from before is answered by the primary. Mode 0 has no way back (F0).
        """
        first, mode = role_name(hop.server, 0), hop.failover.failback_mode
        there = any(each.server == hop.server and each.role != first for each in self._registered())
        return there and mode is not FailbackMode.NEW_REQUESTS

    def _is_registered(self, target: Target) -> bool:
        return any(target.remote == each.remote for each in self._registered())

    def _why(self, target: Target) -> str:
        """Why *target* is asked now."""
        if self._first_why and not any(attempt.target.server == target.server for attempt in self.route):
            return self._first_why
        tried = [attempt for attempt in self.route if attempt.outcome is not Outcome.SKIPPED]
        if not tried and target.server == 2 and self._is_registered(target):
            return f"{target.role} first: the line is registered there"
        if not tried:
            mode = self._hop.failover.failback_mode if self._hop else FailbackMode.NEW_REQUESTS
            rule = "every new request starts there"
            if mode is not FailbackMode.NEW_REQUESTS:
                rule = f"no failover is in effect (failback_mode = {int(mode)})"
            return f"{target.role} first: {rule}"
        last = tried[-1]
        address = last.target.address or last.target.host
        return f"{last.target.role} {address}: {last.detail}"
