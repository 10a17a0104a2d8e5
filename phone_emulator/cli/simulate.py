"""``phone-emulator simulate``: what would happen, in virtual time, without writing a scenario."""

from __future__ import annotations

import dataclasses

import click

from phone_emulator.events import AttemptEnded, Event
from phone_emulator.report.text import attempt_line

from .desk import Desk, load_cfg, make_desk
from .options import DURATION, PHONE, Common, cfg_argument, common_options
from .placing import Order, place


@click.command(
    epilog="Example: phone-emulator simulate configs/guide-example.cfg --zone configs/guide-example.zone "
    "--down primary=silent --down secondary=503 --call 1002",
)
@cfg_argument()
@click.option("--call", "destination", default="1002", show_default=True, metavar="DESTINATION")
@click.option("--line", type=click.IntRange(min=1), help="The line to call from [default: the first one].")
@click.option(
    "--duration",
    type=DURATION,
    metavar="DURATION",
    default="1s",
    help="How long the call stays up [default: 1s].",
)
@click.option("--register/--no-register", default=True, show_default=True, help="Register the line first.")
@common_options(*(name for name in PHONE if name not in ("world", "dns")))
def simulate(
    common: Common, cfg: tuple[str, ...], destination: str, line: int | None, duration: float, register: bool
) -> int:
    """What would happen if servers failed: the line registers, then calls DESTINATION, in virtual time.

    A SIP server stands at every target that CFG leads to in ZONE and at every literal server address; it
    answers well unless --down says otherwise. ROLE is primary, secondary, target-3, fallback and so on; of
    other lines than the first, line-2-primary. The exit status is 0 if the call was answered, else 1.
    """
    common = dataclasses.replace(common, world="simulated")
    config = load_cfg(cfg, common)
    order = Order(destination=destination, line=line, duration=duration, register=register)
    order.check(config)
    desk = make_desk(config, common)
    if register and not common.json:
        _print_registrations(desk)
    return place(desk, common, order)


def _print_registrations(desk: Desk) -> None:
    """Print each REGISTER attempt that ends before the call begins."""
    click.echo("registration:")

    def listen(event: Event) -> None:
        if isinstance(event, AttemptEnded):
            if event.call is not None:
                unsubscribe()
                click.echo("call:")
            else:
                click.echo(attempt_line(event.attempt))

    unsubscribe = desk.bus.subscribe(listen)
