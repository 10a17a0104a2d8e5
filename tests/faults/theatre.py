"""Plays a story with a fault in it, and looks at what has become of everything that waited."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phone_emulator.config import load, load_text
from phone_emulator.events import (
    Address,
    Bus,
    CallChanged,
    CallState,
    Event,
    InternalFault,
    MessageIgnored,
    MessageReceived,
    MessageSent,
    RegistrationChanged,
    RegistrationState,
    SubscriptionChanged,
    Transport,
)
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.zone import read_zone
from phone_emulator.phone import Call, CallResult, Phone, PhoneOptions
from phone_emulator.phone.mobility import PAUSE
from phone_emulator.sip.message import Message, Request, Response
from phone_emulator.sip.parser import parse
from phone_emulator.world import Deadlock, Faulted, SimulatedWorld
from phone_emulator.world.faults import in_words
from tests.faults.planting import SAID, Planted, Planting
from tests.faults.sites import ROOT
from tests.faults.stories import OwnFault, PlayStory, answering
from tests.phone import stage
from tests.phone.far_end import CFG, FarEnd, Play

LONGEST = 8000.0
"""Virtual seconds that a story may take."""
PATIENCE = 4000.0
"""Virtual seconds until everything that waited is settled: a transfer waits longest."""
LAST_WORDS = {"OutgoingCall._end_fork", "end_answered", "Call._terminate"}
"""Works that end a call at the far end: where each of them raises, nobody does."""
OWN = in_words(OwnFault())
FAR = "the far end"
"""The name of its tasks."""

LabStory = Callable[[stage.Stage], Awaitable[None]]


class Patient(FarEnd):
    """A far end that repeats its 2xx to an INVITE until the ACK comes (RFC 3261 section 13.3.1.4)."""

    def __init__(self, world: SimulatedWorld) -> None:
        super().__init__(world)
        self.acked: set[tuple[str, str | None]] = set()

    def answer(self, request: Request, status: int, **how: Any) -> Response:
        """Answer *request*, again and again where that needs an ACK."""
        response = super().answer(request, status, **how)
        if request.method == "INVITE" and 200 <= status < 300:
            self.repeating = asyncio.create_task(self._repeat(response), name=FAR)
        return response

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """A datagram; what it acknowledges is repeated no more."""
        self._hear_ack(data)
        super().datagram_received(data, remote)

    def data_received(self, data: bytes) -> None:
        """The same over TCP, where one ACK comes in one piece here."""
        self._hear_ack(data)
        super().data_received(data)

    def _hear_ack(self, data: bytes) -> None:
        if data.startswith(b"ACK "):
            ack = parse(data)
            self.acked.add((ack.call_id, ack.to_tag))

    async def _repeat(self, response: Response) -> None:
        for seconds in (0.5, 1, 2, 4, 4, 4, 4, 4, 4):
            await asyncio.sleep(seconds)
            if (response.call_id, response.to_tag) in self.acked:
                return
            self.send(response)


@dataclass
class Struck:
    """A call as it was when the fault came."""

    state: CallState
    result: CallResult | None


class Performance(ABC):
    """One story, once; what a kind of them needs is told by its subclass.

    Args:
        planting: what raises, if anything does.
    """

    world: SimulatedWorld
    phone: Phone
    bus: Bus

    def __init__(self, planting: Planting) -> None:
        self.planting = planting
        self.wrong: list[str] = []
        """What is not as it has to be."""
        self.events: list[Event] = []
        self.faults: list[InternalFault] = []
        self.stumbled: BaseException | None = None
        """Over what the story has stumbled, if it has."""
        self._struck: dict[str, Struck] = {}

    @abstractmethod
    async def open(self) -> None:
        """Start everything."""

    @abstractmethod
    async def play(self) -> None:
        """The story."""

    @abstractmethod
    async def go_on(self) -> None:
        """Everybody but the phone behaves well from now on, as long as this is let run."""

    @abstractmethod
    async def close(self) -> None:
        """Stop what is not the phone's."""

    def run(self) -> list[str]:
        """Play the story, and go on after it; what is not as it has to be, in words."""
        self.bus.subscribe(self._hear)
        with self.planting.planted():
            try:
                self.world.run(self._main())
            except Faulted as error:
                kinds = {type(error.__cause__), Planted} if self._own else {type(error.__cause__)}
                self._expect(Planted in kinds, f"raised because of {error.__cause__!r}")
                self._expect(not isinstance(error.__context__, Deadlock), f"{error.__context__}")
            else:
                self._expect(not self.planting.raised, "no Faulted at the world's end")
        self._expect(self.world.pending_timers() == [], f"left timers: {self.world.pending_timers()}")
        self._expect(self.world.pending_tasks() == [], f"left tasks: {self.world.pending_tasks()}")
        return self.wrong

    @property
    def _own(self) -> bool:
        """Whether the story makes a fault of its own."""
        return any(fault.error == OWN for fault in self.faults)

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, InternalFault):
            self.faults.append(event)
            for call in (*self.phone.calls, *self.phone.history):
                self._struck.setdefault(call.id, Struck(call.state, call.result))

    def _expect(self, holds: object, wrong: str) -> None:
        if not holds:
            self.wrong.append(wrong)

    async def _main(self) -> None:
        await self.open()
        made = _tasks_made()
        acting = asyncio.create_task(self.play())
        await asyncio.wait([acting], timeout=LONGEST)
        if not self.planting.raised:
            acting.result()
        # The story may have stumbled over the fault: its far end waits for what never comes.
        self._expect(acting.done() or not _in_the_product(acting), f"hangs: {_where(acting)}")
        acting.cancel()
        await asyncio.wait([acting])
        if not acting.cancelled():
            self.stumbled = acting.exception()
        going_on = asyncio.create_task(self.go_on(), name=FAR)
        await asyncio.sleep(PATIENCE)
        self.planting.over = True
        for task in made:
            if _is_owned(task):
                continue
            if task.done():
                _ = task.cancelled() or task.exception()  # the story has stumbled before it could look
            elif task.get_name() != FAR:
                self._expect(not _in_the_product(task), f"hangs: {_where(task)}")
                task.cancel()
        self._look_at_faults()
        self._look_at_calls()
        self._look_at_registrations()
        self._look_at_subscriptions()
        self._look_at_connections()
        await self._live_on()
        await self.phone.stop()
        self._look_at_the_wire()
        self._look_at_the_sockets()
        going_on.cancel()
        await self.close()
        rest = [task for task in made if not _is_owned(task) and not task.done()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    # -- what has to hold --------------------------------------------------------------------------------

    def _look_at_faults(self) -> None:
        told = [fault for fault in self.faults if fault.error != OWN]
        said = f"told: {[str(each) for each in told]}, raised: {self.planting.raised}"
        self._expect(told_rightly(list(map(str, told)), self.planting), said)
        for fault in told:
            self._expect("planting.py" in fault.traceback, "a traceback of something else")
            self._expect(fault.work and fault.owner, f"nameless: {fault}")

    def _look_at_calls(self) -> None:
        for call in (*self.phone.calls, *self.phone.history):
            self._look_at_call(call, hit=self._is_hit(call))

    def _is_hit(self, call: Call) -> bool:
        return any(fault.owner == call.id for fault in self.faults)

    def _look_at_call(self, call: Call, *, hit: bool) -> None:
        told = f"{call.id} is {call.state}, {call.result}: {call.reason!r}"
        self._expect(call.result is not None, f"{told}: nobody ever knows its result")
        over = call.state is CallState.ENDED
        self._expect(over == (call not in self.phone.calls), f"{told}: where is it?")
        self._expect(call.state is not CallState.ENDING, f"{told}: for ever")
        if over:
            loose = [str(each.target) for each in call.route if each.outcome is None or each.ended is None]
            self._expect(not loose, f"{told}: attempts without an outcome: {loose}")
            left = [task for task in asyncio.all_tasks() if task.get_name().endswith(f" of {call.id}")]
            self._expect(not left, f"{told}, but {[_where(task) for task in left]}")
        if not hit:
            return
        self._expect(over, f"{told}: goes on after its fault")
        then = self._struck.get(call.id)
        if then is None or then.state is CallState.ENDED:
            return
        if then.result is None:
            mended = call.result is CallResult.FAILED and call.reason.startswith("internal fault: ")
            self._expect(mended, f"{told}: its result was open")
        elif then.state is not CallState.ENDING:
            at = {
                fault.at for fault in self.faults
            }  # what else has ended it at that moment may be the reason
            changes = [each for each in self.events if isinstance(each, CallChanged) and each.call == call.id]
            said = any(each.reason.startswith("internal fault: ") or each.at in at for each in changes)
            self._expect(said, f"{told}: {[each.reason for each in changes]}")

    def _look_at_registrations(self) -> None:
        phone_referrals = self.phone.referrals._followed
        for line in self.phone.lines.values():
            self._expect(not phone_referrals[line.number], "somebody still waits to hear how a REFER ends")
            for attempt in line.bindings.attempts:
                self._expect(
                    attempt.outcome is not None, f"a REGISTER at {attempt.target} without an outcome"
                )
            hit = any(fault.work.startswith("the registration") for fault in self.faults)
            for binding in line.bindings:
                told = f"server {binding.number} is {binding.state}: {binding.reason!r}"
                self._expect(binding.state is not RegistrationState.REGISTERING, f"{told}, for ever")
            if hit:
                said = [
                    event.reason
                    for event in self.events
                    if isinstance(event, RegistrationChanged) and event.state is RegistrationState.FAILED
                ]
                self._expect(any(each.startswith("internal fault: ") for each in said), f"only said: {said}")

    def _look_at_connections(self) -> None:
        accepted = self.phone.context.endpoint.transports._connections._accepted
        self._expect(not accepted, f"connections that nobody uses: {len(accepted)}")

    def _look_at_subscriptions(self) -> None:
        if any(fault.work.endswith(" subscription") for fault in self.faults):
            said = [event.reason for event in self.events if isinstance(event, SubscriptionChanged)]
            self._expect(any(each.startswith("internal fault: ") for each in said), f"only said: {said}")

    async def _live_on(self) -> None:
        """A further registration, a further call in each direction; first what is tried again by itself."""
        await asyncio.sleep(PAUSE)
        phone, before = self.phone, len(self.faults)
        try:
            async with asyncio.timeout(60):
                await phone.register()
                self._expect(phone.line().bindings.targets, "cannot register again")
                call = phone.dial("1099")
                self._expect(await call.settled() is CallResult.ANSWERED, f"no further call: {call.reason}")
                await call.hang_up()
                await call.over()
        except TimeoutError:
            self.wrong.append("a further call or registration hangs")
        self._expect(len(self.faults) == before, f"further faults: {self.faults[before:]}")

    def _look_at_the_sockets(self) -> None:
        for call in (*self.phone.calls, *self.phone.history):
            self._expect(call.voice.audio is None, f"{call.id}: its RTP port is open")
        host = self.world.network.host(self.world.network.phone[0])
        self._expect(not host.udp, f"open sockets: {list(host.udp)}")
        self._expect(not host.listeners, f"open listeners: {list(host.listeners)}")

    def _look_at_the_wire(self) -> None:
        """Each request of the far end was answered, and no far end is left in a call."""
        received, sent = list[Message](), list[Message]()
        for event in self.events:
            if isinstance(event, MessageReceived | MessageSent):
                (received if isinstance(event, MessageReceived) else sent).append(parse(event.data))
        ignored = [event for event in self.events if isinstance(event, MessageIgnored)]
        sent += [parse(event.data) for event in ignored if event.outwards]  # what could not be sent
        finals = {key_of(each) for each in sent if isinstance(each, Response) and each.status >= 200}
        for each in received:
            if isinstance(each, Request) and each.method != "ACK":
                self._expect(key_of(each) in finals, f"{each.method} was not answered")
        accepted = {
            (each.call_id, frozenset((each.from_tag, each.to_tag)))
            for each in (*received, *sent)
            if isinstance(each, Response) and each.cseq.method == "INVITE" and 200 <= each.status < 300
        }
        ended = {
            (each.call_id, frozenset((each.from_tag, each.to_tag)))
            for each in (*received, *sent)
            if isinstance(each, Request) and each.method == "BYE"
        }
        work = self.planting.work
        if (
            work is not None
            and (self.planting.always or work.site.where == "_break_off")
            and work.does in LAST_WORDS
        ):
            return
        for call_id, _ in accepted - ended:
            self._expect(False, f"nobody has ended the call {call_id} at the far end")


class WithTheFarEnd(Performance):
    """A phone and a far end that says what the story makes it say."""

    def __init__(self, story: PlayStory, settings: Mapping[str, Any], planting: Planting) -> None:
        super().__init__(planting)
        keys = CFG | {key.replace("__", "."): str(value) for key, value in settings.items()}
        text = "#!version:1.0.0.1\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        self._story = story
        self.world, self.bus = SimulatedWorld(seed=7), Bus()
        self.phone = Phone(load_text(text, name="test.cfg").config, self.world, self.bus)

    async def open(self) -> None:
        self._far = Patient(self.world)
        await self._far.open()
        await self.phone.start()

    async def play(self) -> None:
        await self._story(Play(self.world, self.phone, self._far, self.events))

    async def close(self) -> None:
        """Its sockets end with the world."""

    async def go_on(self) -> None:
        self._far.transport, self._far.raw = Transport.UDP, self._far.datagram
        await answering(self._far)


class InTheLab(Performance):
    """A phone, and the lab's servers."""

    def __init__(self, story: LabStory, settings: Mapping[str, str], planting: Planting) -> None:
        super().__init__(planting)
        config = load([stage.CFG], [f"{key}={value}" for key, value in settings.items()]).config
        places = [
            Place(name=name, address=address, transports=stage.EVERY_TRANSPORT)
            for name, address in stage.SERVERS.items()
        ]
        made = plans.simulated(config, places, read_zone(stage.ZONE), CalleeBehaviour.ANSWER)
        self._story = story
        self.world, self.bus = SimulatedWorld(1, made.plan.nameservers), Bus()
        self.lab = Lab(self.world, made.plan, made.config, self.bus)
        self.phone = Phone(made.config, self.world, self.bus, self.lab.phone_options(PhoneOptions()))

    async def open(self) -> None:
        await self.lab.start()
        await self.phone.start()

    async def play(self) -> None:
        await self._story(stage.Stage(self.world, self.lab, self.phone, self.events, {}))

    async def go_on(self) -> None:
        for server in stage.SERVERS:
            await self.lab.behave(server, Behaviour())
        await self.lab.dns_behave("ok")
        self.lab.callee.behaviour = CalleeBehaviour.ANSWER

    async def close(self) -> None:
        await self.lab.stop()

    def _is_hit(self, call: Call) -> bool:
        return False  # the callee's calls go by the same names

    def _look_at_the_wire(self) -> None:
        """Servers of the lab forget what nobody answers; the phone's own part is looked at elsewhere."""


def told_rightly(told: Sequence[str], planting: Planting) -> bool:
    """Whether each fault is told once, as that of the work, or of what a call does within it."""
    return len(told) == len(planting.raised) and all(
        fault == f"internal fault in {work} of {owner}: {SAID}"
        or (" of call-" in fault and fault.endswith(f": {SAID}"))
        for fault, (work, owner) in zip(told, planting.raised, strict=True)
    )


def key_of(message: Message) -> tuple[str, str]:
    """What a response shares with its request."""
    return message.branch or "", message.cseq.method


def _tasks_made() -> list[asyncio.Task[Any]]:
    """The tasks that are made from now on."""
    made: list[asyncio.Task[Any]] = []

    def make(loop: asyncio.AbstractEventLoop, work: Any, **how: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **how)
        made.append(task)
        return task

    asyncio.get_running_loop().set_task_factory(make)
    return made


def _is_owned(task: asyncio.Task[Any]) -> bool:
    """Whether it is the product's: the registration of line 1."""
    return " of " in task.get_name()


def _chain(task: asyncio.Task[Any]) -> Iterator[Any]:
    """The frames that a task is in, outermost first."""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def _in_the_product(task: asyncio.Task[Any]) -> bool:
    return any(Path(frame.f_code.co_filename).is_relative_to(ROOT) for frame in _chain(task))


def _where(task: asyncio.Task[Any]) -> str:
    return " > ".join(f"{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in _chain(task))
