"""A call is up only when sound can flow: answers are compared with their offers, wherever they arrive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallState, Outcome
from phone_emulator.media import rtp, tones
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call, CallError, CallResult
from phone_emulator.sip.message import Request, Response
from tests.lab.peers import SERVER, ack_to
from tests.phone.far_end import Play, lines, offer, play

ON: dict[str, Any] = {"account__1__100rel_enable": 1}
TWO: dict[str, Any] = {"account__1__codec__pcma__enable": 1, "account__1__codec__pcma__priority": 2}
"""PCMU and PCMA are offered."""
RELIABLY = [("Require", "100rel"), ("RSeq", "1")]
NOTHING = "a session description without a common codec: 18 (G.729)"


def of(formats: str, *attributes: str) -> bytes:
    """A description of the far end with these formats and attributes."""
    body = offer().replace(b"AVP 0\r\na=rtpmap:0 PCMU/8000\r\n", f"AVP {formats}\r\n".encode())
    return body + "".join(f"a={each}\r\n" for each in attributes).encode()


G729, PCMU = of("18"), of("0")


def spoken(call: Call) -> tuple[int, str] | None:
    """The number and the codec that the phone sends; None for nothing."""
    agreed = call.voice.agreed
    return None if agreed is None else (agreed.payload, agreed.codec.name)


async def ends(on: Play, call: Call) -> None:
    """The phone sends a BYE, and the call is over."""
    on.far.answer(await on.far.heard("BYE"), 200)
    await call.over()
    await on.far.nothing()


def came_to_nothing(on: Play, call: Call) -> None:
    """The server has answered, and the call has failed."""
    assert [attempt.outcome for attempt in call.route] == [Outcome.ANSWERED]
    assert f"with {NOTHING}" in call.route[-1].detail
    assert (call.result, call.status, call.via) == (CallResult.FAILED, 200, None)
    assert call.reason.startswith(f"answered with {NOTHING}")
    assert not [state for state in on.states if state.startswith("talking")]


# -- the first answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formats", "said"),
    [("0", (0, "pcmu")), ("101 0", (0, "pcmu")), ("3 0 101", (0, "pcmu")), ("4 8 0", (8, "pcma"))],
)
def test_the_first_common_format_is_spoken(formats: str, said: tuple[int, str]) -> None:
    """RFC 3264 section 7."""

    async def story(on: Play) -> None:
        _, call = await on.talking(body=of(formats, "rtpmap:101 telephone-event/8000"))
        assert spoken(call) == said
        assert (call.result, call.via) == (CallResult.ANSWERED, "primary")

    play(story, **TWO)


def test_every_agreed_format_is_heard() -> None:
    """The far end may go from one to the other without a word."""

    async def story(on: Play) -> None:
        _, call = await on.talking(body=of("0 8"))
        audio = call.voice.audio
        assert audio is not None
        audio.record(1.0)
        for number, payload in enumerate((0, 8, 18)):
            packet = rtp.Packet(payload, number, 160 * number, 7, b"\x55" * 160)
            audio.datagram_received(packet.pack(), SERVER)
        assert len(audio.recording.samples) == 2 * 160

    play(story, **TWO)


@pytest.mark.parametrize("rings", [(), (180,)])
@pytest.mark.parametrize("formats", ["18", "18 101", "18 97 3"])
def test_nothing_common_in_the_200(formats: str, rings: tuple[int, ...]) -> None:
    """ACK and BYE (RFC 3261 section 13.2.2.4)."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        for status in rings:
            on.far.answer(invite, status)
        on.far.answer(invite, 200, body=of(formats))
        await on.far.heard("ACK")
        await ends(on, call)
        came_to_nothing(on, call)

    play(story)


