"""A scenario made ready and running: its world, its lab, its phone, its calls."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from phone_emulator.config import CfgError, load
from phone_emulator.config.diagnostic import Diagnostic, Severity
from phone_emulator.config.model import PhoneConfig, TransportType
from phone_emulator.config.reader import COMMAND_LINE, OVERRIDES
from phone_emulator.events import (
    AddressChanged,
    Attempt,
    AttemptStarted,
    Bus,
    CallChanged,
    CallRefused,
    CallState,
    CodecsNotSpoken,
    Direction,
    Ended,
    EndedBy,
    Event,
    Listener,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    Outcome,
    Tap,
)
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.zone import Zone, ZoneError, parse_zone
from phone_emulator.media.judgement import Stretch
from phone_emulator.media.sides import Side, write_sides
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call, CallError, CallResult, Phone, PhoneOptions
from phone_emulator.phone.registration.health import LineHealth
from phone_emulator.report import remarks
from phone_emulator.report.result import CallReport, MediaReport, Message, ScenarioResult, Verdict
from phone_emulator.world import RealWorld, SimulatedWorld
from phone_emulator.world.simulated import TIME_LIMIT

from .model import Scenario, ScenarioError, ZoneSource

ENDED = "the scenario ended"
"""Why what goes on at the end is cut short."""
SOUND_LIMIT = 6 * 3600.0
"""Virtual seconds that a scenario with sound lasts at most: minutes of work, and a step may wait in vain."""
_OF_OVERRIDE = re.compile(rf"{OVERRIDES}:([0-9]+): (.*)", re.DOTALL).fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the user says beside the scenario file."""

    overrides: tuple[str, ...] = ()
    """``--set``, after the scenario's own ``set``."""
    phone: PhoneOptions = field(default_factory=PhoneOptions)
    seed: int | None = None
    """Of the world's randomness; None: the simulated world's is always the same, the real one's never."""
    listeners: tuple[Listener, ...] = ()
    """Who is told what happens, besides the result."""
    play: Sound | None = None
    """What each call says once it is up."""
    repeat: bool = False
    """Whether it says that over and over."""
    record: Path | None = None
    """What the names of the files begin with that each call is written to; None: none is."""
    side: Side = "both"
    """Which side of it."""
    fail_fast: bool = False
    on_interrupt: Callable[[], None] = lambda: None
    """Called when the user presses Ctrl-C in real time, before calls are ended and lines de-registered."""
    keep_messages: bool = False
    """Whether the result carries every SIP message (for reports)."""
    tap: Tap | None = None
    """Is shown the sound of the phone's calls."""


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call that came in and did not ring, told as an ended one."""

    refused: CallRefused

    state = CallState.ENDED
    result = CallResult.REJECTED
    digits_heard = ""

    @property
    def status(self) -> int:
        """What the INVITE was answered with."""
        return self.refused.status

    @property
    def reason(self) -> str:
        """Why, in one sentence for people."""
        return self.refused.reason

    def report(self, name: str) -> CallReport:
        """The call as reports tell it, under the id that the scenario gives it."""
        refused = self.refused
        return CallReport(
            id=name,
            line=refused.line,
            to=refused.remote,
            result=str(self.result),
            status=refused.status,
            reason=refused.reason,
            via=None,
            started=refused.at,
            elapsed=0.0,
            incoming=True,
            ended=Ended(refused.at, EndedBy.US, refused.reason),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How a scenario stands when its steps are done, before its phone is stopped."""

    at: float
    """Seconds since it began."""
    registers: int
    """How many REGISTER attempts had begun."""
    health: list[LineHealth]


def in_order(attempts: Iterable[Attempt]) -> list[Attempt]:
    """*attempts* in order of time."""
    return sorted(attempts, key=lambda attempt: attempt.started)


def settled(report: CallReport, at: float, why: str) -> CallReport:
    """*report* of a world that ended *at* then, for *why*: what was still under way was cut short (R16)."""
    route = [_ended(attempt, at, why) for attempt in report.route]
    result, reason = report.result or str(CallResult.CANCELLED), report.reason or why
    ended = report.ended or Ended(at, EndedBy.US, why)
    return dataclasses.replace(report, route=route, result=result, reason=reason, ended=ended)


def _ended(attempt: Attempt, at: float, why: str) -> Attempt:
    if attempt.outcome is not None:
        return attempt
    detail, ended = f"cut short: {why}", max(at, attempt.started)
    return dataclasses.replace(attempt, outcome=Outcome.CANCELLED, detail=detail, ended=ended)


