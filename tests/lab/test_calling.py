"""Somebody calls a phone: it rings, refuses, or is not reached."""

from __future__ import annotations

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import Bus
from phone_emulator.lab.calling import Refused, call_in
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.plans import simulated
from phone_emulator.lab.zone import parse_zone
from phone_emulator.phone import Call, CallError, Phone, PhoneOptions
from phone_emulator.world import SimulatedWorld

CFG = """\
#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 2001
account.1.password = secret-1
account.1.sip_server.1.address = 192.168.1.13
"""


def ring(*settings: str, register: bool = True) -> Call:
    """The call that somebody places to a phone with these settings, when it rings."""
    config = load_text(CFG, overrides=settings).config
    stage = simulated(config, [Place(name="primary", address="192.168.1.13")], parse_zone(""))
    world = SimulatedWorld(0, stage.plan.nameservers)
    lab = Lab(world, stage.plan, stage.config, bus := Bus())
    phone = Phone(stage.config, world, bus, lab.phone_options(PhoneOptions()))

    async def story() -> Call:
        await lab.start()
        await phone.start()
        if register:
            await phone.register()
        try:
            return await call_in(lab, phone, caller="1000")
        finally:
            await phone.stop(unregister=False)
            await lab.stop()

    return world.run(story())


def test_it_rings() -> None:
    assert ring().remote == "1000"


@pytest.mark.parametrize(
    ("settings", "status", "why"),
    [
        (("account.1.dnd.enable=1",), 480, "do not disturb is on"),
        (("sip.request_validation.digest.list=INVITE",), 401, "Unauthorized"),
        (
            (
                "account.1.codec.pcmu.enable=0",
                "account.1.codec.pcma.enable=0",
                "account.1.codec.g722.enable=0",
            ),
            488,
            "no common codec",
        ),
    ],
)
def test_it_is_refused(settings: tuple[str, ...], status: int, why: str) -> None:
    with pytest.raises(Refused, match=f"the call did not ring: {status}: {why}") as error:
        ring(*settings)
    assert error.value.refused.status == status


def test_it_is_registered_nowhere() -> None:
    with pytest.raises(CallError, match="line 1 is registered nowhere: nobody can call it"):
        ring(register=False)
