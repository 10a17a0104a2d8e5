"""A phone in a simulated world, for synchronous code: each order lets virtual time run until it is done."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from phone_emulator.cli.places import guide_zone, places_of
from phone_emulator.config import load, load_text
from phone_emulator.config.model import PhoneConfig
from phone_emulator.durations import parse_duration
from phone_emulator.events import Attempt, Bus, CallState, Event, MediaNumbers, MessageSent
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.calling import call_in
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.zone import Zone, parse_zone, read_zone
from phone_emulator.media.codecs import Offer
from phone_emulator.media.crypto import OptionalSrtp
from phone_emulator.phone import Call, CallError, CallResult, IncomingCall, Phone, PhoneOptions
from phone_emulator.phone.transfer.conferring import leave
from phone_emulator.phone.transfer.transfer import transfer_blind, transfer_to
from phone_emulator.redundancy import Silence
from phone_emulator.report.text import attempt_line, call_lines
from phone_emulator.scenario.session import call_report
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from phone_emulator.whatif.stage import Site, as_found
from phone_emulator.world import SimulatedWorld

from .stepper import Stepper


class MakePhone(Protocol):
    """What the fixture ``virtual_phone`` is; see `VirtualPhone`."""

    def __call__(
        self,
        config: str | Path | Sequence[str | Path],
        *,
        zone: str | Path | None = None,
        servers: Mapping[str, object] | None = None,
        set: Mapping[str, object] | None = None,  # noqa: A002  # as in scenario files
        callee: str = "answer",
        silence: str = "auto",
        reaction: str | float = 0.0,
        offer: str = "spoken",
        optional_srtp: str = "one-line",
        seed: int = 0,
    ) -> VirtualPhone:
        """A phone with the cfg files, or the cfg text, *config*, and the cfg keys *set* over them."""
        ...


class VirtualPhone:
    """A started phone, with a server at every target of its lines, a DNS server and someone to call.

    It begins unregistered, at 0.0 s. Servers go by their role: ``primary``, ``secondary``, ``fallback`` …

    Args:
        config: of the phone.
        zone: what DNS says; None makes one up, with two servers behind each name in *config*.
        servers: how servers behave at first, by role: ``{"primary": "silent", "secondary": 503}``; all
            others are ``ok``.
        callee: what called users do: ``answer``, ``busy``, ``reject``, ``no-answer``.
        silence: which reading of the guide says how long a silent server is waited for.
        reaction: how long the phone takes to act on an answer before it moves on: ``70ms``, or seconds.
        offer: which codecs are offered: ``spoken``, or ``declared`` for all that *config* enables.
        optional_srtp: how optional encryption is offered: ``one-line`` or ``two-lines``.
        seed: of the world's randomness.

    Raises:
        ValueError: a role that no server has, or an unknown behaviour.
    """

    def __init__(
        self,
        config: PhoneConfig,
        zone: Zone | None = None,
        servers: Mapping[str, object] | None = None,
        *,
        callee: str = "answer",
        silence: str = "auto",
        reaction: str | float = 0.0,
        offer: str = "spoken",
        optional_srtp: str = "one-line",
        seed: int = 0,
    ) -> None:
        zone = zone or guide_zone(config)
        found = places_of(config, zone, every_transport=True)
        options = PhoneOptions(
            silence=Silence(silence),
            reaction=parse_duration(reaction),
            offer=Offer(offer),
            optional_srtp=OptionalSrtp(optional_srtp),
        )
        site = Site(
            config=config, places=found.places, names=found.names, zone=zone, options=options, seed=seed
        )
        site = as_found(site)
        self._names = site.names
        places = _behaving(site, servers or {})
        made = plans.simulated(config, places, zone, CalleeBehaviour.parse(callee))
        self.events: list[Event] = []
        """Everything that has happened, in order."""
        bus = Bus()
        bus.subscribe(self.events.append)
        self._world = SimulatedWorld(seed, made.plan.nameservers)
        self._lab = Lab(self._world, made.plan, made.config, bus)
        self._phone = Phone(made.config, self._world, bus, self._lab.phone_options(options))
        self._calls: list[VirtualCall] = []
        self._stepper = Stepper(self._world)
        self._stepper.do(self._start)

    # -- orders --------------------------------------------------------------------------------------------

    def register(self, line: int | None = None) -> list[Attempt]:
        """Register *line*, or every line, until each first cycle has ended; its attempts, in order."""
        __tracebackhide__ = True
        known = len(self.registrations)
        self._stepper.do(lambda: self._phone.register(line))
        return self.registrations[known:]

    def unregister(self, line: int | None = None) -> None:
        """Remove the bindings of *line* (None: the first)."""
        __tracebackhide__ = True
        self._stepper.do(self._phone.line(line).registrar.unregister)

    def call(self, number: str, line: int | None = None) -> VirtualCall:
        """Call *number* from *line* (None: the first) and wait for the result. Raises CallError."""
        __tracebackhide__ = True
        call = self.dial(number, line)
        call.wait()
        return call

    def dial(self, number: str, line: int | None = None) -> VirtualCall:
        """Call *number*, and do not wait: the phone has only just begun. Raises CallError."""
        __tracebackhide__ = True

        async def dial() -> Call:
            return self._phone.dial(number, line)

        return self._keep(self._stepper.do(dial))

    def swap(self, to: VirtualCall | None = None) -> None:
        """Hold the call that talks and take another one back: *to*, or the next on hold. Raises CallError."""
        __tracebackhide__ = True

        async def swap() -> None:
            await self._phone.swap(None if to is None else to._call)
            await self._phone.floor.quiet()

        self._stepper.do(swap)

    def conference(self, call: VirtualCall, other: VirtualCall | None = None) -> None:
        """Let *call* talk together with *other*, or the newest other one that is up. Raises CallError."""
        __tracebackhide__ = True
        others = () if other is None else (other._call,)
        self._stepper.do(lambda: self._phone.confer(call._call, *others))

    def split(self, call: VirtualCall) -> None:
        """Make calls of the conference of *call* again, all of them on hold. Raises CallError."""
        __tracebackhide__ = True
        self._stepper.do(lambda: self._phone.split(call._call))

    def ring(
        self, line: int | None = None, *, server: str | None = None, caller: str = "1002"
    ) -> VirtualCall:
        """Somebody calls *line* (None: the first) through *server* (None: where it is registered).

        Raises CallError where the line is registered nowhere, or the phone does not ring.
        """
        __tracebackhide__ = True

        async def ring() -> Call:
            name = None if server is None else self._name(server)
            return await call_in(self._lab, self._phone, line, name, caller)

        return self._keep(self._stepper.do(ring))

    def wait(self, time: str | float) -> None:
        """Let *time* pass: seconds, or ``250ms``, ``5s``, ``10m``, ``1h``."""
        __tracebackhide__ = True
        self._stepper.do(lambda: asyncio.sleep(parse_duration(time)))

    def move(self, *hosts: str) -> None:
        """The phone is at the IP addresses *hosts* from now on; none: it has no address.

        Returns when it has registered from there, or cannot, and its calls go on or have ended.
        """
        __tracebackhide__ = True

        async def move() -> None:
            for before in self._phone.context.hosts:
                self._world.readdress(before, "")
            for host in hosts:
                self._world.readdress("", host)
            await self._phone.move(*hosts)

        self._stepper.do(move)

    def behave(self, role: str, behaviour: object) -> None:
        """The server with that role behaves so from now on: ``silent``, ``503``, ``{"INVITE": 503}`` …"""
        __tracebackhide__ = True
        name, wish = self._name(role), Behaviour.parse(behaviour)
        self._stepper.do(lambda: self._lab.behave(name, wish))

    def callee(self, behaviour: object) -> None:
        """Called users do so from now on: ``answer``, ``busy``, ``{"hang_up_after": "5s"}`` …"""
        self._lab.callee.behaviour = CalleeBehaviour.parse(behaviour)

    def dns(self, behaviour: str) -> None:
        """The DNS servers behave so from now on: ``ok``, ``silent``, ``refuse``, ``servfail``."""
        __tracebackhide__ = True
        self._stepper.do(lambda: self._lab.dns_behave(behaviour))

    def change_zone(self, zone: str) -> None:
        """DNS says *zone* (master-file text) from now on. Servers stay where they are. Raises ZoneError."""
        self._lab.change_zone(parse_zone(zone))

    def stop(self) -> None:
        """End the world; nobody in it is told. What happened can still be read. May be called again."""
        self._stepper.stop()

    # -- what there is to see ------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual seconds since the phone started."""
        return self._world.now()

    @property
    def registered(self) -> list[str]:
        """The roles where the first line is registered."""
        return self.registered_at()

    def registered_at(self, line: int | None = None) -> list[str]:
        """The roles where *line* (None: the first) is registered."""
        return [target.role for target in self._phone.line(line).bindings.targets]

    @property
    def registrations(self) -> list[Attempt]:
        """Every REGISTER attempt so far, in order of time."""
        found = [attempt for line in self._phone.lines.values() for attempt in line.bindings.attempts]
        return sorted(found, key=lambda attempt: attempt.started)

    def sent(self, method: str = "") -> list[Request]:
        """The requests (of *method*) that the phone sent, retransmissions included."""
        messages = (parse(event.data) for event in self.events if isinstance(event, MessageSent))
        requests = [message for message in messages if isinstance(message, Request)]
        return [request for request in requests if method in ("", request.method)]

    def story(self) -> list[str]:
        """Every registration and every call with its route, as lines for people."""
        registrations = [attempt_line(attempt) for attempt in self.registrations]
        head = ["registrations:"] if registrations else []
        calls = [line for call in self._calls for line in call.story()]
        return [f"at {self.now:.3f} s, virtual", *head, *registrations, *calls]

    # -- how -----------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        await self._lab.start()
        await self._phone.start()

    def _keep(self, call: Call) -> VirtualCall:
        self._calls.append(VirtualCall(call, self._stepper))
        return self._calls[-1]

    def _name(self, role: str) -> str:
        return _name_of(role, self._names)


