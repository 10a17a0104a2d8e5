"""What a lab server does with what it should never get, and with too much of it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.events import Address, Transport
from phone_emulator.lab.server import SipServer
from phone_emulator.sip.message import response_to
from phone_emulator.world.simulated import SimulatedWorld
from tests.lab.peers import (
    DOMAIN,
    PHONE,
    SERVER,
    TCP,
    TLS,
    UDP,
    Lab,
    OpenPeer,
    ladder,
)


def test_a_response_for_somebody_else_is_ignored() -> None:
    async def story(lab: Lab) -> None:
        callee = await lab.callee()
        request = callee.make("OPTIONS")
        callee.send(response_to(request, 200))
        request.headers.set("Via", f"SIP/2.0/UDP {SERVER};branch=z9hG4bK1")
        callee.send(response_to(request, 200))
        await callee.nothing(1)
        assert len(lab.ignored) == 2
        assert all(reason.startswith("server primary: ") for reason in lab.ignored)

    ladder(story)


def test_keep_alives_are_no_garbage() -> None:
    async def story(lab: Lab) -> None:
        phone, connected = await lab.phone(), await lab.phone(TCP)
        for data in (b"\r\n\r\n", b"\0\0\0\0", b""):
            phone.raw(data)
        connected.raw(b"\r\n\r\n")
        await asyncio.sleep(1)
        assert lab.ignored == []

    ladder(story)


def test_garbage_on_a_connection_closes_it() -> None:
    async def story(lab: Lab) -> None:
        connected = await lab.phone(TCP)
        good = connected.make("OPTIONS", f"sip:{DOMAIN}").to_bytes()
        connected.raw(good + b"GARBAGE\r\nContent-Length: x\r\n\r\n")
        await connected.response(200)
        await asyncio.sleep(1)
        assert len(connected.lost) == 1
        assert "connection closed" in lab.ignored[0]

    ladder(story)


def test_connections_are_bounded() -> None:
    async def story(lab: Lab) -> None:
        phones = [await lab.phone(TCP) for _ in range(4)]
        await asyncio.sleep(1)
        assert [bool(phone.lost) for phone in phones] == [False, False, True, True]
        phones[0].close()
        await asyncio.sleep(1)
        again = await lab.phone(TCP)
        again.send(again.make("OPTIONS", f"sip:{DOMAIN}"))
        await again.response(200)

    ladder(story, max_connections=2)


def test_a_certificate_is_needed_in_the_real_world_only() -> None:
    world = SimulatedWorld()
    SipServer(world, "primary", SERVER, transports=(TLS,), domain=DOMAIN, accounts={})
    world.virtual = False
    with pytest.raises(ValueError, match="server primary: TLS needs a certificate"):
        SipServer(world, "primary", SERVER, transports=(TLS,), domain=DOMAIN, accounts={})


@pytest.mark.parametrize(
    ("transports", "options", "ports"),
    [
        ((UDP, TCP, TLS), {}, {UDP: 5060, TCP: 5060, TLS: 5061}),
        ((UDP, TLS), {"tls_port": 5443}, {UDP: 5060, TLS: 5443}),
    ],
)
def test_where_it_listens(
    transports: tuple[Transport, ...], options: dict[str, int], ports: dict[Transport, int]
) -> None:
    async def story(lab: Lab) -> None:
        assert lab.server.ports == ports

    ladder(story, transports=transports, **options)


WORDS = [
    b"INVITE sip:1002@yealink.pbx.com SIP/2.0\r\n",
    b"REGISTER sip:yealink.pbx.com SIP/2.0\r\n",
    b"SIP/2.0 200 OK\r\n",
    b"Via: SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK1\r\n",
    b"Via: SIP/2.0/UDP 192.168.1.13:5060;branch=z9hG4bK1\r\n",
    b"Via: SIP/2.0/UDP h;self=1\r\n",
    b"v: SIP/2.0/TCP [::1\r\n",
    b"From: <sip:1001@yealink.pbx.com>;tag=1\r\n",
    b"From: <nonsense>\r\n",
    b"To: <sip:1001@yealink.pbx.com>\r\n",
    b"To: \xff\xfe\r\n",
    b"Call-ID: 1\r\n",
    b"CSeq: 1 INVITE\r\n",
    b"CSeq: 1 REGISTER\r\n",
    b'Authorization: Digest realm="yealink.pbx.com"\r\n',
    b'Proxy-Authorization: Digest username="1001", realm="yealink.pbx.com", nonce="x-y-z", uri="a"\r\n',
    b"Route: <sip:tcp-1-99999@192.168.1.13;lr>, <\r\n",
    b"Contact: *\r\n",
    b"Expires: 99999999999999999999\r\n",
    b"Content-Length: 3\r\n",
    b"\r\n",
]


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(WORDS), max_size=12).map(b"".join)),
        max_size=12,
    )
)
def test_garbage_never_kills_it(datagrams: list[bytes]) -> None:
    async def story(lab: Lab) -> None:
        phone = await OpenPeer(lab.world).bind(PHONE)
        connected = await OpenPeer(lab.world).connect()
        stranger = await OpenPeer(lab.world).bind(Address(PHONE.host, 5099))
        for data in datagrams:
            stranger.raw(data)
            if not connected.lost:
                connected.raw(data)
            await asyncio.sleep(0.1)
        while not phone.inbox.empty():
            phone.inbox.get_nowait()
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        await phone.response(200)

    ladder(story)
