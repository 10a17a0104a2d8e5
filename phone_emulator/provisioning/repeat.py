"""Provisioning again: at an interval, at a check-sync NOTIFY, when somebody presses the key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from phone_emulator.config import CfgError, PhoneConfig
from phone_emulator.events import Bus, CheckSync, Event, ProvisioningState, ProvisioningStep
from phone_emulator.provisioning.provisioner import Provisioner
from phone_emulator.provisioning.settings import NotifyReboot
from phone_emulator.scarcity import MachineRefused

MINUTE = 60.0
"""In seconds."""

Apply = Callable[[PhoneConfig], Awaitable[None]]
"""Lets the phone live with another configuration, or restart with the one that it has."""


class Repeat:
    """Keeps a phone's configuration that of its server.

    Args:
        provisioner: has fetched once.
        config: what it fetched.
        bus: where check-sync NOTIFYs are told.
        now: seconds since the world began.
        apply: is awaited after a cycle that brought something new, or that a reboot belongs to.
    """

    def __init__(
        self, provisioner: Provisioner, config: PhoneConfig, bus: Bus, now: Callable[[], float], apply: Apply
    ) -> None:
        self._provisioner = provisioner
        self._config = config
        self._bus = bus
        self._now = now
        self._apply = apply
        self._asked = asyncio.Event()
        self._reboot = False
        self._unsubscribe = bus.subscribe(self._listen)

    def again(self) -> None:
        """Provision now; while a cycle runs, once more after it."""
        self._asked.set()

    async def run(self) -> None:
        """Provision whenever it is due, until cancelled."""
        try:
            while True:
                await self._due()
                reboot, self._reboot = self._reboot, False
                self._asked.clear()
                if await self._changed() or reboot:
                    await self._apply(self._config)
        finally:
            self._unsubscribe()

    async def _due(self) -> None:
        """Return when it is time."""
        settings = self._provisioner.settings
        try:
            async with asyncio.timeout(MINUTE * settings.repeat_minutes if settings.repeat else None):
                await self._asked.wait()
        except TimeoutError:
            pass

    async def _changed(self) -> bool:
        """One cycle; whether it brought another configuration. A failure is told, and changes nothing."""
        try:
            if not await self._provisioner.run():
                return False
        except (CfgError, MachineRefused):
            return False  # which the provisioner has told
        try:
            config = self._provisioner.loaded().config
        except CfgError as error:
            location, reason = str(self._provisioner.base), error.faults[0]
            step = ProvisioningStep(
                at=self._now(), state=ProvisioningState.FAILED, location=location, reason=reason
            )
            self._bus.tell(step)
            return False
        changed, self._config = config != self._config, config
        return changed

    def _listen(self, event: Event) -> None:
        if isinstance(event, CheckSync):
            what = self._provisioner.settings.notify_reboot
            if what != NotifyReboot.IGNORED:
                self._reboot = self._reboot or what == NotifyReboot.ALWAYS or event.reboot
                self.again()
