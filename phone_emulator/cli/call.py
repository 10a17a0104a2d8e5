"""``phone-emulator call``: one call, its route printed as it grows."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import click

from phone_emulator.phone import CallResult, OutgoingCall, Phone
from phone_emulator.report.json import json_line
from phone_emulator.report.text import RoutePrinter, call_lines
from phone_emulator.scenario.session import call_report

from .desk import Desk, check_world, load_cfg, make_desk
from .exits import Exit
from .options import DURATION, PHONE, Common, cfg_argument, common_options
from .talk import not_after_the_reader_has_gone, progress, say


@click.command(
    epilog="Example: phone-emulator call phone.cfg 1002 --set account.1.sip_server.1.failback_mode=3",
)
@cfg_argument()
@click.argument("destination")
@click.option("--line", type=click.IntRange(min=1), help="The line to call from [default: the first one].")
@click.option(
    "--duration",
    type=DURATION,
    default="1s",
    show_default=True,
    help="How long the call stays up after the answer.",
)
@click.option("--register/--no-register", default=True, show_default=True, help="Register the line first.")
@common_options(*PHONE, world="real")
def call(
    common: Common, cfg: tuple[str, ...], destination: str, line: int | None, duration: float, register: bool
) -> int:
    """Place one call to DESTINATION, a number or a SIP URI, and print its route as it grows.

    The line registers first, as a phone on a desk would have, but a registration that fails does not stop the
    call. The exit status is 0 if the call was answered, else 1.
    """
    check_world(common)
    config = load_cfg(cfg, common)
    check_call(destination, line, [account.index for account in config.lines])
    desk = make_desk(config, common)
    return place(desk, common, destination, line, duration, register)


def check_call(destination: str, line: int | None, lines: list[int]) -> None:
    """Refuse what cannot be dialled before anything starts; raises click.BadParameter."""
    if not destination or any(character.isspace() or ord(character) < 32 for character in destination):
        raise click.BadParameter(f"{destination!r} is no number to dial", param_hint="DESTINATION")
    if line is not None and line not in lines:
        known = ", ".join(map(str, lines))
        raise click.BadParameter(f"there is no line {line}; enabled lines: {known}", param_hint="--line")


def place(
    desk: Desk, common: Common, destination: str, line: int | None, duration: float, register: bool
) -> int:
    """Run the whole of it; the exit status. What there is to tell is told also after an interrupt."""
    placed: list[OutgoingCall] = []

    async def session() -> None:
        async with desk.running() as phone:
            if register:
                await _register(phone, line)
            _print_route(desk, common)
            placed.append(phone.dial(destination, line))
            if await placed[0].settled() is CallResult.ANSWERED:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(duration):
                        await placed[0].over()

    try:
        desk.world.run(session())
    finally:
        desk.write_capture(common, f"call to {destination}")
        if placed:
            report = call_report(placed[0])
            click.echo(json_line(report) if common.json else call_lines(report)[0])
    return Exit.OK if placed[0].result is CallResult.ANSWERED else Exit.FAILED


def _print_route(desk: Desk, common: Common) -> None:
    """Let the route be seen while it grows: on stdout, or beside JSON on a terminal only."""
    if not common.json:
        desk.bus.subscribe(not_after_the_reader_has_gone(RoutePrinter(sys.stdout)))
    elif sys.stderr.isatty():
        desk.bus.subscribe(not_after_the_reader_has_gone(RoutePrinter(sys.stderr)))


async def _register(phone: Phone, line: int | None) -> None:
    chosen = phone.line(line)
    progress(f"registering line {chosen.number} …")
    await phone.register(chosen.number)
    registrar = chosen.registrar
    if registrar.registered_targets:
        where = ", ".join(str(target) for target in registrar.registered_targets)
        progress(f"line {chosen.number} is registered at {where}")
    else:
        why = "; ".join(binding.reason for binding in registrar.bindings.values())
        say(f"line {chosen.number} is registered nowhere ({why}); the call is placed all the same")
