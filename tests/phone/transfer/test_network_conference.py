"""A conference at a server: INVITE to ``account.X.conf_uri``, then a REFER in each call (RFC 4579)."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from phone_emulator.phone import Call, CallError, CallResult
from phone_emulator.sip.message import Request
from tests.phone.far_end import Play, lines, offer, play
from tests.phone.stage import Stage
from tests.phone.stage import play as play_on_stage

with_a_conference = partial(play, account__1__conf_type=2, account__1__conf_uri="conf@192.168.1.13")
FOCUS = "sip:room-7@192.168.1.13"


async def two_calls(on: Play) -> tuple[list[Request], list[Call]]:
    """The phone talks in one call and holds the other: their INVITEs."""
    first, one = await on.talking()
    other = on.phone.dial("1003")
    second = await on.second_call()
    on.far.answer(second, 200, body=offer(), tag="other-tag")
    await on.far.heard("ACK")
    return [first, second], [one, other]


async def conference_called(on: Play, contact: str) -> Request:
    """The phone holds the call that talks and calls the conference, which answers: that INVITE."""
    invite = await on.second_call()
    on.far.answer(invite, 200, body=offer(), tag="conference-tag", extra=[("Contact", contact)])
    await on.far.heard("ACK")
    return invite


async def referred(on: Play, invites: list[Request], status: int = 200) -> list[str]:
    """Both far ends are sent somewhere, get there and are left: where to."""
    where = []
    for refer in [await on.far.heard("REFER") for _ in invites]:
        [invite] = [each for each in invites if each.call_id == refer.call_id]
        where.append(refer.headers.get("Refer-To") or "")
        on.far.answer(refer, 202)
        tag = "far-tag" if invite is invites[0] else "other-tag"
        notify = on.from_far("NOTIFY", invite, 102 + invites.index(invite), tag=tag)
        for name, said in (
            ("Event", "refer"),
            ("Subscription-State", "terminated;reason=noresource"),
            ("Content-Type", "message/sipfrag"),
        ):
            notify.headers.add(name, said)
        notify.body = b"SIP/2.0 %d x" % status
        on.far.send(notify)
        await on.far.response(200, "NOTIFY")
        if status < 300:
            on.far.answer(await on.far.heard("BYE"), 200)
    return where


@pytest.mark.parametrize(
    ("contact", "named"),
    [(f"<{FOCUS}>;isfocus", f"<{FOCUS}>"), (f"<{FOCUS}>", "<sip:conf@192.168.1.13>")],
)
def test_both_far_ends_are_sent_into_it(contact: str, named: str) -> None:
    """``account.X.conf_type``, ``account.X.conf_uri``: named as its focus says, else as it is dialled."""

    async def story(on: Play) -> None:
        invites, calls = await two_calls(on)
        conferring = asyncio.ensure_future(on.phone.confer(calls[1], calls[0]))
        invite = await conference_called(on, contact)
        assert invite.uri.startswith("sip:conf@192.168.1.13")
        assert [
            each.partition(";")[0].replace(":5060", "").rstrip(">") for each in await referred(on, invites)
        ] == [named.rstrip(">")] * 2
        placed = await conferring
        assert [call.state for call in calls] == ["ended", "ended"]
        assert on.phone.calls == [placed]
        assert placed is not None
        assert placed.state == "talking"

    with_a_conference(story)


def test_a_further_call_is_sent_into_the_same_one() -> None:
    async def story(on: Play) -> None:
        invites, calls = await two_calls(on)
        calls[0].session.focus = FOCUS
        conferring = asyncio.ensure_future(on.phone.confer(calls[1], calls[0]))
        hold = await on.far.heard("INVITE")
        assert (hold.call_id, lines(hold.body, "a=send")) == (invites[1].call_id, ["a=sendonly"])
        on.far.answer(hold, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        refer = await on.far.heard("REFER")
        assert (refer.call_id, refer.headers.get("Refer-To")) == (invites[1].call_id, f"<{FOCUS}>")
        on.far.answer(refer, 403)
        back = await on.far.heard("INVITE")
        on.far.answer(back, 200, body=offer())
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="refused the transfer: 403"):
            await conferring

    with_a_conference(story)


def test_a_far_end_that_does_not_get_there_stays_on_hold() -> None:
    async def story(on: Play) -> None:
        invites, calls = await two_calls(on)
        conferring = asyncio.ensure_future(on.phone.confer(calls[1], calls[0]))
        await conference_called(on, f"<{FOCUS}>;isfocus")
        await referred(on, invites, status=486)
        with pytest.raises(CallError, match="could not be reached: 486"):
            await conferring
        assert [call.state for call in calls] == ["held", "held"]
        assert on.phone.calls[-1].state == "talking"

    with_a_conference(story)


def test_a_conference_that_does_not_answer_leaves_the_calls_as_they_were() -> None:
    async def story(on: Play) -> None:
        _, calls = await two_calls(on)
        conferring = asyncio.ensure_future(on.phone.confer(calls[1], calls[0]))
        invite = await on.second_call()
        on.far.answer(invite, 404)
        await on.far.heard("ACK")
        back = await on.far.heard("INVITE")
        on.far.answer(back, 200, body=offer())
        await on.far.heard("ACK")
        with pytest.raises(CallError, match=r"conf@192\.168\.1\.13 could not be reached: answered 404"):
            await conferring
        assert [call.state for call in calls] == ["held", "talking"]

    with_a_conference(story)


def test_without_a_name_nothing_is_called() -> None:
    async def story(on: Play) -> None:
        _, calls = await two_calls(on)
        with pytest.raises(CallError, match=r"account\.1\.conf_type = 2, but account\.1\.conf_uri names no"):
            await on.phone.confer(calls[1], calls[0])
        await on.far.nothing()

    play(story, account__1__conf_type=2)


def test_with_the_lab() -> None:
    """Both called users call the conference through their server, and talk there."""

    async def story(stage: Stage) -> None:
        calls: list[Call] = []
        for number in ("1002", "1003"):
            call = stage.phone.dial(number)
            assert await call.settled() is CallResult.ANSWERED
            await stage.phone.floor.quiet()
            calls.append(call)
        placed = await stage.phone.confer(*calls)
        assert placed is not None
        assert [call.state for call in (*calls, placed)] == ["ended", "ended", "talking"]
        assert [call.transferred_to for call in calls] == ["777", "777"]

    play_on_stage(story, {"account.1.conf_type": "2", "account.1.conf_uri": "777"})