class VirtualCall:
    """A call of a :class:`VirtualPhone`."""

    def __init__(self, call: Call, stepper: Stepper) -> None:
        self._call = call
        self._stepper = stepper

    @property
    def state(self) -> CallState:
        """``calling``, ``ringing``, ``talking``, ``held``, ``ending``, ``ended``."""
        return self._call.state

    @property
    def result(self) -> CallResult | None:
        """``answered``, ``rejected``, ``failed``, ``cancelled``; None while it is being placed."""
        return self._call.result

    @property
    def status(self) -> int | None:
        """The SIP status that decided it."""
        return self._call.status

    @property
    def reason(self) -> str:
        """Why it ended so, in one sentence for people."""
        return self._call.reason

    @property
    def via(self) -> str | None:
        """The role of the server that answered."""
        return self._call.via

    @property
    def elapsed(self) -> float:
        """Virtual seconds from dialling to the result, or to now."""
        return self._call.elapsed

    @property
    def route(self) -> list[Attempt]:
        """The attempts, in order: each with its ``target``, ``outcome``, ``detail``, ``started`` …"""
        return list(self._call.route)

    @property
    def digits_heard(self) -> str:
        """What the far end has pressed, by whatever way."""
        return self._call.digits_heard

    @property
    def numbers(self) -> MediaNumbers | None:
        """How its sound fares, or has fared; None where it never had any."""
        return self._call.numbers

    def wait(self) -> None:
        """Wait for the result."""
        __tracebackhide__ = True

        async def wait() -> None:
            await self._call.settled()
            await self._call.floor.quiet()  # a call that is held for it

        self._stepper.do(wait)

    def answer(self) -> None:
        """Pick up, and wait for the result: only a call that rings here. Raises CallError."""
        self._take(lambda call: call.answer())
        self.wait()

    def reject(self) -> None:
        """Refuse it: only a call that rings here. Raises CallError."""
        self._take(lambda call: call.reject())

    def hold(self) -> None:
        """Put the far end on hold. Raises CallError."""
        __tracebackhide__ = True
        self._stepper.do(self._call.hold)

    def resume(self) -> None:
        """Take the far end back. Raises CallError."""
        __tracebackhide__ = True

        async def resume() -> None:
            await self._call.resume()
            await self._call.floor.quiet()

        self._stepper.do(resume)

    def transfer(self, to: str | VirtualCall) -> None:
        """Send the far end to a number, or join it with that of another call. Raises CallError."""
        __tracebackhide__ = True
        if isinstance(to, VirtualCall):
            other = to._call
            self._stepper.do(lambda: transfer_to(self._call, other))
        else:
            self._stepper.do(lambda: transfer_blind(self._call, to))

    def send_dtmf(self, digits: str) -> None:
        """Press keys. Raises CallError."""
        __tracebackhide__ = True
        self._stepper.do(lambda: self._call.send_dtmf(digits))

    def hang_up(self) -> None:
        """Hang up, in any state, and wait until the call, and all of its conference, is over."""
        __tracebackhide__ = True

        async def hang_up() -> None:
            await leave(self._call)
            await self._call.over()

        self._stepper.do(hang_up)

    def story(self) -> list[str]:
        """What became of it, then its route, as lines for people."""
        return call_lines(call_report(self._call))

    def __repr__(self) -> str:
        return "\n".join(self.story())

    def _take(self, order: Callable[[IncomingCall], None]) -> None:
        __tracebackhide__ = True
        call = self._call
        if not isinstance(call, IncomingCall):
            raise CallError("this phone placed the call: the far end answers it")

        async def obey() -> None:
            order(call)

        self._stepper.do(obey)


