"""A call that is up: its own requests, those of the far end, and what becomes of it when a server is gone."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallState
from phone_emulator.phone import CallError, CallResult, IncomingCall, OutgoingCall
from tests.phone.stage import Answer, Stage, play, server_1

OK = [[Answer(0.0, 200)]]
SDP = [("Content-Type", "application/sdp")]


async def up(stage: Stage) -> OutgoingCall:
    call = stage.phone.dial("1002")
    assert await call.settled() is CallResult.ANSWERED
    await asyncio.sleep(1)
    return call


def test_requests_in_the_dialog_do_not_fail_over() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await up(stage)
        await stage.behave(primary="silent")
        stage.mark()
        await call.hang_up()
        await call.over()
        assert {line.where for line in stage.sent("BYE")} == {".13"}
        assert stage.sent("BYE")[-1].at == 31.5  # Timer E; Timer F ends it at 32 s
        assert stage.world.now() - stage.zero == 32.0
        assert call.state is CallState.ENDED

    play(story)


def test_a_re_invite_without_response_ends_the_call() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await up(stage)
        await stage.behave(primary="silent")
        stage.mark()
        with pytest.raises(CallError):
            await call.hold()
        assert stage.world.now() - stage.zero == 32.0
        await call.over()
        assert call.state is CallState.ENDED
        assert {line.where for line in stage.sent("INVITE", "BYE")} == {".13"}
        assert stage.sent("BYE") != []

    play(story)


@pytest.mark.parametrize("status", [408, 481])
def test_a_far_end_that_has_lost_the_call_ends_it(status: int) -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await up(stage)
        with pytest.raises(CallError):
            await call.hold()
        await call.over()
        assert call.state is CallState.ENDED

    script = {"INVITE": [[Answer(0.0, 200)], [Answer(0.0, status)]], "BYE": OK}
    play(story, actors={"primary": script})


def test_a_re_invite_that_is_refused_leaves_the_call_as_it_is() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await up(stage)
        with pytest.raises(CallError):
            await call.hold()
        assert call.state is CallState.TALKING

    script = {"INVITE": [[Answer(0.0, 200)], [Answer(0.0, 488)]], "BYE": OK}
    play(story, actors={"primary": script})


def test_the_ack_and_the_bye_follow_the_route_set() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await up(stage)
        await call.hang_up()
        for method in ("ACK", "BYE"):
            [request] = [r for r in stage.requests(method) if "Route" in r.headers]
            assert "192.168.1.14" in (request.headers.get("Route") or "")
            assert request.uri.startswith("sip:1002@")
        assert [line.where for line in stage.sent("BYE")] == [".14"]

    play(story, primary=503)


def test_a_repeated_200_draws_its_ack_again() -> None:
    # rule C8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(3)
        assert stage.ladder("INVITE", "ACK", "BYE") == [
            "0.000 >> INVITE .13",
            "0.000 << 200 INVITE .13",
            "0.000 >> ACK .13",
            "1.000 << 200 INVITE .13",
            "1.000 >> ACK .13",
        ]
        assert len({request.cseq for request in stage.requests("ACK")}) == 1
        assert call.state is CallState.TALKING

    script = {"INVITE": [[Answer(0.0, 200), Answer(1.0, 200)]], "BYE": OK}
    play(story, actors={"primary": script})


def test_a_200_that_comes_twice_at_once_is_no_fork() -> None:
    # rule C8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await asyncio.sleep(3)
        assert stage.ladder("INVITE", "ACK", "BYE") == [
            "0.000 >> INVITE .13",
            "0.000 << 200 INVITE .13",
            "0.000 << 200 INVITE .13",
            "0.000 >> ACK .13",
        ]
        assert call.state is CallState.TALKING

    script = {"INVITE": [[Answer(0.0, 200), Answer(0.0, 200)]], "BYE": OK}
    play(story, actors={"primary": script})


def test_each_200_to_a_cancelled_invite_draws_its_ack() -> None:
    # rule C8
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await call.hang_up()
        await asyncio.sleep(40)
        sent = [str(line.at) for line in stage.sent("ACK")]
        assert sent == ["3.0", "3.0", "3.5", "34.5"], "CANCEL at 1.0, the first 200 at 3.0"
        assert {line.at for line in stage.sent("BYE")} == {3.0}
        assert call.state is CallState.ENDED

    answers = [Answer(after, 200) for after in (3.0, 3.0, 3.5, 34.5)]
    script = {"INVITE": [[Answer(0.0, 180), *answers]], "CANCEL": OK, "BYE": OK}
    play(story, actors={"primary": script})


def test_hold_and_resume_over_tcp_after_a_failover() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await up(stage)
        assert call.via == "secondary"
        states = []
        for order in (call.hold, call.resume):
            await order()
            states.append(call.state)
        assert states == [CallState.HELD, CallState.TALKING]
        await call.hang_up()
        assert {line.where for line in stage.sent("INVITE", "BYE", "ACK")} == {".14"}

    play(story, server_1(port=5060, transport_type=1), primary="refuse")


# -- incoming ---------------------------------------------------------------------------------------------


async def ringing(stage: Stage) -> IncomingCall:
    await stage.phone.register()
    assert stage.lab.call_phone(stage.phone) is not None
    await asyncio.sleep(0.1)
    [call] = stage.phone.calls
    assert isinstance(call, IncomingCall)
    assert call.state is CallState.RINGING
    stage.mark()
    return call


def test_an_incoming_call_is_answered_and_ended() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await ringing(stage)
        call.answer()
        await asyncio.sleep(1)
        assert (call.state, call.result) == (CallState.TALKING, CallResult.ANSWERED)
        await call.hang_up()
        assert stage.lab.callee.live_calls == 0
        assert [line.where for line in stage.sent("BYE")] == [".13"]

    play(story)


def test_an_incoming_call_is_refused() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await ringing(stage)
        call.reject()
        await asyncio.sleep(1)
        assert (call.state, call.result, call.status) == (CallState.ENDED, CallResult.REJECTED, 486)
        assert stage.sent("INVITE")[0].what == "486 INVITE"

    play(story)


def test_the_caller_hangs_up_while_it_rings() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = await ringing(stage)
        await stage.lab.callee.hang_up()
        await asyncio.sleep(1)
        assert (call.state, call.result, call.status) == (CallState.ENDED, CallResult.CANCELLED, 487)

    play(story)


def test_the_caller_hangs_up_during_the_call() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = await ringing(stage)
        call.answer()
        await asyncio.sleep(1)
        await stage.lab.callee.hang_up()
        assert call.state is CallState.ENDED
        assert stage.sent("BYE")[-1].what == "200 BYE"

    play(story)


def test_nobody_picks_up() -> None:
    # rule C9
    async def story(stage: Stage) -> None:
        call = await ringing(stage)
        await asyncio.sleep(181)
        assert (call.state, call.status) == (CallState.ENDED, 486)

    play(story)


def test_a_200_without_ack_is_repeated_and_the_call_ends() -> None:
    # rule T
    async def story(stage: Stage) -> None:
        call = await ringing(stage)
        await stage.behave(primary={"ACK": "silent"})
        call.answer()
        await asyncio.sleep(40)
        answers = [line.at for line in stage.sent("INVITE") if line.what == "200 INVITE"]
        assert answers[:5] == [0.0, 0.5, 1.5, 3.5, 7.5]
        assert max(answers) < 32.0
        assert call.state is CallState.ENDED
        assert stage.sent("BYE")[0] == (32.0, ".13", "BYE")

    play(story)
