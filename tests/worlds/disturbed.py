"""Two phones over a network that loses, doubles and reorders datagrams: one call, drawn from a seed.

The caller is 192.168.1.21, the called phone 192.168.1.22; they reach each other directly, or through the
lab's proxy at 192.168.1.13. `draw` makes the plan of a call, `play` lives it, `faults` says on what the two
ends disagree afterwards, `told` shows both ends' ladders.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from phone_emulator.config import load_text
from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import (
    Address,
    Bus,
    CallChanged,
    CallState,
    Direction,
    Event,
    MessageReceived,
    MessageSent,
)
from phone_emulator.lab.server import SipServer
from phone_emulator.phone import Call, CallError, CallResult, IncomingCall, OutgoingCall, Phone, PhoneOptions
from phone_emulator.report.ladder import ladder, ladder_text
from phone_emulator.sip.message import Request, Response
from phone_emulator.sip.parser import parse
from phone_emulator.world import SimulatedWorld
from phone_emulator.world.network import Disturbance

CALLER, CALLED, PROXY = "192.168.1.21", "192.168.1.22", "192.168.1.13"
TALK = 150.0
"""Seconds after dialling at which everything planned has had its time: whoever is up then is up for good."""
REST = 400.0
"""Seconds after which nothing is left of any request: timers B to M, late answers and ringing (180 s)."""
UP = (CallState.TALKING, CallState.HELD)
AGAIN = (401, 407, 491, 500)
"""What an INVITE may be answered with that is sent again."""
NOTHING = Disturbance(loss=1.0)


@dataclass(frozen=True, slots=True)
class Act:
    """What a person does."""

    at: float
    """Seconds after dialling."""
    caller: bool
    """Whether the caller does it, or the called one."""
    what: str
    """``hang up``, ``hold``, ``resume``."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing gets through from one end to the next hop."""

    source: str
    target: str
    start: float
    """Seconds after dialling."""
    end: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One call, as it is drawn."""

    seed: int
    weather: Disturbance
    latency: float
    """Seconds one way."""
    proxied: bool
    take: str
    """``answer``, ``reject``, ``leave``: what the called one does when it rings."""
    after: float
    """Seconds that it rings before that."""
    acts: tuple[Act, ...]
    outages: tuple[Outage, ...]
    extensions: bool = False
    """Whether both phones speak 100rel and session timers of 90 seconds."""


def draw(seed: int, weather: Disturbance, *, outages: bool = True) -> Plan:
    """The plan of that *seed*; hang-ups love the moment of the answer, where they cross it."""
    dice = random.Random(f"plan {seed}")
    proxied = dice.random() < 0.5
    take = dice.choices(("answer", "reject", "leave"), (8, 1, 1))[0]
    after = dice.choice((0.0, 0.01, 0.3, 1.0, dice.uniform(0, 8)))
    acts = []
    if dice.random() < 0.6:
        near = max(after + dice.uniform(-0.3, 0.4), 0.0)
        when = dice.choice((near, dice.uniform(0, 10), dice.uniform(0, 60)))
        acts.append(Act(when, dice.random() < 0.5, "hang up"))
    if dice.random() < 0.5:
        for _ in range(dice.randrange(1, 5)):
            when = dice.choice((dice.uniform(0, 40), after + dice.uniform(0, 2)))
            acts.append(Act(when, dice.random() < 0.5, dice.choice(("hold", "hold", "resume"))))
    ends = (PROXY, PROXY) if proxied else (CALLED, CALLER)
    both = [(CALLER, ends[0]), (ends[0], CALLER), (CALLED, ends[1]), (ends[1], CALLED)]
    ways = list(dict.fromkeys(both))
    out: list[Outage] = []
    if outages and dice.random() < 0.35:
        start = max(dice.choice((0.0, after, after + dice.uniform(-0.1, 0.1), dice.uniform(0, 40))), 0.0)
        end = start + dice.choice((2.0, 20.0, 40.0, 75.0))
        out = [Outage(*way, start, end) for way in dice.sample(ways, dice.choice((1, 1, 2)))]
    acts.sort(key=lambda act: act.at)
    latency = dice.choice((0.0, 0.02, 0.02, 0.2, 0.7))
    extensions = dice.random() < 0.5
    return Plan(seed, weather, latency, proxied, take, after, tuple(acts), tuple(out), extensions)


@dataclass(eq=False)
class End:
    """One of the two phones, and what it went through."""

    phone: Phone
    bus: Bus
    events: list[Event] = field(default_factory=list)
    messages: list[tuple[float, bool, Request | Response]] = field(default_factory=list)
    """When, whether it was sent, what: all but registrations."""
    calls: list[Call] = field(default_factory=list)
    unregistered: bool = False
    """Whether the server has said that there is no binding any more."""

    def hear(self, event: Event) -> None:
        """Keep *event*."""
        self.events.append(event)
        if isinstance(event, MessageSent | MessageReceived):
            message = parse(event.data)
            if message.cseq.method != "REGISTER":
                self.messages.append((event.at, isinstance(event, MessageSent), message))
            elif isinstance(message, Response) and message.status == 200:
                self.unregistered = "Contact" not in message.headers

    def says_the_end(self, *, sent: bool) -> bool:
        """Whether it has sent, or heard, what ends a call."""
        return any(
            message.method in ("BYE", "CANCEL")
            if isinstance(message, Request)
            else message.cseq.method == "INVITE" and message.status >= 300 and message.status not in AGAIN
            for _, was_sent, message in self.messages
            if was_sent is sent
        )

    def heard_in_time(self) -> bool:
        """Whether anything had come from the other end when it gave up: a challenge comes from the proxy."""
        left = self.left_when()
        return any(
            not sent and (isinstance(message, Request) or message.status not in AGAIN)
            for at, sent, message in self.messages
            if left is None or at <= left
        )

    def answered_when(self) -> float | None:
        """When the first 2xx to an INVITE came."""
        return next(
            (
                at
                for at, sent, message in self.messages
                if not sent
                and isinstance(message, Response)
                and message.cseq.method == "INVITE"
                and 200 <= message.status < 300
            ),
            None,
        )

    def left_when(self) -> float | None:
        """When the call was given up or ended here."""
        return next(
            (
                event.at
                for event in self.events
                if isinstance(event, CallChanged) and event.state in (CallState.ENDING, CallState.ENDED)
            ),
            None,
        )

    def exchanges(self) -> list[tuple[str, str]]:
        """Each completed offer and answer, by their ``o=`` lines, in the order in which they were made."""
        found: dict[tuple[bool, int], tuple[str, str]] = {}
        offers: dict[tuple[bool, int], str] = {}
        for _, sent, message in self.messages:
            method, number = message.cseq.method, message.cseq.number
            if method != "INVITE" or not message.body:
                continue
            if isinstance(message, Request):
                offers[sent, number] = origin(message.body)
            elif message.status == 200 and (not sent, number) in offers:
                found.setdefault((not sent, number), (offers[not sent, number], origin(message.body)))
        return list(found.values())


def origin(body: bytes) -> str:
    """The ``o=`` line of a session description: its id and its version."""
    return next(line for line in body.decode().splitlines() if line.startswith("o="))


@dataclass(eq=False)
class Played:
    """What became of a plan."""

    plan: Plan
    caller: End
    called: End
    agreed: tuple[tuple[bool, bool], tuple[bool, bool]] | None = None
    """While both were up for good: whether each sent and heard."""
    exchanges: tuple[list[tuple[str, str]], list[tuple[str, str]]] | None = None
    left: list[str] = field(default_factory=list)
    """What should not be left after the end."""
    deaf: list[str] = field(default_factory=list)
    """Ends that stayed up because they never heard of the end."""
    stuck: list[str] = field(default_factory=list)
    """Ends that would not end."""

    @property
    def call(self) -> Call:
        """The caller's call."""
        return self.caller.calls[0]

    @property
    def kind(self) -> str:
        """What it counts as."""
        theirs = self.called.calls[0].result if self.called.calls else None
        if self.call.result is CallResult.ANSWERED:
            return "answered"
        return "crossed" if theirs is CallResult.ANSWERED else "not answered"


