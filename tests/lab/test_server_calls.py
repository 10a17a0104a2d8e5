"""Calls through a lab server: challenges, routes, both directions."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Transport
from phone_emulator.sip.message import response_to
from tests.lab.peers import (
    CALLEE,
    DOMAIN,
    PHONE,
    SERVER,
    TCP,
    TLS,
    UDP,
    Lab,
    Peer,
    ack_to,
    ladder,
    within,
)

each_transport = pytest.mark.parametrize("transport", [UDP, TCP, TLS])


@each_transport
def test_a_call_goes_through(transport: Transport) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(transport), await lab.callee()
        invite = await phone.authenticated(phone.make("INVITE"))
        phone.send(invite)

        offered = await callee.request()
        assert offered.method == "INVITE"
        assert offered.uri == f"sip:1002@{DOMAIN}"
        assert offered.headers.get("Max-Forwards") == "69"
        assert "Proxy-Authorization" not in offered.headers
        assert offered.headers.values("Via")[0].startswith("SIP/2.0/UDP 192.168.1.13:5060;branch=z9hG4bK")
        assert offered.headers.values("Record-Route")[0] == "<sip:192.168.1.13:5060;lr>"
        assert len(offered.headers.values("Record-Route")) == (1 if transport is UDP else 2)

        callee.send(response_to(offered, 100))
        callee.send(response_to(offered, 180, to_tag="to-1"))
        contact = ("Contact", f"<sip:1002@{CALLEE}>")
        callee.send(response_to(offered, 200, to_tag="to-1", extra=[contact]))
        ringing = await phone.response(180)
        assert len(ringing.headers.values("Via")) == 1
        ok = await phone.response(200, "INVITE")

        phone.send(within(phone, "ACK", ok, cseq=2))
        ack = await callee.request()
        assert (ack.method, ack.uri) == ("ACK", f"sip:1002@{CALLEE}")
        assert "Route" not in ack.headers

        phone.send(within(phone, "BYE", ok, cseq=3))
        bye = await callee.request()
        assert bye.method == "BYE"
        callee.send(response_to(bye, 200))
        await phone.response(200, "BYE")
        assert lab.ignored == []

    ladder(story, transports=(UDP, TCP, TLS))


@each_transport
def test_the_callee_can_hang_up_without_the_phone_being_registered(transport: Transport) -> None:
    # rule C10
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(transport), await lab.callee()
        phone.send(await phone.authenticated(phone.make("INVITE")))
        offered = await callee.request()
        callee.send(response_to(offered, 200, to_tag="to-1", extra=[("Contact", f"<sip:1002@{CALLEE}>")]))
        await phone.response(200)
        bye = callee.make("BYE", str(offered.contacts[0].uri), call_id="call-1", user="1002")
        for route in offered.headers.values("Record-Route"):
            bye.headers.add("Route", route)
        callee.send(bye)
        heard = await phone.request()
        assert heard.method == "BYE"
        assert "Route" not in heard.headers
        phone.send(response_to(heard, 200))
        await callee.response(200, "BYE")

    ladder(story, transports=(UDP, TCP, TLS))


@each_transport
def test_somebody_calls_the_registered_phone(transport: Transport) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(transport), await lab.callee()
        await phone.register(f"<sip:1001@{PHONE.host}:5060;transport={transport};line=1>")
        callee.send(callee.make("INVITE", f"sip:1001@{DOMAIN}", user="1002", call_id="call-2"))
        invite = await phone.request()
        assert invite.method == "INVITE"
        assert invite.uri == f"sip:1001@{PHONE.host}:5060;transport={transport};line=1"
        phone.send(response_to(invite, 486, to_tag="busy"))
        busy = await callee.response(486)
        assert busy.to_tag == "busy"

    ladder(story, transports=(UDP, TCP, TLS))


def test_a_registered_phone_whose_connection_has_closed_is_unavailable() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(TCP), await lab.callee()
        await phone.register(f"<sip:1001@{PHONE.host}:5060;transport=tcp>")
        phone.close()
        await asyncio.sleep(1)
        invite = callee.make("INVITE", f"sip:1001@{DOMAIN}", user="1002", call_id="call-2")
        callee.send(invite)
        unavailable = await callee.response(480)
        callee.send(ack_to(invite, unavailable))
        await callee.nothing()
        assert "could not be sent on" in lab.ignored[0]

    ladder(story)


def test_the_callee_can_call_numbers_that_are_its_own() -> None:
    # A transfer of a call to the callee leads back to it: it is every user that is not registered.
    async def story(lab: Lab) -> None:
        callee = await lab.callee()
        callee.send(callee.make("INVITE", f"sip:1005@{DOMAIN}", user="1002"))
        invite = await callee.request()
        assert invite.uri == f"sip:1005@{DOMAIN}"

    ladder(story)


def test_who_is_not_registered_is_not_sent_back_to_the_callee() -> None:
    async def story(lab: Lab) -> None:
        callee = await lab.callee()
        callee.send(callee.make("INVITE", f"sip:1001@{DOMAIN}", user="1002"))
        await callee.response(480)

    ladder(story)


def test_without_a_callee_everybody_is_404() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        invite = await phone.authenticated(phone.make("INVITE"))
        phone.send(invite)
        refused = await phone.response(404)
        phone.send(ack_to(invite, refused))
        await phone.nothing()

    ladder(story, callee=None)


def test_a_tcp_only_server_still_reaches_the_callee() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(TCP), await lab.callee()
        phone.send(await phone.authenticated(phone.make("INVITE")))
        offered = await callee.request()
        callee.send(response_to(offered, 486, to_tag="busy"))
        await phone.response(486)
        stranger = await Peer(lab.world).bind(PHONE)
        stranger.send(stranger.make("OPTIONS", f"sip:{DOMAIN}"))
        await asyncio.sleep(1)
        assert stranger.icmp == ["ICMP port unreachable"]

    ladder(story, transports=(TCP,))


def test_cancel_and_ack_get_the_branch_of_their_invite() -> None:
    # rule C11
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        invite = await phone.authenticated(phone.make("INVITE"))
        phone.send(invite)
        offered = await callee.request()
        callee.send(response_to(offered, 180, to_tag="to-1"))
        await phone.response(180)
        cancel = phone.make("CANCEL", cseq=2, branch=invite.branch or "")
        phone.send(cancel)
        cancelled = await callee.request()
        assert cancelled.method == "CANCEL"
        assert cancelled.branch == offered.branch
        callee.send(response_to(cancelled, 200, to_tag="to-1"))
        callee.send(response_to(offered, 487, to_tag="to-1"))
        await phone.response(200, "CANCEL")
        terminated = await phone.response(487, "INVITE")
        phone.send(ack_to(invite, terminated))
        ack = await callee.request()
        assert (ack.method, ack.branch, ack.to_tag) == ("ACK", offered.branch, "to-1")

    ladder(story)


def test_retransmissions_get_the_same_branch_and_the_same_to_tag() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        first = phone.make("INVITE")
        phone.send(first)
        phone.send(first)
        assert (await phone.response(407)).to_tag == (await phone.response(407)).to_tag
        invite = await phone.authenticated(phone.make("INVITE", call_id="call-2"))
        phone.send(invite)
        phone.send(invite)
        assert (await callee.request()).branch == (await callee.request()).branch

    ladder(story)


def test_the_ack_to_an_own_answer_ends_here() -> None:
    # rule C8
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        await phone.authenticated(phone.make("INVITE"))
        await callee.nothing()
        assert lab.server.received == {"INVITE": 1, "ACK": 1}

    ladder(story)


def test_only_an_invite_outside_a_dialog_of_an_own_user_is_challenged() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        phone.send(phone.make("INVITE", user="2001", call_id="stranger"))
        assert (await callee.request()).call_id == "stranger"
        phone.send(phone.make("INVITE", to=f"<sip:1002@{DOMAIN}>;tag=to-1", call_id="re-invite"))
        assert (await callee.request()).call_id == "re-invite"
        phone.send(phone.make("MESSAGE", call_id="message"))
        assert (await callee.request()).call_id == "message"

    ladder(story)


def test_options_to_the_server_are_answered_by_the_server() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        assert "INVITE" in ((await phone.response(200)).headers.get("Allow") or "")
        phone.send(phone.make("OPTIONS", f"sip:{SERVER}", cseq=2))
        await phone.response(200)

    ladder(story)


@pytest.mark.parametrize(
    ("uri", "extra", "status"),
    [
        ("sip:1002@elsewhere.example", [], 404),
        (f"sip:{DOMAIN}", [], 404),
        ("sip:1002@10.0.0.1:99999", [], 404),
        ("sip:1002@10.0.0.1;transport=sctp", [], 404),
        ("sip:1002@10.0.0.1;transport=tls", [], 404),
        ("mailto:1002@elsewhere.example", [], 416),
        (f"sip:1002@{DOMAIN}", [("Max-Forwards", "0")], 483),
        (f"sip:1002@{DOMAIN}", [("Max-Forwards", "many")], 400),
        (f"sip:1002@{DOMAIN}", [("Route", "<>")], 400),
        (f"sip:1002@{DOMAIN}", [("Route", "<sip:elsewhere.example;lr>")], 404),
    ],
)
def test_what_cannot_be_forwarded_is_refused(uri: str, extra: list[tuple[str, str]], status: int) -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = phone.make("MESSAGE", uri)
        for name, value in extra:
            request.headers.set(name, value)
        phone.send(request)
        await phone.response(status)

    ladder(story)


def test_rport_is_filled_where_asked_and_received_where_the_address_differs() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        request = phone.make("OPTIONS", f"sip:{DOMAIN}")
        request.headers.set("Via", "SIP/2.0/UDP 10.9.9.9:7000;rport;branch=z9hG4bK1")
        phone.send(request)
        ok = await phone.response(200)
        assert ok.headers.get("Via") == (
            f"SIP/2.0/UDP 10.9.9.9:7000;branch=z9hG4bK1;received={PHONE.host};rport=5060"
        )
        request.headers.set("Via", "SIP/2.0/UDP 10.9.9.9:5060;received=10.1.1.1;branch=z9hG4bK1")
        phone.send(request)
        ok = await phone.response(200)
        assert ok.headers.get("Via") == f"SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bK1;received={PHONE.host}"

    ladder(story)


def test_a_tel_uri_reaches_the_callee() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        phone.send(phone.make("MESSAGE", "tel:+4930123"))
        assert (await callee.request()).uri == "tel:+4930123"

    ladder(story)
