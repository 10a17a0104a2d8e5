"""Two calls: one talks at a time, whichever line it is on, whoever orders it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from phone_emulator.events import CallState
from phone_emulator.lab.calling import call_in
from phone_emulator.phone import Call, CallError, CallResult, PhoneOptions
from phone_emulator.sip.message import Request
from tests.phone.far_end import Play, lines, offer, play
from tests.phone.stage import Answer, Stage
from tests.phone.stage import play as play_on_stage

TWO_LINES = {
    "account.2.enable": "1",
    "account.2.user_name": "2001",
    "account.2.password": "secret",
    "account.2.sip_server.1.address": "192.168.1.14",
    "account.2.sip_server.1.port": "5060",
}


def states(*calls: Call) -> list[str]:
    return [str(call.state) for call in calls]


async def dialled(stage: Stage, number: str = "1002", line: int = 1) -> Call:
    call = stage.phone.dial(number, line)
    assert await call.settled() is CallResult.ANSWERED
    await asyncio.sleep(1)
    return call


async def picked_up(stage: Stage, line: int = 1) -> Call:
    await stage.phone.register(line)
    call = await call_in(stage.lab, stage.phone, line, caller="1005")
    call.answer()  # type: ignore[attr-defined]  # it came in
    await call.settled()
    await asyncio.sleep(1)
    return call


# -- a second call holds the first ---------------------------------------------------------------------------


@pytest.mark.parametrize("line", [1, 2])
@pytest.mark.parametrize("second", [dialled, picked_up])
@pytest.mark.parametrize("first", [dialled, picked_up])
def test_a_second_call_holds_the_first(
    first: Callable[..., Awaitable[Call]], second: Callable[..., Awaitable[Call]], line: int
) -> None:
    async def story(stage: Stage) -> None:
        one = await first(stage)
        two = await second(stage, line=line)
        assert states(one, two) == ["held", "talking"]
        assert not two.far_held

    play_on_stage(story, TWO_LINES)


def test_the_hold_leaves_before_the_new_call() -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        new = on.phone.dial("1003")
        hold, invite = await on.far.heard("INVITE"), await on.far.heard("INVITE")
        assert (hold.call_id, lines(hold.body, "a=send")) == (first.call_id, ["a=sendonly"])
        assert "1003" in invite.uri
        # Neither waits for the other.
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        assert states(call, new) == ["talking", "talking"]
        on.far.answer(hold, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await on.rest()
        assert states(call, new) == ["held", "talking"]
        await on.far.nothing()

    play(story)


def test_the_hold_leaves_before_the_answer() -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        invite, _, new = await on.ringing()
        new.answer()
        hold = await on.far.heard("INVITE")
        assert hold.call_id == first.call_id
        on.far.answer(hold, 200, body=offer("recvonly"))
        response = await on.far.response(200, "INVITE")
        on.far.send(on.far.ack(invite, response))
        await on.far.heard("ACK")
        await on.rest()
        assert states(call, new) == ["held", "talking"]

    play(story)


def test_a_third_call_holds_the_second() -> None:
    async def story(stage: Stage) -> None:
        calls = [await dialled(stage, number) for number in ("1002", "1003", "1004")]
        assert states(*calls) == ["held", "held", "talking"]
        assert len([one for one in stage.requests("INVITE") if one.to_tag]) == 2  # each was held once

    play_on_stage(story)


def test_calls_that_are_dialled_at_once() -> None:
    """Whichever is answered last talks."""

    async def story(on: Play) -> None:
        one, two = on.phone.dial("1002"), on.phone.dial("1003")
        first, second = await on.far.heard("INVITE"), await on.far.heard("INVITE")
        on.far.answer(second, 200, body=offer())
        await on.far.heard("ACK")
        on.far.answer(first, 200, body=offer())
        both = [await on.far.request(), await on.far.request()]
        assert {each.method for each in both} == {"ACK", "INVITE"}
        [hold] = [each for each in both if each.method == "INVITE"]
        assert hold.call_id == second.call_id
        on.far.answer(hold, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await on.rest()
        assert states(one, two) == ["talking", "held"]

    play(story)


def test_a_call_that_rings_here_is_not_in_the_way() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        await on.ringing()
        await on.far.nothing()
        assert call.state is CallState.TALKING

    play(story)


def test_a_call_that_the_user_holds_is_not_held_again() -> None:
    async def story(stage: Stage) -> None:
        one = await dialled(stage)
        await one.hold()
        stage.mark()
        two = await dialled(stage, "1003")
        assert [request.to_tag for request in stage.requests("INVITE")] == [None, None]  # a challenge
        assert states(one, two) == ["held", "talking"]

    play_on_stage(story)


# -- a hold that comes to nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [488, 486, 503])
def test_a_far_end_that_will_not_be_held_keeps_nobody_from_calling(status: int) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        new = on.phone.dial("1003")
        hold, invite = await on.far.heard("INVITE"), await on.far.heard("INVITE")
        refusal = on.far.answer(hold, status)
        await on.far.heard("ACK")
        on.far.answer(invite, 200, body=offer())
        again = await on.far.heard("INVITE")  # it is asked once more
        await on.far.heard("ACK")
        on.far.answer(again, status)
        await on.far.heard("ACK")
        await on.far.nothing()
        assert states(call, new) == ["talking", "talking"]
        said = f"talking: not held: the far end refused: {status} {refusal.reason}"
        assert on.states.count(said) == 2

    play(story)


@pytest.mark.parametrize("behaviour", ["silent", 503, "refuse"])
def test_a_server_that_is_gone_keeps_nobody_from_calling(behaviour: object) -> None:
    """The new call takes the time that its own route takes (C1)."""
    # rule C1

    async def story(stage: Stage) -> None:
        one = await dialled(stage)
        await stage.behave(primary=behaviour)
        stage.mark()
        two = stage.phone.dial("1003")
        assert await two.settled() is CallResult.ANSWERED
        assert two.via == "secondary"
        waited = 32.0 if behaviour == "silent" else 0.0
        assert stage.route(two.route)[-1][:3] == ("secondary", "answered", waited)
        await asyncio.sleep(1)
        assert (one.state is CallState.TALKING) is (behaviour == 503)

    play_on_stage(story)


# -- taking back, swapping -----------------------------------------------------------------------------------


def test_taking_one_back_holds_the_other() -> None:
    async def story(stage: Stage) -> None:
        one = await dialled(stage)
        two = await dialled(stage, "1003", 2)
        await one.resume()
        await asyncio.sleep(1)
        assert states(one, two) == ["talking", "held"]

    play_on_stage(story, TWO_LINES)


def test_a_server_that_says_talk_takes_one_back() -> None:
    """NOTIFY ``Event: talk``: the rule is the phone's, whoever orders it."""

    async def story(stage: Stage) -> None:
        one = await dialled(stage)
        two = await dialled(stage, "1003")
        one.told_to("talk")
        await asyncio.sleep(1)
        assert states(one, two) == ["talking", "held"]

    play_on_stage(story)