def play(plan: Plan) -> Played:
    """Live the call of *plan*, hang up, and wait until nothing more can come."""
    world = SimulatedWorld(plan.seed)
    caller = _end(world, CALLER, "1001", PROXY if plan.proxied else CALLED, plan)
    called = _end(world, CALLED, "1002", PROXY if plan.proxied else CALLER, plan)
    played = Played(plan, caller, called)
    world.run(_story(world, played))
    played.left += [*world.pending_tasks(), *world.pending_timers()]
    return played


def _end(world: SimulatedWorld, host: str, user: str, server: str, plan: Plan) -> End:
    bus, config = Bus(), _config(user, server, plan.proxied, plan.extensions)
    end = End(Phone(config, world, bus, PhoneOptions(local_address=host)), bus)
    bus.subscribe(end.hear)
    return end


@functools.cache
def _config(user: str, server: str, register: bool, extensions: bool) -> PhoneConfig:
    keys = {
        "enable": 1,
        "user_name": user,
        "auth_name": user,
        "password": "secret",
        "sip_server.1.address": server,
        "sip_server.1.port": 5060,
        "sip_server.1.register_on_enable": int(register),
        "100rel_enable": int(extensions),
        "session_timer.enable": int(extensions),
        "session_timer.expires": 90,
    }
    text = "".join(f"account.1.{key} = {value}\n" for key, value in keys.items())
    return load_text("#!version:1.0.0.1\n" + text, name=f"{user}.cfg").config


