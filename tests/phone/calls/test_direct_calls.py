"""Calls to an IP address: past the line's servers, straight to it (``features.direct_ip_call_enable``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from phone_emulator.events import Address, CallState
from phone_emulator.phone import CallResult, PhoneOptions
from phone_emulator.sip.message import Request, Response
from tests.lab.peers import PHONE
from tests.phone.far_end import FarEnd, Play, offer, play
from tests.phone.wire.wire_stories import CHALLENGE, PROXY_CHALLENGE

THERE = Address("192.0.2.5", 5060)


class Another(FarEnd):
    """Somebody at an address of their own."""

    at: Address

    async def settle(self, at: Address) -> Another:
        """Listen at the address *at*, over UDP and TCP."""
        self.at, self.streams = at, []
        await self.bind(at, remote=PHONE)
        await self.world.listen(at, self.accept)
        return self

    def answer(self, request: Request, status: int, **how: Any) -> Response:
        """Answer *request*; a 2xx to an INVITE has their own Contact."""
        contact = ("Contact", f"<sip:1009@{self.at};transport={self.transport}>")
        return super().answer(request, status, **{**how, "extra": [contact, *how.get("extra", ())]})


def offer_of(host: str) -> bytes:
    """The session description of somebody at *host*."""
    return offer().replace(b"IP4 192.168.1.13", f"IP{6 if ':' in host else 4} {host}".encode())


Story = Callable[[Play, Another], Awaitable[None]]


def play_with_another(story: Story, at: Address = THERE, **settings: object) -> None:
    """*story* with the far end, which is the line's server, and with somebody at the address *at*."""

    async def whole(on: Play) -> None:
        await story(on, await Another(on.world).settle(at))

    play(whole, PhoneOptions(local_address="192.168.1.21,fd00::21"), stop=True, **settings)


@pytest.mark.parametrize(
    ("number", "at", "uri"),
    [
        ("192.0.2.5", THERE, "sip:192.0.2.5"),
        ("192.0.2.5:5070", Address("192.0.2.5", 5070), "sip:192.0.2.5:5070"),
        ("1009@192.0.2.5", THERE, "sip:1009@192.0.2.5"),
        ("*72#@192.0.2.5", THERE, "sip:*72%23@192.0.2.5"),
        ("sip:1009@192.0.2.5:5070", Address("192.0.2.5", 5070), "sip:1009@192.0.2.5:5070"),
        ("sip:a@192.0.2.5;transport=tcp", THERE, "sip:a@192.0.2.5;transport=tcp"),
        ("fd00::5", Address("fd00::5", 5060), "sip:[fd00::5]"),
        ("1009@[fd00::5]:5070", Address("fd00::5", 5070), "sip:1009@[fd00::5]:5070"),
    ],
)
def test_an_address_is_called_directly(number: str, at: Address, uri: str) -> None:
    async def story(on: Play, other: Another) -> None:
        call = on.phone.dial(number)
        invite = await other.accept_invite(body=offer_of(at.host))
        assert invite.uri == uri
        assert str(invite.to_address.uri) == uri
        assert str(invite.from_address.uri) == "sip:1001@192.168.1.13:5060"
        assert await call.settled() is CallResult.ANSWERED
        assert call.remote == number
        [attempt] = call.route
        told = attempt.as_json()
        assert (told["server"], told["role"], told["address"], told["port"]) == (0, "direct", *at)
        assert attempt.why == "an address was dialled: it is called directly"
        ending = asyncio.create_task(call.hang_up())
        other.answer(await other.heard("BYE"), 200)
        await ending
        assert on.far.inbox.empty()

    play_with_another(story, at)


@pytest.mark.parametrize(
    ("number", "settings"),
    [
        ("1009@192.168.1.13", {}),
        ("192.168.1.13", {}),
        ("sip:1009@192.168.1.13:5060", {}),
        ("1009@192.0.2.5", {"features__direct_ip_call_enable": 0}),
        ("192.0.2.5", {"features__direct_ip_call_enable": 0}),
        ("sip:1009@192.0.2.5", {"features__direct_ip_call_enable": 0}),
        ("1009@pbx.example.com", {}),
        ("224.0.1.75", {}),
    ],
)
def test_all_else_goes_to_the_server(number: str, settings: dict[str, Any]) -> None:
    async def story(on: Play, other: Another) -> None:
        call = on.phone.dial(number)
        on.far.answer(await on.far.heard("INVITE"), 404)
        await call.over()
        assert [attempt.target.role for attempt in call.route] == ["primary"]
        assert other.inbox.empty()

    play_with_another(story, **settings)


