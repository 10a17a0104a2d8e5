"""Responses whose connection has ended find another one (RFC 3261 section 18.2.2, RFC 3263 section 5)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, MessageIgnored, Transport
from phone_emulator.sip import way_back
from phone_emulator.sip.handles import ServerTransaction
from phone_emulator.sip.message import response_to
from phone_emulator.world.base import TlsClient, TlsServer
from tests.sip.ends import THERE, Ends, Far, incoming, run

ELSEWHERE = Address("192.168.1.14", 5070)


async def orphan(ends: Ends, method: str = "INVITE", sent_by: str = "192.168.1.13") -> ServerTransaction:
    """A request whose connection ends before it is answered."""
    far = await Far(ends.world).connect()
    far.send(incoming(method, sent_by=sent_by))
    await asyncio.sleep(0.01)
    far.close()
    await asyncio.sleep(0.01)
    return ends.requests[-1]


@pytest.mark.parametrize(
    ("sent_by", "place"),
    [
        ("192.168.1.13", THERE),
        ("192.168.1.13:5070", Address("192.168.1.13", 5070)),
        ("10.9.9.9:5070", Address("192.168.1.13", 5070)),  # received goes before sent-by
        ("pbx.example;rport", THERE),  # the port it came from is nobody's any more
    ],
)
def test_a_new_connection_to_where_it_came_from(sent_by: str, place: Address) -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen(place)
        server = await orphan(ends, sent_by=sent_by)
        for status in (180, 200):
            server.respond(response_to(server.request, status, to_tag="t"))
        await asyncio.sleep(0.1)
        assert [response.status for response in far.responses] == [180, 200]
        assert len(far.streams) == 1
        assert ends.ignored == []

    run(story)


def test_where_that_fails_sent_by_is_looked_up() -> None:
    async def story(ends: Ends) -> None:
        asked: list[tuple[str, int | None, Transport]] = []

        async def locate(host: str, port: int | None, transport: Transport) -> list[Address]:
            asked.append((host, port, transport))
            return [THERE, Address(THERE.host, 5071), ELSEWHERE]

        ends.endpoint.ways_back.locate = locate
        far = await Far(ends.world).listen(ELSEWHERE)
        server = await orphan(ends, sent_by="pbx.example")
        server.respond(response_to(server.request, 486, to_tag="t"))
        await asyncio.sleep(1)
        assert asked == [("pbx.example", None, Transport.TCP)]
        assert [response.status for response in far.responses] == [486]

    run(story)


def test_a_connection_that_tls_has_checked_is_made_again_with_the_same_name() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen(
            Address(THERE.host, 5061), TlsServer(("pbx.example",), ca_pem="lab")
        )
        tls = TlsClient("pbx.example", ca_pem="lab")
        await ends.endpoint.transports.flow(Transport.TLS, Address(THERE.host, 5061), tls=tls)
        await asyncio.sleep(0.01)
        far.send(incoming("OPTIONS"))
        await asyncio.sleep(0.01)
        far.streams[0].close()
        await asyncio.sleep(0.01)
        [server] = ends.requests
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(0.1)
        assert len(far.streams) == 2
        assert [response.status for response in far.responses] == [200]

    run(story)


def test_where_there_is_no_way_it_is_told_once() -> None:
    async def story(ends: Ends) -> None:
        server = await orphan(ends, "OPTIONS")
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(0.1)
        [event] = [event for event in ends.events if isinstance(event, MessageIgnored)]
        assert event.reason == (
            "could not be sent: the connection is closed, "
            "and no new one to 192.168.1.13:5060: connection refused"
        )
        assert event.outwards
        assert event.remote == server.flow.remote

    run(story)


def test_a_peer_that_takes_no_connection_is_waited_for_as_long_as_a_transaction() -> None:
    async def story(ends: Ends) -> None:
        server = await orphan(ends, "OPTIONS")
        ends.world.network.host(THERE.host).up = False
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(31)
        assert ends.ignored == []
        await asyncio.sleep(2)
        assert ends.ignored == [
            "could not be sent: the connection is closed, and no new one to 192.168.1.13:5060 within 32.0 s"
        ]

    run(story)


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_back, "MOST", 2)

    async def story(ends: Ends) -> None:
        server = await orphan(ends)
        ends.world.network.host(THERE.host).up = False
        for status in (180, 181, 182):
            server.respond(response_to(server.request, status, to_tag="t"))
        assert ends.ignored == [
            "could not be sent: the connection is closed, and 2 responses wait for new ones"
        ]
        server.respond(response_to(server.request, 487, to_tag="t"))

    run(story)  # which sees that closing ends those that wait
