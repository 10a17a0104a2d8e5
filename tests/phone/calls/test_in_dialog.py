"""What both ends do within a call: requests, offers, glare, routes (RFC 3261 sections 12.2, 14, 15)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, CallState, MediaChanged, Outcome
from phone_emulator.phone import CallError, CallResult, OutgoingCall
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import Request, Response
from tests.lab.peers import SERVER, Peer, ack_to
from tests.phone.far_end import FarEnd, Play, lines, offer, play

CHALLENGE = ("Proxy-Authenticate", challenge_value("r", "n"))


def test_bye_is_authenticated_when_asked() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        ending = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        assert bye.cseq.number == 2
        on.far.answer(bye, 407, extra=[CHALLENGE])
        again = await on.far.heard("BYE")
        assert again.cseq.number == 3
        assert 'username="1001"' in (again.headers.get("Proxy-Authorization") or "")
        assert [name for name, _ in again.headers][4:9] == [
            "CSeq",
            "Contact",
            "Proxy-Authorization",
            "Max-Forwards",
            "User-Agent",
        ]
        on.far.answer(again, 200)
        await ending
        assert call.state is CallState.ENDED

    play(story)


def test_the_bye_to_an_answer_that_nobody_wants_is_authenticated_when_asked() -> None:
    # rule C9
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        ending = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("CANCEL"), 200)
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("BYE"), 407, extra=[CHALLENGE])
        again = await on.far.heard("BYE")
        assert again.cseq.number == 3
        assert 'username="1001"' in (again.headers.get("Proxy-Authorization") or "")
        on.far.answer(again, 200)
        await ending
        await call.over()
        assert (call.result, call.reason) == (CallResult.CANCELLED, "hung up by the user")

    play(story)


def test_a_bye_that_nobody_answers_ends_the_call() -> None:
    # rule C11
    async def story(on: Play) -> None:
        _, call = await on.talking()
        start = on.world.now()
        await call.hang_up()
        assert on.world.now() - start == 32
        assert call.state is CallState.ENDED

    play(story)


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
def test_hold_and_resume(direction: str) -> None:
    async def story(on: Play) -> None:
        if direction == "outgoing":
            first, call = await on.talking()
            original = first.body
            number = 2
        else:
            _, response, incoming = await on.taken()
            original, call, number = response.body, incoming, 1  # type: ignore[assignment]
        origin = lines(original, "o=")[0].split()
        for step, direction_line, state in (
            (1, "a=sendonly", CallState.HELD),
            (2, "a=sendrecv", CallState.TALKING),
        ):
            doing = asyncio.create_task(call.hold() if step == 1 else call.resume())
            invite = await on.far.heard("INVITE")
            assert invite.cseq.number == number
            assert lines(invite.body, "a=send") == [direction_line]
            again = lines(invite.body, "o=")[0].split()
            assert again[1] == origin[1], "the session stays the same"
            assert int(again[2]) == int(origin[2]) + step, "its version counts on"
            on.far.answer(invite, 200, body=offer("recvonly" if step == 1 else "sendrecv"))
            assert (await on.far.heard("ACK")).cseq.number == number
            await doing
            assert call.state is state
            number += 1

    play(story)


def test_a_repeated_200_to_a_reinvite_draws_its_ack_again() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        response = on.far.answer(invite, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        on.far.send(response)
        assert (await on.far.heard("ACK")).cseq == (2, "ACK")

    play(story)


def test_an_ack_is_for_its_invite_whatever_was_sent_since() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        digit = asyncio.create_task(call.send_dtmf("5"))
        on.far.answer(await on.far.heard("INFO"), 200)
        await digit
        on.far.answer(invite, 200, body=offer("recvonly"))
        assert (await on.far.heard("ACK")).cseq.number == 2
        await holding

    play(story, account__1__dtmf__type=2)


def test_hold_the_old_way() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        invite = await on.far.accept_invite()
        await holding
        assert lines(invite.body, "c=", "a=send") == ["c=IN IP4 0.0.0.0", "a=sendrecv"]

    play(story, sip__rfc2543_hold=1)


@pytest.mark.parametrize(
    ("ours", "theirs", "sends", "hears"),
    [
        ("sendrecv", "sendonly", False, True),
        ("sendrecv", "recvonly", True, False),
        ("sendrecv", "sendrecv", True, True),
        ("sendonly", "inactive", False, False),
        ("sendonly", "recvonly", True, False),
    ],
)
def test_sound_goes_the_ways_that_offer_and_answer_allow(
    ours: str, theirs: str, sends: bool, hears: bool
) -> None:
    """The far end may keep this one on hold, whatever is offered (RFC 3264 section 6.1)."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        doing = asyncio.create_task(call.hold() if ours == "sendonly" else call.resume())
        await on.far.accept_invite(body=offer(theirs))
        await doing
        assert call.voice.audio is not None
        assert call.voice.audio.directions == (sends, hears)

    play(story)