def test_another_port_of_the_servers_host_is_somebody_else() -> None:
    async def story(on: Play, other: Another) -> None:
        on.phone.dial("1009@192.168.1.13:5070")
        other.answer(await other.heard("INVITE"), 404)
        assert on.far.inbox.empty()

    play_with_another(story, Address("192.168.1.13", 5070))


def test_the_outbound_proxy_is_passed_too() -> None:
    async def story(on: Play, other: Another) -> None:
        on.phone.dial("1009@192.0.2.5")
        other.answer(await other.heard("INVITE"), 404)

    proxy: dict[str, Any] = {
        "account__1__outbound_proxy_enable": 1,
        "account__1__outbound_proxy__1__address": "192.168.1.13",
    }
    play_with_another(story, **proxy)


@pytest.mark.parametrize(
    ("status", "challenge"),
    [(401, ("WWW-Authenticate", CHALLENGE)), (407, ("Proxy-Authenticate", PROXY_CHALLENGE))],
)
@pytest.mark.parametrize("at", [THERE, Address("192.168.1.13", 5070)], ids=["elsewhere", "beside the server"])
def test_a_stranger_gets_no_proof_of_the_password(
    status: int, challenge: tuple[str, str], at: Address
) -> None:
    """Neither for the INVITE nor in the dialog."""

    async def story(on: Play, other: Another) -> None:
        refused = on.phone.dial(f"1009@{at}")
        other.answer(await other.heard("INVITE"), status, extra=[challenge])
        await other.heard("ACK")
        assert await refused.settled() is CallResult.REJECTED
        why = "and is none of the line's servers, the only ones to get its credentials"
        assert why in refused.reason
        call = on.phone.dial(f"1009@{at}")
        await other.accept_invite()
        await call.settled()
        ending = asyncio.create_task(call.hang_up())
        other.answer(await other.heard("BYE"), status, extra=[challenge])
        await ending
        assert other.inbox.empty()

    play_with_another(story, at)


def test_who_was_called_directly_is_no_server() -> None:
    """Neither one to be trusted, nor one whose health is told, nor one that a failback returns to."""

    async def story(on: Play, other: Another) -> None:
        call = on.phone.dial("1009@192.0.2.5")
        await other.accept_invite()
        await call.settled()
        line = on.phone.line(1)
        assert "192.0.2.5" not in line.seat.known
        assert line.health().targets == ()
        other.send(other.invite(call_id="in-9"))
        await other.response(403)
        on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 404)

    play_with_another(
        story, sip__trust_ctrl=1, account__1__sip_server__1__failback_mode=3, call_waiting__enable=1
    )


@pytest.mark.parametrize(
    ("number", "seconds", "why"),
    [
        ("1009@192.0.2.5:5099", 0.0, "direct: ICMP port unreachable"),
        ("sip:1009@192.0.2.5:5099;transport=tcp", 0.0, "direct: connection refused"),
        ("1009@192.0.2.5:99999", 0.0, "direct: 99999 is not a port number"),
        ("1009@192.0.2.5", 32.0, "direct: no response within 64*T1 = 32.0 s"),
    ],
)
def test_a_direct_call_that_fails_tries_nobody_else(number: str, seconds: float, why: str) -> None:
    async def story(on: Play, other: Another) -> None:
        call = on.phone.dial(number)
        assert await call.settled() is CallResult.FAILED
        await call.over()
        assert call.reason == f"nobody could be called there: {why}"
        assert on.world.now() == pytest.approx(seconds)
        assert on.far.inbox.empty()

    play_with_another(story)


def test_a_direct_call_can_be_taken_back() -> None:
    async def story(on: Play, other: Another) -> None:
        call = on.phone.dial("192.0.2.5")
        invite = await other.heard("INVITE")
        other.answer(invite, 180)
        await on.rest()
        await call.hang_up()
        other.answer(await other.heard("CANCEL"), 200)
        other.answer(invite, 487)
        await other.heard("ACK")
        await call.over()
        assert call.state is CallState.ENDED

    play_with_another(story)


def test_whom_a_refer_names_is_called_through_the_server() -> None:
    """A PBX writes its own addresses there: the line's servers know the way."""

    async def story(on: Play, other: Another) -> None:
        invite, _ = await on.talking()
        refer = on.from_far("REFER", invite)
        refer.headers.add("Refer-To", "<sip:1009@192.0.2.5>")
        on.far.send(refer)
        await on.far.response(202, "REFER")
        heard: list[Request] = []
        while not any(each.method == "INVITE" for each in heard):
            heard.append(await on.far.request())
            if heard[-1].method != "INVITE":
                on.far.answer(heard[-1], 200)
        assert heard[-1].uri == "sip:1009@192.0.2.5"
        assert other.inbox.empty()

    play_with_another(story)
