"""A running phone that stays provisioned: at its interval, at a check-sync NOTIFY, by key."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import click

from phone_emulator.config import CfgError, PhoneConfig
from phone_emulator.events import ProvisioningState, ProvisioningStep
from phone_emulator.lab.plans import EXAMPLE_CFG
from phone_emulator.lab.provisioning import ProvisioningServer, phone_files
from phone_emulator.lab.zone import ZoneError
from phone_emulator.phone import Phone
from phone_emulator.provisioning import Provisioner, handset_of
from phone_emulator.provisioning.repeat import Repeat
from phone_emulator.scarcity import MachineRefused, raise_shortage
from phone_emulator.world import Tasks, as_reason

from .desk import Desk, plan_stage
from .options import Common


@contextlib.asynccontextmanager
async def kept_provisioned(desk: Desk, common: Common, provisioner: Provisioner) -> AsyncIterator[Repeat]:
    """Provision the phone of *desk* again whenever it is due; what is yielded can be told to do it now."""
    phone = desk.phone
    provisioner.join(desk.bus, desk.world.now)

    async def apply(config: PhoneConfig) -> None:
        try:
            await restart(phone, await _fitting(desk, common, config))
        except (MachineRefused, ZoneError, click.ClickException) as error:
            _tell(desk, str(provisioner.base), f"the phone cannot start with its new configuration: {error}")

    repeat = Repeat(provisioner, provisioner.loaded().config, desk.bus, desk.world.now, apply)
    tasks = Tasks(desk.world, "the provisioning")

    def given_up(error: Exception) -> None:
        _tell(desk, str(provisioner.base), f"{as_reason(error)}; nothing is fetched any more")

    tasks.spawn(repeat.run(), "fetching again", on_fault=given_up)
    try:
        yield repeat
    finally:
        await tasks.stop()


@contextlib.asynccontextmanager
async def provisioned_by_lab(desk: Desk, common: Common) -> AsyncIterator[Provisioner | None]:
    """Let the phone of *desk*, not yet started, fetch its file from a provisioning server of the lab.

    Where that does not work, it is told, and the phone keeps the configuration that it has: None.
    """
    device = desk.phone.options.device
    handset = handset_of(device.model, device.firmware, device.mac)
    server = ProvisioningServer(phone_files(handset.mac, EXAMPLE_CFG))
    try:
        try:
            await server.start()
            provisioner = Provisioner(
                server.url, handset, bus=desk.bus, now=desk.world.now, overrides=common.overrides
            )
            await provisioner.run()
            desk.phone.config = await _fitting(desk, common, provisioner.loaded().config)
        except (CfgError, MachineRefused) as error:
            _tell(desk, "the lab", f"{error}; the phone keeps what it has")
            yield None
        else:
            yield provisioner
    finally:
        await server.stop()


async def restart(phone: Phone, config: PhoneConfig) -> None:
    """Let *phone* start anew with *config*, as soon as no call is up; raises WorldError."""
    while phone.calls:
        await phone.calls[0].over()
    await phone.stop_to_restart()
    phone.config = config
    await phone.start()
    await phone.register()


async def _fitting(desk: Desk, common: Common, config: PhoneConfig) -> PhoneConfig:
    """*config* with the servers where the lab has them; raises ZoneError, click.BadParameter."""
    if desk.lab is None:
        return config
    # In a thread: the places are found in a small simulated world, which runs a loop of its own.
    try:
        stage = await asyncio.to_thread(plan_stage, config, common, every_transport=True)
    except RuntimeError as error:
        raise_shortage(error, "the servers cannot be placed")
        raise
    return stage.config


def _tell(desk: Desk, location: str, reason: str) -> None:
    step = ProvisioningStep(
        at=desk.world.now(), state=ProvisioningState.FAILED, location=location, reason=reason
    )
    desk.bus.tell(step)