async def _story(world: SimulatedWorld, played: Played) -> None:
    plan, caller, called = played.plan, played.caller, played.called
    world.network.latency = plan.latency
    _disturb(world, plan)
    accounts = {"1001": "secret", "1002": "secret"}
    proxy = SipServer(world, "proxy", Address(PROXY, 5060), domain=PROXY, accounts=accounts)
    await proxy.start()
    for end in (caller, called):
        await end.phone.start()
    if plan.proxied:
        await asyncio.gather(caller.phone.register(), called.phone.register())
        while not all(user in proxy.bindings for user in accounts):  # noqa: ASYNC110 (virtual time)
            await asyncio.sleep(10)  # a registration that failed is tried again
    _take_calls(world, plan, called)
    zero = world.now()
    _plan_outages(world, plan, zero)
    caller.calls.append(caller.phone.dial("1002"))
    async with asyncio.TaskGroup() as people:
        for act in plan.acts:
            people.create_task(_do(act, caller if act.caller else called))
    await asyncio.sleep(zero + TALK - world.now())
    _note_registrations(played, proxy)
    await _end_both(played)
    for end in (caller, called):
        for line in end.phone.lines.values():
            await line.registrar.unregister()
    await asyncio.sleep(REST)
    _note_registrations(played, proxy)
    for end in (caller, called):
        phone = end.phone
        played.left += [f"{call.id} of {phone.context.host} is {call.state}" for call in phone.calls]
        played.left += [f"a dialog of {phone.context.host}: {key}" for key in phone.dialogs]
        if phone.context.endpoint.live_transactions:
            played.left.append(
                f"{phone.context.endpoint.live_transactions} transactions of {phone.context.host}"
            )
    played.left += [*world.pending_tasks(), *world.pending_timers()]
    for end in (caller, called):
        await end.phone.stop(unregister=False)
    await proxy.stop()


def _plan_outages(world: SimulatedWorld, plan: Plan, zero: float) -> None:
    away: set[Outage] = set()

    def begin(outage: Outage) -> None:
        away.add(outage)
        _disturb(world, plan, *away)

    def end(outage: Outage) -> None:
        away.remove(outage)
        _disturb(world, plan, *away)

    for outage in plan.outages:
        world.call_at(zero + outage.start, functools.partial(begin, outage))
        world.call_at(zero + outage.end, functools.partial(end, outage))


