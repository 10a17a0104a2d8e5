"""The phone's responses go where the sent-by of a Via leads by DNS (RFC 3263 section 5)."""

from __future__ import annotations

import asyncio

from phone_emulator.events import Address, MessageIgnored
from phone_emulator.phone import IncomingCall
from tests.lab.peers import PHONE, Peer
from tests.phone.far_end import offer
from tests.phone.stage import Stage, play

ZONE = """
$ORIGIN peer.test.
$TTL 300
_sip._udp IN SRV 10 0 5080 gone
_sip._udp IN SRV 20 0 5090 there
_sip._tcp IN SRV 10 0 5070 there
gone      IN A 192.168.1.41
there     IN A 192.168.1.42
"""


def test_over_udp_the_next_place_without_an_icmp_error_is_found() -> None:
    async def story(stage: Stage) -> None:
        stage.world.network.add_host("192.168.1.41")
        taking = await Peer(stage.world).bind(Address("192.168.1.42", 5090), PHONE)
        asking = Peer(stage.world)
        socket = await stage.world.open_udp(Address("192.168.1.40", 5060), asking)
        request = asking.make("OPTIONS", f"sip:1001@{PHONE}")
        request.headers.set("Via", "SIP/2.0/UDP peer.test;branch=z9hG4bKsrv")
        socket.send(request.to_bytes(), PHONE)
        socket.close()
        response = await taking.response(200, "OPTIONS")
        assert response.headers.get("Via") == (
            "SIP/2.0/UDP peer.test;branch=z9hG4bKsrv;received=192.168.1.40"
        )
        assert [e for e in stage.events if isinstance(e, MessageIgnored) and e.outwards] == []

    play(story, zone=ZONE, known=["192.168.1.40"])


def test_over_tcp_where_the_connection_has_ended() -> None:
    async def story(stage: Stage) -> None:
        taking, asking = Peer(stage.world), Peer(stage.world)
        await stage.world.listen(Address("192.168.1.42", 5070), lambda stream: taking)
        stream = await stage.world.connect(PHONE, asking, local_host="192.168.1.40")
        invite = asking.make("INVITE", f"sip:1001@{PHONE}")
        invite.headers.set("Via", "SIP/2.0/TCP peer.test;branch=z9hG4bKsrv")
        invite.headers.add("Content-Type", "application/sdp")
        invite.body = offer()
        stream.send(invite.to_bytes())
        await asking.response(180)
        stream.close()
        await asyncio.sleep(0.01)
        call = stage.phone.calls[-1]
        assert isinstance(call, IncomingCall)
        call.answer()
        await taking.response(200, "INVITE")
        assert [e for e in stage.events if isinstance(e, MessageIgnored) and e.outwards] == []

    play(story, zone=ZONE, known=["192.168.1.40"])
