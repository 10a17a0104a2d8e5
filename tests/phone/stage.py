"""A simulated stage: the guide's example phone, its servers, and every message with its time.

192.168.1.13 (primary), .14 (secondary) and .15 (fallback) are servers of the lab; a test may put an `Actor`
in the place of one of them, which answers exactly what the test says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

from phone_emulator.config import load
from phone_emulator.events import (
    Address,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Bus,
    Event,
    MessageReceived,
    MessageSent,
    Transport,
)
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.zone import parse_zone, read_zone
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.redundancy import Silence
from phone_emulator.sip.message import Message, Request, Response, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.world import SimulatedWorld
from tests.phone.far_end import offer

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
CFG = CONFIGS / "guide-example.cfg"
ZONE = CONFIGS / "guide-example.zone"
SERVERS = {"primary": "192.168.1.13", "secondary": "192.168.1.14", "fallback": "192.168.1.15"}
EVERY_TRANSPORT = (Transport.UDP, Transport.TCP, Transport.TLS)

SUCCESSIVE = {"account.1.fallback.redundancy_type": "1"}


def server_1(**settings: object) -> dict[str, str]:
    """``account.1.sip_server.1.*`` by short names."""
    return {f"account.1.sip_server.1.{key}": str(value) for key, value in settings.items()}


def server_2(**settings: object) -> dict[str, str]:
    """``account.1.sip_server.2.*`` by short names."""
    return {f"account.1.sip_server.2.{key}": str(value) for key, value in settings.items()}


class Line(NamedTuple):
    """One line of the ladder."""

    at: float
    """Milliseconds are exact; seconds since the stage's zero."""
    where: str
    """``.13``: the last number of the far end."""
    what: str
    """``INVITE`` (sent), ``503 INVITE`` (received)."""


class Answer(NamedTuple):
    """One response of an actor."""

    after: float
    status: int
    extra: Sequence[tuple[str, str]] = ()


class Actor:
    """A server that answers what a test says, and keeps what it hears.

    *script*: per method, the answers to its first, second, … request; the last one serves the rest. A method
    without a script hears nothing back. Retransmissions count as requests.
    """

    def __init__(self, host: str, script: Mapping[str, Sequence[Sequence[Answer]]]) -> None:
        self.host = host
        self.script = {method: list(answers) for method, answers in script.items()}
        self.heard: list[tuple[float, Message]] = []
        self._counts: dict[str, int] = {}
        self._world: SimulatedWorld

    async def start(self, world: SimulatedWorld) -> None:
        self._world = world
        self._socket = await world.open_udp(Address(self.host, 5060), self)

    def datagram_received(self, data: bytes, remote: Address) -> None:
        if not data.strip(b"\r\n"):
            return  # a keep-alive
        message = parse(data)
        self.heard.append((round(self._world.now(), 3), message))
        if not isinstance(message, Request) or message.method not in self.script:
            return
        answers = self.script[message.method]
        count = self._counts.get(message.method, 0)
        self._counts[message.method] = count + 1
        for answer in answers[min(count, len(answers) - 1)]:
            response = self._response(message, answer)
            if answer.after:
                self._world.call_at(self._world.now() + answer.after, partial(self.send, response, remote))
            else:
                self.send(response, remote)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(f"{remote}: {reason}")

    def send(self, message: Message, remote: Address) -> None:
        """Send *message* now."""
        self._socket.send(message.to_bytes(), remote)

    @property
    def methods(self) -> list[tuple[float, str]]:
        """What it heard: when, and the method."""
        return [(at, message.cseq.method) for at, message in self.heard]

    def requests(self, method: str) -> list[Request]:
        """The requests of that method that it heard."""
        return [m for _, m in self.heard if isinstance(m, Request) and m.method == method]

    def _response(self, request: Request, answer: Answer) -> Response:
        extra, body = list(answer.extra), b""
        if 200 <= answer.status < 300 and request.method == "INVITE":
            extra += [("Contact", f"<sip:1002@{self.host}>"), ("Content-Type", "application/sdp")]
            body = offer()
        tag = None if answer.status == 100 else f"actor{self.host.rpartition('.')[2]}"
        return response_to(request, answer.status, to_tag=tag, extra=extra, body=body)


