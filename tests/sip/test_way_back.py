"""Responses whose way back fails find another one (RFC 3261 section 18.2.2, RFC 3263 section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from phone_emulator.events import Address, MessageIgnored, Transport
from phone_emulator.sip import way_back
from phone_emulator.sip.endpoint import NOT_SENT
from phone_emulator.sip.message import response_to
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.way_back import quoted_response
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
            "could not be sent: the connection is closed, and 2 responses look for another way"
        ]
        server.respond(response_to(server.request, 487, to_tag="t"))

    run(story)  # which sees that closing ends those that wait


# -- datagrams ---------------------------------------------------------------------------------------------

THIRD = Address("192.168.1.15", 5080)


class Places:
    """What sent-by leads to."""

    def __init__(self, ends: Ends, *places: Address) -> None:
        self.places = places
        self.asked: list[tuple[str, int | None, Transport]] = []
        ends.endpoint.ways_back.locate = self.locate

    async def locate(self, host: str, port: int | None, transport: Transport) -> Sequence[Address]:
        self.asked.append((host, port, transport))
        await asyncio.sleep(0.02)
        return self.places


async def gone(ends: Ends, method: str = "OPTIONS", via: str = "pbx.example") -> ServerTransaction:
    """A request over UDP whose sender is gone before it is answered."""
    far = await Far(ends.world).bind()
    far.send(incoming(method, sent_by=via))
    await asyncio.sleep(0.01)
    far.close()
    return ends.requests[-1]


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_a_response_that_draws_an_icmp_error_goes_where_sent_by_leads(method: str) -> None:
    async def story(ends: Ends) -> None:
        places = Places(ends, THERE, ELSEWHERE)
        server = await gone(ends, method)
        far = await Far(ends.world).bind(ELSEWHERE)
        server.respond(response_to(server.request, 486, to_tag="t"))
        await asyncio.sleep(0.1)
        assert places.asked == [("pbx.example", None, Transport.UDP)]
        assert [response.status for response in far.responses] == [486]
        assert not any(event.outwards for event in ends.events if isinstance(event, MessageIgnored))

    run(story)


def test_and_on_to_the_next_place_where_that_draws_one_too() -> None:
    async def story(ends: Ends) -> None:
        ends.world.network.add_host(ELSEWHERE.host)
        places = Places(ends, THERE, ELSEWHERE, THIRD)
        server = await gone(ends)
        far = await Far(ends.world).bind(THIRD)
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(40)
        assert len(places.asked) == 1
        assert [response.status for response in far.responses] == [200]
        assert ends.ignored == []

    run(story)


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ((THERE,), "ICMP port unreachable, and its Via leads nowhere else"),
        (
            (ELSEWHERE, THERE, THIRD),
            "ICMP port unreachable, nor to 192.168.1.15:5080: ICMP port unreachable",
        ),
        (
            (ELSEWHERE, Address("fd00::7", 5060)),
            "ICMP port unreachable, nor to [fd00::7]:5060: fd00::7 cannot be reached from 192.168.1.21: "
            "one is IPv4, the other IPv6",
        ),
    ],
)
def test_a_datagram_that_nobody_takes_is_told_once(places: Sequence[Address], why: str) -> None:
    async def story(ends: Ends) -> None:
        for host in (ELSEWHERE.host, THIRD.host):
            ends.world.network.add_host(host)
        Places(ends, *places)
        server = await gone(ends)
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(1)
        [event] = [event for event in ends.events if isinstance(event, MessageIgnored)]
        assert event.reason == f"could not be sent: {why}"
        assert event.outwards
        assert event.remote == THERE

    run(story)


def test_a_datagram_that_cannot_leave_finds_another_way_too() -> None:
    """The port of sent-by is none: no ICMP error has to tell that."""

    async def story(ends: Ends) -> None:
        Places(ends, ELSEWHERE)
        server = await gone(ends, via="pbx.example:99999")
        far = await Far(ends.world).bind(ELSEWHERE)
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(0.1)
        assert [response.status for response in far.responses] == [200]

    run(story)


def test_each_response_of_a_transaction_finds_the_same_place() -> None:
    """A 180, then a 487 that is repeated: sent-by is looked up once."""

    async def story(ends: Ends) -> None:
        places = Places(ends, ELSEWHERE)
        server = await gone(ends, "INVITE")
        far = await Far(ends.world).bind(ELSEWHERE)
        server.respond(response_to(server.request, 180, to_tag="t"))
        server.respond(response_to(server.request, 487, to_tag="t"))
        await asyncio.sleep(0.1)
        assert [response.status for response in far.responses] == [487]  # which has overtaken the 180
        await asyncio.sleep(2)
        assert [response.status for response in far.responses] == [487, 487, 487]
        assert len(places.asked) == 1
        assert ends.ignored == []

    run(story)


def test_a_request_that_is_repeated_draws_the_response_there_again() -> None:
    async def story(ends: Ends) -> None:
        places = Places(ends, ELSEWHERE)
        server = await gone(ends)
        far = await Far(ends.world).bind(ELSEWHERE)
        server.respond(response_to(server.request, 200, to_tag="t"))
        await asyncio.sleep(0.1)
        again = await Far(ends.world).bind(Address(THERE.host, 5099))
        again.send(incoming("OPTIONS", sent_by="pbx.example"))
        await asyncio.sleep(0.1)
        assert [response.status for response in far.responses] == [200, 200]
        assert len(places.asked) == 1

    run(story)


def test_an_icmp_error_for_a_response_of_before_is_nobodys() -> None:
    """A transaction that is over, or has said something else since."""

    async def story(ends: Ends) -> None:
        places = Places(ends, ELSEWHERE)
        server = await gone(ends, "INVITE")
        ends.world.network.host(THERE.host).up = False
        ringing, ok = (response_to(server.request, status, to_tag="t") for status in (180, 200))
        other = response_to(incoming("INVITE", branch="z9hG4bK2"), 200, to_tag="t")
        server.respond(ringing)
        server.respond(ok)
        layer = ends.endpoint.transports
        for data in (ringing.to_bytes(), other.to_bytes(), ok.to_bytes()[:60], b"SIP/2.0 ", b"x", b""):
            layer.datagram_failed(THERE, "ICMP port unreachable", data)
        await asyncio.sleep(0.001)
        assert places.asked == []
        layer.datagram_failed(THERE, "ICMP port unreachable", ok.to_bytes())
        await asyncio.sleep(0.001)
        assert len(places.asked) == 1
        assert ends.ignored == [f"ICMP port unreachable, {NOT_SENT}"] * 4

    run(story)


def test_the_beginning_of_a_response_is_enough() -> None:
    data = response_to(incoming("INVITE"), 486, to_tag="t").to_bytes()
    whole = quoted_response(data)
    assert whole is not None
    assert (whole.status, whole.cseq.method, whole.via.host) == (486, "INVITE", "192.168.1.13")
    cut = quoted_response(data[: data.index(b"CSeq")])
    assert cut is not None
    assert cut.via == whole.via
    assert quoted_response(incoming("INVITE").to_bytes()) is None
    for status in ("²00", "２００", "999", "2000", ""):
        assert quoted_response(data.replace(b" 486 ", f" {status} ".encode(), 1)) is None
