"""Peers of RFC 2543, and such as rewrite To and From: what makes a dialog (RFC 3261 section 12)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import CallState, MessagesWaiting
from phone_emulator.phone import CallError
from phone_emulator.phone.transfer.transfer import transfer_to
from phone_emulator.sip.message import Request, Response, response_to
from phone_emulator.sip.refer import parse_refer_to
from tests.lab.peers import SERVER
from tests.phone.far_end import Play, offer, play

SDP = ("Content-Type", "application/sdp")


def without_tag(invite: Request, status: int, body: bytes = b"") -> Response:
    """What a peer of RFC 2543 answers the phone's INVITE."""
    headers = [("Contact", f"<sip:1002@{SERVER}>")]
    if body:
        headers.append(("Content-Type", "application/sdp"))
    return response_to(invite, status, extra=headers, body=body)


def test_a_peer_of_rfc_2543_is_called() -> None:
    """RFC 3261 section 12.1.2: no To tag is a null tag."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.send(without_tag(invite, 183, offer()))
        await on.rest()
        assert call.session.early, "heard before it answers"
        on.far.send(without_tag(invite, 200, offer()))
        ack = await on.far.heard("ACK")
        assert ack.headers.get("To") == invite.headers.get("To")
        await call.settled()
        assert call.state is CallState.TALKING
        on.far.send(without_tag(invite, 200, offer()))
        await on.far.heard("ACK")  # again
        info = on.far.inside(
            "INFO", invite.call_id, invite.headers.get("To") or "", ack.headers.get("From") or ""
        )
        on.far.send(info)
        await on.far.response(200, "INFO")
        holding = asyncio.create_task(call.hold())
        again = await on.far.heard("INVITE")
        assert again.to_tag is None
        on.far.answer(again, 200, body=offer("recvonly"), tag="")
        await on.far.heard("ACK")
        await holding
        bye = on.far.inside(
            "BYE", invite.call_id, invite.headers.get("To") or "", ack.headers.get("From") or "", 102
        )
        on.far.send(bye)
        await on.far.response(200, "BYE")
        assert on.phone.calls == []

    play(story)


def test_who_names_no_tag_in_a_1xx_and_one_in_the_2xx() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.send(without_tag(invite, 183, offer()))
        on.far.answer(invite, 200)  # what it has to say, it said before
        assert (await on.far.heard("ACK")).to_tag == "far-tag"
        await call.settled()
        await on.rest()
        assert call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize("source", [0, 2])
def test_a_peer_that_rewrites_to_and_from_changes_nothing(source: int) -> None:
    """RFC 3261 section 12: a dialog is known by its tags; RFC 4916 with account.X.cp_source = 2."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        taken = response_to(invite, 200, extra=[("Contact", f"<sip:1002@{SERVER}>"), SDP], body=offer())
        taken.headers.set("To", '"Bob" <sip:bob@elsewhere>;tag=far-tag')
        on.far.send(taken)
        ack = await on.far.heard("ACK")
        assert ack.headers.get("To") == f"{invite.headers.get('To')};tag=far-tag"
        await call.settled()
        for cseq, method in ((101, "UPDATE"), (102, "INVITE")):
            other = f"<sip:bob-{cseq}@elsewhere>;tag=far-tag"
            request = on.far.inside(
                method, invite.call_id, other, "<sip:me@x>;tag=" + (invite.from_tag or ""), cseq
            )
            on.far.send(request)
            accepted = await on.far.response(200, method)
            if method == "INVITE":
                on.far.send(on.far.ack(request, accepted, offer()))
            await on.rest()
            assert call.party == (f"bob-{cseq}" if source == 2 else "1002")
        ending = asyncio.create_task(call.hang_up())
        bye = await on.far.heard("BYE")
        named = "<sip:bob-102@elsewhere>;tag=far-tag" if source == 2 else ack.headers.get("To")
        assert bye.headers.get("To") == named
        assert bye.headers.get("From") == invite.headers.get("From")
        on.far.answer(bye, 200)
        await ending
        assert ("from-change" in (invite.headers.get("Supported") or "")) is (source == 2)

    play(story, account__1__cp_source=source)


def test_a_null_tag_is_0_in_replaces() -> None:
    """RFC 3891 section 3."""

    async def story(on: Play) -> None:
        _, first = await on.talking()
        second = on.phone.dial("1003")
        invite = await on.second_call()
        on.far.send(without_tag(invite, 200, offer()))
        await on.far.heard("ACK")
        await second.settled()
        joining = asyncio.create_task(transfer_to(first, second))
        refer = await on.far.heard("REFER")
        [value] = parse_refer_to(refer.headers.get("Refer-To") or "").header("Replaces")
        assert value == f"{invite.call_id};to-tag=0;from-tag={invite.from_tag}"
        on.far.answer(refer, 603)
        with pytest.raises(CallError, match="603"):
            await joining

    play(story)


def test_a_server_of_rfc_2543_is_subscribed_to() -> None:
    """RFC 3261 section 12.1.2, for SUBSCRIBE: its NOTIFYs name no tag either."""

    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "600")])
        await registering
        subscribe = await on.far.heard("SUBSCRIBE")
        contact = ("Contact", f"<sip:{SERVER}>")
        on.far.send(response_to(subscribe, 200, extra=[("Expires", "600"), contact]))
        to, own = subscribe.headers.get("From") or "", subscribe.headers.get("To") or ""
        notify = on.far.inside("NOTIFY", subscribe.call_id, own, to, 1)
        notify.headers.add("Event", "message-summary")
        notify.headers.add("Subscription-State", "active")
        notify.headers.add("Content-Type", "application/simple-message-summary")
        notify.body = b"Messages-Waiting : yes\r\n"
        on.far.send(notify)
        await on.far.response(200, "NOTIFY")
        assert any(isinstance(event, MessagesWaiting) and event.waiting for event in on.events)

    play(story, account__1__subscribe_mwi=1)
