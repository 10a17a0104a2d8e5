"""Whom an INVITE is for: the user of a line, or the phone itself at its own address.

``features.direct_ip_call_enable``, ``sip.trust_ctrl``; RFC 3261 sections 8.2.2.1 and 16.4.
"""

from __future__ import annotations

from typing import Any

import pytest

from phone_emulator.events import CallState
from phone_emulator.phone import IncomingCall, PhoneOptions
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE, SERVER, ack_to
from tests.phone.far_end import FarEnd, Play, play

OURS = [
    *("sip:192.168.1.21", "sip:192.168.1.21:5060", "sip:100@192.168.1.21", "sips:192.168.1.21"),
    *("sip:192.168.1.21@192.168.1.21", "sip:1002@192.168.1.21:5099;transport=tcp"),
]
"""The phone's own address, with no user, or with one that no line has."""
OTHERS = [
    *("sip:192.168.1.22", "sip:100@192.168.1.22", "sip:100@pbx.example.com", "sip:pbx.example.com"),
    *("tel:+4930123", "tel:192.168.1.21"),
]


def invite(on: Play, uri: str, **how: Any) -> Request:
    request = on.far.invite(**how)
    request.uri = uri
    return request


@pytest.mark.parametrize("uri", OURS)
def test_a_direct_call_rings_at_the_first_line(uri: str) -> None:
    async def story(on: Play) -> None:
        on.far.send(invite(on, uri))
        ringing = await on.far.response(180)
        assert str(ringing.contacts[0].uri) == "sip:1001@192.168.1.21:5060"
        assert [call.seat.number for call in on.phone.calls] == [1]

    play(story)


@pytest.mark.parametrize("uri", OTHERS)
def test_an_address_that_is_not_the_phones_is_nobodys(uri: str) -> None:
    async def story(on: Play) -> None:
        on.far.send(invite(on, uri))
        await on.far.response(404)

    play(story)


@pytest.mark.parametrize("uri", OURS)
def test_direct_calls_can_be_switched_off(uri: str) -> None:
    async def story(on: Play) -> None:
        request = invite(on, uri)
        on.far.send(request)
        on.far.send(ack_to(request, await on.far.response(404)))
        on.far.send(on.far.invite(call_id="in-2"))  # which names the line
        await on.far.response(180)

    play(story, features__direct_ip_call_enable=0)


@pytest.mark.parametrize("uri", [OURS[0], OURS[2], "sip:1001@192.168.1.21"])
def test_a_phone_that_trusts_its_servers_only_takes_no_direct_call(uri: str) -> None:
    async def story(on: Play) -> None:
        far = on.far = await on.stranger()
        far.send(invite(on, uri))
        await far.response(403)

    play(story, sip__trust_ctrl=1)


def test_a_direct_call_is_a_call_like_any_other() -> None:
    async def story(on: Play) -> None:
        request = invite(on, "sip:192.168.1.21")
        on.far.send(request)
        await on.far.response(180)
        [call] = on.phone.calls
        assert isinstance(call, IncomingCall)
        call.answer()
        response = await on.far.response(200, "INVITE")
        on.far.send(on.far.ack(request, response))
        await on.rest()
        own, phone = request.headers.get("From") or "", response.headers.get("To") or ""
        on.far.send(on.far.inside("BYE", "in-1", own, phone, 2))
        await on.far.response(200, "BYE")
        assert call.state is CallState.ENDED

    play(story)


def test_what_the_line_speaks_may_be_required_of_a_direct_call() -> None:
    async def story(on: Play) -> None:
        on.far.send(invite(on, "sip:192.168.1.21", extra=[("Require", "timer")]))
        await on.far.response(180)

    play(story, account__1__session_timer__enable=1)


def test_a_direct_call_over_ipv6() -> None:
    async def story(on: Play) -> None:
        far = FarEnd(on.world)
        await far.bind(SERVER._replace(host="fd00::13"), remote=PHONE._replace(host="fd00::21"))
        on.far = far
        far.send(invite(on, "sip:[fd00:0:0::21]"))
        await far.response(180)

    play(story, PhoneOptions(local_address="192.168.1.21,fd00::21"))


SECOND = {
    "account__2__enable": 1,
    "account__2__sip_server__1__address": "192.168.1.14",
    "account__2__codec__pcmu__enable": 1,
}


@pytest.mark.parametrize(
    ("uri", "to", "line"),
    [
        ("sip:1001@192.168.1.21", "<sip:1001@a.example>", 1),
        ("sip:1001@192.168.1.21", "<sip:1001@B.example>", 2),
        ("sip:1001@192.168.1.21", "<sip:1001@c.example>", 1),
        ("sip:1001@b.example", "<sip:reception@c.example>", 2),
        ("sip:192.168.1.21", "<sip:b.example>", 2),
        ("sip:192.168.1.21", "<sip:192.168.1.21>", 1),
    ],
)
def test_of_lines_with_one_user_the_domain_tells(uri: str, to: str, line: int) -> None:
    async def story(on: Play) -> None:
        on.far.send(invite(on, uri, to=to))
        await on.far.response(180)
        assert [call.seat.number for call in on.phone.calls] == [line]

    users = {"account__1__user_name": "1001@a.example", "account__2__user_name": "1001@b.example"}
    play(story, None, stop=True, **SECOND, **users)


@pytest.mark.parametrize("uri", ["sip:1001@192.168.1.21", "sip:192.168.1.21"])
@pytest.mark.parametrize(("host", "line"), [("192.168.1.13", 1), ("192.168.1.14", 2), ("192.168.1.15", 1)])
def test_of_lines_with_one_user_the_server_tells(uri: str, host: str, line: int) -> None:
    async def story(on: Play) -> None:
        far = FarEnd(on.world)
        await far.bind(SERVER._replace(host=host, port=5070), remote=PHONE)
        on.far = far
        far.send(invite(on, uri))
        await far.response(180)
        assert [call.seat.number for call in on.phone.calls] == [line]

    play(story, None, stop=True, account__2__user_name="1001", **SECOND)


@pytest.mark.parametrize("uri", ["sip:1001@192.168.1.21", "sip:1001@pbx.example.com", "sip:1001@elsewhere"])
def test_a_user_name_with_a_domain_is_called_by_its_user(uri: str) -> None:
    async def story(on: Play) -> None:
        on.far.send(invite(on, uri))
        ringing = await on.far.response(180)
        assert str(ringing.contacts[0].uri) == "sip:1001@192.168.1.21:5060"

    play(story, account__1__user_name="1001@pbx.example.com", features__direct_ip_call_enable=0)
