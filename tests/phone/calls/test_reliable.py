"""Provisional responses that are acknowledged: 100rel and PRACK, at both ends (RFC 3262)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import Address, CallChanged, CallState, Event
from phone_emulator.phone import CallResult, IncomingCall
from phone_emulator.phone.calls.reliable import InOrder, RAck, rack_of, rseq_of
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import CSeq, Headers, Request, Response
from tests.lab.peers import PHONE, Peer, ack_to
from tests.phone.far_end import Play, lines, offer, play

ON: dict[str, Any] = {"account__1__100rel_enable": 1}
RANGE = (("min", 11780), ("max", 11784))
SPOKEN = [("Supported", "100rel")]


def reliable(rseq: object, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """The headers of a reliable provisional response."""
    return [("Require", "100rel"), ("RSeq", str(rseq)), *more]


# -- the calling end -----------------------------------------------------------------------------------------


def test_an_invite_says_that_it_is_understood() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        assert invite.headers.get("Supported") == "replaces, 100rel"

    play(story, **ON)


@pytest.mark.parametrize("enable", [0, 1])
def test_a_reliable_180_draws_a_prack(enable: int) -> None:
    """Also from a phone that did not ask for it: its Allow names PRACK all the same."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        contact = ("Contact", "<sip:other@192.168.1.13:5060>")
        on.far.answer(invite, 180, extra=reliable(4711, contact, ("Record-Route", "<sip:192.168.1.13;lr>")))
        prack = await on.far.heard("PRACK")
        assert prack.headers.get("RAck") == f"4711 {invite.cseq.number} INVITE"
        assert prack.uri == "sip:other@192.168.1.13:5060"
        assert prack.headers.get("Route") == "<sip:192.168.1.13;lr>"
        assert prack.cseq.number == invite.cseq.number + 1
        assert prack.to_tag == "far-tag"
        on.far.answer(prack, 200)
        await on.rest()
        assert call.state is CallState.RINGING
        on.far.answer(invite, 200, body=offer())
        ack = await on.far.heard("ACK")
        assert ack.cseq.number == invite.cseq.number
        ending = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert bye.cseq.number == prack.cseq.number + 1, "the early dialog's numbers count on"
        on.far.answer(bye, 200)
        await ending

    play(story, account__1__100rel_enable=enable)


