"""The ACK to the answer goes first, whatever the user does in the same moment."""

from __future__ import annotations

import pytest

from phone_emulator.phone import CallError, CallResult
from tests.phone.stage import Answer, Stage, play

SCRIPT = {"primary": {"INVITE": [[Answer(0.0, 200)], [Answer(0.0, 488)]], "BYE": [[Answer(0.0, 200)]]}}


def test_hanging_up_in_the_moment_of_the_answer() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        await call.hang_up()
        assert [line.what for line in stage.sent("INVITE", "ACK", "BYE")] == ["INVITE", "ACK", "BYE"]

    play(story, actors=SCRIPT)


def test_holding_in_the_moment_of_the_answer() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        with pytest.raises(CallError, match="488"):
            await call.hold()
        assert [line.what for line in stage.sent("INVITE", "ACK")] == ["INVITE", "ACK", "INVITE", "ACK"]

    play(story, actors=SCRIPT)


def test_a_digit_in_the_moment_of_the_answer() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        assert await call.settled() is CallResult.ANSWERED
        await call.send_dtmf("5")
        assert [line.what for line in stage.sent("ACK", "INFO")] == ["ACK", "INFO"]

    script = {"primary": SCRIPT["primary"] | {"INFO": [[Answer(0.0, 200)]]}}
    play(story, {"account.1.dtmf.type": "2"}, actors=script)
