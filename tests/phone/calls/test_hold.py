"""Hold by either end: what is offered and told, and what may be sent meanwhile (RFC 3264 section 8.4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import CallState, MediaChanged
from phone_emulator.phone import Call, CallError
from phone_emulator.sip.message import Request
from tests.phone.far_end import Play, lines, offer, play

NOWHERE = offer().replace(b"c=IN IP4 192.168.1.13", b"c=IN IP4 0.0.0.0")


def told(on: Play) -> list[tuple[bool, str]]:
    return [(event.far_held, event.reason) for event in on.events if isinstance(event, MediaChanged)]


async def held(on: Play, call: Call, answer: bytes) -> Request:
    """Hold *call*; the far end answers *answer*."""
    holding = asyncio.create_task(call.hold())
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 200, body=answer)
    await on.far.heard("ACK")
    await holding
    return invite


@pytest.mark.parametrize(
    ("settings", "described"),
    [
        ({}, ["c=IN IP4 192.168.1.21", "a=sendonly"]),
        ({"account__1__hold_use_inactive": 1}, ["c=IN IP4 192.168.1.21", "a=inactive"]),
        ({"sip__rfc2543_hold": 1}, ["c=IN IP4 0.0.0.0", "a=sendrecv"]),
        ({"sip__rfc2543_hold": 1, "account__1__hold_use_inactive": 1}, ["c=IN IP4 0.0.0.0", "a=sendrecv"]),
    ],
)
def test_how_a_hold_is_offered(settings: dict[str, Any], described: list[str]) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        invite = await held(on, call, offer("recvonly"))
        assert lines(invite.body, "c=", "a=send", "a=inactive") == described
        assert call.state is CallState.HELD
        assert not call.far_held

    play(story, **settings)


@pytest.mark.parametrize(("inactive", "answer"), [(0, "sendonly"), (1, "inactive")])
def test_a_held_far_end_stays_held_in_the_same_way(inactive: int, answer: str) -> None:
    async def story(on: Play) -> None:
        first, call = await on.talking()
        await held(on, call, offer("inactive" if inactive else "recvonly"))
        again = on.from_far("UPDATE", first, body=offer())
        on.far.send(again)
        response = await on.far.response(200, "UPDATE")
        assert lines(response.body, "a=send", "a=inactive") == [f"a={answer}"]

    play(story, account__1__hold_use_inactive=inactive)


@pytest.mark.parametrize("described", [offer("sendonly"), offer("inactive"), NOWHERE])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_far_end_holds(described: bytes, method: str) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        for number, (body, far_held) in enumerate(((described, True), (described, True), (offer(), False))):
            again = on.from_far(method, invite, 101 + number, body=body)
            on.far.send(again)
            response = await on.far.response(200, method)
            if method == "INVITE":
                on.far.send(on.far.ack(again, response))
            await on.rest()
            assert call.far_held is far_held
            assert call.state is CallState.TALKING
        assert told(on) == [(True, "held by the far end"), (False, "resumed by the far end")]

    play(story)


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_no_digits_while_the_far_end_holds(kind: int) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        on.far.send(on.from_far("UPDATE", invite, body=offer("sendonly")))
        await on.far.response(200, "UPDATE")
        with pytest.raises(CallError, match="the far end holds the call: no digits can be sent"):
            await call.send_dtmf("1")
        await on.far.nothing()

    play(story, account__1__dtmf__type=kind)


def test_no_digits_while_this_phone_holds() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        await held(on, call, offer("recvonly"))
        with pytest.raises(CallError, match="the call is held"):
            await call.send_dtmf("1")

    play(story)


def test_both_ends_hold() -> None:
    """The far end's hold is not lifted by this end's, nor the other way round."""

    async def story(on: Play) -> None:
        invite, call = await on.talking()
        await held(on, call, offer("recvonly"))
        on.far.send(on.from_far("UPDATE", invite, body=offer("sendonly")))
        response = await on.far.response(200, "UPDATE")
        assert lines(response.body, "a=inactive") == ["a=inactive"]
        assert (call.state, call.far_held) == (CallState.HELD, True)
        resuming = asyncio.create_task(call.resume())
        again = await on.far.heard("INVITE")
        on.far.answer(again, 200, body=offer("sendonly"))
        await on.far.heard("ACK")
        await resuming
        assert (call.state, call.far_held) == (CallState.TALKING, True)

    play(story)


def test_an_inactive_answer_to_an_inactive_hold_says_nothing_of_the_far_end() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        await held(on, call, offer("inactive"))
        assert not call.far_held

    play(story, account__1__hold_use_inactive=1)


@pytest.mark.parametrize("status", [403, 488, 500, 606])
@pytest.mark.parametrize("start", ["talking", "held"])
def test_a_refused_change_keeps_the_old_session(start: str, status: int) -> None:
    """RFC 3261 section 14.1."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        if start == "held":
            await held(on, call, offer("recvonly"))
        audio = call.voice.audio
        assert audio is not None
        before = call.state, call.held, audio.directions, call.voice.described
        changing = asyncio.create_task(call.hold() if start == "talking" else call.resume())
        on.far.answer(await on.far.heard("INVITE"), status)
        await on.far.heard("ACK")
        with pytest.raises(CallError, match=f"the far end refused: {status}"):
            await changing
        assert (call.state, call.held, audio.directions, call.voice.described) == before

    play(story)


@pytest.mark.parametrize("body", [b"rubbish", offer().replace(b"AVP 0", b"AVP 9")])
def test_a_change_that_this_phone_refuses_keeps_the_old_session(body: bytes) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        before = call.voice.described
        on.far.send(on.from_far("UPDATE", invite, body=body))
        await on.far.response(488, "UPDATE")
        assert call.voice.described == before
        assert not call.far_held

    play(story)


@pytest.mark.parametrize(("after", "pause"), [("0", 0), ("7", 7), ("10;duration=60", 10)])
def test_a_far_end_that_asks_for_patience_is_asked_again(after: str, pause: int) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 500, extra=[("Retry-After", after)])
        await on.far.heard("ACK")
        start = on.world.now()
        again = await on.far.heard("INVITE")
        assert on.world.now() - start == pause
        on.far.answer(again, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        assert call.state is CallState.HELD

    play(story)


@pytest.mark.parametrize("after", ["11", "x", "-1", "99999"])
def test_a_far_end_that_asks_for_too_much_patience_has_refused(after: str) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 500, extra=[("Retry-After", after)])
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="500"):
            await holding

    play(story)


def test_a_body_that_is_no_description() -> None:
    async def story(on: Play) -> None:
        invite, _ = await on.talking()
        for number, method in enumerate(("INVITE", "UPDATE")):
            request = on.from_far(method, invite, 101 + number, body=b"hello")
            request.headers.set("Content-Type", "text/plain")
            on.far.send(request)
            response = await on.far.response(415, method)
            assert response.headers.get("Accept") == "application/sdp"

    play(story)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
def test_a_body_that_is_encoded(method: str) -> None:
    """415 says what would be read (RFC 3261 section 8.2.3)."""

    async def story(on: Play) -> None:
        invite, call = await on.talking()
        body = b"Signal=1\r\n" if method == "INFO" else offer("sendonly")
        request = on.from_far(method, invite, 101, body=body)
        if method == "INFO":
            request.headers.set("Content-Type", "application/dtmf-relay")
        request.headers.add("Content-Encoding", "gzip")
        on.far.send(request)
        response = await on.far.response(415, method)
        assert response.headers.get("Accept-Encoding") == "identity"
        assert not call.far_held

    play(story)
