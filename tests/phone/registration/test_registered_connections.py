"""Which connections are kept open without use: those that a line is registered over, and no others."""

from __future__ import annotations

import asyncio

from phone_emulator.sip.connection import IDLE
from tests.phone.stage import SUCCESSIVE, Stage, play, server_1, server_2

OVER_TCP = {
    **server_1(port=5060, transport_type=1),
    **server_2(port=5060, transport_type=1),
    "account.1.nat.udp_update_enable": "0",
    "account.1.subscribe_mwi": "0",
}
ONCE = 2 * IDLE
"""Seconds after which a connection that nobody keeps is closed: it was used lately."""


def connected(stage: Stage) -> list[str]:
    """Where the phone has connections to."""
    streams = stage.world.network.host("192.168.1.21").streams
    return sorted(f".{stream.remote.host.rpartition('.')[2]}" for stream in streams)


def test_each_registration_keeps_its_connection() -> None:
    # rule R3
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(3000)
        assert connected(stage) == [".13", ".15"]

    play(story, OVER_TCP)


def test_a_registration_that_moves_takes_its_connection_along() -> None:
    # rule R1
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"REGISTER": 503})
        await asyncio.sleep(3541 + ONCE)
        assert stage.registered() == ["secondary", "fallback"]
        assert connected(stage) == [".14", ".15"]

    play(story, OVER_TCP)


def test_a_registration_that_is_refused_keeps_none() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"REGISTER": 403})
        await asyncio.sleep(3541 + ONCE)
        assert stage.registered() == ["fallback"]
        assert connected(stage) == [".15"]

    play(story, OVER_TCP | {"account.1.reg_fail_retry_interval": "1800"})


def test_a_registration_that_is_left_to_expire_keeps_none() -> None:
    # rule R4
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert (stage.registered(), connected(stage)) == (["fallback"], [".13", ".14", ".15"])
        await stage.behave(primary="ok")
        await asyncio.sleep(121 + ONCE)
        assert stage.registered() == ["primary"]
        assert connected(stage) == [".13"]

    play(story, OVER_TCP | SUCCESSIVE, primary={"REGISTER": 503}, secondary={"REGISTER": 503})


def test_a_registration_whose_server_nobody_finds_any_more_keeps_none() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        assert connected(stage) == [".13", ".15"]
        await stage.lab.dns_behave("silent")
        await asyncio.sleep(3600 + ONCE)
        assert stage.registered() == ["fallback"]
        assert connected(stage) == [".15"]

    play(story, OVER_TCP | {"account.1.dns_cache_type": "0", "account.1.reg_fail_retry_interval": "1800"})


def test_a_registration_that_is_removed_keeps_none() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.phone.line(1).registrar.unregister()
        await asyncio.sleep(ONCE)
        assert connected(stage) == []

    play(story, OVER_TCP)