def test_swapping() -> None:
    async def story(stage: Stage) -> None:
        one = await dialled(stage)
        two = await dialled(stage, "1003", 2)
        for to, back in ((None, one), (None, two), (one, one), (one, two), (two, one)):
            assert await stage.phone.swap(to) is back
            await asyncio.sleep(1)
            other = two if back is one else one
            assert states(back, other) == ["talking", "held"]

    play_on_stage(story, TWO_LINES)


def test_swapping_goes_round() -> None:
    async def story(stage: Stage) -> None:
        calls = [await dialled(stage, number) for number in ("1002", "1003", "1004")]
        order = []
        for _ in range(4):
            order.append(calls.index(await stage.phone.swap()))
            await asyncio.sleep(1)
            assert sorted(states(*calls)) == ["held", "held", "talking"]
        assert order == [0, 1, 2, 0]

    play_on_stage(story)


def test_what_cannot_be_swapped() -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(CallError, match="no call on hold to swap with"):
            await stage.phone.swap()
        one = await dialled(stage)
        with pytest.raises(CallError, match="no call on hold to swap with"):
            await stage.phone.swap(one)
        await one.hang_up()
        two = await dialled(stage)
        with pytest.raises(CallError, match="the call is ended, not up"):
            await stage.phone.swap(one)
        assert two.state is CallState.TALKING

    play_on_stage(story)


