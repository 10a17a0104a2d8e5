"""The stage of a what-if: a simulated world with a phone, its servers, a name server and someone to call."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from phone_emulator.config.model import PhoneConfig
from phone_emulator.dns import Unresolved
from phone_emulator.events import (
    Bus,
    Event,
    Listener,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    ServerChanged,
    Target,
)
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.zone import Zone
from phone_emulator.phone import CallResult, OutgoingCall, Phone, PhoneOptions
from phone_emulator.redundancy import hops
from phone_emulator.report import remarks
from phone_emulator.report.result import Message
from phone_emulator.world import SimulatedWorld, Tasks

from .changes import Change
from .record import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a what-if starts from."""

    config: PhoneConfig
    places: tuple[Place, ...]
    """A server at every target of the phone."""
    names: Mapping[str, str]
    """The name of a place, by each role that it has; another line's roles begin with ``line-2-``."""
    zone: Zone
    options: PhoneOptions = field(default_factory=PhoneOptions)
    seed: int = 0
    targets: Mapping[int, Sequence[Target]] = field(default_factory=dict)
    """Of each line, in order; filled in by `as_found`."""

    def roles(self, line: int) -> list[str]:
        """The roles of *line*'s targets, as its routes name them, in order."""
        return [target.role for target in self.targets.get(line, ())]

    def prefix(self, line: int) -> str:
        """What goes before the roles of *line*: nothing for the phone's first line."""
        return "" if line == self.config.lines[0].index else f"line-{line}-"


class Stage:
    """One rehearsal's world; it serves once.

    Args:
        site: the phone and its servers.
        line: the line that is looked at; the others stay quiet.
        listeners: who is told what happens, besides the record.
        keep_messages: whether every SIP message of the phone is kept.
    """

    def __init__(
        self, site: Site, line: int, *, listeners: Sequence[Listener] = (), keep_messages: bool = False
    ) -> None:
        moved = plans.simulated(
            site.config, site.places, site.zone, CalleeBehaviour.ANSWER, site.options.first_address
        )
        self.site = site
        self.world = SimulatedWorld(site.seed, moved.plan.nameservers)
        self.bus = Bus()
        self.lab = Lab(self.world, moved.plan, moved.config, self.bus)
        self.phone = Phone(moved.config, self.world, self.bus, self.lab.phone_options(site.options))
        self.tasks = Tasks(self.world, "the rehearsal")
        self.line = line
        self.calls: list[OutgoingCall] = []
        """In the order in which they were placed."""
        self.record = Recorder(self.phone, line, self.works)
        self.messages: list[Message] = []
        self.bus.subscribe(self.record)
        for listener in listeners:
            self.bus.subscribe(listener)
        if keep_messages:
            self.bus.subscribe(self._keep)

    @contextlib.asynccontextmanager
    async def running(self, at_first: Sequence[Change] = ()) -> AsyncIterator[None]:
        """The lab and the phone, started with the changes *at_first* made; raises WorldError."""
        try:
            for change in at_first:
                await self.change(change)
            await self.lab.start()
            await self.phone.start()
            yield
        finally:
            # Nobody is left to be told.
            await self.phone.stop(unregister=False)
            await self.lab.stop()

    async def change(self, change: Change) -> None:
        """Make *change* now."""
        if isinstance(change.behaviour, Behaviour):
            await self.lab.behave(self.site.names[change.role], change.behaviour)
            return
        if isinstance(change.behaviour, CalleeBehaviour):
            self.lab.callee.behaviour = change.behaviour
        else:
            await self.lab.dns_behave(change.behaviour)
        self.bus.tell(ServerChanged(at=self.world.now(), server=change.role, behaviour=str(change.behaviour)))

    async def register(self) -> None:
        """Register the line; returns when the first cycle has ended, well or badly."""
        await self.phone.register(self.line)

    async def call(self, destination: str, duration: float = 0.0) -> OutgoingCall:
        """Call *destination* and hang up *duration* seconds after the answer."""
        call = self.phone.dial(destination, self.line)
        self.calls.append(call)
        if await call.settled() is CallResult.ANSWERED:
            await asyncio.sleep(duration)
            await call.hang_up()
        return call

    async def until(self, when: float) -> None:
        """Wait until the clock shows exactly *when*; at once where it is past."""
        if when <= self.world.now():
            return
        come = asyncio.Event()
        timer = self.tasks.call_at(when, come.set, "the clock", on_fault=lambda error: come.set())
        try:
            await come.wait()
        finally:
            timer.cancel()

    def works(self, address: str, port: int) -> bool:
        """Whether the server there connects calls now."""
        servers = (self.lab.servers[place.name] for place in self.site.places if _at(place, address, port))
        return any(server.behaviour.for_method("INVITE").connects for server in servers)

    def _keep(self, event: Event) -> None:
        if isinstance(event, MessageSent | MessageReceived | MessageIgnored):
            remarks.keep(self.messages, event)


def as_found(site: Site) -> Site:
    """*site* with its servers named by the roles that the phone itself finds.

    Records that share the load are shuffled by a seed of the phone's own world (D4): only a phone there can
    tell which of them is its primary.
    """
    stage = Stage(site, site.config.lines[0].index)

    async def ask() -> dict[int, list[Target]]:
        found: dict[int, list[Target]] = {}
        async with stage.running():
            for line in stage.phone.lines.values():
                found[line.number] = []
                for hop in hops(line.account):
                    with contextlib.suppress(Unresolved):
                        found[line.number] += await line.servers.locate(hop)
        return found

    places = list(site.places)
    names: dict[str, str] = {}
    own: dict[int, str] = {}
    targets = stage.world.run(ask())
    for line, found in targets.items():
        for target in found:
            role = site.prefix(line) + target.role
            for number, place in enumerate(places):
                if _at(place, target.address, target.port):
                    names[role] = own.setdefault(number, role)
    for number, place in enumerate(places):
        places[number] = dataclasses.replace(place, name=own.get(number, place.name))
    return dataclasses.replace(site, places=tuple(places), names=names, targets=targets)


def _at(place: Place, address: str, port: int) -> bool:
    return place.address == address and port in (place.port, place.tls_port)
