"""The record of a rehearsal: what changed when, and how long the line was registered where."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from phone_emulator.events import (
    Attempt,
    AttemptStarted,
    Event,
    RegistrationChanged,
    RegistrationState,
    ServerChanged,
    Target,
)
from phone_emulator.phone import Phone
from phone_emulator.redundancy.servers import successive

_SETTLED = (RegistrationState.REGISTERED, RegistrationState.FAILED, RegistrationState.UNREGISTERED)


@dataclass(frozen=True, slots=True)
class RegistrationMoment:
    """The line's registration at one server was made, moved or lost, or could not be made."""

    at: float
    server: int
    before: Target | None
    target: Target | None
    """Where it is registered from now on; None for nowhere."""
    attempts: tuple[Attempt, ...]
    """The REGISTERs that led to it, the failed ones first."""
    reason: str
    """In the phone's own words."""
    next_at: float | None
    """When the next REGISTER is due, as far as is known."""


@dataclass(slots=True)
class Registered:
    """How many seconds the line was registered where."""

    nowhere: float = 0.0
    by_role: dict[str, float] = field(default_factory=dict)
    unreachable: float = 0.0
    """Registered, as the phone believes, but only at servers that connect no calls."""

    def add(self, targets: list[Target], reachable: bool, seconds: float) -> None:
        """For *seconds* it was registered at *targets*."""
        for role in dict.fromkeys(target.role for target in targets):
            self.by_role[role] = self.by_role.get(role, 0.0) + seconds
        if not targets:
            self.nowhere += seconds
        elif not reachable:
            self.unreachable += seconds


class Recorder:
    """A listener that keeps the record of one line.

    Args:
        phone: whose.
        line: its number.
        works: whether the server at an address and port connects calls now.
    """

    def __init__(self, phone: Phone, line: int, works: Callable[[str, int], bool]) -> None:
        self.servers: list[ServerChanged] = []
        self.registers: list[Attempt] = []
        """Every REGISTER, as it began."""
        self.registrations: list[RegistrationMoment] = []
        self.registered = Registered()
        self.settled: dict[int, float] = {}
        """When the last REGISTER of each server ended, well or badly."""
        self._line = line
        self._works = works
        account = phone.config.account(line)
        self._successive = account is not None and successive(account)
        self._targets: dict[int, Target | None] = {}
        self._known: dict[int, int] = {}
        """How many REGISTER attempts the record of each server has told."""
        self._since = 0.0
        self._reachable = True

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptStarted):
            if event.line == self._line and event.attempt.method == "REGISTER":
                self.registers.append(event.attempt)
        elif isinstance(event, ServerChanged):
            self.servers.append(event)
            self.count_until(event.at)
        elif isinstance(event, RegistrationChanged) and event.line == self._line:
            self.count_until(event.at)
            if event.state in _SETTLED:
                self._settled(event)
            self.count_until(event.at)

    def count_until(self, now: float) -> None:
        """Count the time up to *now*, in which nothing changed."""
        targets = self.targets
        self.registered.add(targets, self._reachable, now - self._since)
        self._since = now
        self._reachable = any(self._works(target.address, target.port) for target in targets)

    @property
    def targets(self) -> list[Target]:
        """Where the line is registered now, server 1 first."""
        return [target for _, target in sorted(self._targets.items()) if target is not None]

    def target(self, server: int) -> Target | None:
        """Where it is registered now at *server* (1 or 2)."""
        return self._targets.get(server)

    @property
    def reachable(self) -> list[Target]:
        """Where somebody who calls the line gets through now."""
        return [target for target in self.targets if self._works(target.address, target.port)]

    def _settled(self, event: RegistrationChanged) -> None:
        server = event.server
        self.settled[server] = event.at
        attempts = self._attempts(server)
        first = server not in self._targets
        before = self._targets.get(server)
        self._targets[server] = event.target
        if first or _place(before) != _place(event.target):
            moment = RegistrationMoment(
                event.at, server, before, event.target, attempts, event.reason, event.next_at
            )
            self.registrations.append(moment)
            return
        for place, moment in enumerate(self.registrations):
            if moment.server == server and moment.at == event.at:
                # Told once more: now it is known when the next REGISTER is due.
                self.registrations[place] = dataclasses.replace(moment, next_at=event.next_at)

    def _attempts(self, server: int) -> tuple[Attempt, ...]:
        """The REGISTERs of the cycle that has just ended: a successive line's go along both servers."""
        since = self._known.get(server, 0)
        self._known[server] = len(self.registers)
        new = [attempt for attempt in self.registers[since:] if attempt.outcome is not None]
        if not self._successive:
            new = [attempt for attempt in new if attempt.target.server == server]
        # Numbered from 1 along each cycle: a retry and a REGISTER before a call (R9) begin anew.
        begins = [place for place, attempt in enumerate(new) if attempt.n == 1]
        return tuple(new[begins[-1] :] if begins else new)


def _place(target: Target | None) -> tuple[str, int] | None:
    return None if target is None else (target.address, target.port)