def test_nothing_common_after_a_failover_is_no_reason_to_go_on() -> None:
    """The server works: C3."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 200, body=G729)
        await on.far.heard("ACK")
        await ends(on, call)
        assert len(call.route) == 1

    play(story, account__1__sip_server__2__address="192.168.1.14")


def test_a_repeated_200_that_cannot_be_used_draws_its_ack_again() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=G729)
        await on.far.heard("ACK")
        bye = await on.far.heard("BYE")
        on.far.answer(invite, 200, body=G729)
        await on.far.heard("ACK")
        on.far.answer(bye, 200)
        await call.over()
        await on.far.nothing()

    play(story)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_an_offer_right_behind_makes_up_for_the_answer(method: str) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=G729)
        again = on.from_far(method, invite, body=PCMU)
        on.far.send(again)
        heard = [await on.far.hear(), await on.far.hear()]
        for message in heard:
            if isinstance(message, Response) and method == "INVITE":
                on.far.send(on.far.ack(again, message))
        await on.far.nothing()
        assert (call.state, call.result, spoken(call)) == (
            CallState.TALKING,
            CallResult.ANSWERED,
            (0, "pcmu"),
        )

    play(story)


def test_a_far_end_that_hangs_up_right_behind_an_answer_that_cannot_be_used() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=G729)
        on.far.send(on.from_far("BYE", invite))
        await on.far.response(200, "BYE")
        await call.over()
        assert (call.result, call.status, call.state) == (CallResult.FAILED, 200, CallState.ENDED)

    play(story)


@pytest.mark.parametrize(
    ("attributes", "far_held"),
    [((), False), (("sendonly",), True), (("inactive",), True), (("recvonly",), False)],
)
def test_a_call_that_is_held_from_the_first_is_up(attributes: tuple[str, ...], far_held: bool) -> None:
    """The formats are agreed: a re-INVITE will have the sound flow."""

    async def story(on: Play) -> None:
        body = of("0").replace(b"a=sendrecv\r\n", "".join(f"a={each}\r\n" for each in attributes).encode())
        _, call = await on.talking(body=body)
        assert (call.state, call.far_held) == (CallState.TALKING, far_held)

    play(story)


# -- before the answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [180, 183])
def test_a_plain_1xx_with_nothing_common_is_not_heard_and_the_200_counts(status: int) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, status, body=G729)
        await on.rest()
        assert (spoken(call), call.session.early) == (None, False)
        on.far.answer(invite, 200, body=PCMU)
        await on.far.heard("ACK")
        assert (call.state, spoken(call)) == (CallState.TALKING, (0, "pcmu"))

    play(story)


def test_a_1xx_with_nothing_common_and_a_200_without_description() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=G729)
        on.far.answer(invite, 200)
        await on.far.heard("ACK")
        await ends(on, call)
        came_to_nothing(on, call)

    play(story)


def test_a_reliable_1xx_with_nothing_common_is_the_answer() -> None:
    """RFC 3261 section 13.2.1: descriptions behind the first reliable one are passed over."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=G729, extra=RELIABLY)
        on.far.answer(await on.far.heard("PRACK"), 200)
        assert spoken(call) is None
        on.far.answer(invite, 200, body=PCMU)
        await on.far.heard("ACK")
        await ends(on, call)
        came_to_nothing(on, call)

    play(story, **ON)


def test_an_update_makes_up_for_a_reliable_1xx_with_nothing_common() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=G729, extra=RELIABLY)
        on.far.answer(await on.far.heard("PRACK"), 200)
        on.far.send(on.from_far("UPDATE", invite, body=PCMU))
        await on.far.response(200, "UPDATE")
        on.far.answer(invite, 200)
        await on.far.heard("ACK")
        assert (call.state, spoken(call)) == (CallState.TALKING, (0, "pcmu"))

    play(story, **ON)


# -- answers to the called phone -----------------------------------------------------------------------------


def test_nothing_common_in_the_ack() -> None:
    """A late offer: the call was answered here, and has failed all the same."""

    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(body=b"")
        call.answer()
        ack = on.far.ack(invite, await on.far.response(200), G729)
        ack.headers.add("Content-Type", "application/sdp")
        assert not call.result
        on.far.send(ack)
        await ends(on, call)
        assert (call.result, call.status) == (CallResult.FAILED, 200)
        assert call.reason.startswith(f"the ACK answers this phone's offer with {NOTHING}")

    play(story)


