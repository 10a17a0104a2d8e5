"""How loud a live call is, on its card."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.live.handset import Handset
from phone_emulator.tui.rows.call import bar, call_rows
from phone_emulator.tui.widgets.call import _cards
from tests.live.test_handset import at_once, far_sound, live
from tests.phone.far_end import Play, play


@pytest.mark.parametrize(
    ("level", "blocks"), [(0, 0), (127, 0), (128, 1), (255, 1), (256, 2), (8000, 6), (16384, 8), (32767, 8)]
)
def test_a_block_for_each_6_db(level: int, blocks: int) -> None:
    assert bar(level) == "█" * blocks + "░" * (8 - blocks)


def test_the_card_of_the_call_that_the_person_talks_in() -> None:
    async def story(on: Play) -> None:
        handset, _ = live(on)
        _, call = await on.talking()
        far = await far_sound(on)
        await asyncio.sleep(1)
        _, _, other = await on.ringing(call_id="in-2")
        await asyncio.sleep(0.02)
        mine, theirs = call_rows([call, other], call, 0.0, handset)
        assert mine.levels == "mic ██████░░ ear ██████░░"
        assert theirs.levels == ""
        assert mine.levels in _cards([mine, theirs], 100).plain
        far.close()
        await handset.stop()

    play(story, call_waiting__tone=0)


def test_no_bars_without_a_device() -> None:
    async def story(on: Play) -> None:
        handset = Handset(on.phone, lambda: live(on)[1], at_once)
        call = on.phone.dial("1002")
        assert call_rows([call], call, 0.0, handset)[0].levels == ""
        assert call_rows([call], call, 0.0)[0].levels == ""
        await handset.stop()

    play(story)
