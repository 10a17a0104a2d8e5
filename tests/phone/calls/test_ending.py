"""How a call ended: who ended it, with which message, and whether that was answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallChanged, CallState, Ended, Outcome, Transport
from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import silence
from phone_emulator.phone import Call, CallError, CallResult, OutgoingCall
from phone_emulator.sip.message import Request
from tests.phone.far_end import Play, offer, play
from tests.phone.stage import Answer, Stage, server_1
from tests.phone.stage import play as play_on_stage

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


def end_of(call: Call) -> Ended:
    assert call.end is not None
    return call.end


def told(call: Call) -> tuple[str, str | None, bool | None]:
    end = end_of(call)
    return str(end.by), end.method, end.answered


def with_reason(request: Request, *reasons: str) -> Request:
    for reason in reasons:
        request.headers.add("Reason", reason)
    return request


def last_told(on: Play) -> CallChanged:
    return [event for event in on.events if isinstance(event, CallChanged)][-1]


# -- by us ---------------------------------------------------------------------------------------------------


def test_this_phone_hangs_up() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        assert call.end is None
        await asyncio.sleep(2)
        hanging_up = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert end_of(call).answered is None
        await asyncio.sleep(0.3)
        on.far.answer(bye, 200)
        await hanging_up
        assert told(call) == ("us", "BYE", True)
        assert end_of(call).detail == "hung up"
        assert round(end_of(call).at, 3) == 2.0  # when the BYE left, not when it was answered
        assert last_told(on).ended is call.end

    play(story)


@pytest.mark.parametrize("hears", [True, False])
def test_nothing_is_said_or_heard_after_the_bye_has_left(hears: bool) -> None:
    """RFC 3261 section 15.1.1: not even where the BYE draws no answer, for 32 s."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        audio = call.voice.audio
        assert audio is not None
        audio.play(Sound(8000, silence(60_000)))
        await asyncio.sleep(2)
        hanging_up = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert call.voice.audio is None
        numbers = call.voice.numbers
        assert numbers is not None
        assert numbers.sent.packets == 100
        if hears:
            on.far.answer(bye, 200)
        await hanging_up
        assert call.voice.numbers == numbers

    play(story)


def test_a_bye_that_nobody_answers() -> None:
    """RFC 3261 section 15.1.1: no response ends the call all the same."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        await asyncio.sleep(2)
        hanging_up = asyncio.create_task(call.hang_up())
        await on.far.heard("BYE")
        await hanging_up
        assert told(call) == ("us", "BYE", False)
        assert end_of(call).detail == (
            "hung up; the BYE was not answered: no response within 64*T1 = 32.0 s; "
            "the far end was last heard at 0.0 s"
        )
        assert call.result is CallResult.ANSWERED  # as it was: only its end went unheard
        assert last_told(on).reason == end_of(call).detail

    play(story)


@pytest.mark.parametrize(
    ("status", "answered", "detail"),
    [
        (200, True, "hung up"),
        (481, True, "hung up"),  # it is over there
        (403, True, "hung up; the BYE was refused: 403 Forbidden"),
        (500, True, "hung up; the BYE was refused: 500 Server Internal Error"),
        (
            408,
            False,
            "hung up; the BYE was not answered: a server on the way answered 408 Request Timeout; "
            "the far end was last heard at 0.0 s",
        ),
    ],
)
def test_what_the_bye_is_answered(status: int, answered: bool, detail: str) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        hanging_up = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), status)
        await hanging_up
        assert told(call) == ("us", "BYE", answered)
        assert end_of(call).detail == detail

    play(story)


def test_an_incoming_call_that_this_phone_ends() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.taken()
        hanging_up = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await hanging_up
        assert told(call) == ("us", "BYE", True)
        assert not call.missed

    play(story)


def test_a_cancelled_call() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await call.hang_up()
        cancel = await on.far.heard("CANCEL")
        assert told(call) == ("us", "CANCEL", None)
        on.far.answer(cancel, 200)
        on.far.answer(invite, 487)
        await on.far.heard("ACK")
        await call.over()
        assert told(call) == ("us", "CANCEL", True)

    play(story)


def test_a_call_that_is_given_up_before_any_response() -> None:
    """No CANCEL may be sent before a 1xx (RFC 3261 section 9.1)."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        await on.far.heard("INVITE")
        await call.hang_up()
        await call.over()
        assert told(call) == ("us", None, None)

    play(story)


def test_an_answer_that_crosses_the_cancel() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await call.hang_up()
        await on.far.heard("CANCEL")
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert told(call) == ("us", "BYE", True)
        assert call.result is CallResult.CANCELLED

    play(story)


