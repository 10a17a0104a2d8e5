"""A phone on its desk, for one command: its world, a lab around it where there is one, what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from phone_emulator.config import PhoneConfig, load
from phone_emulator.events import Bus, Event, MessageIgnored, MessageReceived, MessageSent
from phone_emulator.lab import plans
from phone_emulator.lab.lab import Lab
from phone_emulator.lab.zone import Zone, read_zone
from phone_emulator.phone import Phone
from phone_emulator.report import remarks
from phone_emulator.report.result import Message
from phone_emulator.report.spool import MediaSpool
from phone_emulator.scarcity import MachineRefused
from phone_emulator.scenario.worlds import OPTION, why_not
from phone_emulator.world import RealWorld, SimulatedWorld

from .certificates import with_certificates
from .exits import Exit
from .options import Common, need_files
from .outputs import check_outputs, make_spool, write_captures
from .places import Places, guide_zone, places_of
from .provision import provision, provisioned_config
from .talk import event_log, say, tell_of, tell_of_seed

INTERRUPTED = "interrupted: ending calls and de-registering; once more stops at once"
_Result = TypeVar("_Result")


@dataclass(slots=True)
class Desk:
    """What a command works with; nothing runs before `running`."""

    world: RealWorld | SimulatedWorld
    bus: Bus
    lab: Lab | None
    phone: Phone
    messages: list[Message] = field(default_factory=list)
    """Every SIP message of the phone, where a capture is asked for."""
    epoch: float = 0.0
    """Seconds since 1970 when the world began; 0 in virtual time."""
    spool: MediaSpool | None = None
    """The sound of the phone, where the capture is to have it."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Phone]:
        """The phone, started; at the end calls are ended and lines de-registered. Raises WorldError."""
        try:
            if self.lab is not None:
                await self.lab.start()
            await self.phone.start()
            yield self.phone
        finally:
            if interrupted() and (self.phone.calls or _registered(self.phone)):
                say(INTERRUPTED)
            await self.phone.stop()
            if self.lab is not None:
                await self.lab.stop()

    def run(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        """Run *main*, which uses `running`; says at which servers the phone stays registered all the same.

        That is so after a second interrupt, which waits for nobody, and where a server does not answer.
        """
        try:
            return self.world.run(main)
        finally:
            if not self.world.virtual:
                for text in self.phone.left_behind():
                    say(text)

    def failed(self) -> int:
        """The exit status where what was asked for has failed.

        Raises MachineRefused where the machine ran short: nobody knows then what the servers would have done.
        """
        if self.world.faults.short:
            raise MachineRefused(self.world.faults.short)
        return Exit.FAILED

    def write_capture(self, common: Common, name: str) -> None:
        """Write what was sent and heard to ``--pcap``, where it is given; raises OSError."""
        write_captures(common, [(name, self.messages)], self.spool, self.epoch)


def load_cfg(cfg: Sequence[str], common: Common) -> PhoneConfig:
    """Read cfg files, those of a provisioning server too, with their warnings told; raises CfgError."""
    need_files(cfg, common)
    check_outputs({}, cfg, common)
    if common.provisioned:
        return provisioned_config(provision(cfg, common), common)
    loaded = load(cfg, common.overrides, common.model)
    tell_of(loaded, common.log_level)
    return loaded.config


def example_cfg(common: Common) -> PhoneConfig:
    """The embedded lab's phone as ``--set`` has it, with what is surprising told; raises CfgError."""
    loaded = plans.example(common.overrides)
    tell_of(loaded, common.log_level)
    return loaded.config


def check_line(config: PhoneConfig, line: int | None) -> None:
    """Refuse a ``--line`` that *config* does not have; raises click.BadParameter."""
    lines = [account.index for account in config.lines]
    if line is not None and line not in lines:
        known = ", ".join(map(str, lines))
        raise click.BadParameter(f"there is no line {line}; enabled lines: {known}", param_hint="'--line'")


def refuse_elsewhere(
    common: Common, world: str | None, own: Mapping[str, object] | None = None, *, whose: str = ""
) -> None:
    """Refuse options that mean nothing in *world*; raises click.UsageError.

    Args:
        common: the common options.
        world: where the command runs.
        own: the command's own options, by the names of their parameters.
        whose: the scenario file whose world it is.
    """
    given = {each.name: getattr(common, each.name) for each in dataclasses.fields(common)} | dict(own or {})
    for name, value in given.items():
        wrong = why_not(world or "", OPTION, name) if value else ""
        if wrong:
            raise click.UsageError(f"{whose}: {wrong}" if whose else wrong)


def plan_lab(config: PhoneConfig, common: Common, *, every_transport: bool = False) -> tuple[Places, Zone]:
    """The servers and the zone that fit *config*; raises ZoneError and click.BadParameter."""
    zone = read_zone(common.zone) if common.zone is not None else guide_zone(config)
    return places_of(config, zone, every_transport=every_transport).down(common.down), zone


def plan_stage(config: PhoneConfig, common: Common, *, every_transport: bool = False) -> plans.Stage:
    """Where the servers stand, and *config* as the lab or the simulated world needs it.

    Raises ZoneError and click.BadParameter.
    """
    places, zone = plan_lab(config, common, every_transport=every_transport)
    make_stage = plans.simulated if common.world == "simulated" else plans.loopback
    return make_stage(config, places.places, zone, places.callee, common.first_local_address)


def make_desk(
    config: PhoneConfig, common: Common, *, every_transport: bool = False, listens: bool = False
) -> Desk:
    """The world, the lab and the phone; raises ZoneError and click.BadParameter, and starts nothing."""
    bus = Bus()
    options = with_certificates(common.phone_options(), config, fetch=common.world != "simulated")
    options = dataclasses.replace(options, listens=listens)
    lab: Lab | None = None
    world: RealWorld | SimulatedWorld
    if common.world == "real":
        world = RealWorld(common.seed)
    else:
        stage = plan_stage(config, common, every_transport=every_transport)
        config = stage.config
        if common.world == "simulated":
            world = SimulatedWorld(common.seed or 0, stage.plan.nameservers)
        else:
            world = RealWorld(common.seed)
        # What its people say is heard at the phone; nobody listens at their end.
        lab = Lab(world, stage.plan, config, bus, listens=listens and world.virtual)
        options = lab.phone_options(options)
    if not world.virtual:
        tell_of_seed(common.seed)
    spool = bus.tap = make_spool(common)
    if spool is not None:
        spool.begin()
    desk = Desk(world, bus, lab, Phone(config, world, bus, options), epoch=world.began, spool=spool)
    log = event_log(common.log_level, sys.stderr)
    if log is not None:
        bus.subscribe(log)
    if common.pcap is not None:

        def keep(event: Event) -> None:
            if isinstance(event, MessageSent | MessageReceived | MessageIgnored):
                remarks.keep(desk.messages, event)

        bus.subscribe(keep)
    return desk


def _registered(phone: Phone) -> bool:
    return any(line.registrar.left() for line in phone.lines.values())


def interrupted() -> bool:
    """Whether the command was told to end: Ctrl-C, SIGTERM."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