@dataclass(slots=True)
class Tape:
    """What of a call is written to a file when the scenario has ended."""

    call: Call
    path: Path
    side: Side
    began: float
    """Seconds of the world."""
    ended: float | None = None
    """None while it goes on."""

    def stop(self, now: float) -> None:
        """It goes on no longer than *now*."""
        if self.ended is None:
            self.ended = now if self.call.end is None else min(now, self.call.end.at)

    def write(self) -> None:
        """Write the file, where the call was up. Raises OSError."""
        voice = self.call.voice
        if self.ended is not None and voice.heard is not None and voice.said is not None:
            write_sides(self.path, self.side, voice.said, voice.heard, self.began, self.ended)


@dataclass(slots=True)
class Session:
    """What the steps of one scenario act upon."""

    scenario: Scenario
    options: RunOptions
    config: PhoneConfig
    world: RealWorld | SimulatedWorld
    bus: Bus
    lab: Lab | None
    phone: Phone
    zones: dict[int, Zone]
    """The zone of each ``dns`` step, by its number."""
    calls: dict[str, Call] = field(default_factory=dict)
    """By the id in the file."""
    refused: dict[str, RefusedCall] = field(default_factory=dict)
    """Incoming calls that did not ring, by the id in the file."""
    registers: list[tuple[int, Attempt]] = field(default_factory=list)
    """Every REGISTER attempt as it began, and its line."""
    messages: list[Message] = field(default_factory=list)
    addresses: list[AddressChanged] = field(default_factory=list)
    """Each change of the phone's own address."""
    unspoken: list[CodecsNotSpoken] = field(default_factory=list)
    """What the phone says of its codecs when it starts."""
    _standing: Standing | None = None
    """How things stood at the end; None before it."""
    up: list[Call] = field(default_factory=list)
    """The calls that have talked."""
    tapes: list[Tape] = field(default_factory=list)
    """What of calls is written to files at the end."""
    judged_since: float = 0.0
    """When the last step began that took time: sound is judged from there on."""
    epoch: float = 0.0
    """When its world began, in seconds since 1970; 0 in virtual time."""

    async def end(self) -> None:
        """The scenario ends: calls are hung up, lines de-registered, the lab closed (R12)."""
        if self._standing is None:
            self._standing = self._stand()
        for tape in self.tapes:
            tape.stop(self.world.now())
        try:
            await self.phone.stop(why=ENDED)
        finally:
            if self.lab is not None:
                await self.lab.stop()

    def _stand(self) -> Standing:
        health = [line.health() for line in self.phone.lines.values()]
        return Standing(self.world.now(), len(self.registers), health)

    def registrations(self) -> list[Attempt]:
        """Every REGISTER attempt so far, in order of time."""
        return in_order(attempt for _, attempt in self.registers)

    async def reboot(self) -> None:
        """Restart the phone: calls end, then it registers anew. Raises CallError where it has no address."""
        if absent := self.phone.context.absent:
            raise CallError(f"it cannot restart: {absent}")
        await self.phone.stop_to_restart()
        self.phone = self.phone.after_restart()
        await self.phone.start()
        await self.phone.register()

    def talks(self, name: str) -> None:
        """The call *name* of the phone talks: the first time, say and keep what the user asks for."""
        call = self.phone.call(name)
        if call is None or call in self.up:
            return
        self.up.append(call)
        if self.options.record is not None:
            known = next((each for each, other in self.calls.items() if other is call), name)
            path = Path(f"{self.options.record}{known}.wav")
            self.tapes.append(Tape(call, path, self.options.side, self.world.now()))
        if self.options.play is not None:
            call.spawn(self._speak(call, self.options.play), "speaking")

    async def _speak(self, call: Call, sound: Sound) -> None:
        await call.settled()
        if call.voice.audio is not None:
            call.voice.audio.play(sound, repeat=self.options.repeat)

    def result(self, *, broken_down: bool = False) -> ScenarioResult:
        """What there is to tell of the scenario, up to its end; the verdict is the runner's.

        *broken_down*: nothing goes on in its world, so what is under way never ends by itself.
        """
        standing = self._standing or self._stand()
        calls = self.call_reports()
        registrations = in_order(attempt for _, attempt in self.registers[: standing.registers])
        if broken_down or self._standing is not None:
            registrations = [_ended(attempt, standing.at, ENDED) for attempt in registrations]
            calls = [settled(call, standing.at, ENDED) for call in calls]
        return ScenarioResult(
            scenario=self.scenario.name,
            file=self.scenario.file,
            verdict=Verdict.PASSED,
            elapsed=standing.at,
            virtual=self.world.virtual,
            calls=calls,
            registrations=registrations,
            health=standing.health,
            messages=self.messages,
            addresses=self.addresses,
            unspoken=self.unspoken,
            epoch=self.epoch,
        )

    def call_reports(self) -> list[CallReport]:
        """The calls, in order of time."""
        names = {call.id: name for name, call in self.calls.items()}
        calls = [call_report(call, names) for call in self.calls.values()]
        calls += [call.report(name) for name, call in self.refused.items()]
        return sorted(calls, key=lambda call: call.started)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scenario whose files have all been read: nothing in it is left to go wrong before it starts."""

    scenario: Scenario
    config: PhoneConfig
    zone: Zone
    zones: dict[int, Zone]
    warnings: tuple[str, ...]
    """What is surprising in ``set`` and ``--set``; of what stands in cfg files, ``check`` tells."""
    without_effect: tuple[Diagnostic, ...]
    """The keys of cfg files that do nothing here; those of ``set`` and ``--set`` are among the warnings."""


def prepare(scenario: Scenario, options: RunOptions) -> Prepared:
    """Read the cfg files and zones that *scenario* names; raises ScenarioError with every fault."""
    faults: list[str] = []
    overrides = [*(f"{key}={value}" for key, value in scenario.set.items()), *options.overrides]
    config, warnings, idle = PhoneConfig(), tuple[str, ...](), tuple[Diagnostic, ...]()
    try:
        loaded = load(list(scenario.config), overrides, options.phone.device.model)
        config = loaded.config
        surprising = [found for found in loaded.diagnostics if found.severity is Severity.WARNING]
        without_effect = loaded.without_effect()
        warnings = tuple(
            _placed(str(found), scenario)
            for found in (*surprising, *without_effect)
            if found.file in COMMAND_LINE
        )
        idle = tuple(found for found in without_effect if found.file not in COMMAND_LINE)
    except CfgError as error:
        faults += [_placed(fault, scenario) for fault in error.faults]
    else:
        faults += _unknown_lines(scenario, config)
        faults += _unnamed_lines(scenario, config)
        faults += _unmet_behaviours(scenario, config)
    faults += [
        f"{scenario.file}:{step.line}: {step}: {wrong}"
        for step in scenario.steps
        if (wrong := step.does.amiss(scenario, step.args))
    ]
    zone = _zone(scenario.zone, faults)
    zones = {step.number: _zone(step.zone, faults) for step in scenario.steps if step.zone is not None}
    if faults:
        raise ScenarioError(faults)
    return Prepared(scenario, config, zone, zones, warnings, idle)


def make_session(prepared: Prepared, options: RunOptions) -> Session:
    """The world, the lab and the phone of a scenario, nothing of it started yet."""
    scenario, config = prepared.scenario, prepared.config
    bus = Bus()
    bus.tap = options.tap
    places = [
        Place(
            name=spec.name,
            address=spec.address,
            port=spec.port,
            tls_port=spec.tls_port,
            transports=spec.transports,
            behaviour=spec.behaviour,
            names=spec.names,
        )
        for spec in scenario.servers.values()
    ]
    phone_options = options.phone
    if scenario.listens or options.play is not None or options.record is not None:
        phone_options = dataclasses.replace(phone_options, listens=True)
    lab: Lab | None = None
    world: RealWorld | SimulatedWorld
    if scenario.world == "real":
        world = RealWorld(options.seed)
    else:
        simulated = scenario.world == "simulated"
        make_stage = plans.simulated if simulated else plans.loopback
        stage = make_stage(config, places, prepared.zone, scenario.callee, phone_options.first_address)
        config = stage.config
        world = (
            SimulatedWorld(
                options.seed or 0,
                stage.plan.nameservers,
                time_limit=SOUND_LIMIT if phone_options.listens else TIME_LIMIT,
            )
            if simulated
            else RealWorld(options.seed)
        )
        lab = Lab(world, stage.plan, config, bus, listens=phone_options.listens)
        phone_options = lab.phone_options(phone_options)
    phone = Phone(config, world, bus, phone_options)
    session = Session(scenario, options, config, world, bus, lab, phone, prepared.zones)
    session.epoch = world.began
    for listener in options.listeners:
        bus.subscribe(listener)

    def keep(event: Event) -> None:
        if isinstance(event, AttemptStarted) and event.attempt.method == "REGISTER":
            session.registers.append((event.line, event.attempt))
        elif isinstance(event, AddressChanged):
            session.addresses.append(event)
        elif isinstance(event, CodecsNotSpoken):
            session.unspoken.append(event)
        elif isinstance(event, CallChanged) and event.state is CallState.TALKING:
            session.talks(event.call)
        elif options.keep_messages and isinstance(event, MessageSent | MessageReceived | MessageIgnored):
            remarks.keep(session.messages, event)

    bus.subscribe(keep)
    return session


def call_report(call: Call, names: Mapping[str, str] | None = None) -> CallReport:
    """A call as reports tell it; *names*: by a call's id, the one that the scenario gives it."""
    names = {} if names is None else names
    return CallReport(
        id=names.get(call.id, call.id),
        line=call.seat.number,
        to=call.remote,
        result=None if call.result is None else str(call.result),
        status=call.status,
        reason=call.reason,
        via=call.via,
        started=call.started,
        elapsed=call.elapsed,
        # Copies: what happens after the report (a late cancel) is not told in it.
        route=[dataclasses.replace(attempt) for attempt in call.route],
        incoming=call.direction is Direction.INCOMING,
        ended=None if call.end is None else dataclasses.replace(call.end),
        media=_media_report(call),
        digits=None if call.session.silent and not call.digits_heard else call.digits_heard,
        conference=tuple(names.get(each, each) for each in call.conferred_with),
        silences=_silences(call),
        tones=tuple(call.progress.heard),
    )


