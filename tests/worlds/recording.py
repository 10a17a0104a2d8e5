"""Plays a random world and keeps everything that was told."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import cached_property

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.events import (
    Address,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    CallChanged,
    CallState,
    Event,
    MessageReceived,
    MessageSent,
    Outcome,
    ServerChanged,
    Target,
    Transport,
)
from phone_emulator.phone import Call, CallError, OutgoingCall
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.session import RunOptions, Session, make_session, prepare
from phone_emulator.sip import connection
from phone_emulator.sip.message import Request, Response
from phone_emulator.sip.parser import parse
from tests.worlds.world import World

ROUNDS = 50_000
"""Rounds of the event loop at one instant after which time counts as standing still."""
PATIENCE = 7200.0
"""Virtual seconds after the last step within which every call must have its result."""


@dataclass(frozen=True)
class Seen:
    """A SIP message on the wire, with its place among the events."""

    place: int
    at: float
    sent: bool
    remote: Address
    transport: Transport
    message: Request | Response

    @property
    def request(self) -> Request | None:
        """The request, if it is one."""
        return self.message if isinstance(self.message, Request) else None

    @property
    def branch(self) -> str:
        return self.message.branch or ""


@dataclass
class Bindings:
    """Who is registered, at one moment between two steps."""

    at: float
    by_server: dict[str, dict[str, list[str]]]
    """Server of the lab: user: Contacts."""
    by_phone: dict[int, dict[int, float | None]]
    """Line: the servers (1, 2) at which it has a live binding, as it knows, and when each lapses."""
    targets: dict[int, list[Target]]
    """Line: where that is."""


@dataclass(eq=False)
class Recording:
    """What happened in one world."""

    world: World
    session: Session
    events: list[Event] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    bindings: list[Bindings] = field(default_factory=list)
    told: list[tuple[Attempt, Outcome | None, str]] = field(default_factory=list)
    """Each attempt that was told to have ended, with its outcome and detail at that time."""
    reboots: list[tuple[int, int]] = field(default_factory=list)
    """The places among the events at which each reboot began and had ended: requests may leave in between."""
    idle_transactions: int = 0
    """Live transactions when everything was over and nothing registered."""
    idle_left: list[str] = field(default_factory=list)
    """Tasks and timers at that time."""
    stopped_left: list[str] = field(default_factory=list)
    """The same after the phone had been stopped."""
    endless: list[str] = field(default_factory=list)
    """Calls that never came to an end."""
    rest: int = 0
    """The place of the first event after the calls had ended and the lines were unregistered."""
    rested_at: float = 0.0
    """When that was, in virtual seconds."""

    def hear(self, event: Event) -> None:
        """Keep *event*, and what may change of it afterwards."""
        self.events.append(event)
        if isinstance(event, AttemptEnded):
            self.told.append((event.attempt, event.attempt.outcome, event.attempt.detail))

    @property
    def config(self) -> PhoneConfig:
        return self.session.config

    @property
    def account(self) -> AccountConfig:
        return self.config.lines[0]

    @property
    def outgoing(self) -> list[OutgoingCall]:
        """The calls that the phone placed."""
        return [call for call in self.calls.values() if isinstance(call, OutgoingCall)]

    @cached_property
    def messages(self) -> list[Seen]:
        """Every message of the phone, both ways."""
        return [
            Seen(
                place,
                event.at,
                isinstance(event, MessageSent),
                event.remote,
                event.transport,
                parse(event.data),
            )
            for place, event in enumerate(self.events)
            if isinstance(event, MessageSent | MessageReceived)
        ]

    @cached_property
    def invites(self) -> list[Seen]:
        """Every INVITE that left outside a dialog, retransmissions included."""
        return [seen for seen in self._every_invite if seen.message.to_tag is None]

    @cached_property
    def changes_asked_for(self) -> list[Seen]:
        """The re-INVITEs that left, retransmissions included."""
        return [seen for seen in self._every_invite if seen.message.to_tag is not None]

    @property
    def _every_invite(self) -> list[Seen]:
        sent = [(seen, seen.request) for seen in self.messages if seen.sent]
        return [seen for seen, request in sent if request is not None and request.method == "INVITE"]

    @cached_property
    def first_invites(self) -> list[Seen]:
        """The first INVITE of each branch."""
        first: dict[str, Seen] = {}
        for seen in self.invites:
            first.setdefault(seen.branch, seen)
        return list(first.values())

    @cached_property
    def responses(self) -> dict[str, list[tuple[Seen, Response]]]:
        """The responses to INVITEs that came in, by branch."""
        found: dict[str, list[tuple[Seen, Response]]] = {}
        for seen in self.messages:
            message = seen.message
            if not seen.sent and isinstance(message, Response) and message.cseq.method == "INVITE":
                found.setdefault(seen.branch, []).append((seen, message))
        return found

    @cached_property
    def started(self) -> list[tuple[int, AttemptStarted]]:
        return [(place, e) for place, e in enumerate(self.events) if isinstance(e, AttemptStarted)]

    @cached_property
    def ended(self) -> list[tuple[int, AttemptEnded]]:
        return [(place, e) for place, e in enumerate(self.events) if isinstance(e, AttemptEnded)]

    @cached_property
    def call_of(self) -> dict[str, OutgoingCall]:
        """Placed calls by the number that they call: no two call the same."""
        return {call.remote: call for call in self.outgoing}

    @cached_property
    def end_of(self) -> dict[int, int]:
        """The place at which the end of an attempt was told, by the attempt's identity."""
        return {id(event.attempt): place for place, event in self.ended}

    def caller(self, seen: Seen) -> OutgoingCall:
        """The call that an INVITE outside dialogs belongs to."""
        return self.call_of[seen.message.to_address.uri.user or ""]

    def attempt(self, invite: Seen) -> Attempt:
        """The attempt that an INVITE outside dialogs belongs to."""
        return next(
            attempt
            for attempt in self.caller(invite).route
            if attempt.target.remote == invite.remote and invite.at in attempt.sends
        )

    def rebooted(self, since: int, until: int) -> bool:
        """Whether the phone was restarted between these two places, or at them."""
        return any(since < end and begin <= until for begin, end in self.reboots)

    def cut_off(self, invite: Seen, place: int) -> bool:
        """Whether the connection of *invite* was lost before *place*: its transaction ended with it."""
        if invite.transport is Transport.UDP:
            return False
        name = next(
            name for name, server in self.world.servers.items() if server["address"] == invite.remote.host
        )
        return any(
            isinstance(event, ServerChanged) and event.server == name and event.behaviour.startswith("refuse")
            for event in self.events[invite.place : place + 1]
        )

    def changes(self, call: Call) -> list[tuple[int, CallChanged]]:
        """The states of *call*."""
        return [
            (place, e)
            for place, e in enumerate(self.events)
            if isinstance(e, CallChanged) and (e.call, e.remote) == (call.id, call.remote)
        ]

    def hung_up(self, call: Call) -> int | None:
        """The place at which a call that was not up was told to end; None if it never was."""
        return next((place for place, e in self.changes(call) if e.state is CallState.ENDING), None)

    @property
    def registrations(self) -> list[Attempt]:
        return self.session.registrations()


