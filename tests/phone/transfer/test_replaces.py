"""An INVITE takes the place of a call of this phone, and the other way round (RFC 3891 section 3)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

import pytest

from phone_emulator.events import Address, CallState
from phone_emulator.phone import Call, CallError
from phone_emulator.phone.transfer.replaces import pick_up
from phone_emulator.phone.wire.dialog_info import DialogState
from phone_emulator.sip.message import Request
from phone_emulator.world.base import WorldError
from tests.lab.peers import PHONE, Peer, ack_to
from tests.phone.far_end import Play, offer, play


def replacing(on: Play, *values: str, body: bytes | None = None, join: str = "") -> Request:
    """An INVITE of somebody else that is to take a call's place, not sent yet."""
    extra = [("Replaces", value) for value in values]
    if join:
        extra.append(("Join", join))
    return on.far.invite(call_id="in-2", extra=extra, body=body)


def meaning(invite: Request, early: str = "") -> str:
    """The Replaces of the dialog that the phone's *invite* made: the phone's own tag is its to-tag."""
    return f"{invite.call_id};to-tag={invite.from_tag};from-tag=far-tag{early}"


def newest(on: Play) -> Call:
    return on.phone.calls[-1]


@pytest.mark.parametrize("held", [False, True])
def test_it_takes_the_place_of_a_call_that_is_up(held: bool) -> None:
    async def story(on: Play) -> None:
        first, old = await on.talking()
        if held:
            holding = asyncio.create_task(old.hold())
            on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
            await on.far.heard("ACK")
            await holding
        invite = replacing(on, meaning(first))
        on.far.send(invite)
        bye_or_200 = [await on.far.hear(), await on.far.hear()]
        [bye] = [each for each in bye_or_200 if isinstance(each, Request)]
        [accepted] = [each for each in bye_or_200 if not isinstance(each, Request)]
        assert (bye.method, bye.call_id) == ("BYE", first.call_id)
        assert accepted.to_bytes().startswith(b"SIP/2.0 200 OK")  # and no 180 before it
        on.far.answer(bye, 200)
        on.far.send(on.far.ack(invite, accepted))  # type: ignore[arg-type]
        await on.rest()
        [new] = on.phone.calls
        assert (new.state, new.remote) == (CallState.TALKING, "1002")
        assert old.state is CallState.ENDED
        assert "ended: 1002 took the place of 1002" in on.states

    play(story)


@pytest.mark.parametrize(("answer", "then"), [(offer(), CallState.ENDED), (b"", CallState.TALKING)])
def test_a_late_offer_takes_the_place_when_it_is_answered(answer: bytes, then: CallState) -> None:
    """Where its ACK brings nothing that can be said, the call that was there stays."""

    async def story(on: Play) -> None:
        first, old = await on.talking()
        invite = replacing(on, meaning(first), body=b"")
        on.far.send(invite)
        ack = on.far.ack(invite, await on.far.response(200, "INVITE"), answer)
        ack.headers.add("Content-Type", "application/sdp")
        assert old.state is CallState.TALKING
        on.far.send(ack)
        bye = await on.far.heard("BYE")
        assert bye.call_id == ("in-2" if then is CallState.TALKING else first.call_id)
        on.far.answer(bye, 200)
        await on.rest()
        assert old.state is then

    play(story)


def test_the_call_that_came_in_can_be_replaced_too() -> None:
    async def story(on: Play) -> None:
        first, response, old = await on.taken()
        own = response.to_tag
        invite = replacing(on, f"in-1;to-tag={own};from-tag=from-1")
        on.far.send(invite)
        heard = [await on.far.hear(), await on.far.hear()]
        assert sorted(each.cseq.method for each in heard) == ["BYE", "INVITE"]
        assert old.state in (CallState.ENDING, CallState.ENDED)
        assert first.call_id == "in-1"
        await newest(on).abandon()

    play(story)


def test_it_takes_the_place_of_a_call_that_rings_at_the_far_end() -> None:
    # As in a pick-up: whoever answers elsewhere comes to the caller with Replaces.
    async def story(on: Play) -> None:
        old = on.phone.dial("1002")
        first = await on.far.heard("INVITE")
        on.far.answer(first, 180)
        await on.rest()
        on.far.send(replacing(on, meaning(first, ";early-only")))
        heard = [await on.far.hear(), await on.far.hear()]
        assert sorted(each.cseq.method for each in heard) == ["CANCEL", "INVITE"]
        on.far.answer(first, 487)
        await on.far.heard("ACK")
        await on.rest()
        assert old.state is CallState.ENDED
        assert newest(on).state is CallState.TALKING
        await newest(on).abandon()

    play(story)


def test_dnd_does_not_keep_it_away() -> None:
    async def story(on: Play) -> None:
        first, _ = await on.talking()
        on.far.send(replacing(on, meaning(first)))
        await on.far.response(200, "INVITE")
        await newest(on).abandon()

    play(story, account__1__dnd__enable=1, call_waiting__enable=0)


def test_a_call_that_was_answered_is_not_ringing_any_more() -> None:
    async def story(on: Play) -> None:
        first, old = await on.talking()
        on.far.send(replacing(on, meaning(first, ";early-only")))
        await on.far.response(486, "INVITE")
        assert old.state is CallState.TALKING
        assert on.ignored == ["the call to be replaced was answered already"]

    play(story)