def _silences(call: Call) -> list[Stretch] | None:
    """When nothing was heard in *call* so far; None where it was not up, or nobody listened."""
    recording = call.voice.heard
    if recording is None or call.result is not CallResult.ANSWERED:
        return None
    return recording.silences(call.seat.now if call.end is None else call.end.at)


def _media_report(call: Call) -> MediaReport | None:
    agreed, encrypted = call.voice.agreed, call.voice.encrypted
    if agreed is None:
        return None
    return MediaReport(
        codec=agreed.codec.encoding,
        srtp=encrypted or None,
        keys_in_clear=bool(encrypted) and call.keys_in_clear,
        numbers=call.numbers,
        flows=call.seat.context.sound_flows,
    )


def _placed(fault: str, scenario: Scenario) -> str:
    """*fault* of the cfg files; one of an override with the place that ``set`` gives it in the scenario."""
    of_override = _OF_OVERRIDE(fault)
    if of_override is None:
        return fault
    number, said = int(of_override[1]), of_override[2]
    if not scenario.config and " no-account: " in said:
        return f"{scenario.file}:1: no 'config' names a cfg file: {said}"
    own = list(scenario.set)
    if number > len(own):
        return f"{OVERRIDES}:{number - len(own)}: {said}"
    return f"{scenario.file}:{scenario.lines.get(f'set.{own[number - 1]}', 1)}: set: {said}"


