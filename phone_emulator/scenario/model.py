"""A scenario that has been read: everything resolved, every part with the line it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phone_emulator.events import CallState, Outcome, Transport
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour

from .kinds import StepKind
from .schema import AudioModel, Model, ResultName, WorldName


class ScenarioError(Exception):
    """The file cannot be used; every fault is ``file:line: message``."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class ZoneSource:
    """A DNS master file, or its text within the scenario."""

    text: str
    name: str
    """The file it stands in."""
    line: int
    """The line of that file on which the text begins."""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server of the simulated or the lab world."""

    name: str
    address: str
    port: int
    """Of UDP and TCP."""
    tls_port: int
    transports: tuple[Transport, ...]
    behaviour: Behaviour
    names: tuple[str, ...]
    """The names in its TLS certificate, besides its address."""
    line: int

    def port_for(self, transport: Transport) -> int:
        """The port on which *transport* is served."""
        return self.tls_port if transport is Transport.TLS else self.port


@dataclass(frozen=True, slots=True)
class RouteExpectation:
    """One attempt that must be in the route: its outcome, or the status it ended with."""

    role: str
    """A role, or the name of a server."""
    outcome: Outcome | None
    status: int | None
    line: int

    def __str__(self) -> str:
        return f"{self.role}: {self.outcome if self.outcome is not None else self.status}"


@dataclass(frozen=True, slots=True)
class Expect:
    """What must hold when a step has ended. What is None is not asked for.

    ``fails`` says that the step cannot be done (the far end refuses a transfer), with words that are in the
    reason, ``""`` for any reason; without it that is a fault. ``registered`` names every role (or server)
    that ``line`` is registered at, ``()`` for nowhere; ``line`` is None where each line of the step is meant,
    or the phone's only one. ``state``, ``result``, ``status``, ``via``, ``route``, ``dtmf`` (what the far end
    has pressed), ``audio`` (what was heard), ``codec`` and ``srtp`` are about the call ``call``, or, with a
    ``register`` step and no ``call``, about the REGISTERs of ``line``. ``within`` bounds the step's time; of
    ``expect`` alone it is how long to wait for the rest to become true.
    """

    fails: str | None
    registered: tuple[str, ...] | None
    line: int | None
    call: str | None
    state: CallState | None
    result: ResultName | None
    status: int | None
    via: str | None
    dtmf: str | None
    audio: AudioModel | None
    codec: str | None
    srtp: bool | None
    within: float | None
    route: tuple[RouteExpectation, ...] | None
    at: int
    """The line of the file."""
    lines: Mapping[str, int]
    """The line of the file on which each key stands."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``does`` is its kind, ``args`` its settings."""

    number: int
    """From 1."""
    does: StepKind
    args: Model
    expect: Expect | None
    line: int
    zone: ZoneSource | None = None
    """The new zone of a ``dns`` step."""

    @property
    def kind(self) -> str:
        """The key of its kind in the file."""
        return self.does.name

    def __str__(self) -> str:
        return f"step {self.number} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    name: str
    file: str
    """As the user named it."""
    world: WorldName
    config: tuple[Path, ...] = ()
    set: Mapping[str, str] = field(default_factory=dict)
    zone: ZoneSource | None = None
    servers: Mapping[str, ServerSpec] = field(default_factory=dict)
    callee: CalleeBehaviour = CalleeBehaviour.ANSWER
    steps: tuple[Step, ...] = ()
    sound: bool = False
    """Whether sound flows and is kept, though nothing judges it."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """The line on which each key of the file, and each key of ``set`` (``set.KEY``), stands."""

    @property
    def listens(self) -> bool:
        """Whether anybody judges, says or keeps sound."""
        judged = any(step.expect is not None and step.expect.audio is not None for step in self.steps)
        return self.sound or judged or any(step.does.of_sound for step in self.steps)

    @property
    def files(self) -> list[Path]:
        """What is read to run it: itself, its cfg files and its zone."""
        zone = [] if self.zone is None else [Path(self.zone.name)]
        return [Path(self.file), *self.config, *zone]
