"""A BLF key and the phone that it watches, with the lab's servers between them."""

from __future__ import annotations

import asyncio

from phone_emulator.events import BlfChanged, SubscriptionChanged
from tests.phone.stage import Stage, play

KEY = {"linekey.1.type": "16", "linekey.1.value": "1002", "linekey.1.line": "1"}


def lamps(stage: Stage) -> list[str]:
    return [f"{each.state} {each.remote}".strip() for each in stage.events if isinstance(each, BlfChanged)]


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