def test_a_refused_hold_changes_nothing() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 488)
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="the far end refused: 488 Not Acceptable Here"):
            await holding
        assert call.state is CallState.TALKING
        assert not call.held

    play(story)


@pytest.mark.parametrize("status", [481, 408, 0])
def test_a_far_end_that_knows_nothing_of_the_call_ends_it(status: int) -> None:
    """RFC 3261 section 12.2.1.2; rule C11."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        if status:
            on.far.answer(invite, status)
            await on.far.heard("ACK")
        with pytest.raises(CallError):
            await holding
        while (message := await on.far.request()).method != "BYE":
            assert message.method == "INVITE"
        on.far.answer(message, 200)
        await call.over()
        assert call.state is CallState.ENDED

    play(story)


async def cancelled_hold(on: Play) -> tuple[OutgoingCall, asyncio.Task[None], Request, Request]:
    """A call whose re-INVITE has been promised an answer for three minutes: that one, and its CANCEL."""
    _, call = await on.talking()
    holding = asyncio.create_task(call.hold())
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 100)
    start = on.world.now()
    await asyncio.sleep(150)
    cancel = await on.far.heard("CANCEL")
    assert on.world.now() - start == 180
    assert (cancel.uri, cancel.branch, cancel.cseq.number) == (invite.uri, invite.branch, invite.cseq.number)
    assert cancel.headers.get("To") == invite.headers.get("To")
    return call, holding, invite, cancel


def test_a_reinvite_that_is_only_promised_an_answer_is_cancelled() -> None:
    """The session stays as it was (section 14.1)."""

    async def story(on: Play) -> None:
        call, holding, invite, cancel = await cancelled_hold(on)
        on.far.answer(cancel, 200)
        on.far.answer(invite, 487)
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="487"):
            await holding
        await on.far.nothing()
        assert call.state is CallState.TALKING

    play(story)


def test_a_reinvite_that_is_accepted_after_its_cancel() -> None:
    async def story(on: Play) -> None:
        call, holding, invite, cancel = await cancelled_hold(on)
        on.far.answer(invite, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        on.far.answer(cancel, 200)
        await holding
        await on.far.nothing()
        assert call.state is CallState.HELD

    play(story)


def test_a_reinvite_whose_cancel_changes_nothing_ends_the_call() -> None:
    """The far end does not follow: 64*T1 after the CANCEL it has lost the call (sections 9.1, 12.2.1.2)."""

    async def story(on: Play) -> None:
        call, holding, _, cancel = await cancelled_hold(on)
        start = on.world.now()
        on.far.answer(cancel, 200)
        with pytest.raises(CallError, match="did not respond"):
            await holding
        assert on.world.now() - start == 32
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()

    play(story)


def test_the_far_end_holds_and_resumes() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        versions = [int(lines(invite.body, "o=")[0].split()[2])]
        for number, theirs, ours in ((101, "sendonly", "recvonly"), (102, "sendrecv", "sendrecv")):
            again = on.from_far("INVITE", invite, number, body=offer(theirs))
            on.far.send(again)
            response = await on.far.response(200, "INVITE")
            on.far.send(on.far.ack(again, response))
            assert lines(response.body, "a=recv", "a=send") == [f"a={ours}"]
            versions.append(int(lines(response.body, "o=")[0].split()[2]))
            await on.far.nothing()
        assert versions == [versions[0], versions[0] + 1, versions[0] + 2]
        assert call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize(("theirs", "ours"), [("sendrecv", "sendonly"), ("sendonly", "inactive")])
def test_a_held_far_end_stays_held(theirs: str, ours: str) -> None:
    """A re-INVITE of the far end does not take it off hold."""

    async def story(on: Play) -> None:
        invite, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        on.far.send(on.from_far("UPDATE", invite, body=offer(theirs)))
        response = await on.far.response(200, "UPDATE")
        assert lines(response.body, "a=send", "a=inactive") == [f"a={ours}"]
        assert call.state is CallState.HELD

    play(story)


def test_a_200_to_a_reinvite_is_repeated_until_the_ack() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        start = on.world.now()
        again = on.from_far("INVITE", invite, body=offer())
        on.far.send(again)
        await on.far.response(200)
        await on.far.response(200)
        response = await on.far.response(200)
        assert on.world.now() - start == 1.5
        on.far.send(on.far.ack(again, response))
        await on.far.nothing()
        assert call.state is CallState.TALKING
        on.far.send(on.from_far("INVITE", invite, 102, body=offer()))
        while isinstance(message := await on.far.hear(), Response):
            assert message.status == 200
        assert message.cseq.method == "BYE"
        assert on.world.now() - start == 1.5 + 40 + 32

    play(story)


def test_a_late_offer_in_the_call_that_is_not_answered_keeps_the_old_session() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        again = on.from_far("INVITE", invite)
        on.far.send(again)
        on.far.send(on.far.ack(again, await on.far.response(200, "INVITE")))
        await on.far.nothing()
        assert call.state is CallState.TALKING
        assert call.voice.audio is not None
        assert call.voice.audio.can_send

    play(story)


def test_a_late_offer_in_the_call() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        again = on.from_far("INVITE", invite)
        on.far.send(again)
        response = await on.far.response(200)
        assert lines(response.body, "m=") == ["m=audio 11780 RTP/AVP 0 101"]
        # Its answer is still to come: no other offer until then.
        on.far.send(on.from_far("UPDATE", invite, 102, body=offer()))
        await on.far.response(491, "UPDATE")
        on.far.send(on.far.ack(again, response, offer()))
        await on.rest()
        on.far.send(on.from_far("UPDATE", invite, 103, body=offer()))
        await on.far.response(200, "UPDATE")
        assert call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
def test_glare(direction: str) -> None:
    """RFC 3261 section 14.1: 491 to the other's re-INVITE; after a 491, the Call-ID's owner waits longer."""

    async def story(on: Play) -> None:
        if direction == "outgoing":
            first, call = await on.talking()
            own, phone = f"{first.headers.get('To')};tag=far-tag", first.headers.get("From") or ""
            least, most = 2.1, 4.0
        else:
            first, taken, call = await on.taken()  # type: ignore[assignment]
            own, phone = first.headers.get("From") or "", taken.headers.get("To") or ""
            least, most = 0.0, 2.0
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        crossing = on.far.inside("INVITE", first.call_id, own, phone, body=offer())
        on.far.send(crossing)
        on.far.send(ack_to(crossing, await on.far.response(491)))
        on.far.answer(invite, 491)
        await on.far.heard("ACK")
        start = on.world.now()
        again = await on.far.heard("INVITE")
        assert least <= on.world.now() - start <= most
        assert again.cseq.number == invite.cseq.number + 1
        on.far.answer(again, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        assert call.state is CallState.HELD

    play(story)


def test_glare_without_end_is_given_up() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        for _ in range(5):
            on.far.answer(await on.far.heard("INVITE"), 491)
            await on.far.heard("ACK")
        with pytest.raises(CallError, match="491 Request Pending"):
            await holding
        assert call.state is CallState.TALKING

    play(story)


def test_hold_waits_for_the_ack_of_the_far_ends_reinvite() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        again = on.from_far("INVITE", invite, body=offer())
        on.far.send(again)
        response = await on.far.response(200)
        holding = asyncio.create_task(call.hold())
        await asyncio.sleep(0.2)
        assert on.far.inbox.empty()
        on.far.send(on.far.ack(again, response))
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding

    play(story)


def test_hold_of_a_call_that_is_not_up() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        with pytest.raises(CallError, match="the call is calling, not up"):
            await call.hold()
        on.far.answer(await on.far.heard("INVITE"), 486)
        await call.over()
        with pytest.raises(CallError, match="ended"):
            await call.resume()

    play(story)


def test_requests_in_the_dialog() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        for number, (method, status) in enumerate(
            {"INFO": 200, "OPTIONS": 200, "NOTIFY": 489, "MESSAGE": 200, "UPDATE": 200, "REFER": 400}.items()
        ):
            on.far.send(on.from_far(method, invite, 101 + number))
            response = await on.far.response(status, method)
            assert "User-Agent" in response.headers
            assert ("Contact" in response.headers) == (method == "UPDATE")
        on.far.send(on.from_far("INFO", invite, 50))
        await on.far.response(500, "INFO")
        on.far.send(on.from_far("UPDATE", invite, 200, body=b"rubbish"))
        await on.far.response(488, "UPDATE")
        assert call.state is CallState.TALKING

    play(story)


def test_the_remote_target_is_refreshed_by_what_is_accepted() -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        other = await Peer(on.world).bind(Address("192.168.1.40", 5070))
        moved = on.from_far("UPDATE", invite, 101, body=b"rubbish")
        moved.headers.set("Contact", "<sip:1002@192.168.1.99>")
        on.far.send(moved)
        await on.far.response(488, "UPDATE")
        moved = on.from_far("UPDATE", invite, 102)
        moved.headers.set("Contact", "<sip:1002@192.168.1.40:5070>")
        on.far.send(moved)
        await on.far.response(200, "UPDATE")
        await call_ends_at(other, call.hang_up(), "sip:1002@192.168.1.40:5070")

    play(story)


async def call_ends_at(peer: Peer, ending: object, uri: str) -> None:
    assert asyncio.iscoroutine(ending)
    task = asyncio.create_task(ending)
    bye = await peer.request()
    assert (bye.method, bye.uri) == ("BYE", uri)
    FarEnd.answer(peer, bye, 200)  # type: ignore[arg-type]
    await task


def test_the_ack_to_a_reinvite_goes_to_where_its_200_has_moved() -> None:
    """RFC 3261 sections 12.2.1.2 and 13.2.2.4: the ACK is a request of the dialog, as it is by then."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        other = await Peer(on.world).bind(Address("192.168.1.40", 5070))
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        moved = [("Contact", "<sip:1002@192.168.1.40:5070>")]
        response = on.far.answer(invite, 200, body=offer("recvonly"), extra=moved)
        ack = await other.request()
        assert (ack.method, ack.uri, ack.cseq.number) == ("ACK", "sip:1002@192.168.1.40:5070", 2)
        await holding
        on.far.send(response)
        assert (await other.request()).method == "ACK"
        assert on.far.inbox.empty()

    play(story)


