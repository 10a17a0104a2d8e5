"""Incoming calls, from the INVITE to the end of the call (RFC 3261 sections 13.3, 9.2, 15)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import Address, CallRefused, CallState, Transport
from phone_emulator.phone import CallError, CallResult, IncomingCall
from phone_emulator.sip.message import Request, Response
from tests.lab.peers import PHONE, SERVER, Peer, ack_to
from tests.phone.far_end import FarEnd, Play, lines, offer, play


def test_it_rings_and_is_answered() -> None:
    async def story(on: Play) -> None:
        _, response, call = await on.taken()
        assert call.state is CallState.TALKING
        assert await call.settled() is CallResult.ANSWERED
        assert (call.remote, call.status) == ("1002", 200)
        assert lines(response.body, "m=", "a=sendrecv") == ["m=audio 11780 RTP/AVP 0", "a=sendrecv"]
        await on.far.nothing()
        assert on.phone.calls == [call]

    play(story)


def test_over_tcp_everything_comes_back_on_the_connection_of_the_invite() -> None:
    async def story(on: Play) -> None:
        peer = FarEnd(on.world)
        await peer.connect(PHONE, Transport.TCP, local_host=SERVER.host)
        on.far = peer
        _, response, call = await on.taken()
        assert response.contacts[0].uri.parameters.get("transport") == "TCP"
        await on.far.nothing()
        ending = asyncio.create_task(call.hang_up())
        peer.answer(await peer.heard("BYE"), 200)
        await ending
        assert call.state is CallState.ENDED

    play(story)


def test_the_far_end_hangs_up() -> None:
    async def story(on: Play) -> None:
        invite, response, call = await on.taken()
        bye = on.far.inside(
            "BYE", "in-1", invite.headers.get("From") or "", response.headers.get("To") or "", 2
        )
        on.far.send(bye)
        await on.far.response(200, "BYE")
        assert call.state is CallState.ENDED
        assert list(on.phone.history) == [call]
        on.far.send(on.far.inside("INFO", "in-1", bye.headers.get("From") or "", bye.headers.get("To") or ""))
        await on.far.response(481, "INFO")

    play(story)


@pytest.mark.parametrize(("code", "reason"), [(486, "Busy Here"), (603, "Decline"), (404, "Not Found")])
def test_the_reject_key_sends_the_configured_code(code: int, reason: str) -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing()
        call.reject()
        response = await on.far.response(code)
        assert response.reason == reason
        on.far.send(ack_to(invite, response))
        assert call.result is CallResult.REJECTED
        await on.far.nothing()

    play(story, features__normal_refuse_code=code)


def test_hanging_up_a_ringing_call_rejects_it() -> None:
    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        await call.hang_up()
        await on.far.response(486)
        with pytest.raises(CallError, match="does not ring"):
            call.answer()
        with pytest.raises(CallError, match="does not ring"):
            call.reject()

    play(story)


def test_do_not_disturb() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite())
        await on.far.response(480)
        assert on.phone.calls == []

    play(story, account__1__dnd__enable=1)


@pytest.mark.parametrize("call_waiting", [0, 1])
def test_a_second_call(call_waiting: int) -> None:
    async def story(on: Play) -> None:
        _, _, first = await on.taken()
        on.far.send(on.far.invite(call_id="in-2"))
        if not call_waiting:
            await on.far.response(486)
            assert on.phone.calls == [first]
            return
        await on.far.response(180)
        assert len(on.phone.calls) == 2
        second = on.phone.calls[1]
        assert isinstance(second, IncomingCall)
        second.reject()
        await on.far.response(486)
        assert first.state is CallState.TALKING

    play(story, call_waiting__enable=call_waiting)


def test_auto_answer_takes_the_first_call_only() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite())
        await on.far.response(180)
        response = await on.far.response(200, "INVITE")
        assert on.world.now() == pytest.approx(1.0)
        on.far.send(on.far.ack(on.far.invite(), response))
        on.far.send(on.far.invite(call_id="in-2"))
        await on.far.response(180)
        await asyncio.sleep(5)
        assert on.phone.calls[1].state is CallState.RINGING

    play(story, account__1__auto_answer=1)


@pytest.mark.parametrize("trust_ctrl", [0, 1])
def test_a_stranger_calls(trust_ctrl: int) -> None:
    async def story(on: Play) -> None:
        far = await on.stranger()
        far.send(far.invite())
        await far.response(403 if trust_ctrl else 180)

    play(story, sip__trust_ctrl=trust_ctrl)


def test_a_server_of_the_line_calls() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 404)
        await call.over()
        on.far.send(on.far.invite())
        await on.far.heard("ACK")
        await on.far.response(180)

    play(story, sip__trust_ctrl=1)


def test_an_unknown_user() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(user="9999"))
        response = await on.far.response(404)
        assert response.headers.get("User-Agent") == "Yealink SIP-T46S 66.86.0.15"
        assert response.to_tag

    play(story, features__direct_ip_call_enable=0)


def test_cancel_before_the_answer() -> None:
    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing()
        cancel = on.far.make("CANCEL", invite.uri, branch=invite.branch or "", call_id="in-1", user="1002")
        on.far.send(cancel)
        assert (await on.far.response(200, "CANCEL")).to_tag == ringing.to_tag
        response = await on.far.response(487, "INVITE")
        on.far.send(ack_to(invite, response))
        assert call.result is CallResult.CANCELLED
        await on.far.nothing()

    play(story)


@pytest.mark.parametrize("body", [None, b""])
def test_the_200_to_a_cancel_has_the_tag_of_the_487(body: bytes | None) -> None:
    """Also where nothing else has left yet (section 9.2)."""

    async def story(on: Play) -> None:
        invite = on.far.invite(body=body, extra=[("Supported", "100rel")])
        cancel = Request("CANCEL", invite.uri, invite.headers.copy())
        cancel.headers.set("CSeq", "1 CANCEL")
        on.far.send(invite)
        on.far.send(cancel)
        heard = [await on.far.hear(), await on.far.hear()]
        tags = {message.cseq.method: message.to_tag for message in heard}
        assert set(tags) == {"INVITE", "CANCEL"}
        assert tags["INVITE"] is not None
        assert tags["CANCEL"] == tags["INVITE"]
        [call] = on.phone.history
        assert call.result is CallResult.CANCELLED

    play(story, account__1__100rel_enable=1)


def test_cancel_after_the_answer_changes_nothing() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.taken()
        on.far.send(
            on.far.make("CANCEL", invite.uri, branch=invite.branch or "", call_id="in-1", user="1002")
        )
        await on.far.response(200, "CANCEL")
        await on.far.nothing()
        assert call.state is CallState.TALKING

    play(story)


def test_bye_before_the_answer_draws_487_for_the_invite() -> None:
    """RFC 3261 section 15.1.2."""

    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing()
        on.far.send(
            on.far.inside("BYE", "in-1", invite.headers.get("From") or "", ringing.headers.get("To") or "", 2)
        )
        await on.far.response(200, "BYE")
        on.far.send(ack_to(invite, await on.far.response(487, "INVITE")))
        assert await call.settled() is CallResult.CANCELLED
        await call.over()
        await on.far.nothing()

    play(story)


def test_nobody_answers() -> None:
    async def story(on: Play) -> None:
        start = on.world.now()
        invite, _, call = await on.ringing()
        await call.over()
        assert on.world.now() - start == pytest.approx(30)
        on.far.send(ack_to(invite, await on.far.response(480)))
        assert call.reason == "not answered for 30 s"

    play(story, phone_setting__ringing_timeout=30, features__no_answer_code=480)


def test_a_lost_ack_repeats_the_200_and_then_ends_the_call() -> None:
    """RFC 3261 section 13.3.1.4: T1, 2*T1, … T2, for 64*T1; then BYE."""

    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        start = on.world.now()
        call.answer()
        await asyncio.sleep(33)
        sent = [(at - start, m.status) for at, m in on.sent("INVITE") if isinstance(m, Response)][1:]
        assert sent == [
            *((at, 200) for at in (0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)),
        ]
        [(at, bye), *_] = on.sent("BYE")
        assert isinstance(bye, Request)
        assert at - start == 32
        while not (isinstance(message := await on.far.hear(), Request) and message.method == "BYE"):
            pass
        on.far.answer(message, 200)
        await call.over()
        assert on.states[-1] == "ended: no ACK within 64*T1 = 32.0 s"
        assert call.result is CallResult.ANSWERED

    play(story)


def test_the_200_goes_once_to_a_caller_whose_port_is_closed() -> None:
    """ICMP says so: it is not repeated, and the BYE of 64*T1 later is tried all the same."""

    async def story(on: Play) -> None:
        caller = await on.world.open_udp(Address("192.168.1.13", 5099), on.far)
        invite = on.far.invite()
        invite.headers.set("Via", "SIP/2.0/UDP 192.168.1.13:5099;branch=z9hG4bKgone")
        caller.send(invite.to_bytes(), PHONE)
        await on.rest()
        caller.close()
        [call] = on.phone.calls
        assert isinstance(call, IncomingCall)
        call.answer()
        await asyncio.sleep(40)
        assert [m.status for _, m in on.sent("INVITE") if isinstance(m, Response)] == [180, 200]
        [(at, bye), *_] = on.sent("BYE")
        assert (round(at), bye.cseq.method) == (32, "BYE")

    play(story, stop=False)


def test_bye_waits_for_the_ack() -> None:
    """RFC 3261 section 15: the called end sends no BYE before the ACK."""

    async def story(on: Play) -> None:
        invite, _, call = await on.ringing()
        call.answer()
        ending = asyncio.create_task(call.hang_up())
        response = await on.far.response(200)
        await asyncio.sleep(0.2)
        assert on.far.inbox.empty()
        on.far.send(on.far.ack(invite, response))
        on.far.answer(await on.far.heard("BYE"), 200)
        await ending
        assert call.state is CallState.ENDED

    play(story)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"", "no session description"),
        (offer().replace(b"m=audio 4000", b"m=audio 0"), "a session description that has no audio"),
    ],
)
def test_a_late_offer_that_is_not_answered_ends_the_call(body: bytes, wrong: str) -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(body=b"")
        call.answer()
        ack = on.far.ack(invite, await on.far.response(200), body)
        ack.headers.add("Content-Type", "application/sdp")
        on.far.send(ack)
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert on.states[-1] == f"ended: the ACK answers this phone's offer with {wrong}"
        await on.far.nothing()

    play(story)


def test_a_late_offer() -> None:
    """An INVITE without SDP: the phone offers in the 200, the ACK answers."""

    async def story(on: Play) -> None:
        invite, _, call = await on.ringing(body=b"")
        call.answer()
        response = await on.far.response(200)
        assert lines(response.body, "m=", "a=send") == ["m=audio 11780 RTP/AVP 0 101", "a=sendrecv"]
        ack = on.far.ack(invite, response, offer())
        ack.headers.add("Content-Type", "application/sdp")
        on.far.send(ack)
        await on.far.nothing()
        assert call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (offer().replace(b"RTP/AVP 0", b"RTP/AVP 3").replace(b"0 PCMU", b"3 GSM"), "no common codec"),
        (b"v=0\r\nrubbish", "the offer cannot be used: SDP line 2"),
        (b"\xff\xfe", "the offer cannot be used: SDP line 1"),
        (
            offer().replace(b"c=IN IP4 192.168.1.13\r\n", b""),
            "the offer cannot be used: SDP: its audio has no",
        ),
    ],
)
def test_an_offer_that_cannot_be_answered_does_not_ring(body: bytes, reason: str) -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite(body=body)
        on.far.send(invite)
        on.far.send(ack_to(invite, await on.far.response(488)))
        [call] = on.phone.history
        assert call.reason.startswith(reason)
        assert "ringing" not in " ".join(on.states)
        await on.far.nothing()

    play(story)


def test_what_cannot_be_taken_is_refused() -> None:
    async def story(on: Play) -> None:
        odd = on.far.invite(call_id="odd-1")
        odd.headers.set("Content-Type", "text/plain")
        on.far.send(odd)
        assert (await on.far.response(415)).headers.get("Accept") == "application/sdp"
        extended = on.far.invite(call_id="odd-2", extra=[("Require", "100rel, foo")])
        on.far.send(extended)
        assert (await on.far.response(420)).headers.get("Unsupported") == "100rel, foo"
        bare = on.far.invite(call_id="odd-3")
        bare.headers.remove("Contact")
        on.far.send(bare)
        assert (await on.far.response(400)).reason == "Missing Contact header"
        on.far.send(on.far.invite(call_id="odd-4", extra=[("Record-Route", "<nonsense")]))
        await on.far.response(400)
        assert on.phone.calls == []

    play(story)


@pytest.mark.parametrize(
    ("accepted", "status"),
    [("text/plain", 406), ("text/plain, application/sdp", 180), ("application/*;q=0.5", 180), ("*/*", 180)],
)
def test_a_caller_that_takes_no_description(accepted: str, status: int) -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=[("Accept", accepted)]))
        await on.far.response(status, "INVITE")

    play(story)


def test_of_two_audio_lines_the_one_that_is_answered_is_spoken_to() -> None:
    """RTP/SAVP or RTP/AVP, as the called end likes: how optional SRTP is often offered."""

    async def story(on: Play) -> None:
        audio = b"m=audio 4000 RTP/AVP 0\r\n"
        secured = b"m=audio 5000 RTP/SAVP 0\r\n"
        _, response, call = await on.taken(body=offer().replace(audio, secured + audio))
        assert lines(response.body, "m=") == ["m=audio 0 RTP/SAVP 0", "m=audio 11780 RTP/AVP 0"]
        heard_at = call.voice.audio
        assert heard_at is not None
        assert heard_at._remote is not None
        assert heard_at._remote.address.port == 4000

    play(story)


def test_a_session_description_may_be_one_part_of_many() -> None:
    async def story(on: Play) -> None:
        parts = (
            b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/sdp\r\n\r\n"
        )
        invite = on.far.invite(body=parts + offer() + b"\r\n--b--\r\n")
        invite.headers.set("Content-Type", 'multipart/mixed; boundary="b"')
        on.far.send(invite)
        await on.far.response(180, "INVITE")
        [call] = on.phone.calls
        assert isinstance(call, IncomingCall)
        call.answer()
        response = await on.far.response(200, "INVITE")
        assert lines(response.body, "m=") == ["m=audio 11780 RTP/AVP 0"]

    play(story)


@pytest.mark.parametrize(
    ("settings", "supported"),
    [({}, "replaces"), ({"account__1__100rel_enable": 1}, "replaces, 100rel")],
)
def test_a_2xx_names_what_is_supported(settings: dict[str, Any], supported: str) -> None:
    """RFC 3261 section 13.3.1.4, for re-INVITEs too; a 180 need not."""

    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing()
        assert ringing.headers.get("Supported") is None
        call.answer()
        response = await on.far.response(200, "INVITE")
        assert response.headers.get("Supported") == supported
        on.far.send(on.far.ack(invite, response))
        own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
        again = on.far.inside("INVITE", invite.call_id, own, phone, body=offer())
        on.far.send(again)
        response = await on.far.response(200, "INVITE")
        assert response.headers.get("Supported") == supported
        on.far.send(on.far.ack(again, response))
        await on.rest()

    play(story, **settings)


def test_a_body_that_is_encoded() -> None:
    async def story(on: Play) -> None:
        on.far.send(on.far.invite(extra=[("Content-Encoding", "gzip")]))
        response = await on.far.response(415, "INVITE")
        assert response.headers.get("Accept-Encoding") == "identity"

    play(story)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"INVITE mailto:a@b SIP/2.0", 416),
        (b"INVITE sip:1001@192.168.1.21 SIP/3.0", 505),
        (b"INVITE sip:1001@192.168.1.21:5060 SIP/2.0\r\nContent-Length: 65536", 413),
        (b"INVITE sip:1001@192.168.1.21:5060 SIP/2.0\r\nContent-Length: none", 400),
        (b"INVITE sip:1001@192.168.1.21:5060 SIP/2.0\r\nMax-Forwards: 0", 180),
    ],
)
def test_requests_that_cannot_be_read(head: bytes, status: int) -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite(body=b"").to_bytes()
        _, _, rest = invite.partition(b"\r\n")
        for own in (b"Content-Length: 0\r\n", b"Max-Forwards: 70\r\n"):
            if own.partition(b":")[0] in head:
                rest = rest.replace(own, b"")
        on.far.raw(head + b"\r\n" + rest)
        await on.far.response(status)

    play(story)


def test_retransmissions_ring_once() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing()
        on.far.send(invite)
        await on.far.response(180)
        assert on.phone.calls == [call]
        call.reject()
        response = await on.far.response(486)
        on.far.send(invite)
        await on.far.response(486)
        on.far.send(ack_to(invite, response))
        await on.far.nothing()

    play(story)


def test_a_merged_invite_rings_once() -> None:
    """RFC 3261 section 8.2.2.2: the same request on another way is a loop."""

    async def story(on: Play) -> None:
        _, _, call = await on.ringing()
        again = on.far.invite(branch="z9hG4bKother")
        on.far.send(again)
        on.far.send(ack_to(again, await on.far.response(482)))
        assert on.phone.calls == [call]
        await call.hang_up()
        await on.far.response(486)

    play(story)


def test_a_merged_invite_does_not_ring_behind_the_answer() -> None:
    """Its transaction goes on until no copy can come any more (timer L)."""

    async def story(on: Play) -> None:
        _, _, call = await on.taken()
        again = on.far.invite(branch="z9hG4bKother")
        on.far.send(again)
        on.far.send(ack_to(again, await on.far.response(482)))
        assert on.phone.calls == [call]
        await asyncio.sleep(33)
        assert on.phone.context.endpoint.servers._mergeable == {}

    play(story)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_while_the_phone_rings_comes_too_early(method: str) -> None:
    """RFC 3261 section 14.2: 500 with a Retry-After of 0 to 10 s."""

    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing()
        own, phone = invite.headers.get("From") or "", ringing.headers.get("To") or ""
        on.far.send(on.far.inside(method, "in-1", own, phone, 2, body=offer()))
        response = await on.far.response(500, method)
        assert 0 <= int(response.headers.get("Retry-After") or "") <= 10
        assert call.state is CallState.RINGING

    play(story)


def test_requests_without_a_call() -> None:
    async def story(on: Play) -> None:
        for method, status in {
            "OPTIONS": 200,
            "NOTIFY": 489,
            "MESSAGE": 200,
            "BYE": 481,
            "INFO": 481,
            "UPDATE": 481,
            "PRACK": 481,
            "CANCEL": 481,
            "REGISTER": 405,
            "SUBSCRIBE": 489,
            "NONSENSE": 501,
        }.items():
            on.far.send(on.far.make(method, f"sip:1001@{PHONE}", call_id=f"alone-{method}"))
            response = await on.far.response(status, method)
            assert ("Allow" in response.headers) == (status == 405 or method == "OPTIONS")
            assert "User-Agent" in response.headers
            assert response.to_tag

    play(story)


def test_an_ack_out_of_nowhere_is_ignored() -> None:
    async def story(on: Play) -> None:
        invite, response, call = await on.taken()
        ack = on.far.ack(invite, response)
        on.far.send(ack)
        ack.headers.set("Call-ID", "unknown")
        on.far.send(ack)
        await on.far.nothing()
        assert call.state is CallState.TALKING

    play(story)


def test_calls_that_end_leave_nothing_behind() -> None:
    async def story(on: Play) -> None:
        for number in range(100):
            invite, _, call = await on.ringing(call_id=f"many-{number}")
            call.reject()
            on.far.send(ack_to(invite, await on.far.response(486)))
        await asyncio.sleep(40)
        assert on.phone.calls == []
        assert on.phone.context.endpoint.live_transactions == 0
        assert on.world.pending_timers() == []
        assert on.world.pending_tasks() == []

    play(story)


def test_the_peer_is_told_apart_from_strangers() -> None:
    """A BYE with the right Call-ID but a wrong tag ends nothing."""

    async def story(on: Play) -> None:
        _, response, call = await on.taken()
        stranger = Peer(on.world)
        await stranger.bind(SERVER._replace(port=5080), remote=PHONE)
        stranger.send(
            on.far.inside("BYE", "in-1", "<sip:1002@x>;tag=wrong", response.headers.get("To") or "", 9)
        )
        await on.far.response(481, "BYE")
        assert call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize(
    ("settings", "status", "reason"),
    [
        (
            {"forward__always__enable": 1, "forward__always__target": "1005"},
            302,
            "forwarded to 1005: every call is forwarded",
        ),
        ({"account__1__dnd__enable": 1}, 480, "do not disturb is on"),
        (
            {"sip__trust_ctrl": 1, "account__1__sip_server__1__address": "192.168.1.99"},
            403,
            "192.168.1.13 is none of the line's servers",
        ),
    ],
)
def test_a_call_that_is_refused_before_it_rings_is_told(
    settings: dict[str, Any], status: int, reason: str
) -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite()
        on.far.send(invite)
        on.far.send(ack_to(invite, await on.far.response(status, "INVITE")))
        [told] = [event for event in on.events if isinstance(event, CallRefused)]
        assert (told.line, told.remote, told.status, told.reason) == (1, "1002", status, reason)
        assert on.phone.calls == []

    play(story, **settings)
