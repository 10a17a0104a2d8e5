"""``phone-emulator tui``, and ``phone-emulator`` alone: the terminal phone."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phone_emulator.cli.desk import Desk, example_cfg, interrupted, load_cfg, make_desk, refuse_elsewhere
from phone_emulator.cli.exits import Exit
from phone_emulator.cli.options import PHONE, SOUND, Common, cfg_argument, common_options
from phone_emulator.cli.provision import provision, provisioned_config
from phone_emulator.cli.provision_again import kept_provisioned, provisioned_by_lab
from phone_emulator.live.device import MachineDevice
from phone_emulator.live.handset import Handset
from phone_emulator.tui import LabPanel, PhoneApp

if TYPE_CHECKING:
    from phone_emulator.provisioning import Provisioner

CRASHED = 1
"""What Textual returns where one of its handlers raised; it has printed the traceback."""


@click.command(epilog="Example: phone-emulator tui phone.cfg --local-address 192.0.2.21")
@cfg_argument(required=False)
@common_options(*(name for name in (*PHONE, *SOUND) if name not in ("format", "log_level")))
@click.option(
    "--sound/--no-sound",
    default=True,
    show_default=True,
    help="Talk through this machine's microphone and loudspeaker, where it has them.",
)
def tui(common: Common, cfg: tuple[str, ...], sound: bool) -> int:
    """The terminal phone: with CFG files on the real network, without any in the embedded lab."""
    if common.world is None:
        common = dataclasses.replace(common, world="real" if cfg or common.provisioned else "lab")
    if common.world == "simulated":
        raise click.UsageError("the terminal phone lives in real time: --world lab or --world real")
    own_lab = not cfg and not common.provisioned
    if own_lab and common.world == "real":
        raise click.UsageError(
            "the real world needs cfg files: phone-emulator tui phone.cfg, or tui --provision URL"
        )
    refuse_elsewhere(common, common.world)
    if not (sys.stdin.isatty() and sys.stderr.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
        raise click.UsageError(
            "the terminal phone needs a terminal; phone-emulator --help lists what does not"
        )
    provisioner = None if not common.provisioned else provision(cfg, common)
    if provisioner is not None:
        config = provisioned_config(provisioner, common)
    else:
        config = example_cfg(common) if own_lab else load_cfg(cfg, common)
    desk = make_desk(config, common, every_transport=own_lab)
    title = " ".join(Path(name).name for name in cfg) or (str(provisioner.base) if provisioner else "lab")
    try:
        desk.run(_show(desk, common, title, provisioner, own_lab=own_lab, sound=sound))
    finally:
        desk.write_capture(common, title)
    return Exit.OK


async def _show(
    desk: Desk,
    common: Common,
    title: str,
    provisioner: Provisioner | None,
    *,
    own_lab: bool,
    sound: bool,
) -> None:
    """Run the app, which starts and stops the phone, in the lab if there is one; raises WorldError.

    The phone is provisioned again while it runs; in its *own_lab* it fetches its file from the lab.
    """
    lab, phone = desk.lab, desk.phone
    handset = Handset(phone, MachineDevice) if sound else None
    try:
        if lab is not None:
            await lab.start()
        panel = LabPanel(lab, phone) if lab is not None else None
        app = PhoneApp(phone, lab=panel, title=title, handset=handset)
        async with contextlib.AsyncExitStack() as stack:
            if own_lab:
                provisioner = await stack.enter_async_context(provisioned_by_lab(desk, common))
            if provisioner is not None:
                repeat = await stack.enter_async_context(kept_provisioned(desk, common, provisioner))
                app.provision_with(repeat.again)
            await app.run_async()
        if interrupted():
            raise asyncio.CancelledError  # which the app has taken for its own
        if app.refused is not None:
            raise app.refused
        if app.return_code == CRASHED:
            raise RuntimeError("the terminal phone ended by itself; its own traceback is above")
    finally:
        if handset is not None:
            await handset.stop()
        await phone.stop()
        if lab is not None:
            await lab.stop()