def test_a_late_200_does_not_undo_a_newer_contact() -> None:
    """The 200 was lost first, and is that of before the far end moved (RFC 6141 section 4)."""

    async def story(on: Play) -> None:
        first, call = await on.talking()
        other = await Peer(on.world).bind(Address("192.168.1.40", 5070))
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        moved = on.from_far("UPDATE", first, 101)
        moved.headers.set("Contact", "<sip:1002@192.168.1.40:5070>")
        on.far.send(moved)
        await on.far.response(200, "UPDATE")
        on.far.answer(invite, 200, body=offer("recvonly"))
        assert (await other.request()).method == "ACK"
        await holding
        await call_ends_at(other, call.hang_up(), "sip:1002@192.168.1.40:5070")

    play(story)


def test_a_hold_that_is_accepted_after_the_hang_up_changes_nothing() -> None:
    """Its ACK is owed all the same (RFC 3261 section 13.2.2.4); the clock of the session stays still."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        ending = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await ending
        told = len(on.events)
        extra = [("Session-Expires", "90;refresher=uac"), ("Require", "timer")]
        on.far.answer(invite, 200, body=offer("inactive"), extra=extra)
        await on.far.heard("ACK")
        with pytest.raises(CallError, match="the call is ended"):
            await holding
        assert not call.held
        assert [event for event in on.events[told:] if isinstance(event, MediaChanged)] == []
        await asyncio.sleep(40)
        assert on.world.pending_timers() == []

    play(story, account__1__session_timer__enable=1)


def test_another_port_of_the_server_is_another_target() -> None:
    async def story(on: Play) -> None:
        other = await Peer(on.world).bind(SERVER._replace(port=5080))
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer(), extra=[("Contact", f"<sip:1002@{SERVER.host}:5080>")])
        ack = await other.request()
        assert ack.method == "ACK"
        await call.settled()
        await call_ends_at(other, call.hang_up(), f"sip:1002@{SERVER.host}:5080")

    play(story)


def test_routes_loose_and_strict() -> None:
    async def story(on: Play) -> None:
        loose, strict = "<sip:192.168.1.13:5060;lr>", "<sip:192.168.1.13:5060;transport=udp>"
        for routes, uri, expected in (
            ([loose, "<sip:p2.example;lr>"], f"sip:1002@{SERVER}", ["<sip:p2.example;lr>", loose]),
            (["<sip:p2.example;lr>", loose], None, [loose, "<sip:p2.example;lr>"]),
            ([strict], "sip:192.168.1.13:5060;transport=udp", [f"<sip:1002@{SERVER}>"]),
        ):
            if uri is not None and expected[0].startswith("<sip:p2"):
                continue  # its first hop is not the far end
            call = on.phone.dial("1002")
            invite = await on.far.heard("INVITE")
            extra = [("Contact", f"<sip:1002@{SERVER}>"), *(("Record-Route", r) for r in reversed(expected))]
            if uri is not None:
                extra = [("Contact", f"<sip:1002@{SERVER}>"), ("Record-Route", ", ".join(routes))]
            on.far.answer(invite, 200, body=offer(), extra=extra)
            ack = await on.far.heard("ACK")
            assert ack.uri == (uri or f"sip:1002@{SERVER}")
            assert ack.headers.values("Route") == expected
            await call.settled()
            ending = asyncio.create_task(call.hang_up())
            bye = await on.far.heard("BYE")
            assert bye.uri == ack.uri
            assert bye.headers.values("Route") == expected
            on.far.answer(bye, 200)
            await ending

    play(story)


def test_tcp_requests_use_the_connection_that_is_there() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        ending = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await ending
        assert len(on.far.streams) == 1

    play(story, account__1__sip_server__1__transport_type=1)


def test_a_lost_connection_is_made_again_for_the_bye() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        on.far.streams[0].close()
        await on.rest()
        ending = asyncio.create_task(call.hang_up())
        on.far.answer(await on.far.heard("BYE"), 200)
        await ending
        assert len(on.far.streams) == 2
        assert call.state is CallState.ENDED

    play(story, account__1__sip_server__1__transport_type=1)


def test_a_connection_lost_in_a_request_ends_the_call() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        ending = asyncio.create_task(call.hang_up())
        await on.far.heard("BYE")
        start = on.world.now()
        on.far.streams[0].abort()
        await ending
        assert on.world.now() == start
        assert call.state is CallState.ENDED

    play(story, account__1__sip_server__1__transport_type=1)


UNUSABLE = [("Record-Route", "<nonsense"), ("Contact", "<nonsense"), ("Contact", "<mailto:a@x>")]


@pytest.mark.parametrize("odd", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_acknowledged_and_ended(odd: tuple[str, str]) -> None:
    """RFC 3261 section 13.2.2.4."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer(), extra=[odd])
        ack = await on.far.heard("ACK")
        assert (ack.uri, ack.cseq.number, ack.to_tag) == (invite.uri, 1, "far-tag")
        bye = await on.far.heard("BYE")
        assert (bye.uri, bye.to_tag) == (invite.uri, "far-tag")
        on.far.answer(bye, 200)
        await call.over()
        assert call.reason.startswith(f"the 2xx cannot be used: {odd[0]}")
        on.far.answer(invite, 200, body=offer(), extra=[odd])
        assert (await on.far.heard("ACK")).to_tag == "far-tag", "each time that it asks for one"
        await on.far.nothing()

    play(story)