def play(world: World) -> Recording:
    """Play *world* to its end, hang up, unregister, stop; raises what escapes, Deadlock too."""
    options = RunOptions(seed=world.seed)
    session = make_session(prepare(parse_scenario(world.text(), "random.yaml"), options), options)
    session.world._loop._step_limit = ROUNDS  # type: ignore[union-attr]
    recording = Recording(world, session)
    session.bus.subscribe(recording.hear)
    session.world.run(_main(recording))
    return recording


async def _main(recording: Recording) -> None:
    session, lab = recording.session, recording.session.lab
    assert lab is not None
    await lab.start()
    await session.phone.start()
    endpoint = session.phone.context.endpoint
    if recording.world.overlapping:
        await _overlap(recording)
    else:
        await _one_by_one(recording)
        await _come_to_rest(recording)
        endpoint = session.phone.context.endpoint  # a reboot has made another
    await lab.stop()
    recording.idle_transactions = endpoint.live_transactions
    recording.idle_left = _left(session)
    await session.phone.stop()
    recording.stopped_left = _left(session)


async def _overlap(recording: Recording) -> None:
    """Begin each step in its moment, whatever the earlier ones do; then stop the phone."""
    session, loop = recording.session, asyncio.get_running_loop()
    under_way = []
    for step in session.scenario.steps:
        if step.kind == "wait":
            await step.does.act(session, step, step.args)
        else:
            under_way.append(loop.create_task(_begin(session, step)))
            await asyncio.sleep(0)  # it has begun
        _keep_bindings(recording)
    recording.calls = dict(session.calls)
    await session.phone.stop()
    recording.rest, recording.rested_at = len(recording.events), session.world.now()
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*under_way)
    except TimeoutError:
        recording.endless = [f"{step.get_name()} goes on" for step in under_way if not step.done()]
    await asyncio.sleep(_rest(recording))


async def _begin(session: Session, step: Step) -> None:
    with contextlib.suppress(CallError):
        await step.does.act(session, step, step.args)


async def _one_by_one(recording: Recording) -> None:
    session = recording.session
    for step in session.scenario.steps:
        began = len(recording.events)
        with contextlib.suppress(CallError):
            await step.does.act(session, step, step.args)
        if step.kind == "reboot":
            recording.reboots.append((began, len(recording.events)))
        _keep_bindings(recording)
    recording.calls = dict(session.calls)


async def _come_to_rest(recording: Recording) -> None:
    """Wait for every result, hang up, unregister, and give the timers of RFC 3261 their time."""
    session = recording.session
    try:
        async with asyncio.timeout(PATIENCE):
            for call in recording.outgoing:
                await call.settled()
            await _hang_up(session)
    except TimeoutError:
        recording.endless = [f"{call.id} is {call.state}" for call in session.phone.calls]
        return
    for line in session.phone.lines.values():
        await line.registrar.unregister()
    recording.rest, recording.rested_at = len(recording.events), session.world.now()
    pause = _rest(recording)
    await asyncio.sleep(pause)
    if session.phone.calls:  # a slow server brought one more in the meantime
        await _hang_up(session)
        await asyncio.sleep(pause)


def _rest(recording: Recording) -> float:
    """Seconds after which nothing is left of any request.

    Timers B to M are 64*T1 at most, one after another; RFC 3261 section 17.1.1.2 has 32 s for timer D.
    An idle connection stays open for a while.
    """
    return max(3 * 64 * recording.config.timers.t1 + 100, 2 * connection.IDLE)


async def _hang_up(session: Session) -> None:
    for call in tuple(session.phone.calls):
        await call.hang_up()
        await call.over()


def _left(session: Session) -> list[str]:
    return [*session.world.pending_tasks(), *session.world.pending_timers()]  # type: ignore[union-attr]


def _keep_bindings(recording: Recording) -> None:
    session, lab = recording.session, recording.session.lab
    assert lab is not None
    recording.bindings.append(
        Bindings(
            session.world.now(),
            {
                name: {user: [b.uri for b in found] for user, found in server.bindings.items()}
                for name, server in lab.servers.items()
            },
            {
                number: {binding.number: binding.expires_at for binding in line.bindings if binding.live}
                for number, line in session.phone.lines.items()
            },
            {number: list(line.bindings.targets) for number, line in session.phone.lines.items()},
        )
    )
