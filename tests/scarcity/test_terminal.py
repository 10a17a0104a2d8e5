"""The same of the terminal phone: it starts or says why not, and goes on whatever is refused later."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import partial

import pytest

from phone_emulator.events import Bus, InternalFault, RegistrationState
from phone_emulator.lab import plans
from phone_emulator.lab.lab import Lab
from phone_emulator.phone import Phone, PhoneOptions
from phone_emulator.scarcity import shortage
from phone_emulator.tui import LabPanel, PhoneApp
from phone_emulator.world import RealWorld
from tests import addresses
from tests.patience import patient, until
from tests.scarcity.machine import SCARCE, Machine, error_of, watched

MOST = 200


class Session:
    """The terminal phone in the lab, through a call and to its end."""

    def __init__(self, machine: Machine) -> None:
        self.world = RealWorld()
        self.machine = machine
        self.told: list[object] = []

    def run(self) -> str:
        """Run it; why the machine would not, in words; empty where it went on."""
        try:
            self.world.run(self._main())
        except Exception as error:
            if said := shortage(error):
                return said
            raise
        return ""

    async def _main(self) -> None:
        with watched(self.machine):
            stage = plans.loopback(
                plans.example_config(),
                plans.EXAMPLE_PLACES,
                plans.example_zone(),
                phone_host=addresses.own_address(),
            )
            bus = Bus()
            bus.subscribe(self.told.append)
            lab = Lab(self.world, stage.plan, stage.config, bus)
            phone = Phone(stage.config, self.world, bus, lab.phone_options(PhoneOptions()))
            try:
                await lab.start()
                app = PhoneApp(phone, lab=LabPanel(lab, phone), title="lab")
                async with app.run_test():
                    await self._use(app)
                if app.refused is not None:
                    raise app.refused
            finally:
                await phone.stop(unregister=False)
                await lab.stop()

    async def _use(self, app: PhoneApp) -> None:
        phone = app.phone
        await until(lambda: bool(app.refused or phone.lines), "the phone's start")
        if app.refused is not None:
            return
        line = phone.line(1)
        tried = (RegistrationState.REGISTERED, RegistrationState.FAILED)
        await until(lambda: all(each.state in tried for each in line.bindings), "the registrations")
        call = phone.dial("1002")
        await patient(call.settled())
        await patient(call.hang_up())


@pytest.fixture(autouse=True)
def quick_collection() -> Iterator[None]:
    """What other tests have left in this process is not looked through again at each moment."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def test_each_moment() -> None:
    assert not Session(Machine()).run()  # and everything is imported
    bad, outcomes = [], set()
    for at in range(1, MOST):
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        session = Session(Machine(at, partial(error_of, SCARCE[at % len(SCARCE)])))
        said = session.run()
        if not session.machine.refused:
            break
        gc.collect()
        outcomes.add(bool(said))
        moment = f"{at}: {session.machine.refused}: {said!r}"
        if faults := [str(each) for each in session.told if isinstance(each, InternalFault)]:
            bad.append(f"{moment}: {faults}")
        if len(os.listdir("/proc/self/fd")) > before:
            bad.append(f"{moment}: a descriptor is left open")
    else:
        pytest.fail("there is no end of requests")
    assert not bad, "\n".join(bad)
    assert at > 40
    assert outcomes == {True, False}
