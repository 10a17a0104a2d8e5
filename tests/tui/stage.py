"""The terminal phone in the simulated world: the real phone, the real lab, virtual time.

Textual's timers are made to follow the world's clock, so a countdown of 32 seconds takes no time, and a
picture taken 12.4 s after dialling is the same picture every time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import pytest
from textual._wait import SLEEP_GRANULARITY, wait_for_idle
from textual.pilot import Pilot

from phone_emulator.events import Bus
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.lab.lab import Lab
from phone_emulator.lab.plans import EXAMPLE_PLACES, example_config, example_zone, simulated
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.tui import LabPanel, PhoneApp
from phone_emulator.tui.screens.phone import PhoneScreen
from phone_emulator.world.simulated import SimulatedWorld
from tests.phone.calls.test_tapped import Keeper

SMALL, MEDIUM, LARGE = (80, 24), (120, 40), (200, 60)
Play = Callable[["Stage"], Awaitable[None]]


class Stage:
    """A running terminal phone.

    Args:
        app: running.
        pilot: its keys.
        lab: the servers behind it.
    """

    def __init__(self, app: PhoneApp, pilot: Pilot[None], lab: Lab) -> None:
        self.app = app
        self.pilot = pilot
        self.lab = lab
        self.phone = app.phone

    async def press(self, *keys: str) -> None:
        """Press *keys*, each seen by the screen before the next."""
        for key in keys:
            await self.pilot.press(key)
        await self.wait(0.05)

    async def dial(self, number: str) -> None:
        """Type *number* and press Enter."""
        await self.press(*number, "enter")

    async def break_server(self, name: str, behaviour: str) -> None:
        """Let a server of the lab do what *behaviour* says."""
        await self.lab.behave(name, Behaviour.parse(behaviour))

    async def until(self, when: float) -> None:
        """Wait until the world's clock shows *when*, and the screen shows that moment."""
        left = when - self.phone.world.now()
        assert left >= 0, f"too late by {-left:g} s"
        await self.wait(left)
        for screen in self.app.screen_stack:
            if isinstance(screen, PhoneScreen):
                screen.update_panes()
        await self.pilot.pause(0)

    async def shows(self, word: str) -> None:
        """Wait until *word* is on the screen."""
        async with asyncio.timeout(60):  # of the world's
            while word not in self.text():
                await self.wait(0.05)

    def said(self) -> str:
        """What the notices say."""
        return "\n".join(notice.message for notice in self.app._notifications)

    async def wait(self, seconds: float) -> None:
        """Let *seconds* of the world's time pass."""
        await self.pilot.pause(seconds)

    def text(self) -> str:
        """What the screen says."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def picture(self) -> str:
        """The screen as SVG."""
        return self.app.export_screenshot(title="phone-emulator")


def perform(
    play: Play,
    monkeypatch: pytest.MonkeyPatch,
    *,
    size: tuple[int, int] = SMALL,
    overrides: tuple[str, ...] = (),
    with_lab: bool = True,
    port_taken: bool = False,
    sound: bool = False,
) -> PhoneApp:
    """Run *play* on a stage; returns the app as it ended.

    Args:
        play: what happens, from the moment when the phone is registered.
        monkeypatch: holds Textual's clock to the world's.
        size: columns and lines.
        overrides: cfg keys of the guide's example phone.
        with_lab: whether the phone may see and change its servers.
        port_taken: whether somebody holds the phone's port.
        sound: whether it flows.
    """
    world = SimulatedWorld(seed=1)

    async def main() -> PhoneApp:
        loop = asyncio.get_running_loop()
        hold_clocks(monkeypatch, loop.time)
        # Textual's headless driver speaks to its own loop as if from another thread.
        monkeypatch.setattr(loop, "call_soon_threadsafe", loop.call_soon)
        plan = simulated(example_config(overrides), EXAMPLE_PLACES, example_zone())
        bus = Bus()
        lab = Lab(world, plan.plan, plan.config, bus)
        await lab.start()
        if port_taken:
            await world.open_udp(plan.plan.phone, lab.callee._phone.context.endpoint.transports)
        phone = Phone(plan.config, world, bus, lab.phone_options(PhoneOptions()))
        if sound:
            bus.tap = lab.callee._phone.context.bus.tap = Keeper()
        app = PhoneApp(phone, lab=LabPanel(lab, phone) if with_lab else None, title="lab")
        try:
            async with app.run_test(size=size) as pilot:
                stage = Stage(app, pilot, lab)
                await stage.wait(1.0)
                if not app.failure:
                    await play(stage)
        finally:
            await phone.stop(unregister=False)
            await lab.stop()
        return app

    return world.run(main())


def hold_clocks(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float]) -> None:
    """Let all of Textual read *clock*, and wait by it: what it shows hangs on no machine's speed."""
    clocks = (time.time, time.monotonic, time.perf_counter)
    for module in [each for name, each in sys.modules.items() if name.partition(".")[0] == "textual"]:
        for name, value in list(vars(module).items()):
            if value in clocks:
                monkeypatch.setattr(module, name, clock)
            elif value is wait_for_idle:
                monkeypatch.setattr(module, name, _idle)


async def _idle(min_sleep: float = 0.0, max_sleep: float = 0.0) -> None:
    """In the place of Textual's, which compares the processor's time with the wall clock's."""
    await asyncio.sleep(SLEEP_GRANULARITY)
