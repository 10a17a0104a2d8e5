"""Where requests in a dialog go whose next hop has a ``maddr`` (RFC 3261 section 19.1.1, RFC 3263 sec. 4)."""

from __future__ import annotations

import pytest

from phone_emulator.events import Address, MessageSent, Transport
from phone_emulator.phone import PhoneOptions
from phone_emulator.sip.parser import parse
from phone_emulator.world.base import TlsServer
from tests.lab.peers import Peer
from tests.phone.far_end import Play, offer, play

UDP, TCP = Transport.UDP, Transport.TCP


@pytest.mark.parametrize(
    ("contact", "way"),
    [
        ("sip:1002@192.168.1.30;maddr=192.168.1.31", (Address("192.168.1.31", 5060), UDP)),
        ("sip:1002@nobody.example:5070;maddr=192.168.1.31", (Address("192.168.1.31", 5070), UDP)),
        ("sip:1002@192.168.1.13;maddr=192.168.1.31", (Address("192.168.1.31", 5060), UDP)),
        ("sip:1002@192.168.1.30;maddr=192.168.1.13", (Address("192.168.1.13", 5060), UDP)),
        ("sip:1002@192.168.1.30;transport=tcp;maddr=192.168.1.31", (Address("192.168.1.31", 5060), TCP)),
    ],
)
@pytest.mark.parametrize("routed", [False, True])
def test_maddr_takes_the_place_of_the_host(
    contact: str, way: tuple[Address, Transport], routed: bool
) -> None:
    async def story(on: Play) -> None:
        peer = Peer(on.world)
        if way[0].host != "192.168.1.13":
            await peer.bind(way[0])
            await on.world.listen(way[0], lambda stream: peer)
        extra = [("Contact", f"<{contact}>")]
        if routed:
            extra = [("Contact", "<sip:1002@192.168.1.40>"), ("Record-Route", f"<{contact};lr>")]
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer(), extra=extra)
        await call.settled()
        await on.rest()
        acks = [event for event in on.events if isinstance(event, MessageSent) and event.data[:4] == b"ACK "]
        assert [(event.remote, event.transport) for event in acks] == [way]
        ack = parse(acks[0].data)
        assert str(ack.headers.get("Route")) == (f"<{contact};lr>" if routed else "None")
        uri = "sip:1002@192.168.1.40" if routed else contact
        assert acks[0].data.startswith(f"ACK {uri} SIP/2.0".encode())  # as it was said, maddr and all

    play(story)


@pytest.mark.parametrize("maddr", ["224.0.1.75", "255.255.255.255", "0.0.0.0"])
def test_no_group_of_hosts_is_spoken_to(maddr: str) -> None:
    async def story(on: Play) -> None:
        contact = f"sip:1002@192.168.1.13;maddr={maddr}"
        call = on.phone.dial("1002")
        extra = [("Contact", f"<{contact}>")]
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer(), extra=extra)
        await on.far.heard("ACK")  # on the way of the INVITE
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert on.states[-1] == f"ended: there is no way to {contact}"

    play(story)


def test_a_certificate_is_for_the_host_not_for_maddr() -> None:
    async def story(on: Play) -> None:
        peer = Peer(on.world)
        server = TlsServer(("pbx.example",), ca_pem="lab")
        await on.world.listen(Address("192.168.1.31", 5061), lambda stream: peer, tls=server)
        call = on.phone.dial("1002")
        extra = [("Contact", "<sips:1002@pbx.example;maddr=192.168.1.31>")]
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer(), extra=extra)
        await call.settled()
        await on.rest()
        assert (await peer.request()).method == "ACK"

    play(story, PhoneOptions(ca_pem="lab"))
