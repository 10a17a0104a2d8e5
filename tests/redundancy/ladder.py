"""What the tests of the redundancy rules share: targets, hops, a walk played out from a list of outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from phone_emulator.config.model import FailoverConfig, ServerConfig, TimerConfig, TransportType
from phone_emulator.events import Attempt, Outcome, Source, Target, Transport, role_name
from phone_emulator.redundancy import Hop, Locate, Step, Try, Walk

HOSTS = {1: "yealink.pbx.com", 2: "192.168.1.15"}
TIMERS = TimerConfig()


def hop(server: int = 1, failover: FailoverConfig | None = None, **changes: object) -> Hop:
    """Server 1 is a name, server 2 an address."""
    keys = failover or FailoverConfig()
    identity = ServerConfig(number=server, address=HOSTS[server], failover=keys)
    kind = changes.get("transport_type", TransportType.UDP)
    assert isinstance(kind, TransportType)
    return Hop(server, HOSTS[server], 5060, kind, keys, identity)


def targets(
    server: int, *addresses: str, transport: Transport = Transport.UDP, ttl: float | None = 300.0
) -> list[Target]:
    """``.13`` stands for 192.168.1.13."""
    return [
        Target(
            server,
            role_name(server, position),
            HOSTS[server],
            f"192.168.1{address}",
            5060,
            transport,
            Source.DNS,
            ttl,
        )
        for position, address in enumerate(addresses)
    ]


GUIDE = {1: targets(1, ".13", ".14"), 2: targets(2, ".15")}


@dataclass(slots=True)
class Play:
    """A walk and what came of it."""

    walk: Walk
    steps: list[Step] = field(default_factory=list)
    now: float = 0.0

    @property
    def route(self) -> list[Attempt]:
        return self.walk.route

    @property
    def told(self) -> list[tuple[str, str | None]]:
        """Role and outcome of each attempt."""
        return [(a.target.role, None if a.outcome is None else str(a.outcome)) for a in self.route]

    @property
    def tried(self) -> list[str]:
        """The roles that a request was sent to, in order."""
        return [step.attempt.target.role for step in self.steps if isinstance(step, Try)]


def play(
    walk: Walk,
    outcomes: Sequence[Outcome | int],
    where: Mapping[int, Sequence[Target]] = GUIDE,
    stop_after: int | None = None,
) -> Play:
    """Walk to the end. *outcomes*: one an attempt, a number being the final status that came.

    A server that *where* does not name does not resolve. *stop_after*: hang up during that attempt, from 1.
    """
    played = Play(walk)
    waiting = list(outcomes)
    while (step := walk.next(played.now)) is not None:
        played.steps.append(step)
        if isinstance(step, Locate):
            if step.hop.server in where:
                walk.located(where[step.hop.server])
            else:
                walk.unresolved(f"{step.hop.host}: no such name", played.now, played.now + 9)
                played.now += 9
            continue
        attempt = step.attempt
        outcome = waiting.pop(0)
        if isinstance(outcome, int):
            attempt.status = outcome
            outcome = Outcome.ANSWERED if outcome < 300 else Outcome.REJECTED
        elif outcome is Outcome.NO_RESPONSE:
            played.now += attempt.wait.seconds
        elif outcome is Outcome.UNAVAILABLE:
            attempt.status = 503
        attempt.outcome, attempt.ended, attempt.detail = outcome, played.now, str(outcome)
        if len(played.tried) == stop_after:
            walk.stop()
        walk.ended(attempt)
    return played