def test_a_prack_and_what_follows_it_never_share_a_number() -> None:
    """Also where the 200 comes right behind the 180, and for the fork that is not wanted."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        for tag, rseq in (("one", 1), ("two", 9)):
            on.far.answer(invite, 180, tag=tag, extra=reliable(rseq))
        for tag in ("one", "two"):
            on.far.answer(invite, 200, tag=tag, body=offer())
        await on.rest()
        await on.rest()
        numbers: dict[str, list[tuple[str, int]]] = {"one": [], "two": []}
        while not on.far.inbox.empty():
            request = await on.far.request()
            numbers[request.to_tag or ""].append((request.method, request.cseq.number))
            if request.method != "ACK":
                on.far.answer(request, 200)
        assert sorted(numbers["one"]) == [("ACK", 1), ("PRACK", 2)]
        assert sorted(method for method, _ in numbers["two"]) == ["ACK", "BYE", "PRACK"]
        assert sorted(number for _, number in numbers["two"]) == [1, 2, 3]
        ending = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert bye.cseq.number == 3
        on.far.answer(bye, 200)
        await ending

    play(story, **ON)


def test_repeated_and_overtaking_responses_are_left_alone() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        racks = []
        for rseq in (7, 7, 9, 8, 8, 7, 9):
            on.far.answer(invite, 183, extra=reliable(rseq))
            await on.rest()
            while not on.far.inbox.empty():
                prack = await on.far.heard("PRACK")
                racks.append(prack.headers.get("RAck"))
                on.far.answer(prack, 200)
        number = invite.cseq.number
        assert racks == [f"{rseq} {number} INVITE" for rseq in (7, 8, 9)]

    play(story, **ON)


def test_each_fork_counts_for_itself() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        for tag, rseq in (("one", 100), ("two", 5), ("one", 101), ("two", 6)):
            on.far.answer(invite, 180, tag=tag, extra=reliable(rseq))
            prack = await on.far.heard("PRACK")
            assert (prack.to_tag, prack.headers.get("RAck")) == (tag, f"{rseq} 1 INVITE")
            on.far.answer(prack, 200)

    play(story, **ON)


def test_a_prack_is_authenticated() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180, extra=reliable(1))
        first = await on.far.heard("PRACK")
        on.far.answer(first, 407, extra=[("Proxy-Authenticate", challenge_value("r", "n"))])
        again = await on.far.heard("PRACK")
        assert again.cseq.number == first.cseq.number + 1
        assert again.headers.get("RAck") == first.headers.get("RAck")
        assert 'nonce="n"' in (again.headers.get("Proxy-Authorization") or "")
        on.far.answer(again, 200)
        await on.far.nothing()

    play(story, **ON)


def test_a_prack_uses_the_nonce_of_its_invite() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        on.far.answer(
            await on.far.heard("INVITE"), 401, extra=[("WWW-Authenticate", challenge_value("r", "n"))]
        )
        await on.far.heard("ACK")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180, extra=reliable(1))
        prack = await on.far.heard("PRACK")
        credentials = prack.headers.get("Authorization") or ""
        assert "nc=00000002" in credentials
        assert prack.headers.get("RAck") == "1 2 INVITE"
        on.far.answer(prack, 200)

    play(story, **ON)


@pytest.mark.parametrize("rseq", [1, 2**31 - 1, 2**31, 2**32 - 1])
def test_any_first_rseq_is_acknowledged(rseq: int) -> None:
    """Section 3 bounds what is sent first at 2**31 - 1; the phone is not strict with others."""

    async def story(on: Play) -> None:
        on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 180, extra=reliable(rseq))
        assert (await on.far.heard("PRACK")).headers.get("RAck") == f"{rseq} 1 INVITE"

    play(story)


@pytest.mark.parametrize("status", [481, 500, 0])
def test_a_prack_that_fails_does_not_end_the_call(status: int) -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180, extra=reliable(1))
        prack = await on.far.heard("PRACK")
        if status:
            on.far.answer(prack, status)
        await asyncio.sleep(35)
        assert call.state is CallState.RINGING
        while not on.far.inbox.empty():
            await on.far.heard("PRACK")
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")

    play(story, **ON)


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ([("RSeq", "1")], None),  # not required
        ([("Require", "100rel")], "missing"),
        (reliable("x"), "x"),
        (reliable("0"), "0"),
        (reliable("4294967296"), "4294967296"),
    ],
)
def test_a_180_that_is_not_reliable_draws_none(extra: list[tuple[str, str]], found: str | None) -> None:
    """It rings all the same; where it wants a PRACK, people are told why it draws none."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 180, extra=extra)
        await on.far.nothing()
        assert call.state is CallState.RINGING
        why = f"its RSeq is {found}, expected a number from 1 to 4294967295: no PRACK"
        assert on.ignored == ([why] if found else [])

    play(story, **ON)