def _unknown_lines(scenario: Scenario, config: PhoneConfig) -> list[str]:
    """Steps that are about lines which the phone does not have."""
    known = [account.index for account in config.lines]
    enabled = ", ".join(map(str, known))
    return [
        f"{scenario.file}:{step.line}: {step}: there is no line {line}; enabled: {enabled}"
        for step in scenario.steps
        for line in dict.fromkeys((getattr(step.args, "line", None), step.expect and step.expect.line))
        if line is not None and line not in known
    ]


def _unnamed_lines(scenario: Scenario, config: PhoneConfig) -> list[str]:
    """Expectations that could be about any of several lines."""
    known = [account.index for account in config.lines]
    if len(known) < 2:
        return []
    lines = ", ".join(map(str, known))
    return [
        f"{scenario.file}:{step.expect.at}: {step}: expect: the phone has the lines {lines}: "
        "name the one that is meant with 'line'"
        for step in scenario.steps
        if not step.does.every_line
        and step.expect is not None
        and step.expect.registered is not None
        and step.expect.line is None
    ]


def _unmet_behaviours(scenario: Scenario, config: PhoneConfig) -> list[str]:
    """Behaviours that are about connections which no line of the phone ever opens."""
    asked = {server.transport_type for account in config.lines for server in account.servers}
    if TransportType.DNS_NAPTR in asked:
        return []
    spoken = [transport_type.transport for transport_type in sorted(asked)]
    said = [(spec.line, f"server {spec.name!r}", spec.behaviour) for spec in scenario.servers.values()]
    said += [
        (step.line, str(step), behaviour)
        for step in scenario.steps
        if isinstance(behaviour := getattr(step.args, "behaviour", None), Behaviour)
    ]
    return [
        f"{scenario.file}:{line}: {where}: behaviour: {wrong}"
        for line, where, behaviour in said
        if (wrong := behaviour.why_not(spoken, "the phone"))
    ]


def _zone(source: ZoneSource | None, faults: list[str]) -> Zone:
    try:
        return parse_zone(source.text, file=source.name, first_line=source.line) if source else parse_zone("")
    except ZoneError as error:
        faults.append(str(error))
        return parse_zone("")
