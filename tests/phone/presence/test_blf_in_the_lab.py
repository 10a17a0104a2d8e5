"""A BLF key and the phone that it watches, with the lab's servers between them."""

from __future__ import annotations

import asyncio

from phone_emulator.events import BlfChanged, LampState, MessageReceived, SubscriptionChanged
from phone_emulator.phone.wire import dialog_info
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.phone.stage import Stage, play

KEY = {"linekey.1.type": "16", "linekey.1.value": "1002", "linekey.1.line": "1"}


def lamps(stage: Stage) -> list[str]:
    return [f"{each.state} {each.remote}".strip() for each in stage.events if isinstance(each, BlfChanged)]


def lit(stage: Stage) -> list[tuple[str, LampState]]:
    return [(each.number, each.state) for each in stage.events if isinstance(each, BlfChanged)]


def test_a_key_shows_what_the_callee_does() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(1)
        assert lamps(stage) == ["idle"]
        stage.mark()
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(5)
        assert [line.split()[0] for line in lamps(stage)][-1] == "talking"
        await call.hang_up()
        await asyncio.sleep(5)
        assert lamps(stage)[-1] == "idle"
        told = [each for each in stage.events if isinstance(each, SubscriptionChanged)]
        assert told == []

    play(story, KEY)


def test_a_call_lights_the_number_that_is_called_only() -> None:
    """One callee has every number of the lab."""

    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(1)
        stage.mark()
        call = stage.phone.dial("1003")
        await call.settled()
        await asyncio.sleep(5)
        assert lit(stage) == [("1003", LampState.RINGING), ("1003", LampState.TALKING)]
        heard = [parse(each.data) for each in stage.events if isinstance(each, MessageReceived)]
        notified = [each for each in heard if isinstance(each, Request) and each.method == "NOTIFY"]
        assert {dialog_info.read(each.body).entity for each in notified} == {"sip:1003@192.168.1.13:5060"}
        await call.hang_up()
        await asyncio.sleep(5)
        assert lit(stage)[-1] == ("1003", LampState.IDLE)

    other = {"linekey.2.type": "16", "linekey.2.value": "1003", "linekey.2.line": "1"}
    play(story, KEY | other)


def test_it_is_watched_through_the_secondary_when_the_primary_is_silent() -> None:
    # rule C1
    # rule F6
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await asyncio.sleep(100)
        where = {line.where for line in stage.sent("SUBSCRIBE")}
        assert where == {".13", ".14"}
        assert lamps(stage) == ["idle"]

    play(story, KEY, primary="silent")
