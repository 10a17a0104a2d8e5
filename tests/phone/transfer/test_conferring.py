"""The conference key, Split and End Call: what the phone makes of its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from phone_emulator.events import CallState, ConferenceChanged
from phone_emulator.phone import Call, CallError, CallResult, Phone
from phone_emulator.phone.transfer.transfer import transfer_blind
from phone_emulator.sip.message import Request
from phone_emulator.sip.refer import parse_replaces
from tests.phone.far_end import Play, offer
from tests.phone.far_end import play as play_with_far_end
from tests.phone.stage import Stage, play


def states(*calls: Call) -> list[str]:
    return [str(call.state) for call in calls]


async def dialled(phone: Phone, *numbers: str) -> list[Call]:
    calls: list[Call] = []
    for number in numbers:
        call = phone.dial(number)
        assert await call.settled() is CallResult.ANSWERED
        await phone.floor.quiet()
        calls.append(call)
    return calls


def conferences(events: Iterator[object] | list[Any]) -> list[str]:
    return [event.reason for event in events if isinstance(event, ConferenceChanged)]


def test_the_call_in_hand_and_the_newest_other_one_talk_together() -> None:
    async def story(stage: Stage) -> None:
        first, second, third = await dialled(stage.phone, "1002", "1003", "1004")
        await stage.phone.confer(third)
        assert states(first, second, third) == ["held", "talking", "talking"]
        await stage.phone.split(second)
        assert states(first, second, third) == ["held", "held", "held"]
        await stage.phone.confer(first, third)
        assert states(first, second, third) == ["talking", "held", "talking"]

    play(story)


def test_what_cannot_be() -> None:
    async def story(stage: Stage) -> None:
        [first] = await dialled(stage.phone, "1002")
        with pytest.raises(CallError, match="no other call to talk together with"):
            await stage.phone.confer(first)
        with pytest.raises(CallError, match="no other call to talk together with"):
            await stage.phone.confer(first, first)
        with pytest.raises(CallError, match="call-1 is in no conference"):
            await stage.phone.split(first)
        second, third = await dialled(stage.phone, "1003", "1004")
        await stage.phone.confer(first, second)
        with pytest.raises(CallError, match="a conference has 2 calls at most"):
            await stage.phone.confer(third, first)

    play(story)


def test_without_local_conferences_nothing_is_mixed() -> None:
    async def story(stage: Stage) -> None:
        first, second = await dialled(stage.phone, "1002", "1003")
        with pytest.raises(CallError, match=r"features\.conference\.local\.enable = 0"):
            await stage.phone.confer(second, first)
        assert states(first, second) == ["held", "talking"]

    play(story, {"features.conference.local.enable": "0"})


def test_a_call_of_a_conference_is_not_transferred() -> None:
    async def story(stage: Stage) -> None:
        first, second = await dialled(stage.phone, "1002", "1003")
        await stage.phone.confer(first, second)
        with pytest.raises(CallError, match="in a conference: split it first"):
            await transfer_blind(first, "1004")

    play(story)


@pytest.mark.parametrize("which", [0, 1])
def test_the_phone_that_leaves_ends_all(which: int) -> None:
    async def story(stage: Stage) -> None:
        calls = await dialled(stage.phone, "1002", "1003")
        await stage.phone.confer(*calls)
        stage.mark()
        await stage.phone.hang_up(calls[which])
        assert states(*calls) == ["ended", "ended"]
        assert len(stage.requests("BYE")) == 2
        assert stage.requests("REFER") == []
        assert conferences(stage.events) == ["this phone leaves: the calls end"]

    play(story)


def test_a_call_outside_of_conferences_ends_alone() -> None:
    async def story(stage: Stage) -> None:
        calls = await dialled(stage.phone, "1002", "1003", "1004")
        await stage.phone.confer(calls[0], calls[1])
        await stage.phone.hang_up(calls[2])
        assert states(*calls) == ["talking", "talking", "ended"]

    play(story)


async def _joined_by_the_phone(on: Play) -> tuple[list[Request], list[Call]]:
    """Two calls to the far end in a conference, which the phone is about to leave: their INVITEs."""
    first_invite, first = await on.talking()
    second = on.phone.dial("1003")
    second_invite = await on.second_call()
    on.far.answer(second_invite, 200, body=offer(), tag="other-tag")
    await on.far.heard("ACK")
    joining = asyncio.ensure_future(on.phone.confer(first, second))
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
    await on.far.heard("ACK")
    await joining
    return [first_invite, second_invite], [first, second]


@pytest.mark.parametrize("works", [True, False])
def test_the_others_are_joined_where_the_cfg_says_so(works: bool) -> None:
    """``transfer.tran_others_after_conf_enable``: REFER with Replaces, and all end where that is refused."""

    async def story(on: Play) -> None:
        invites, calls = await _joined_by_the_phone(on)
        leaving = asyncio.ensure_future(on.phone.hang_up(calls[0]))
        hold = await on.far.heard("INVITE")
        on.far.answer(hold, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        refer = await on.far.heard("REFER")
        referred, other = (invites[0], invites[1]) if refer.call_id == invites[0].call_id else invites[::-1]
        value = (refer.headers.get("Refer-To") or "").partition("Replaces=")[2].rstrip(">")
        replaces = parse_replaces(unquote(value))
        assert replaces.call_id == other.call_id
        on.far.answer(refer, 202 if works else 403)
        if works:
            notify = on.from_far("NOTIFY", referred, 102, tag=_tag(referred, invites))
            for name, said in (
                ("Event", "refer"),
                ("Subscription-State", "terminated;reason=noresource"),
                ("Content-Type", "message/sipfrag"),
            ):
                notify.headers.add(name, said)
            notify.body = b"SIP/2.0 200 OK"
            on.far.send(notify)
            await on.far.response(200, "NOTIFY")
        ended = set[str]()
        while len(ended) < 2:
            request = await on.far.request()
            if request.method == "BYE":
                ended.add(request.call_id)
            if request.method != "ACK":  # a transfer that fails takes the held call back before it ends
                on.far.answer(request, 200, body=offer() if request.method == "INVITE" else b"")
        await leaving
        assert states(*calls) == ["ended", "ended"]
        assert conferences(on.events)[-1] == "this phone leaves: the others are joined"

    play_with_far_end(story, transfer__tran_others_after_conf_enable=1)


def _tag(referred: Request, invites: list[Request]) -> str:
    return "far-tag" if referred is invites[0] else "other-tag"


def test_a_conference_that_is_interrupted_by_the_end_of_the_phone() -> None:
    async def story(stage: Stage) -> None:
        calls = await dialled(stage.phone, "1002", "1003")
        await stage.phone.confer(*calls)
        await stage.phone.stop(unregister=False)
        assert all(call.state is CallState.ENDED for call in calls)

    play(story)