def test_a_second_hang_up_takes_nothing_back() -> None:
    """The BYE to an answer that has crossed the CANCEL is waited for all the same."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await call.hang_up()
        await on.far.heard("CANCEL")
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        bye = await on.far.heard("BYE")
        await call.hang_up("once more")
        assert call.state is CallState.ENDING
        on.far.answer(bye, 200)
        await call.over()
        assert (told(call), end_of(call).detail) == (("us", "BYE", True), "hung up by the user")

    play(story)


def test_an_answer_that_cannot_be_used() -> None:
    """It is acknowledged, and ended with a BYE (RFC 3261 section 13.2.2.4)."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer(), extra=[("Contact", "<sip:[odd>")])
        await on.far.heard("ACK")
        bye = await on.far.heard("BYE")
        await call.over()
        assert (call.result, told(call)) == (CallResult.FAILED, ("us", "BYE", None))
        on.far.answer(bye, 200)
        await on.rest()
        assert told(call) == ("us", "BYE", True)

    play(story)


def test_a_call_that_this_phone_refuses() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        call.reject()
        await on.far.response(486)
        assert told(call) == ("us", None, None)
        assert end_of(call).detail == "rejected by this phone"
        assert not call.missed

    play(story)


# -- by them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outgoing", [True, False])
@pytest.mark.parametrize(
    ("reasons", "detail"),
    [
        ([], "the far end hung up"),
        (['Q.850;cause=16;text="Normal"'], 'the far end hung up: Q.850 16 "Normal"'),
        (["Q.850;cause=31", "SIP;cause=503"], "the far end hung up: Q.850 31, SIP 503"),
        (["nonsense nonsense"], "the far end hung up"),
    ],
)
def test_the_far_end_hangs_up(outgoing: bool, reasons: list[str], detail: str) -> None:
    """Its Reason is told (RFC 3326)."""

    async def story(on: Play) -> None:
        call: Call
        if outgoing:
            invite, call = await on.talking()
            bye = on.from_far("BYE", invite)
        else:
            invite, response, call = await on.taken()
            own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
            bye = on.far.inside("BYE", invite.call_id, own, phone)
        await asyncio.sleep(3)
        on.far.send(with_reason(bye, *reasons))
        await on.far.response(200, "BYE")
        assert told(call) == ("them", "BYE", True)
        assert end_of(call).detail == last_told(on).reason == detail
        assert call.result is CallResult.ANSWERED
        assert not call.missed

    play(story)


def test_both_ends_hang_up_at_once() -> None:
    """Whoever was first for this phone has ended the call."""

    async def story(on: Play) -> None:
        invite, call = await on.talking()
        hanging_up = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        on.far.send(on.from_far("BYE", invite))
        await on.far.response(200, "BYE")
        assert call.state is CallState.ENDED
        on.far.answer(bye, 481)
        await hanging_up
        assert told(call) == ("us", "BYE", True)

    play(story)


def test_a_refused_call_tells_why() -> None:
    """Reason in a response (RFC 3326 section 2)."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 486, extra=[("Reason", 'Q.850;cause=17;text="User busy"')])
        await on.far.heard("ACK")
        await call.over()
        assert told(call) == ("them", None, None)
        assert end_of(call).reason == 'Q.850 17 "User busy"'
        said = 'answered 486 Busy Here (Q.850 17 "User busy"): an answer, no other server is tried'
        assert call.route[0].detail == call.reason == end_of(call).detail == said

    play(story)


@pytest.mark.parametrize(
    ("reasons", "missed", "reason"),
    [
        ([], True, "the caller hung up"),
        (["SIP;cause=487"], True, "the caller hung up: SIP 487"),
        (
            [ELSEWHERE],
            False,
            'the caller hung up: answered elsewhere, SIP 200 "Call completed elsewhere"',
        ),
        (["Q.850;cause=26"], False, "the caller hung up: answered elsewhere, Q.850 26"),
        (
            ["Q.850;cause=16", "SIP;cause=200"],
            False,
            "the caller hung up: answered elsewhere, Q.850 16, SIP 200",
        ),
    ],
)
@pytest.mark.parametrize("method", ["CANCEL", "BYE"])
def test_a_call_that_somebody_else_took_is_none_that_was_missed(
    method: str, reasons: list[str], missed: bool, reason: str
) -> None:
    """RFC 3326 section 3.1: a forking proxy cancels the other branches with "call completed elsewhere"."""

    async def story(on: Play) -> None:
        invite, response, call = await on.ringing()
        if method == "CANCEL":
            ending = on.far.make("CANCEL", invite.uri, call_id=invite.call_id, user="1002")
            ending.headers.set("Via", invite.headers.get("Via") or "")
            for name in ("From", "To"):
                ending.headers.set(name, invite.headers.get(name) or "")
            ending.headers.set("CSeq", f"{invite.cseq.number} CANCEL")
        else:
            own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
            ending = on.far.inside("BYE", invite.call_id, own, phone)
        on.far.send(with_reason(ending, *reasons))
        await on.far.response(200, method)
        await on.far.response(487, "INVITE")
        assert told(call) == ("them", method, True)
        assert call.result is CallResult.CANCELLED
        assert (call.missed, call.reason) == (missed, reason)
        assert (last_told(on).missed, last_told(on).reason) == (missed, reason)
        assert end_of(call).elsewhere is not missed

    play(story)


# -- by time -------------------------------------------------------------------------------------------------


def test_a_call_that_nobody_picks_up_is_missed() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        await on.far.response(486)
        assert told(call) == ("timeout", None, None)
        assert call.missed

    play(story, phone_setting__ringing_timeout=30)


def test_a_call_that_is_forwarded_is_not_missed() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        await on.far.response(302)
        assert told(call) == ("us", None, None)
        assert not call.missed

    play(story, forward__no_answer__enable=1, forward__no_answer__target="1003")


def test_no_ack_within_its_time() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        call.answer()
        await call.over()
        assert told(call) == ("timeout", "BYE", False)
        assert end_of(call).detail.startswith("no ACK within 64*T1 = 32.0 s; the BYE was not answered")
        assert round(end_of(call).at, 1) == 32.0

    play(story)


@pytest.mark.parametrize(("status", "by"), [(0, "timeout"), (408, "timeout"), (481, "them")])
def test_a_request_finds_the_call_to_be_over(status: int, by: str) -> None:
    """RFC 3261 section 12.2.1.2."""

    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        with pytest.raises(CallError):
            await call.hold()
        await call.over()
        assert told(call) == (by, "BYE", True)

    script: dict[str, Any] = {
        "INVITE": [[Answer(0.0, 200)], [Answer(0.0, status)] if status else []],
        "BYE": [[Answer(0.0, 200)]],
    }
    play_on_stage(story, actors={"primary": script})


def test_a_session_that_is_not_refreshed() -> None:
    """RFC 4028 section 10: the far end is to refresh, and does not."""

    async def story(on: Play) -> None:
        extra = [("Session-Expires", "90;refresher=uas"), ("Require", "timer")]
        _, call = await on.talking(extra=extra)
        bye = await on.far.heard("BYE")
        on.far.answer(bye, 200)
        await call.over()
        assert told(call) == ("timeout", "BYE", True)

    play(story, account__1__session_timer__enable=1)


def test_a_far_end_that_rings_too_long() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        cancel = await on.far.heard("CANCEL")
        on.far.answer(cancel, 200)
        on.far.answer(invite, 487)
        await on.far.heard("ACK")
        await call.over()
        assert told(call) == ("timeout", "CANCEL", True)

    play(story, phone_setting__ringback_timeout=30)


@pytest.mark.parametrize("status", [300, 380, 486])
def test_a_redirection_that_leads_nowhere_is_a_refusal_too(status: int) -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        why = ("Reason", 'Q.850;cause=1;text="nobody here"')
        on.far.answer(await on.far.heard("INVITE"), status, extra=[why])
        await on.far.heard("ACK")
        await call.over()
        assert (call.result, call.status, told(call)) == (CallResult.REJECTED, status, ("them", None, None))
        assert "nobody here" in end_of(call).detail
        await on.far.nothing()

    play(story)


@pytest.mark.parametrize(
    ("behaviour", "by"), [("silent", "timeout"), ("503", "them"), ("refuse", "transport"), ("404", "them")]
)
def test_no_server_takes_the_call(behaviour: str, by: str) -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.over()
        assert told(call) == (by, None, None)

    play_on_stage(story, primary=behaviour, secondary=behaviour, fallback=behaviour)


# -- by the transport ----------------------------------------------------------------------------------------


def test_a_bye_that_cannot_be_sent() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        await stage.behave(primary="refuse")
        await asyncio.sleep(1)
        await call.hang_up()
        by, method, answered = told(call)
        assert (by, method, answered) == ("us", "BYE", False)
        assert "the BYE was not answered: " in end_of(call).detail

    for transport in (Transport.UDP, Transport.TCP):
        number = "0" if transport is Transport.UDP else "1"
        play_on_stage(story, server_1(transport_type=number))


# -- when the far end was last heard -------------------------------------------------------------------------


def test_when_the_far_end_was_last_heard() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        await asyncio.sleep(5)
        on.far.send(on.from_far("OPTIONS", invite))
        await on.far.response(200, "OPTIONS")
        await asyncio.sleep(5)
        hanging_up = asyncio.create_task(call.hang_up())
        await on.far.heard("BYE")
        await hanging_up
        assert round(end_of(call).last_heard or 0, 1) == 5.0
        assert end_of(call).detail.endswith("the far end was last heard at 5.0 s")

    play(story)


# -- the end of the phone ------------------------------------------------------------------------------------


def test_a_phone_that_stops_waits_a_little_for_the_answer_to_its_bye() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        stopping = asyncio.create_task(on.phone.stop(why="the scenario ended"))
        await on.far.heard("BYE")
        await stopping
        assert told(call) == ("us", "BYE", False)
        assert end_of(call).detail.startswith(
            "the scenario ended; the BYE was not answered: the phone did not wait for it any longer"
        )

    play(story)


def test_a_call_that_rings_here_when_the_phone_stops() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        stopping = asyncio.create_task(on.phone.stop(why="the scenario ended"))
        await on.far.response(480)
        await stopping
        assert (call.result, call.reason) == (CallResult.CANCELLED, "the scenario ended")
        assert told(call) == ("us", None, None)
        assert not call.missed

    play(story)


@pytest.mark.parametrize("rings", [True, False])
def test_a_call_that_rings_there_when_the_phone_stops(rings: bool) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        if rings:
            on.far.answer(invite, 180)
            await on.rest()
        stopping = asyncio.create_task(on.phone.stop(why="the scenario ended"))
        await on.rest()
        assert (call.result, call.reason) == (CallResult.CANCELLED, "the scenario ended")
        assert (str(call.route[-1].outcome), call.route[-1].detail) == ("cancelled", "the scenario ended")
        if rings:
            on.far.answer(await on.far.heard("CANCEL"), 200)
            on.far.answer(invite, 487)
        await stopping
        assert end_of(call).detail.startswith("the scenario ended")

    play(story)


def test_a_call_that_is_left_without_a_word_is_cancelled_here() -> None:
    # rule R16
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        await on.far.heard("INVITE")
        await call.abandon("the power has gone")
        (attempt,) = call.route
        assert (attempt.outcome, attempt.detail) == (Outcome.CANCELLED, "the power has gone")
        assert attempt.ended == on.world.now()

    play(story)


def test_a_cancelled_call_whose_end_never_comes() -> None:
    """RFC 3261 section 9.1: whoever cancels waits no longer than 64*T1 for the final response."""

    # rule C9
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await call.hang_up()
        on.far.answer(await on.far.heard("CANCEL"), 200)
        began = on.world.now()
        await call.over()
        assert round(on.world.now() - began, 3) == 32.0
        assert told(call) == ("us", "CANCEL", False)
        assert end_of(call).detail == (
            "hung up by the user; the CANCEL was not answered: no final response to the INVITE came either; "
            "the far end was last heard at 0.0 s"
        )

    play(story)


def test_a_bye_right_behind_an_answer_with_nothing_to_say() -> None:
    """The far end has gone by itself: it gets its ACK, and no BYE."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200)
        on.far.send(on.from_far("BYE", invite))
        await on.far.response(200, "BYE")
        await call.over()
        assert (call.result, call.status, call.answered_at) == (CallResult.FAILED, 200, None)
        assert call.reason == "the far end hung up, and has answered with nothing that could be said"
        assert told(call)[0] == "them"
        assert call.route[-1].detail == "200 OK"
        await asyncio.sleep(40)
        assert [at for at, message in on.sent("BYE") if isinstance(message, Request)] == []

    play(story)


# -- by a fault of the program -------------------------------------------------------------------------------


def test_a_fault_while_a_call_is_cancelled_ends_it_at_once() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await call.hang_up()
        on.far.answer(await on.far.heard("CANCEL"), 200)
        call.fault(LookupError("planted"))
        assert call.state is CallState.ENDED
        await call.over()
        assert call.result is CallResult.CANCELLED  # as it was: the user has hung up

    play(story)


def test_a_fault_before_a_call_is_dialled_ends_it_at_once() -> None:
    async def story(on: Play) -> None:
        line = on.phone.line(1)
        identity = on.phone.context.identity(line.account, line.account.servers[0])
        call = OutgoingCall(line, "c1", "1002", identity)
        call.fault(LookupError("planted"))
        await call.over()
        assert (call.state, call.result) == (CallState.ENDED, CallResult.FAILED)
        assert call.reason == "internal fault: LookupError: planted"

    play(story)