def test_a_call_that_is_over() -> None:
    async def story(on: Play) -> None:
        first, old = await on.talking()
        on.far.send(on.from_far("BYE", first))
        await on.far.response(200, "BYE")
        assert old.state is CallState.ENDED
        on.far.send(replacing(on, meaning(first)))
        await on.far.response(603, "INVITE")
        assert on.phone.calls == []

    play(story)


def test_a_call_that_is_about_to_end() -> None:
    async def story(on: Play) -> None:
        first, old = await on.talking()
        ending = asyncio.create_task(old.hang_up())
        bye = await on.far.heard("BYE")
        on.far.send(replacing(on, meaning(first)))
        await on.far.response(603, "INVITE")
        on.far.answer(bye, 200)
        await ending

    play(story)


def test_a_call_that_rings_here_is_its_callers_to_replace() -> None:
    async def story(on: Play) -> None:
        _, response, old = await on.ringing()
        on.far.send(replacing(on, f"in-1;to-tag={response.to_tag};from-tag=from-1"))
        await on.far.response(481, "INVITE")
        assert old.state is CallState.RINGING

    play(story)


@pytest.mark.parametrize(
    "value",
    [
        "nobody@nowhere;to-tag=1;from-tag=2",
        "{call};to-tag=1;from-tag=far-tag",
        "{call};to-tag={tag};from-tag=1",
    ],
)
def test_no_such_call(value: str) -> None:
    async def story(on: Play) -> None:
        first, old = await on.talking()
        on.far.send(replacing(on, value.format(call=first.call_id, tag=first.from_tag)))
        await on.far.response(481, "INVITE")
        assert old.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize(
    ("values", "join"),
    [
        (["a;to-tag=1;from-tag=2", "b;to-tag=1;from-tag=2"], ""),
        (["a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2"], ""),
        (["a;to-tag=1;from-tag=2"], "a;to-tag=1;from-tag=2"),
        (["nonsense"], ""),
    ],
)
def test_a_replaces_that_makes_no_sense(values: list[str], join: str) -> None:
    async def story(on: Play) -> None:
        on.far.send(replacing(on, *values, join=join))
        await on.far.response(400, "INVITE")

    play(story)


def test_replaces_makes_sense_in_an_invite_only() -> None:
    async def story(on: Play) -> None:
        extra = [("Replaces", "a;to-tag=1;from-tag=2")]
        on.far.send(on.far.make("OPTIONS", "sip:1001@192.168.1.21", extra=extra))
        await on.far.response(400, "OPTIONS")
        assert on.ignored == ["Replaces makes sense in an INVITE only"]

    play(story)


def test_without_a_common_codec_the_old_call_goes_on() -> None:
    async def story(on: Play) -> None:
        first, old = await on.talking()
        body = offer().replace(b"RTP/AVP 0", b"RTP/AVP 3").replace(b"0 PCMU", b"3 GSM")
        invite = replacing(on, meaning(first), body=body)
        on.far.send(invite)
        on.far.send(ack_to(invite, await on.far.response(488, "INVITE")))
        await on.far.nothing(1)
        assert old.state is CallState.TALKING

    play(story)


ELSEWHERE = DialogState(
    id="1",
    phase="early",
    incoming=True,
    call_id="c@d",
    local_tag="theirs",
    remote_tag="callers",
    remote="sip:1005@192.168.1.13",
)


def test_picking_up_a_call_that_rings_elsewhere() -> None:
    async def story(on: Play) -> None:
        call = pick_up(on.phone.line().seat, ELSEWHERE, on.phone.dial)
        invite = await on.far.heard("INVITE")
        # To the caller, whose own tag is the remote one of whoever it rings at.
        assert invite.uri == "sip:1005@192.168.1.13"
        assert invite.headers.get("Replaces") == "c@d;to-tag=callers;from-tag=theirs;early-only"
        on.far.answer(invite, 481)
        await on.far.heard("ACK")
        await call.settled()
        assert call.status == 481

    play(story, account__1__dialoginfo_callpickup=1)


@pytest.mark.parametrize(
    ("allowed", "dialog", "why"),
    [
        (0, ELSEWHERE, "dialoginfo_callpickup = 0"),
        (1, dataclasses.replace(ELSEWHERE, remote_tag=""), "does not tell enough"),
    ],
)
def test_a_call_that_cannot_be_picked_up(allowed: int, dialog: DialogState, why: str) -> None:
    async def story(on: Play) -> None:
        with pytest.raises(CallError, match=why):
            pick_up(on.phone.line().seat, dialog, on.phone.dial)

    play(story, account__1__dialoginfo_callpickup=allowed)


def test_what_a_server_tells_cannot_add_headers() -> None:
    async def story(on: Play) -> None:
        hostile = dataclasses.replace(ELSEWHERE, call_id="c@d\r\nDiversion: <sip:x@y>")
        with pytest.raises(CallError, match="cannot be used to pick it up"):
            pick_up(on.phone.line().seat, hostile, on.phone.dial)

    play(story, account__1__dialoginfo_callpickup=1)


def test_the_old_call_goes_on_where_the_new_one_cannot_be_answered() -> None:
    async def story(on: Play) -> None:
        first, old = await on.talking()
        for port in range(11780, 11800, 2):
            with contextlib.suppress(WorldError):  # one is the old call's
                await Peer(on.world).bind(Address(PHONE.host, port))
        invite = replacing(on, meaning(first))
        on.far.send(invite)
        on.far.send(ack_to(invite, await on.far.response(500, "INVITE")))
        await on.far.nothing(1)
        assert old.state is CallState.TALKING
        assert on.phone.calls == [old]

    play(story, static__network__port__max_rtpport=11798)