@dataclass(slots=True)
class Stage:
    """What a story plays on."""

    world: SimulatedWorld
    lab: Lab
    phone: Phone
    events: list[Event]
    actors: Mapping[str, Actor]
    zero: float = 0.0
    before: list[Attempt] = field(default_factory=list)
    """REGISTER attempts before the mark."""

    def mark(self) -> None:
        """Times are told from now on, and what was sent before is not told."""
        self.zero = self.world.now()
        self.events.clear()
        self.before = self._every_register()

    async def behave(self, **behaviours: object) -> None:
        """``primary="silent"``, ``secondary=503`` …"""
        for name, behaviour in behaviours.items():
            await self.lab.behave(name, Behaviour.parse(behaviour))

    def sent(self, *methods: str) -> list[Line]:
        """What the phone sent, in order."""
        return [
            Line(self._since(event.at), _where(event.remote), _what(parse(event.data)))
            for event in self.events
            if isinstance(event, MessageSent) and parse(event.data).cseq.method in methods
        ]

    def requests(self, method: str, host: str = "") -> list[Request]:
        """The requests of that method that the phone sent (to *host*: ``.13``)."""
        found = []
        for event in self.events:
            if isinstance(event, MessageSent) and host in ("", _where(event.remote)):
                message = parse(event.data)
                if isinstance(message, Request) and message.method == method:
                    found.append(message)
        return found

    def ladder(self, *methods: str) -> list[str]:
        """``0.000 >> INVITE .13`` and ``0.000 << 503 INVITE .13``, both ways in order."""
        lines = []
        for event in self.events:
            if isinstance(event, MessageSent | MessageReceived):
                message = parse(event.data)
                if not methods or message.cseq.method in methods:
                    arrow = ">>" if isinstance(event, MessageSent) else "<<"
                    at = self._since(event.at)
                    lines.append(f"{at:.3f} {arrow} {_what(message)} {_where(event.remote)}")
        return lines

    def told(self, kind: type[AttemptStarted] | type[AttemptEnded]) -> list[Attempt]:
        """The attempts that events of *kind* told."""
        return [event.attempt for event in self.events if isinstance(event, kind)]

    def route(self, attempts: Sequence[Attempt]) -> list[tuple[str, str | None, float, float | None]]:
        """Role, outcome, start and end of each attempt."""
        return [
            (
                attempt.target.role,
                None if attempt.outcome is None else str(attempt.outcome),
                self._since(attempt.started),
                None if attempt.ended is None else self._since(attempt.ended),
            )
            for attempt in attempts
        ]

    def sends(self, attempt: Attempt) -> list[float]:
        """When the request of *attempt* left, each time."""
        return [self._since(at) for at in attempt.sends]

    def registers(self) -> list[Attempt]:
        """REGISTER attempts that began since the mark, in order of time."""
        known = {id(attempt) for attempt in self.before}
        found = [attempt for attempt in self._every_register() if id(attempt) not in known]
        return sorted(found, key=lambda attempt: attempt.started)

    def registered(self) -> list[str]:
        """The roles at which line 1 is registered."""
        return [target.role for target in self.phone.line(1).bindings.targets]

    def _every_register(self) -> list[Attempt]:
        return [attempt for line in self.phone.lines.values() for attempt in line.bindings.attempts]

    def _since(self, at: float) -> float:
        return round(at - self.zero, 3)


Story = Callable[[Stage], Awaitable[None]]


def play(
    story: Story,
    settings: Mapping[str, str] | None = None,
    *,
    actors: Mapping[str, Mapping[str, Sequence[Sequence[Answer]]]] | None = None,
    callee: CalleeBehaviour = CalleeBehaviour.ANSWER,
    zone: str | None = None,
    silence: Silence = Silence.AUTO,
    reaction: float = 0.0,
    seed: int = 1,
    known: Sequence[str] = (),
    **behaviours: Any,
) -> None:
    """Play *story* with the guide's example phone.

    *settings* are cfg keys over the example's; *actors* put scripted servers in the place of the lab's, by
    name; *known* are the networks of ``--known``; *behaviours* are what the lab's servers do at
    first: ``primary="silent"``.
    """
    config = load([CFG], [f"{key}={value}" for key, value in (settings or {}).items()]).config
    scripts = actors or {}
    places = [
        Place(
            name=name,
            address=address,
            transports=EVERY_TRANSPORT,
            behaviour=Behaviour.parse(behaviours.pop(name, "ok")),
        )
        for name, address in SERVERS.items()
        if name not in scripts
    ]
    assert not behaviours, behaviours
    made = plans.simulated(config, places, read_zone(ZONE) if zone is None else parse_zone(zone), callee)
    world = SimulatedWorld(seed, made.plan.nameservers)
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)
    lab = Lab(world, made.plan, made.config, bus)
    options = PhoneOptions(silence=silence, reaction=reaction, known=tuple(map(ip_network, known)))
    phone = Phone(made.config, world, bus, lab.phone_options(options))
    cast = {name: Actor(SERVERS[name], script) for name, script in scripts.items()}

    async def main() -> None:
        await lab.start()
        for actor in cast.values():
            await actor.start(world)
        await phone.start()
        await story(Stage(world, lab, phone, events, cast))
        await phone.stop(unregister=False)
        await lab.stop()

    world.run(main())


def _where(remote: Address) -> str:
    return "." + remote.host.rpartition(".")[2]


def _what(message: Message) -> str:
    if isinstance(message, Response):
        return f"{message.status} {message.cseq.method}"
    assert isinstance(message, Request)
    return message.method
