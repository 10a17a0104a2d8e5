"""One call from a desk: register, dial, talk, hang up, and tell what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from phone_emulator.events import RegistrationState
from phone_emulator.media.sides import Side, write_sides
from phone_emulator.media.sound import Sound
from phone_emulator.phone import CallResult, OutgoingCall, Phone
from phone_emulator.report.json import head_of, json_line
from phone_emulator.report.result import CallReport
from phone_emulator.report.text import RoutePrinter, call_lines, remark_lines
from phone_emulator.scenario.session import call_report, settled

from .desk import Desk
from .exits import Exit
from .options import Common
from .outputs import write_all
from .talk import not_after_the_reader_has_gone, progress, say


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The call that is asked for."""

    destination: str
    line: int | None
    """None for the first one."""
    duration: float
    """Seconds that it stays up after the answer; longer where *play* is."""
    register: bool
    """Whether the line registers first."""
    play: Sound | None = None
    """What is said."""
    repeat: bool = False
    """Whether it is said over and over."""
    record: Path | None = None
    """Where to write what is said and heard."""
    side: Side = "both"
    """Which of it."""


class _Placed:
    """The call once it is placed."""

    call: OutgoingCall | None = None


def place(desk: Desk, common: Common, order: Order) -> int:
    """Do the whole of it; the exit status. What there is to tell is told after an interrupt, too."""
    placed = _Placed()
    try:
        desk.run(_session(desk, common, order, placed))
    finally:
        try:
            write_all(
                lambda: desk.write_capture(common, f"call to {order.destination}"),
                lambda: _write_recording(order, placed),
            )
        finally:
            if placed.call is not None:
                report = settled(call_report(placed.call), desk.world.now(), "interrupted")
                _tell(report, common, desk)
    answered = placed.call is not None and placed.call.result is CallResult.ANSWERED
    return Exit.OK if answered else desk.failed()


def _write_recording(order: Order, placed: _Placed) -> None:
    call = placed.call
    if order.record is None or call is None or call.answered_at is None:
        return
    voice, end = call.voice, call.seat.now if call.end is None else call.end.at
    if voice.said is not None and voice.heard is not None:
        write_sides(order.record, order.side, voice.said, voice.heard, call.answered_at, end)


def _tell(report: CallReport, common: Common, desk: Desk) -> None:
    """Print what came of the call; its route was printed as it grew."""
    if common.json:
        click.echo(json_line(head_of(desk.epoch) | report.as_json()))
        return
    click.echo(call_lines(report)[0])
    for line in remark_lines(report):
        click.echo(line)


async def _session(desk: Desk, common: Common, order: Order, placed: _Placed) -> None:
    async with desk.running() as phone:
        if order.register:
            await _register(phone, order.line)
        _print_route(desk, common)
        placed.call = phone.dial(order.destination, order.line)
        if await placed.call.settled() is CallResult.ANSWERED:
            await _talk(placed.call, order)


async def _talk(call: OutgoingCall, order: Order) -> None:
    """Stay in the call as long as is asked for, or until the far end hangs up."""
    stay, audio = order.duration, call.voice.audio
    if audio is not None and order.play is not None:
        audio.play(order.play, repeat=order.repeat)
        stay = max(stay, order.play.seconds)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(stay):
            await call.over()


def _print_route(desk: Desk, common: Common) -> None:
    """Let the route be seen while it grows: on stdout, or beside JSON on a terminal only."""
    if not common.json:
        desk.bus.subscribe(not_after_the_reader_has_gone(RoutePrinter(sys.stdout)))
    elif sys.stderr.isatty():
        desk.bus.subscribe(not_after_the_reader_has_gone(RoutePrinter(sys.stderr)))


async def _first_cycle(phone: Phone, line: int) -> None:
    """Register *line*; return as soon as it is known how server 1 took it.

    A call starts there (C1); a second server that is dead is not waited for (R3).
    """
    bindings = phone.line(line).bindings
    changed = asyncio.Event()
    unsubscribe = phone.bus.subscribe(lambda event: changed.set())
    registering = phone.spawn(phone.register(line), f"registering line {line}")
    registering.add_done_callback(lambda task: changed.set())
    first = next(iter(bindings))
    try:
        while not registering.done() and not first.live:
            if first.state is RegistrationState.FAILED and bindings.targets:
                break
            changed.clear()
            await changed.wait()
    finally:
        unsubscribe()
        registering.cancel()  # what it has started goes on; only nobody waits for it any more
        await asyncio.gather(registering, return_exceptions=True)


async def _register(phone: Phone, line: int | None) -> None:
    chosen = phone.line(line)
    progress(f"registering line {chosen.number} …")
    bindings = chosen.bindings
    await _first_cycle(phone, chosen.number)
    if bindings.targets:
        where = ", ".join(str(target) for target in bindings.targets)
        progress(f"line {chosen.number} is registered at {where}")
    else:
        why = "; ".join(binding.reason for binding in bindings)
        say(f"line {chosen.number} is registered nowhere ({why}); the call is placed all the same")