def test_a_late_offer_is_answered_whatever_comes_right_behind_its_ack() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(body=b"")
        call.answer()
        response = await on.far.response(200)
        ack = on.far.ack(invite, response, PCMU)
        ack.headers.add("Content-Type", "application/sdp")
        on.far.send(ack)
        own, phone = (response.headers.values(name)[0] for name in ("From", "To"))
        on.far.send(on.far.inside("BYE", invite.call_id, own, phone))
        await on.far.response(200, "BYE")
        assert (call.result, call.status) == (CallResult.ANSWERED, 200)

    play(story)


def test_a_late_offer_is_answered_with_the_ack() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(body=b"")
        call.answer()
        response = await on.far.response(200)
        await asyncio.sleep(0.1)
        ack = on.far.ack(invite, response, PCMU)
        ack.headers.add("Content-Type", "application/sdp")
        on.far.send(ack)
        assert await call.settled() is CallResult.ANSWERED
        assert call.answered_at == on.world.now()

    play(story)


@pytest.mark.parametrize("ending", ["no ACK", "BYE"])
def test_a_late_offer_that_is_never_answered(ending: str) -> None:
    async def story(on: Play) -> None:
        invite, first, call = await on.ringing(body=b"")
        call.answer()
        await on.far.response(200)
        if ending == "BYE":
            own, phone = invite.headers.get("From") or "", first.headers.get("To") or ""
            on.far.send(on.far.inside("BYE", invite.call_id, own, phone))
            await on.far.response(200, "BYE")
        else:
            while isinstance(message := await on.far.hear(), Response):
                pass
            assert isinstance(message, Request)
            on.far.answer(message, 200)
        await call.over()
        assert call.result is CallResult.FAILED
        assert call.reason == {"BYE": "the far end hung up"}.get(ending, "no ACK within 64*T1 = 32.0 s")

    play(story)


def test_nothing_common_in_the_prack() -> None:
    async def story(on: Play) -> None:
        invite, first, call = await on.ringing(extra=[("Supported", "100rel")], body=b"")
        own, phone = invite.headers.get("From") or "", first.headers.get("To") or ""
        prack = on.far.inside("PRACK", invite.call_id, own, phone, 2, body=G729)
        prack.headers.add("RAck", f"{first.headers.get('RSeq')} 1 INVITE")
        on.far.send(prack)
        await on.far.response(200, "PRACK")
        call.answer()
        refusal = await on.far.response(488, "INVITE")
        on.far.send(ack_to(invite, refusal))
        await call.over()
        assert call.result is CallResult.FAILED
        assert call.reason.startswith(f"the PRACK answers this phone's offer with {NOTHING}")
        assert (refusal.headers.get("Warning") or "").startswith("305 192.168.1.21 ")

    play(story, **ON)


# -- in a call -----------------------------------------------------------------------------------------------


async def changing(on: Play, change: asyncio.Task[None], body: bytes) -> None:
    """The far end takes the phone's re-INVITE with *body*."""
    on.far.answer(await on.far.heard("INVITE"), 200, body=body)
    await on.far.heard("ACK")
    await asyncio.wait([change])


@pytest.mark.parametrize("body", [b"", b"rubbish", G729, of("0").replace(b"4000", b"0")])
def test_a_hold_is_one_whatever_the_answer_says(body: bytes) -> None:
    """Nothing is said; the call can be taken back."""

    async def story(on: Play) -> None:
        _, call = await on.talking(body=PCMU)
        holding = asyncio.create_task(call.hold())
        await changing(on, holding, body)
        holding.result()
        assert (call.state, call.held, spoken(call)) == (CallState.HELD, True, None)
        assert on.states[-1].startswith("held: held by this phone; the far end answered with ")
        resuming = asyncio.create_task(call.resume())
        await changing(on, resuming, PCMU)
        assert (call.state, spoken(call)) == (CallState.TALKING, (0, "pcmu"))

    play(story)


