"""What invariants are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from phone_emulator.events import Attempt, Outcome
from phone_emulator.redundancy import moves_on
from phone_emulator.redundancy.servers import successive
from tests.worlds.recording import Recording

INSTANT = 1e-6
"""Seconds; sums of intervals may differ in their last bits."""
ANSWERS = (Outcome.ANSWERED, Outcome.REJECTED)
ALONE = (
    "register_on_enable = 1",
    "unregister_on_reboot = 1",
    "the line is stopped",
    "the phone's address of before",
)
"""How the reason of a REGISTER begins that belongs to no cycle."""
WITHOUT_ADDRESS = ("the phone's address has changed", "the phone has no address")
"""How the reason of a call begins that nobody was to be asked for any more, whatever its route says."""
Check = Callable[[Recording], Iterator[str]]
"""Each text is one thing that is wrong, for people."""


@dataclass(frozen=True)
class Invariant:
    """Something that holds in every world."""

    name: str
    rules: str
    """Of ``redundancy.md``."""
    check: Check


@dataclass(frozen=True)
class Route:
    """The attempts of one request."""

    name: str
    method: str
    attempts: list[Attempt]
    call: str | None
    """The number that was called; None for a registration."""


@lru_cache(maxsize=1)  # most invariants ask
def routes(recording: Recording) -> list[Route]:
    """Those of every call, and those of every REGISTER cycle."""
    found = [
        Route(f"call to {call.remote}", "INVITE", call.route, call.remote) for call in recording.outgoing
    ]
    cycles: list[Route] = []
    together = successive(recording.account)
    for _, event in recording.started:
        attempt = event.attempt
        if event.call is not None or attempt.why.startswith(ALONE):
            continue
        before = [
            cycle
            for cycle in (cycles if attempt.n > 1 else ())
            if _may_follow(attempt, cycle.attempts[-1])
            and (together or cycle.attempts[-1].target.server == attempt.target.server)
        ]
        if not before:
            cycles.append(Route(f"REGISTER at {event.at:g} s", "REGISTER", [attempt], None))
        else:
            latest = max(reversed(before), key=lambda cycle: _fits(attempt, cycle.attempts[-1]))
            latest.attempts.append(attempt)
    return found + cycles


def _fits(attempt: Attempt, last: Attempt) -> tuple[bool, float]:
    """How well *attempt* goes on after *last*: its reason names that one; of several the latest."""
    return attempt.why.startswith(f"{last.target.role} {last.target.address}:"), last.ended or 0.0


def _may_follow(attempt: Attempt, last: Attempt) -> bool:
    """Whether *attempt* may be the next of the cycle that *last* is the last of; cycles may overlap."""
    if last.outcome is Outcome.CANCELLED:
        return False  # the cycle was cut short with it
    return attempt.n == last.n + 1 and last.ended is not None and last.ended <= attempt.started


def answered_something(attempt: Attempt) -> bool:
    """Whether the target proved available: an answer, or a provisional response (C3, C4)."""
    return not moves_on(attempt)


def is_failback(attempt: Attempt) -> bool:
    """Whether *attempt* goes back to the target that a failover had left, as its reason says."""
    return "again: the failback of mode" in attempt.why


def near(one: float, other: float) -> bool:
    """Whether two times are the same."""
    return abs(one - other) < INSTANT