def test_a_call_that_cannot_be_taken_back_stays_held() -> None:
    async def story(stage: Stage) -> None:
        one = stage.phone.dial("1002")
        await one.settled()
        two = stage.phone.dial("1003")
        await two.settled()
        await asyncio.sleep(1)
        with pytest.raises(CallError, match="refused: 488"):
            await stage.phone.swap()
        assert one.state is CallState.HELD

    ok, no = [Answer(0.0, 200)], [Answer(0.0, 488)]
    script: dict[str, Any] = {"INVITE": [ok, ok, ok, ok, no], "BYE": [ok]}
    play_on_stage(story, actors={"primary": script})


# -- waiting for it ------------------------------------------------------------------------------------------


def test_whoever_wants_to_can_wait_for_the_hold() -> None:
    async def story(stage: Stage) -> None:
        one = stage.phone.dial("1002")
        await one.settled()
        two = stage.phone.dial("1003")
        await two.settled()
        await stage.phone.floor.quiet()
        assert states(one, two) == ["held", "talking"]
        await stage.phone.swap()
        await stage.phone.floor.quiet()
        assert states(one, two) == ["talking", "held"]
        assert stage.world.now() == 0.0

    play_on_stage(story)


def test_a_far_end_that_is_silent_is_waited_for_no_longer_than_t1() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        on.phone.dial("1003")
        before = on.world.now()
        await asyncio.sleep(0)
        await on.phone.floor.quiet()
        assert round(on.world.now() - before, 3) == 0.5
        assert call.state is CallState.TALKING

    play(story)


# -- calls that are not held ---------------------------------------------------------------------------------


def refer(on: Play, invite: Request) -> Request:
    request = on.from_far("REFER", invite)
    request.headers.add("Contact", "<sip:1002@192.168.1.13>")
    request.headers.add("Refer-To", "<sip:1003@192.168.1.13>")
    return request


def test_a_far_end_that_transfers_this_phone_is_not_held() -> None:
    """It ends its own call, as soon as it is told that the new one is up (RFC 5589 section 6)."""

    async def story(on: Play) -> None:
        invite, call = await on.talking()
        on.far.send(refer(on, invite))
        await on.far.response(202, "REFER")
        notify = await on.far.heard("NOTIFY")
        second = await on.far.heard("INVITE")
        assert second.call_id != invite.call_id
        on.far.answer(notify, 200)
        on.far.answer(second, 200, body=offer())
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("NOTIFY"), 200)
        assert call.state is CallState.TALKING
        on.far.send(on.from_far("BYE", invite, 102))
        await on.far.response(200, "BYE")
        assert states(*on.phone.calls) == ["talking"]

    play(story)


def test_a_call_whose_place_is_taken_is_not_held() -> None:
    """RFC 3891 section 3: it is ended."""

    async def story(on: Play) -> None:
        first, call = await on.talking()
        request = on.far.invite(call_id="in-2")
        tags = f";to-tag={first.from_tag};from-tag=far-tag"
        request.headers.add("Replaces", f"{first.call_id}{tags}")
        on.far.send(request)
        response = await on.far.response(200, "INVITE")
        bye = await on.far.heard("BYE")
        assert bye.call_id == first.call_id
        on.far.answer(bye, 200)
        on.far.send(on.far.ack(request, response))
        await call.over()
        await on.far.nothing()
        assert states(*on.phone.calls) == ["talking"]

    play(story)


def test_the_users_of_the_lab_have_a_phone_each() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        new = on.phone.dial("1003")
        await on.far.accept_invite()
        await new.settled()
        await on.far.nothing()
        assert states(call, new) == ["talking", "talking"]

    play(story, PhoneOptions(any_user=True))


# -- answering by itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [1, 2])
def test_no_call_is_answered_by_itself_beside_another_one(line: int) -> None:
    """``account.X.auto_answer``: the first call only, whichever line the other one is on."""

    async def story(stage: Stage) -> None:
        one = await dialled(stage)
        await stage.phone.register(line)
        two = await call_in(stage.lab, stage.phone, line, caller="1005")
        await asyncio.sleep(5)
        assert states(one, two) == ["talking", "ringing"]

    play_on_stage(story, TWO_LINES | {f"account.{line}.auto_answer": "1"})