@pytest.mark.parametrize("body", [b"", b"rubbish", G729])
def test_a_call_that_cannot_be_taken_back_stays_held(body: bytes) -> None:
    """And the next session refresh says so to the far end, which has taken the offer."""

    async def story(on: Play) -> None:
        _, call = await on.talking(body=PCMU)
        holding = asyncio.create_task(call.hold())
        await changing(on, holding, offer("recvonly"))
        resuming = asyncio.create_task(call.resume())
        await changing(on, resuming, body)
        with pytest.raises(CallError, match="the far end answered with "):
            resuming.result()
        assert (call.state, call.held) == (CallState.HELD, True)
        refreshing = asyncio.create_task(call.session.refresh())
        again = await on.far.heard("INVITE")
        assert lines(again.body, "a=send") == ["a=sendonly"]
        assert lines(again.body, "o=") == ["o=- 20000 20003 IN IP4 192.168.1.21"]
        on.far.answer(again, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await refreshing

    play(story)


def test_a_refresh_with_nothing_common_leaves_the_old_session() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(body=PCMU)
        refreshing = asyncio.create_task(call.session.refresh())
        await changing(on, refreshing, G729)
        await on.far.nothing()
        assert (call.state, spoken(call)) == (CallState.TALKING, (0, "pcmu"))

    play(story)


def test_a_late_offer_in_the_call_with_nothing_common_leaves_the_old_session() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking(body=PCMU)
        again = on.from_far("INVITE", invite)
        on.far.send(again)
        ack = on.far.ack(again, await on.far.response(200, "INVITE"), G729)
        ack.headers.add("Content-Type", "application/sdp")
        on.far.send(ack)
        await on.far.nothing()
        assert (call.state, spoken(call)) == (CallState.TALKING, (0, "pcmu"))

    play(story)


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        (G729, '305 192.168.1.21 "no common codec: G.729 cannot be spoken here"'),
        (of("3"), '305 192.168.1.21 "no common codec"'),
        (of("0").replace(b"4000", b"0"), '304 192.168.1.21 "no common codec: the offer has no audio"'),
        (of("0").replace(b"RTP/AVP", b"RTP/SAVP"), "302 192.168.1.21 "),
        (of("0").replace(b"c=IN IP4 192.168.1.13", b"c=IN IP6 2001:db8::1"), "301 192.168.1.21 "),
        (of("0").replace(b"c=IN IP4 192.168.1.13", b"c=IN IP4 224.2.1.1/9"), "330 192.168.1.21 "),
        (b'v=0\r\n"', '399 192.168.1.21 "the offer cannot be used: SDP line 2: expected a letter and '),
    ],
)
def test_an_offer_that_cannot_be_answered_draws_a_warning(body: bytes, warning: str) -> None:
    """RFC 3261 section 13.3.1.3, in and outside of a call."""

    async def story(on: Play) -> None:
        invite = on.far.invite(body=body)
        on.far.send(invite)
        refusal = await on.far.response(488)
        on.far.send(ack_to(invite, refusal))
        assert (refusal.headers.get("Warning") or "").startswith(warning)
        first, call = await on.talking(body=PCMU)
        on.far.send(on.from_far("UPDATE", first, body=body))
        refusal = await on.far.response(488, "UPDATE")
        assert (refusal.headers.get("Warning") or "").startswith(warning)
        assert (call.state, spoken(call)) == (CallState.TALKING, (0, "pcmu"))

    play(story, account__1__codec__g729__enable=1)


# -- own holds -----------------------------------------------------------------------------------------------


def test_nothing_that_is_played_leaves_while_this_phone_holds() -> None:
    """From the order on; it goes on behind the hold."""

    async def story(on: Play) -> None:
        _, call = await on.talking(body=PCMU)
        audio = call.voice.audio
        assert audio is not None
        audio.play(Sound(8000, tones.sine((440,), 1000)))
        await asyncio.sleep(0.199)
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        sent = audio.counts.sent
        await asyncio.sleep(0.4)
        assert audio.counts.sent == sent, "the order counts, not its answer"
        on.far.answer(invite, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        await asyncio.sleep(1)
        assert (audio.counts.sent, audio.playing) == (sent, True)
        resuming = asyncio.create_task(call.resume())
        await changing(on, resuming, PCMU)
        await asyncio.sleep(2)
        assert (audio.counts.sent, audio.playing) == (50, False)

    play(story)


def test_a_hold_that_is_refused_lets_the_sound_go_on() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking(body=PCMU)
        audio = call.voice.audio
        assert audio is not None
        audio.play(Sound(8000, tones.sine((440,), 1000)))
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 488)
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="488"):
            await holding
        await asyncio.sleep(2)
        assert not audio.playing

    play(story)
