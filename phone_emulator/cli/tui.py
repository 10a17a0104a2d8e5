"""``phone-emulator tui``, and ``phone-emulator`` alone: the terminal phone."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from pathlib import Path

import click

from phone_emulator.lab.plans import example_config
from phone_emulator.tui import LabPanel, PhoneApp
from phone_emulator.world import WorldError

from .desk import Desk, check_world, interrupted, load_cfg, make_desk
from .exits import Exit
from .options import PHONE, Common, cfg_argument, common_options


@click.command(epilog="Example: phone-emulator tui phone.cfg --local-address 192.0.2.21")
@cfg_argument(required=False)
@common_options(*(name for name in PHONE if name not in ("format", "log_level")))
def tui(common: Common, cfg: tuple[str, ...]) -> int:
    """The terminal phone: with CFG files on the real network, without any in the embedded lab."""
    if common.world is None:
        common = dataclasses.replace(common, world="real" if cfg else "lab")
    if common.world == "simulated":
        raise click.UsageError("the terminal phone lives in real time: --world lab or --world real")
    if not cfg and common.world == "real":
        raise click.UsageError("the real world needs cfg files: phone-emulator tui phone.cfg")
    check_world(common)
    if not (sys.stdin.isatty() and sys.stderr.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
        raise click.UsageError(
            "the terminal phone needs a terminal; phone-emulator --help lists what does not"
        )
    config = load_cfg(cfg, common) if cfg else example_config(common.overrides)
    desk = make_desk(config, common, every_transport=not cfg)
    title = " ".join(Path(name).name for name in cfg) or "lab"
    try:
        desk.world.run(_show(desk, title))
    finally:
        desk.write_capture(common, title)
    return Exit.OK


async def _show(desk: Desk, title: str) -> None:
    """Run the app, which starts and stops the phone, in the lab if there is one; raises WorldError."""
    lab, phone = desk.lab, desk.phone
    try:
        if lab is not None:
            await lab.start()
        app = PhoneApp(phone, lab=LabPanel(lab, phone) if lab is not None else None, title=title)
        await app.run_async()
        if interrupted():
            raise asyncio.CancelledError  # which the app has taken for its own
        if app.failure:
            raise WorldError(app.failure)
    finally:
        await phone.stop()
        if lab is not None:
            await lab.stop()