def _disturb(world: SimulatedWorld, plan: Plan, *outages: Outage) -> None:
    """The weather everywhere, and nothing at all where there is an outage."""
    away = {(outage.source, outage.target) for outage in outages}
    for source in (CALLER, CALLED, PROXY):
        for target in (CALLER, CALLED, PROXY):
            way = source, target
            world.network.disturb(source, target, NOTHING if way in away else plan.weather)


def _take_calls(world: SimulatedWorld, plan: Plan, called: End) -> None:
    """Let the called one do with each call what the plan says."""

    def hear(event: Event) -> None:
        if not isinstance(event, CallChanged) or event.direction is not Direction.INCOMING:
            return
        if event.state is CallState.RINGING:
            call = called.phone.call(event.call)
            assert isinstance(call, IncomingCall)
            called.calls.append(call)
            world.call_at(world.now() + plan.after, lambda: take(call))

    def take(call: IncomingCall) -> None:
        if call.state is CallState.RINGING:
            if plan.take == "answer":
                call.answer()
            elif plan.take == "reject":
                call.reject()

    called.bus.subscribe(hear)


def _note_registrations(played: Played, proxy: SipServer) -> None:
    """What a phone believes of its registration, the server knows too."""
    for end in (played.caller, played.called):
        for line in end.phone.lines.values():
            user, bound = line.account.user_name, line.account.user_name in proxy.bindings
            if line.bindings.targets and not bound:
                played.stuck.append(f"{user} is registered, and the server knows nothing of it")
            elif end.unregistered and bound:
                played.stuck.append(f"{user} was told that it is registered no more, and is")


async def _do(act: Act, end: End) -> None:
    await asyncio.sleep(act.at)
    if not end.calls:
        return
    call = end.calls[0]
    with contextlib.suppress(CallError):
        if act.what == "hang up":
            await call.hang_up()
        elif act.what == "hold":
            await call.hold()
        else:
            await call.resume()


async def _end_both(played: Played) -> None:
    """One end hangs up, and the other where that did not reach it."""
    ends = [played.caller, played.called]
    calls = [end.calls[0] for end in ends if end.calls]
    if len(calls) == 2 and all(call.state in UP for call in calls):
        played.agreed = _ways(calls[0]), _ways(calls[1])
        played.exchanges = played.caller.exchanges(), played.called.exchanges()
    if played.plan.seed % 2:
        ends.reverse()
    for end in ends:
        _note_the_deaf(played)
        for call in end.calls:
            await call.hang_up()
        await asyncio.sleep(TALK)


def _note_the_deaf(played: Played) -> None:
    """Who is still up though the other has ended: nobody may be who has heard of it, or was not told."""
    for end, other in ((played.caller, played.called), (played.called, played.caller)):
        ended = other.calls and all(call.state is CallState.ENDED for call in other.calls)
        for call in end.calls:
            if not ended or call.state in (CallState.ENDED, CallState.ENDING):
                continue
            if end.says_the_end(sent=False):
                played.stuck.append(f"{_name(end)} is {call.state}, though it heard of the end")
            elif not other.says_the_end(sent=True) and other.heard_in_time():
                played.stuck.append(f"{_name(end)} is {call.state}, and was not told of the end")
            else:
                played.deaf.append(_name(end))


def _name(end: End) -> str:
    return "the caller" if isinstance(end.calls[0], OutgoingCall) else "the called one"


def _ways(call: Call) -> tuple[bool, bool]:
    """Whether *call* sends and hears sound, as negotiated."""
    audio = call.voice.audio
    return (False, False) if audio is None else audio.directions


# -- judging -------------------------------------------------------------------------------------------------


def faults(played: Played) -> list[str]:
    """On what the ends disagree, and what is left; empty where all is well."""
    return [text for check in CHECKS for text in check(played)]


def _one_call(played: Played) -> Iterable[str]:
    if len(played.called.calls) > 1:
        yield f"one INVITE rang {len(played.called.calls)} times"


