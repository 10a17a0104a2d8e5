"""Requests that are too large for UDP (RFC 3261 section 18.1.1)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Outcome, Transport
from phone_emulator.sip import detour
from phone_emulator.sip.client import RequestFailed
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.transport import DATAGRAM_LIMIT
from tests.sip.ends import HERE, THERE, Ends, Far, incoming, request, run

UDP = Flow(Transport.UDP, HERE, THERE)


def sized(size: int, method: str = "INFO") -> Request:
    """A request that has *size* bytes on the wire, its Via and Content-Length included."""
    made = request(method)
    via = UDP.via("z9hG4bK0000000000")
    made.headers.add("Subject", "x")
    made.headers.prepend("Via", via)
    missing = size - len(made.to_bytes())
    made.headers.remove("Via")
    made.headers.set("Subject", "x" * (1 + missing))
    return made


async def both(ends: Ends) -> tuple[Far, Far]:
    """The far end, over UDP and for connections."""
    return await Far(ends.world).bind(), await Far(ends.world).listen()


@pytest.mark.parametrize(("size", "over"), [(DATAGRAM_LIMIT, "UDP"), (DATAGRAM_LIMIT + 1, "TCP")])
def test_where_the_limit_is(size: int, over: str) -> None:
    async def story(ends: Ends) -> None:
        datagrams, connections = await both(ends)
        made = sized(size)
        branch = "z9hG4bK0000000000"
        client = ends.endpoint.clients.request(made, UDP, branch=branch)
        await asyncio.sleep(0.01)
        heard, other = (datagrams, connections) if over == "UDP" else (connections, datagrams)
        assert [message.headers.get("Via") for message in heard.heard] == [
            f"SIP/2.0/{over} 192.168.1.21:5060;branch={client.request.branch}"
        ]
        assert other.heard == []
        assert ("over TCP" in client.remark) is (over == "TCP")
        heard.send(response_to(client.request, 200, to_tag="2"))
        assert (await client.final()).status == 200

    run(story)


def test_the_answer_comes_on_the_connection_and_further_requests_share_it() -> None:
    async def story(ends: Ends) -> None:
        _, far = await both(ends)
        for n in range(3):
            client = ends.endpoint.clients.request(sized(2000), UDP)
            await asyncio.sleep(0.01)
            sent = far.heard[n]
            assert isinstance(sent, Request)
            far.send(response_to(sent, 200, to_tag="2"))
            assert (await client.final()).status == 200
            assert client.remark.startswith("over TCP: its ")
        assert len(far.streams) == 1
        assert len({message.branch for message in far.heard}) == 3

    run(story)


def test_nothing_is_sent_again_over_tcp() -> None:
    async def story(ends: Ends) -> None:
        datagrams, connections = await both(ends)
        client = ends.endpoint.clients.request(sized(2000, "INVITE"), UDP)
        with pytest.raises(RequestFailed) as caught:
            await client.final()
        assert caught.value.outcome is Outcome.NO_RESPONSE
        assert ends.world.now() == 32.0
        assert len(connections.heard) == 1
        assert datagrams.heard == []

    run(story)


def test_udp_serves_where_tcp_is_refused() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        client = ends.endpoint.clients.request(sized(2000), UDP, timeout=7.5)
        await asyncio.sleep(0.01)
        assert [(message.headers.get("Via") or "")[:11] for message in far.heard] == ["SIP/2.0/UDP"]
        assert client.remark.endswith("bytes, since TCP failed: connection refused")
        with pytest.raises(RequestFailed):
            await client.final()
        assert ends.world.now() == 7.5
        assert len(far.heard) == 4, "the whole wait, and its retransmissions"

    run(story)


def test_a_place_that_took_no_tcp_is_not_asked_again_for_a_while() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        ends.endpoint.clients.request(sized(2000), UDP, timeout=1)
        await asyncio.sleep(2)
        listening = await Far(ends.world).listen()
        client = ends.endpoint.clients.request(sized(2000), UDP, timeout=1)
        await asyncio.sleep(2)
        assert "since TCP failed: connection refused" in client.remark
        assert listening.streams == []
        await asyncio.sleep(detour.NO_TCP_FOR)
        heard = len(far.heard)
        ends.endpoint.clients.request(sized(2000), UDP, timeout=1)
        await asyncio.sleep(0.01)
        assert len(listening.streams) == 1
        assert len(far.heard) == heard

    run(story)


def test_a_silent_connect_costs_four_times_t1_and_no_more() -> None:
    async def story(ends: Ends) -> None:
        host = ends.world.network.add_host(THERE.host)
        host.up = False
        sends: list[float] = []
        client = ends.endpoint.clients.request(
            sized(2000), UDP, timeout=7.5, on_sent=lambda: sends.append(ends.world.now())
        )
        with pytest.raises(RequestFailed):
            await client.final()
        assert sends == [2.0, 2.5, 3.5, 5.5]
        assert ends.world.now() == 9.5
        assert client.remark.endswith("since TCP failed: no connection within 2.0 s")

    run(story)


def test_a_connection_that_is_reset_before_the_answer_gives_way_to_udp() -> None:
    async def story(ends: Ends) -> None:
        datagrams, connections = await both(ends)
        client = ends.endpoint.clients.request(sized(2000), UDP)
        await asyncio.sleep(0.01)
        connections.streams[0].abort()
        await asyncio.sleep(0.01)
        first, second = connections.heard[0], datagrams.heard[0]
        assert first.branch != second.branch
        assert first.cseq == second.cseq
        assert client.remark.endswith("since TCP failed: connection reset by peer")
        datagrams.send(response_to(client.request, 200, to_tag="2"))
        assert (await client.final()).status == 200

    run(story)


def test_a_reset_after_a_provisional_answer_is_no_reason_to_send_again() -> None:
    async def story(ends: Ends) -> None:
        datagrams, connections = await both(ends)
        client = ends.endpoint.clients.request(sized(2000, "INVITE"), UDP)
        await asyncio.sleep(0.01)
        connections.send(response_to(client.request, 180, to_tag="2"))
        assert (await client.response()).status == 180
        connections.streams[0].abort()
        await asyncio.sleep(1)
        assert datagrams.heard == []
        ends.endpoint.clients.give_up(client, "enough")

    run(story)


@pytest.mark.parametrize("when", ["while connecting", "connected"])
def test_who_waits_no_longer_leaves_nothing(when: str) -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        ends.world.network.latency = 0.1
        client = ends.endpoint.clients.request(sized(2000), UDP)
        await asyncio.sleep(0.15 if when == "while connecting" else 0.35)
        ends.endpoint.clients.give_up(client, "enough")
        with pytest.raises(RequestFailed, match="enough"):
            await client.final()
        await asyncio.sleep(1)
        assert ends.endpoint.live_transactions == 0
        assert len(far.heard) == (when == "connected")

    run(story)


def test_the_phone_may_stop_meanwhile() -> None:
    async def story(ends: Ends) -> None:
        ends.world.network.add_host(THERE.host).up = False
        client = ends.endpoint.clients.request(sized(2000), UDP)
        await asyncio.sleep(0.5)
        await ends.endpoint.close()
        with pytest.raises(RequestFailed, match="the phone was stopped"):
            await client.final()
        assert ends.world.pending_tasks() == []

    run(story)


def test_the_rule_can_be_switched_off() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        ends.endpoint.transports._datagram_limit = 0
        ends.endpoint.clients.request(sized(5000), UDP, timeout=1)
        await asyncio.sleep(0.01)
        assert len(far.heard) == 1

    run(story)


def test_a_large_response_stays_on_udp() -> None:
    """Section 18.2.2: responses go the way that the request came."""

    async def story(ends: Ends) -> None:
        datagrams, connections = await both(ends)
        datagrams.send(incoming("OPTIONS"))
        await asyncio.sleep(0.01)
        server = ends.requests[0]
        server.respond(response_to(server.request, 200, to_tag="2", extra=[("Subject", "x" * 3000)]))
        await asyncio.sleep(0.01)
        assert len(datagrams.responses) == 1
        assert connections.streams == []

    run(story)