def read_config(
    config: str | Path | Sequence[str | Path], settings: Mapping[str, object], folder: Path
) -> PhoneConfig:
    """The cfg file *config*, several, or cfg text of several lines, with *settings* over it.

    Paths are relative to *folder*. Raises CfgError.
    """
    overrides = [f"{key}={value}" for key, value in settings.items()]
    if isinstance(config, str) and "\n" in config:
        return load_text(config, "the test's cfg", overrides).config
    paths = [config] if isinstance(config, str | Path) else config
    return load([folder / path for path in paths], overrides).config


def read_zone_of(zone: str | Path | None, folder: Path) -> Zone | None:
    """The DNS master file *zone*, relative to *folder*, or its text of several lines. Raises ZoneError."""
    if zone is None:
        return None
    if isinstance(zone, str) and "\n" in zone:
        return parse_zone(zone, file="the test's zone")
    return read_zone(folder / zone)


def _behaving(site: Site, wishes: Mapping[str, object]) -> list[Place]:
    """The places of *site*, those named in *wishes* with the behaviour that is wished for."""
    places = {place.name: place for place in site.places}
    for role, wish in wishes.items():
        name = _name_of(role, site.names)
        places[name] = dataclasses.replace(places[name], behaviour=Behaviour.parse(wish))
    return list(places.values())


def _name_of(role: str, names: Mapping[str, str]) -> str:
    if role not in names:
        raise ValueError(f"there is no server {role!r} here: {', '.join(names) or 'no name resolves'}")
    return names[role]
