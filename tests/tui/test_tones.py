"""The phone's own tones in the terminal phone: on the call card and in the log."""

from __future__ import annotations

from phone_emulator.events import ToneHeard, ToneKind
from phone_emulator.tui.rows.call import call_rows
from phone_emulator.tui.rows.log import log_rows
from phone_emulator.tui.widgets.call import _cards
from tests.phone.far_end import Play, play


def test_the_card_of_a_call_that_rings() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        assert "tone" not in _cards(call_rows([call], call, 0.0), 100).plain
        on.far.answer(invite, 180)
        await on.rest()
        assert "ringback tone" in _cards(call_rows([call], call, 0.0), 100).plain

    play(story)


def test_the_log_tells_a_tone_and_its_end() -> None:
    heard = ToneHeard(at=1.0, line=1, call="call-1", tone=ToneKind.BUSY, sound="425/500,0/500")
    over = ToneHeard(at=2.0, line=1, call="call-1", tone=None, sound="")
    assert [row.text for row in log_rows([heard, over])] == ["busy tone (425/500,0/500)", "no tone any more"]
