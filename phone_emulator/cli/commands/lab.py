"""``phone-emulator lab``: the embedded servers alone, with a prompt to switch their behaviours."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Callable

import click

from phone_emulator.cli.desk import example_cfg, load_cfg, plan_lab
from phone_emulator.cli.exits import Exit
from phone_emulator.cli.lab_prompt import LabPrompt, lab_lines
from phone_emulator.cli.options import Common, cfg_argument, common_options
from phone_emulator.cli.stdin import lines_of_stdin
from phone_emulator.cli.talk import event_log, say, tell_of_seed
from phone_emulator.events import Bus, Event, Shortage
from phone_emulator.lab import plans
from phone_emulator.lab.lab import Lab
from phone_emulator.world import RealWorld


@click.command(epilog="Example: phone-emulator lab --down secondary=503")
@cfg_argument(required=False)
@click.option("--prompt/--no-prompt", default=True, help="Read commands, or serve until interrupted.")
@common_options("overrides", "seed", "log_level", "model", "local_address", "zone", "down")
def lab(common: Common, cfg: tuple[str, ...], prompt: bool) -> int:
    """Run the embedded servers on loopback: a SIP server at every target of CFG, a DNS server, a called user.

    Without CFG: the guide's example, a primary, a secondary and a fallback server. Their behaviours are
    switched at a prompt (try help), or from a pipe, whose end ends the lab.
    """
    common = dataclasses.replace(common, world="lab")
    config = load_cfg(cfg, common) if cfg else example_cfg(common)
    places, zone = plan_lab(config, common, every_transport=True)
    stage = plans.loopback(config, places.places, zone, places.callee, common.first_local_address)
    tell_of_seed(common.seed)
    world, bus = RealWorld(common.seed), Bus()
    log = event_log(common.log_level, sys.stderr)
    world.faults.tell_on(bus)
    if log is not None:
        bus.subscribe(log)
    running = Lab(world, stage.plan, stage.config, bus)
    orders = LabPrompt(stage.config) if prompt else None

    def started() -> None:
        if log is None:
            bus.subscribe(_say_shortage)
        click.echo("\n".join(lab_lines(stage, example=not cfg)))
        sys.stdout.flush()

    world.run(_serve(running, started, orders))
    return Exit.OK


def _say_shortage(event: Event) -> None:
    if isinstance(event, Shortage):
        say(str(event))


async def _serve(lab: Lab, started: Callable[[], None], orders: LabPrompt | None) -> None:
    """Serve until ``quit``, the end of stdin or an interrupt; raises WorldError."""
    try:
        await lab.start()
        started()
        if orders is None:
            await asyncio.Event().wait()
            return
        async for line in lines_of_stdin("lab> "):
            if not await orders.obey(lab, line):
                break
            sys.stdout.flush()
    finally:
        await lab.stop()
