"""``phone-emulator simulate``: what would happen if servers failed, in virtual time, without a scenario."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import click

from phone_emulator.cleaning import clean
from phone_emulator.cli.desk import check_line, load_cfg, refuse_elsewhere
from phone_emulator.cli.exits import Exit
from phone_emulator.cli.options import DURATION, LINE, PHONE, Common, cfg_argument, common_options
from phone_emulator.cli.site import site_of
from phone_emulator.cli.talk import event_log, not_after_the_reader_has_gone
from phone_emulator.config.model import PhoneConfig
from phone_emulator.report.json import json_line
from phone_emulator.report.pcapng import Capture, write_pcapng
from phone_emulator.report.text import attempt_line, call_lines, wants_colour
from phone_emulator.whatif.orders import OrderError, check_changes, read_orders
from phone_emulator.whatif.timeline import Outcome, play
from phone_emulator.whatif.words import clock

ORDERS = ("down", "up", "call", "at", "every")
"""The options whose order counts, by the names of their parameters."""
_WRITTEN = f"{__name__}.written"


class OrderedCommand(click.Command):
    """A command that also keeps the order in which its ORDERS were written."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; the names of the orders are put into ``ctx.meta``."""
        written: list[str | None] = []
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            written = [param.name for param in order]
        ctx.meta[_WRITTEN] = [name for name in written if name in ORDERS]
        return super().parse_args(ctx, args)


def orders_as_written(ctx: click.Context, given: Mapping[str, tuple[Any, ...]]) -> list[tuple[str, Any]]:
    """Each order with its value, in the order of the command line; *given* holds the values by name."""
    values = {name: iter(given[name]) for name in ORDERS}
    return [(name, next(values[name])) for name in ctx.meta[_WRITTEN]]


def _up(text: str) -> tuple[str, str]:
    """``primary=ok``, or only ``primary``."""
    role, equals, behaviour = (part.strip() for part in text.partition("="))
    if not role or (equals and not behaviour):
        raise click.BadParameter(f"{text!r}: expected ROLE or ROLE=BEHAVIOUR, such as primary=ok")
    return role, behaviour or "ok"


@click.command(
    cls=OrderedCommand,
    epilog="Example: phone-emulator simulate configs/guide-example.cfg --zone configs/guide-example.zone "
    "--down primary=silent --at 60s --up primary=ok --at 10m --call 1002 --every 30s",
)
@cfg_argument()
@click.option(
    "--up",
    type=_up,
    multiple=True,
    metavar="ROLE[=BEHAVIOUR]",
    help="A server is back, at the --at that follows. May be repeated.",
)
@click.option(
    "--call",
    multiple=True,
    metavar="DESTINATION",
    help="Call a number: when the first registration has ended, or at the --at that follows. "
    "May be repeated. Without it the line only registers.",
)
@click.option("--at", type=DURATION, multiple=True, metavar="TIME", help="When: for the order before it.")
@click.option(
    "--every", type=DURATION, multiple=True, metavar="TIME", help="Place the call before it again and again."
)
@click.option(
    "--for",
    "length",
    type=DURATION,
    metavar="TIME",
    help="How long all of it goes on [default: until 5m after the last --at].",
)
@click.option("--line", type=LINE, metavar="N", help="The line to call from [default: the first one].")
@click.option(
    "--duration",
    type=DURATION,
    metavar="TIME",
    default="1s",
    show_default=True,
    help="How long a call stays up.",
)
@click.option("--register/--no-register", default=True, show_default=True, help="Register the line first.")
@common_options(*(name for name in PHONE if name not in ("world", "dns")))
def simulate(
    common: Common,
    cfg: tuple[str, ...],
    line: int | None,
    length: float | None,
    duration: float,
    register: bool,
    **given: tuple[Any, ...],
) -> int:
    """What would happen if servers failed: the line registers and calls, in virtual time.

    A SIP server stands at every target that CFG leads to in ZONE and at every literal server address; it
    answers well unless --down says otherwise. ROLE is primary, secondary, target-3, fallback and so on; of
    other lines than the first, line-2-primary. dns is the name server, callee the called user.

    An --at belongs to the --down, --up or --call before it, an --every to the --call before it. A --down
    without a time holds from the start. The exit status is 0 if every call was answered (without calls: if
    the line is registered at the end), else 1.
    """
    written = orders_as_written(click.get_current_context(), {"down": common.down, **given})
    refuse_elsewhere(common, "simulated")
    config = load_cfg(cfg, common)
    chosen = _line(config, line)
    site = site_of(config, common)
    try:
        timeline = read_orders(
            written, site.names, line=chosen, length=length, duration=duration, register=register
        )
        check_changes(timeline.changes, site)
    except OrderError as error:
        raise click.UsageError(str(error)) from None
    log = event_log(common.log_level, sys.stderr)
    outcome = play(
        site,
        timeline,
        listeners=[not_after_the_reader_has_gone(log)] if log is not None else [],
        keep_messages=common.pcap is not None,
    )
    if common.pcap is not None:
        write_pcapng(common.pcap, [Capture("simulate", outcome.messages)], mask=common.mask)
    single = len(timeline.calls) == 1 and timeline.length is None
    for text in _json(outcome, single) if common.json else _text(outcome, single):
        click.echo(text)
    if not timeline.calls:
        return Exit.OK if outcome.registered else Exit.FAILED
    return Exit.OK if outcome.noticed.answered == outcome.noticed.placed else Exit.FAILED


def _line(config: PhoneConfig, line: int | None) -> int:
    """The number of the line to call from; raises click.UsageError."""
    lines = [account.index for account in config.lines]
    if not lines:
        raise click.UsageError("no account is enabled: there is no line to call from")
    check_line(config, line)
    return lines[0] if line is None else line


def _json(outcome: Outcome, single: bool) -> list[str]:
    return [json_line(outcome.calls[0] if single else outcome)]


def _text(outcome: Outcome, single: bool) -> list[str]:
    """A single call with its attempts, else the timeline; then what a user would have noticed."""
    colour = wants_colour(sys.stdout)
    if single:
        lines = [*_registering(outcome, colour), *call_lines(outcome.calls[0], colour=colour)]
    else:
        lines = _timeline(outcome)
    return [*lines, "", "What a user of the phone would have noticed:", *_indented(outcome.noticed.lines())]


def _registering(outcome: Outcome, colour: bool) -> list[str]:
    before = [a for a in outcome.registrations if a.started <= outcome.calls[0].started]
    return ["registration:", *(attempt_line(attempt, colour=colour) for attempt in before)] if before else []


def _timeline(outcome: Outcome) -> list[str]:
    width = max((len(clock(moment.at)) for moment in outcome.moments), default=0)
    return [
        f"{clock(moment.at):>{width}}  {moment.event:<12}  {clean(moment.what)}"
        + (f" ({clean(moment.reason)})" if moment.reason else "")
        for moment in outcome.moments
    ]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