@pytest.mark.parametrize("contact", ["<tel:+123>", "<sip:1002@nowhere.invalid>"])
def test_an_answer_that_leads_nowhere_is_acknowledged_on_the_way_of_the_invite(contact: str) -> None:
    """RFC 3261 section 13.2.2.4."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer(), extra=[("Contact", contact)])
        assert (await on.far.heard("ACK")).uri == contact[1:-1]
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert on.states[-1] == f"ended: there is no way to {contact[1:-1]}"

    play(story)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"", "no session description"),
        (b"v=0\r\nrubbish", "a session description that cannot be read (SDP line 2: expected "),
        (offer().replace(b"m=audio 4000", b"m=audio 0"), "a session description that has no audio"),
        (
            offer().replace(b"c=IN IP4 192.168.1.13\r\n", b""),
            "a session description whose audio has no address (c=)",
        ),
        (
            offer().replace(b"RTP/AVP", b"RTP/SAVP"),
            "a session description whose audio has not been offered",
        ),
    ],
)
def test_an_answer_that_lets_nothing_be_said_ends_the_call(body: bytes, wrong: str) -> None:
    """ACK and BYE (section 13.2.2.4), and the route says why."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=body)
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert (call.result, call.status, call.via, call.answered_at) == (CallResult.FAILED, 200, None, None)
        assert call.reason.startswith(f"answered with {wrong}")
        assert call.route[-1].outcome is Outcome.ANSWERED
        assert f"with {wrong}" in call.route[-1].detail
        assert not [state for state in on.states if state.startswith("talking")]
        assert on.states[-1].startswith(f"ended: answered with {wrong}")
        await on.far.nothing()

    play(story)