def _results(played: Played) -> Iterable[str]:
    """Answered at both or at neither, unless the caller was gone before the answer came."""
    ours = played.call
    theirs = played.called.calls[0] if played.called.calls else None
    if ours.result is None or (theirs is not None and theirs.result is None):
        yield "a call has no result"
    if ours.result is CallResult.ANSWERED:
        if theirs is None or theirs.result is not CallResult.ANSWERED:
            yield f"the caller is answered, the called one {theirs.result if theirs else 'was never called'}"
    elif theirs is not None and theirs.result is CallResult.ANSWERED:
        came, left = played.caller.answered_when(), played.caller.left_when()
        if came is not None and (left is None or came < left):
            yield f"the called one answered, the caller heard it at {came} and is {ours.result}"
    elif ours.result is CallResult.REJECTED and (theirs is None or theirs.status != ours.status):
        status = theirs.status if theirs is not None else None
        yield f"the caller was answered {ours.status}, the called one said {status}"


def _ended(played: Played) -> Iterable[str]:
    for end in (played.caller, played.called):
        for call in end.calls:
            if call.state is not CallState.ENDED:
                yield f"{_name(end)} is still {call.state}"
    yield from played.stuck


def _route(played: Played) -> Iterable[str]:
    for attempt in played.call.route:
        if attempt.outcome is None or attempt.ended is None:
            yield f"an attempt has no end: {attempt}"


def _session(played: Played) -> Iterable[str]:
    """What one end sends the other hears, and both have the same last offer and answer."""
    if played.agreed is not None:
        (we_send, we_hear), (they_send, they_hear) = played.agreed
        if (we_send, we_hear) != (they_hear, they_send):
            yield f"the ends disagree on the direction of sound: {played.agreed}"
    if played.exchanges is not None:
        ours, theirs = (exchanges[-1] for exchanges in played.exchanges)
        if ours != theirs:
            yield f"the last offer and answer: {ours} here, {theirs} there"


def _nothing_left(played: Played) -> Iterable[str]:
    yield from (f"left over: {text}" for text in played.left)


def _acknowledged(played: Played) -> Iterable[str]:
    """Each 2xx to an INVITE draws its ACK at once, each time that it comes."""
    for end in (played.caller, played.called):
        acks = {(at, message.cseq.number) for at, sent, message in end.messages if sent and _is_ack(message)}
        left = end.left_when()
        calls = {m.cseq.number for _, sent, m in end.messages if sent and m.to_tag is None}
        for at, sent, message in end.messages:
            method, number = message.cseq.method, message.cseq.number
            accepts = isinstance(message, Response) and 200 <= message.status < 300 and method == "INVITE"
            # A re-INVITE whose 200 comes that late was followed by a BYE.
            given_up = number not in calls and left is not None and at >= left
            if accepts and not sent and not given_up and (at, number) not in acks:
                yield f"the 200 that came at {at} drew no ACK"


def _is_ack(message: Request | Response) -> bool:
    return isinstance(message, Request) and message.method == "ACK"


CHECKS: tuple[Callable[[Played], Iterable[str]], ...] = (
    _one_call,
    _results,
    _ended,
    _route,
    _session,
    _acknowledged,
    _nothing_left,
)


def told(played: Played, found: Iterable[str]) -> str:
    """What is wrong, the plan, and the ladder of each end."""
    text = [*found, str(played.plan)]
    for end in (played.caller, played.called):
        changes = [event for event in end.events if isinstance(event, CallChanged)]
        text += [f"{event.at:.3f} {event.state}: {event.reason}" for event in changes]
        messages = [event for event in end.events if isinstance(event, MessageSent | MessageReceived)]
        text += ladder_text(ladder(messages))
    return "\n".join(text)


def tally(seeds: Iterable[int], weather: Disturbance, *, outages: bool = True) -> Counter[str]:
    """Play every seed; raises AssertionError with `told` for the first on which the ends disagree."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        played = play(draw(seed, weather, outages=outages))
        found = faults(played)
        if found:
            raise AssertionError(told(played, found))
        counts[played.kind] += 1
        counts["deaf"] += bool(played.deaf)
        counts["up for good"] += played.agreed is not None
        counts["on hold"] += played.agreed is not None and played.agreed[0] != (True, True)
    return counts
