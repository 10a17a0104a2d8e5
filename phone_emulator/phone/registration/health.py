"""How a line's servers have been doing: per target, what worked, what failed and why, what comes next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from phone_emulator.events import Address, Attempt, Outcome, Target, Transport

WORKS = frozenset({Outcome.ANSWERED, Outcome.REJECTED})
"""Outcomes of an available server: any answer but 503."""
TELLS_NOTHING = frozenset({Outcome.SKIPPED, Outcome.CANCELLED})


@dataclass(slots=True)
class TargetHealth:
    """What is known of one target."""

    target: Target
    worked_at: float | None = None
    """When it answered last, in seconds since the world began."""
    failed_at: float | None = None
    """When it did not respond correctly last."""
    why: str = ""
    """Why it failed last."""

    @property
    def works(self) -> bool:
        """Whether the last that was heard of it is good."""
        return self.worked_at is not None and (self.failed_at is None or self.worked_at > self.failed_at)

    def as_json(self) -> dict[str, Any]:
        """The target as ``run --format json`` prints it."""
        return {
            **self.target.as_json(),
            "works": self.works,
            "worked_at": None if self.worked_at is None else round(self.worked_at, 6),
            "failed_at": None if self.failed_at is None else round(self.failed_at, 6),
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class NextRegister:
    """The next REGISTER that a line has planned."""

    server: int
    at: float
    """Seconds since the world began."""
    why: str

    def as_json(self) -> dict[str, Any]:
        """The plan as ``run --format json`` prints it."""
        return {"server": self.server, "at": round(self.at, 6), "why": self.why}


@dataclass(frozen=True, slots=True)
class LineHealth:
    """How one line stands."""

    line: int
    registered: tuple[Target, ...]
    """Where it is registered, server 1 first."""
    registered_nowhere: bool
    """It should be registered and is not: nobody can call it."""
    targets: tuple[TargetHealth, ...]
    """Every target that was asked so far, server 1 first."""
    next: tuple[NextRegister, ...]
    """In order of time."""
    unreachable: str = ""
    """Why calls may not reach it though it is registered, for people (R14); empty if they do."""

    def as_json(self) -> dict[str, Any]:
        """The line as ``run --format json`` prints it."""
        return {
            "line": self.line,
            "registered": [target.role for target in self.registered],
            "registered_nowhere": self.registered_nowhere,
            "unreachable": self.unreachable or None,
            "targets": [target.as_json() for target in self.targets],
            "next": [plan.as_json() for plan in self.next],
        }


class HealthRecord:
    """Remembers what each attempt of a line told about its target."""

    def __init__(self) -> None:
        self._targets: dict[tuple[int, Address, Transport], TargetHealth] = {}

    def note(self, attempt: Attempt) -> None:
        """*attempt* has ended."""
        if attempt.outcome is None or attempt.outcome in TELLS_NOTHING or attempt.unregistered:
            return  # where the REGISTER that goes first has failed, that was an attempt of its own
        target = attempt.target
        known = self._targets.setdefault(
            (target.server, target.remote, target.transport), TargetHealth(target)
        )
        known.target = target
        if attempt.outcome in WORKS:
            known.worked_at = attempt.ended
        else:
            known.failed_at, known.why = attempt.ended, attempt.detail

    @property
    def targets(self) -> tuple[TargetHealth, ...]:
        """Every target that was asked so far, server 1 first, then by role: as it stands now."""
        found = sorted(self._targets.values(), key=lambda known: _place(known.target))
        return tuple(replace(known) for known in found)


def _place(target: Target) -> tuple[int, int, str]:
    order = {"primary": 1, "secondary": 2, "fallback": 1}
    position = order.get(target.role) or int(target.role.rpartition("-")[2])
    return target.server, position, target.address
