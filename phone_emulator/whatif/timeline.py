"""A timeline: servers that fail and come back, calls all the while, and what came of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phone_emulator.events import Attempt, Listener
from phone_emulator.report.result import CallReport, Message
from phone_emulator.scenario.session import call_report

from .changes import CALLEE, DNS, Change
from .noticed import Noticed, noticed
from .record import RegistrationMoment
from .stage import Site, Stage
from .words import after, in_short, place, role

MAX_CALLS = 5000
AFTERMATH = 300.0
"""Seconds that a timeline goes on after its last order, where nothing is said."""


@dataclass(frozen=True, slots=True)
class CallOrder:
    """Call a number, once or again and again."""

    destination: str
    at: float | None = None
    """Seconds since the phone was switched on; None: as soon as its first registration has ended."""
    every: float | None = None
    """Seconds from one call to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What is to happen."""

    line: int
    changes: tuple[Change, ...] = ()
    calls: tuple[CallOrder, ...] = ()
    length: float | None = None
    """Seconds; None: as long as the calls take."""
    duration: float = 1.0
    """Seconds that a call stays up after the answer."""
    register: bool = True

    def count(self) -> int:
        """How many calls it has at most."""
        return sum(
            math.ceil(max((self.length or 0.0) - (order.at or 0.0), 0.0) / order.every) if order.every else 1
            for order in self.calls
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, in words."""

    at: float
    event: str
    """``server``, ``dns``, ``callee``, ``registration`` or ``call``."""
    what: str
    reason: str = ""
    call: str | None = None
    """The id of the call."""

    def as_json(self) -> dict[str, Any]:
        """The moment as ``simulate --format json`` prints it."""
        own = {"call": self.call} if self.call is not None else {}
        return {
            "at": round(self.at, 6),
            "event": self.event,
            "what": self.what,
            "reason": self.reason,
        } | own


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a timeline."""

    moments: list[Moment]
    calls: list[CallReport]
    registrations: list[Attempt]
    noticed: Noticed
    registered: bool
    """Whether the line was registered somewhere at the end."""
    messages: list[Message]

    def as_json(self) -> dict[str, Any]:
        """The outcome as ``simulate --format json`` prints it."""
        return {
            "timeline": [moment.as_json() for moment in self.moments],
            "calls": [call.as_json() for call in self.calls],
            "noticed": self.noticed.as_json(),
        }


def play(
    site: Site, timeline: Timeline, *, listeners: Sequence[Listener] = (), keep_messages: bool = False
) -> Outcome:
    """Let *timeline* happen at *site*; raises WorldError and Deadlock."""
    stage = Stage(site, timeline.line, listeners=listeners, keep_messages=keep_messages)
    return stage.world.run(_play(stage, timeline))


async def _play(stage: Stage, timeline: Timeline) -> Outcome:
    at_first = [change for change in timeline.changes if change.at <= 0]
    later = [change for change in timeline.changes if change.at > 0]
    async with stage.running(at_first):
        registered = stage.tasks.spawn(_register(stage, timeline), "the first registration")
        # The changes first: what is due at one time happens in the order in which it was asked for.
        tasks = [registered]
        tasks += [stage.tasks.spawn(_change(stage, change), "a change") for change in later]
        tasks += [
            stage.tasks.spawn(_call(stage, order, timeline, registered), f"the calls to {order.destination}")
            for order in timeline.calls
        ]
        for task in tasks:
            await task
        await stage.until(timeline.length or 0.0)
        stage.record.count_until(stage.world.now())
        return _outcome(stage)


async def _register(stage: Stage, timeline: Timeline) -> None:
    if timeline.register:
        await stage.register()


async def _change(stage: Stage, change: Change) -> None:
    await stage.until(change.at)
    await stage.change(change)


async def _call(stage: Stage, order: CallOrder, timeline: Timeline, registered: asyncio.Task[None]) -> None:
    if order.at is None:
        await asyncio.shield(registered)
        first = stage.world.now()
    else:
        first = order.at
    placed: list[asyncio.Task[Any]] = []
    at, end = first, timeline.length or 0.0
    while not placed or (order.every is not None and at < end):
        await stage.until(at)
        calling = stage.call(order.destination, timeline.duration)
        placed.append(stage.tasks.spawn(calling, f"a call to {order.destination}"))
        at = first + len(placed) * (order.every or 0.0)
    for task in placed:
        await task


def _outcome(stage: Stage) -> Outcome:
    record = stage.record
    calls = [call_report(call) for call in stage.calls]
    moments = [
        Moment(
            event.at,
            event.server if event.server in (DNS, CALLEE) else "server",
            _server(stage, event.server, event.behaviour),
        )
        for event in record.servers
    ]
    moments += [_registration(moment) for moment in record.registrations]
    moments += [_called(call) for call in calls]
    return Outcome(
        moments=sorted(moments, key=lambda moment: moment.at),
        calls=calls,
        registrations=record.registers,
        noticed=noticed(calls, record.registered, stage.world.now()),
        registered=bool(record.targets),
        messages=stage.messages,
    )


def _server(stage: Stage, name: str, behaviour: str) -> str:
    found = next((each for each in stage.site.places if each.name == name), None)
    where = {DNS: "DNS", CALLEE: "the called user"}.get(name, role(name))
    return f"{where} {found.address}: {behaviour}" if found else f"{where}: {behaviour}"


def _registration(moment: RegistrationMoment) -> Moment:
    failed = in_short([a for a in moment.attempts if moment.target is None or a is not moment.attempts[-1]])
    if moment.target is not None:
        verb = "registered at" if moment.before is None else "moves to"
        return Moment(moment.at, "registration", f"{verb} {place(moment.target)}", failed)
    what = f"no longer registered at server {moment.server}"
    if moment.before is None:
        what = f"not registered at server {moment.server}"
    return Moment(moment.at, "registration", what, moment.reason)


def _called(call: CallReport) -> Moment:
    last = call.route[-1] if call.route else None
    when = after(call.elapsed)
    reason = in_short(call.route)
    match call.result:
        case "answered" if last is not None:
            what = f"{call.to} answered by {place(last.target)} {when}"
        case "rejected" if last is not None:
            what = f"{call.to} refused by {place(last.target)} {when}"
            reason = "; ".join(text for text in (reason, call.reason) if text)
        case _:
            what = f"{call.to} {call.result or 'not ended'} {when}"
            reason = reason or call.reason
    return Moment(call.started, "call", what, reason, call.id)