def test_the_answer_of_a_reliable_183_stays() -> None:
    """The first description that comes reliably is the answer; any later one is passed over."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=offer(), extra=reliable(1))
        on.far.answer(await on.far.heard("PRACK"), 200)
        moved = offer().replace(b"4000", b"6000")
        on.far.answer(invite, 200, body=moved)
        await on.far.heard("ACK")
        audio = call.voice.audio
        assert audio is not None
        assert audio._remote is not None
        assert audio._remote.address.port == 4000

    play(story, **ON)


# -- the called end ------------------------------------------------------------------------------------------


async def prack(on: Play, invite: Request, response: Response, rack: str = "", **how: Any) -> Request:
    """Acknowledge *response*."""
    own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
    request = on.far.inside("PRACK", invite.call_id, own, phone, how.pop("cseq", 2), **how)
    request.headers.add("RAck", rack or f"{response.headers.get('RSeq')} {invite.cseq.number} INVITE")
    on.far.send(request)
    return request


def test_the_180_is_reliable_and_repeated_until_its_prack() -> None:
    async def story(on: Play) -> None:
        invite, first, call = await on.ringing(extra=SPOKEN)
        start = on.world.now()
        assert first.headers.get("Require") == "100rel"
        assert 1 <= int(first.headers.get("RSeq") or 0) < 2**31
        assert first.body == b""
        times = []
        for _ in range(4):
            again = await on.far.response(180)
            assert again.to_bytes() == first.to_bytes()
            times.append(on.world.now() - start)
        assert times == [0.5, 1.5, 3.5, 7.5]
        await prack(on, invite, first)
        await on.far.response(200, "PRACK")
        await on.far.nothing()
        assert call.state is CallState.RINGING
        call.answer()
        response = await on.far.response(200, "INVITE")
        assert lines(response.body, "m=") != []
        on.far.send(on.far.ack(invite, response))

    play(story, **ON)


def test_a_180_that_nobody_acknowledges_ends_the_call() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(extra=[("Require", "100rel")])
        start, heard = on.world.now(), []
        while (response := await on.far.hear()).status == 180:  # type: ignore[attr-defined]
            heard.append(on.world.now() - start)
        assert isinstance(response, Response)
        assert heard == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert (response.status, on.world.now() - start) == (500, 32.0)
        on.far.send(ack_to(invite, response))
        await call.over()
        assert call.reason == "no PRACK within 64*T1 = 32.0 s"

    play(story, **ON)


@pytest.mark.parametrize(
    ("rack", "status"),
    [
        ("{rseq} 1 INVITE", 200),
        ("{other} 1 INVITE", 481),
        ("{rseq} 2 INVITE", 481),
        ("{rseq} 1 UPDATE", 481),
        ("{rseq} 1", 400),
        ("x 1 INVITE", 400),
        ("", 400),
    ],
)
def test_what_a_prack_acknowledges(rack: str, status: int) -> None:
    async def story(on: Play) -> None:
        invite, response, _ = await on.ringing(extra=SPOKEN)
        rseq = int(response.headers.get("RSeq") or 0)
        await prack(on, invite, response, rack.format(rseq=rseq, other=rseq + 1) or " ")
        await on.far.response(status, "PRACK")
        if status == 200:
            await prack(on, invite, response, cseq=3)
            await on.far.response(481, "PRACK")

    play(story, **ON)


@pytest.mark.parametrize("named", ["Supported", "Require"])
def test_a_late_offer_comes_with_the_180_and_is_answered_in_the_prack(named: str) -> None:
    """Section 5: and the 2xx has neither."""

    async def story(on: Play) -> None:
        invite, first, call = await on.ringing(extra=[(named, "100rel")], body=b"")
        assert lines(first.body, "m=") == ["m=audio 11780 RTP/AVP 0 101"]
        call.answer()
        await on.rest()
        assert on.far.inbox.empty(), "no 2xx before the answer to the offer has come (section 5)"
        await prack(on, invite, first, body=offer())
        await on.far.response(200, "PRACK")
        response = await on.far.response(200, "INVITE")
        assert response.body == b""
        on.far.send(on.far.ack(invite, response))
        await on.far.nothing()
        audio = call.voice.audio
        assert audio is not None
        assert audio.can_send
        assert audio._remote is not None
        assert audio._remote.address == Address("192.168.1.13", 4000)
        assert call.state is CallState.TALKING

    play(story, **ON)


def test_a_call_that_is_taken_at_once_has_one_voice() -> None:
    """The 180 with the offer comes first, also where the user is faster than the phone."""

    async def story(on: Play) -> None:
        def take(event: Event) -> None:
            if isinstance(event, CallChanged) and event.state is CallState.RINGING:
                call = on.phone.calls[-1]
                assert isinstance(call, IncomingCall)
                call.answer()

        on.phone.bus.subscribe(take)
        invite = on.far.invite(extra=SPOKEN, body=b"")
        on.far.send(invite)
        first = await on.far.response(180)
        await prack(on, invite, first, body=offer())
        await on.far.response(200, "PRACK")
        response = await on.far.response(200, "INVITE")
        assert response.body == b""
        on.far.send(on.far.ack(invite, response))
        await on.rest()
        assert on.phone.calls[0].voice.audio is not None
        assert on.phone.calls[0].voice.audio.can_send

    play(story, **ON)


def test_without_a_port_for_the_voice_there_is_no_offer() -> None:
    async def story(on: Play) -> None:
        port = on.phone.config.min_rtp_port
        for number in range(3):
            await Peer(on.world).bind(Address(PHONE.host, port + 2 * number))
        invite = on.far.invite(extra=SPOKEN, body=b"")
        on.far.send(invite)
        on.far.send(ack_to(invite, await on.far.response(500, "INVITE")))
        await on.rest()
        assert on.phone.calls == []
        assert "no RTP port is free" in on.states[-1]

    ports: dict[str, Any] = {f"static__network__port__{end}_rtpport": at for end, at in RANGE}
    play(story, **ON, **ports)


def test_nothing_is_said_before_the_call_is_answered() -> None:
    async def story(on: Play) -> None:
        invite, first, call = await on.ringing(extra=SPOKEN, body=b"")
        await prack(on, invite, first, body=offer())
        await on.far.response(200, "PRACK")
        assert call.voice.audio is not None
        assert not call.voice.audio.can_send

    play(story, **ON)


def test_a_call_taken_before_the_prack_needs_none() -> None:
    """Without a description in the 180 the 200 does not wait for it; a PRACK is answered all the same."""

    async def story(on: Play) -> None:
        invite, first, call = await on.ringing(extra=SPOKEN)
        call.answer()
        response = await on.far.response(200, "INVITE")
        on.far.send(on.far.ack(invite, response))
        await on.rest()
        await prack(on, invite, first)
        await on.far.response(200, "PRACK")
        await on.far.nothing()
        assert call.state is CallState.TALKING

    play(story, **ON)


def test_a_call_taken_whose_offer_is_never_answered_fails() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(extra=SPOKEN, body=b"")
        start = on.world.now()
        call.answer()
        while (response := await on.far.hear()).status == 180:  # type: ignore[attr-defined]
            pass
        assert isinstance(response, Response)
        assert (response.status, on.world.now() - start) == (500, 32.0)
        on.far.send(ack_to(invite, response))
        await call.over()
        assert (call.result, call.status) == (CallResult.FAILED, 500)

    play(story, **ON)


def test_a_call_taken_whose_prack_has_no_answer_fails() -> None:
    """Only a PRACK answers an offer in a 180 (section 5): there is nothing that could be said."""

    async def story(on: Play) -> None:
        invite, first, call = await on.ringing(extra=SPOKEN, body=b"")
        await prack(on, invite, first)
        await on.far.response(200, "PRACK")
        call.answer()
        on.far.send(ack_to(invite, await on.far.response(488, "INVITE")))
        await call.over()
        assert (call.result, call.status) == (CallResult.FAILED, 488)
        assert call.reason == "the PRACK answers this phone's offer with no session description"

    play(story, **ON)


def test_a_call_taken_that_is_cancelled_before_its_200_is_not_answered() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(extra=SPOKEN, body=b"")
        call.answer()
        await on.rest()
        cancel = Request("CANCEL", invite.uri, invite.headers.copy())
        cancel.headers.set("CSeq", "1 CANCEL")
        on.far.send(cancel)
        await on.far.response(200, "CANCEL")
        on.far.send(ack_to(invite, await on.far.response(487, "INVITE")))
        await call.over()
        assert (call.result, call.status, call.reason) == (CallResult.CANCELLED, 487, "the caller hung up")
        assert call.answered_at is None

    play(story, **ON)


def test_a_call_taken_without_a_port_for_the_voice_has_failed() -> None:
    async def story(on: Play) -> None:
        port = on.phone.config.min_rtp_port
        for number in range(3):
            await Peer(on.world).bind(Address(PHONE.host, port + 2 * number))
        invite, _, call = await on.ringing()
        call.answer()
        on.far.send(ack_to(invite, await on.far.response(500, "INVITE")))
        await call.over()
        assert (call.result, call.status) == (CallResult.FAILED, 500)
        assert call.reason.startswith("no RTP port is free")

    ports: dict[str, Any] = {f"static__network__port__{end}_rtpport": at for end, at in RANGE}
    play(story, **ports)


def test_a_cancel_stops_the_180() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(extra=SPOKEN)
        cancel = Request("CANCEL", invite.uri, invite.headers.copy())
        cancel.headers.set("CSeq", "1 CANCEL")
        on.far.send(cancel)
        await on.far.response(200, "CANCEL")
        on.far.send(ack_to(invite, await on.far.response(487, "INVITE")))
        await call.over()
        await on.far.nothing()

    play(story, **ON)


@pytest.mark.parametrize(
    ("enable", "extra", "status"),
    [
        (0, [("Supported", "100rel")], 180),
        (0, [("Require", "100rel")], 420),
        (1, [], 180),
        (1, [("Require", "100rel, timer")], 420),
    ],
)
def test_what_a_caller_may_require(enable: int, extra: list[tuple[str, str]], status: int) -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=extra))
        response = await on.far.response(status, "INVITE")
        assert "RSeq" not in response.headers
        unsupported = None if status == 180 else "timer" if enable else "100rel"
        assert response.headers.get("Unsupported") == unsupported
        if status == 180:
            await on.far.nothing()

    play(story, account__1__100rel_enable=enable)


def test_a_prack_outside_of_any_dialog() -> None:
    async def story(on: Play) -> None:
        request = on.far.make("PRACK", "sip:1001@192.168.1.21:5060", extra=[("RAck", "1 1 INVITE")])
        on.far.send(request)
        await on.far.response(481, "PRACK")
        invite, _ = await on.talking()
        on.far.send(on.from_far("PRACK", invite))
        await on.far.response(481, "PRACK")

    play(story, **ON)


# -- headers -------------------------------------------------------------------------------------------------


def test_numbers_are_read() -> None:
    response = Response(183, "", Headers([("Require", "timer, 100rel"), ("RSeq", "17")]))
    assert rseq_of(response) == 17
    response.status = 100
    assert rseq_of(response) is None
    request = Request("PRACK", "sip:1", Headers([("RAck", " 17   3  INVITE")]))
    assert rack_of(request) == RAck(17, CSeq(3, "INVITE"))
    assert str(rack_of(request)) == "17 3 INVITE"


def test_order() -> None:
    order = InOrder()
    assert [order.due(rseq) for rseq in (5, 5, 7, 6, 7, 4)] == [True, False, False, True, True, False]
