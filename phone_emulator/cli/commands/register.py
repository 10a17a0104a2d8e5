"""``phone-emulator register``: who is registered where."""

from __future__ import annotations

import sys
from typing import Any

import click

from phone_emulator.cleaning import clean
from phone_emulator.cli.desk import load_cfg, make_desk, refuse_elsewhere
from phone_emulator.cli.exits import Exit
from phone_emulator.cli.options import PHONE, Common, cfg_argument, common_options
from phone_emulator.cli.talk import not_after_the_reader_has_gone
from phone_emulator.phone import Phone
from phone_emulator.phone.line import Line
from phone_emulator.report.json import head_of, json_line
from phone_emulator.report.text import RoutePrinter


@click.command(epilog="Example: phone-emulator register phone.cfg --dns 192.0.2.53")
@cfg_argument()
@common_options(*PHONE, world="real")
def register(common: Common, cfg: tuple[str, ...]) -> int:
    """Register every enabled line, print who is registered where, de-register.

    The exit status is 1 if any enabled line is registered nowhere.
    """
    refuse_elsewhere(common, common.world)
    desk = make_desk(load_cfg(cfg, common), common)
    if sys.stderr.isatty():
        desk.bus.subscribe(not_after_the_reader_has_gone(RoutePrinter(sys.stderr, calls=False)))

    async def session() -> bool:
        async with desk.running() as phone:
            await phone.register()
            return _tell(phone, common, desk.epoch)

    try:
        everywhere = desk.run(session())
    finally:
        desk.write_capture(common, "register")
    return Exit.OK if everywhere else desk.failed()


def _tell(phone: Phone, common: Common, epoch: float) -> bool:
    """Print each line's registrations; whether every line has one."""
    now = phone.world.now()
    for line in phone.lines.values():
        if common.json:
            click.echo(json_line(head_of(epoch) | _as_json(line, now)))
        else:
            for text in registration_lines(line, now):
                click.echo(text)
    return all(line.bindings.targets for line in phone.lines.values())


def registration_lines(line: Line, now: float) -> list[str]:
    """For people: a line for each server of *line*, at *now*."""
    lines = []
    for binding in line.bindings:
        head = f"line {line.number} ({line.account.shown_label}), server {binding.number}"
        if binding.target is not None and binding.expires_at is not None:
            left = binding.expires_at - now
            doubt = f"; {binding.reach.unreachable}" if binding.reach.unreachable else ""
            lines.append(f"{head}: registered at {binding.target}, expires in {left:.0f} s{doubt}")
        else:
            lines.append(f"{head}: {binding.state}: {binding.reason}")
    return [clean(text) for text in lines]


def _as_json(line: Line, now: float) -> dict[str, Any]:
    registered = [
        binding.target.as_json()
        | {
            "expires_in": round((binding.expires_at or now) - now, 3),
            "unreachable": binding.reach.unreachable or None,
        }
        for binding in line.bindings
        if binding.target is not None
    ]
    return {
        "line": line.number,
        "user": line.account.user_name,
        "registered": registered,
        "registrations": [attempt.as_json() for attempt in line.bindings.attempts],
    }