def test_an_offer_right_behind_an_answer_without_a_session_saves_the_call() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200)
        on.far.send(on.from_far("UPDATE", invite, body=offer()))
        await on.far.response(200, "UPDATE")
        await on.far.heard("ACK")
        await on.far.nothing()
        assert call.state is CallState.TALKING

    play(story)


def test_an_answer_to_hold_without_a_session_keeps_the_call() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 200)
        await on.far.heard("ACK")
        await holding
        await on.far.nothing()
        assert call.state is CallState.HELD

    play(story)


def test_an_odd_contact_in_the_answer_to_hold_keeps_the_target() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer("recvonly"), extra=[("Contact", "<nonsense")])
        assert isinstance(await on.far.heard("ACK"), Request)
        await holding
        assert call.state is CallState.HELD

    play(story)


def test_a_late_answer_that_cannot_be_used_is_acknowledged_and_ended() -> None:
    """RFC 3261 section 13.2.2.4, for an INVITE that was given up (rule C8)."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        await call.over()
        while not on.far.inbox.empty():
            await on.far.heard("INVITE")
        on.far.answer(invite, 200, body=offer(), extra=[("Contact", "<nonsense")])
        assert (await on.far.heard("ACK")).uri == invite.uri
        on.far.answer(await on.far.heard("BYE"), 200)

    play(story)


def test_a_late_answer_to_a_change_is_acknowledged() -> None:
    """RFC 3261 section 13.2.2.4: every 2xx is, also where the call has ended meanwhile."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        again = await on.far.heard("INVITE")
        with pytest.raises(CallError, match="did not respond"):
            await holding
        while (request := await on.far.request()).method == "INVITE":
            pass
        assert request.method == "BYE"
        on.far.answer(request, 200)
        await call.over()
        for _ in range(2):
            on.far.answer(again, 200, body=offer("recvonly"))
            ack = await on.far.heard("ACK")
            assert (ack.cseq.number, ack.call_id) == (again.cseq.number, again.call_id)
        await on.far.nothing()

    play(story)
