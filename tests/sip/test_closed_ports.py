"""Responses are not repeated to a port that ICMP said is closed (RFC 3261 sections 13.3.1.4, 17.2.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from phone_emulator.events import Address, MessageSent, Transport
from phone_emulator.sip import server as servers
from phone_emulator.sip.message import Response, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.sip.server import ServerTransaction
from tests.sip.ends import THERE, Ends, Far, incoming, run

ELSEWHERE = Address("192.168.1.14", 5070)
REPEATED = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
"""Timer G, in seconds after the final response."""


def said(ends: Ends, since: float = 0.0) -> list[tuple[float, Address, int]]:
    """When after *since*, where to and with which status the endpoint responded."""
    found = []
    for event in ends.events:
        if isinstance(event, MessageSent) and event.at >= since:
            message = parse(event.data)
            assert isinstance(message, Response)
            found.append((round(event.at - since, 3), event.remote, message.status))
    return found


async def gone(ends: Ends, sent_by: str = THERE.host) -> ServerTransaction:
    """An INVITE whose sender has closed its port before it is answered."""
    far = await Far(ends.world).bind()
    far.send(incoming("INVITE", sent_by=sent_by))
    await asyncio.sleep(0.01)
    far.close()
    return ends.requests[-1]


def refuse(server: ServerTransaction) -> Response:
    """Answer 487."""
    response = response_to(server.request, 487, to_tag="t")
    server.respond(response)
    return response


@pytest.mark.parametrize("answered", [False, True])
def test_a_refusal_is_repeated_while_its_port_is_open(answered: bool) -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("INVITE"))
        await asyncio.sleep(0.01)
        response, since = refuse(ends.requests[-1]), ends.world.now()
        if answered:
            await asyncio.sleep(1)
            ack = incoming("ACK", to=response.headers.get("To") or "")
            far.send(ack)
        await asyncio.sleep(40)
        assert [at for at, _, _ in said(ends, since)] == (REPEATED[:2] if answered else REPEATED)

    run(story)


def test_a_refusal_goes_to_a_closed_port_once() -> None:
    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        refuse(server)
        await asyncio.sleep(40)
        assert said(ends, since) == [(0.0, THERE, 487)]
        assert ends.ignored == ["could not be sent: ICMP port unreachable, and its Via leads nowhere else"]
        assert ends.endpoint.live_transactions == 0

    run(story)


def test_a_host_that_cannot_be_reached_may_come_back() -> None:
    """Only a port that is closed is known to be so: routes come and go."""

    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        ends.endpoint.transports.datagram_failed(THERE, "ICMP host unreachable", b"")
        ends.world.network.host(THERE.host).up = False
        refuse(server)
        await asyncio.sleep(40)
        assert [at for at, _, _ in said(ends, since)] == REPEATED

    run(story)


def test_a_port_that_speaks_again_is_open_again() -> None:
    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        refuse(server)
        await asyncio.sleep(2)
        far = await Far(ends.world).bind()
        far.send(incoming("INVITE"))  # the same INVITE once more
        await asyncio.sleep(6)
        assert [at for at, _, _ in said(ends, since)] == [0.0, 2.0, 3.5, 7.5]
        assert [response.status for response in far.responses] == [487, 487, 487]

    run(story)


def test_a_response_that_comes_from_it_opens_it_too() -> None:
    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        refuse(server)
        await asyncio.sleep(2)
        far = await Far(ends.world).bind()
        far.send(response_to(incoming("OPTIONS", sent_by="192.168.1.21"), 200, to_tag="t"))
        await asyncio.sleep(6)
        assert [at for at, _, _ in said(ends, since)] == [0.0, 3.5, 7.5]

    run(story)


def test_what_is_asked_for_again_is_answered_again() -> None:
    """A request that comes again, from another port than its Via names: it is owed each answer."""

    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        refuse(server)
        await asyncio.sleep(2)
        other = await Far(ends.world).bind(Address(THERE.host, 5099))
        other.send(incoming("INVITE"))
        await asyncio.sleep(6)
        assert [at for at, _, _ in said(ends, since)] == [0.0, 2.0]

    run(story)


def test_a_new_response_is_no_repetition() -> None:
    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        server.respond(response_to(server.request, 180, to_tag="t"))
        await asyncio.sleep(1)
        refuse(server)
        await asyncio.sleep(40)
        assert said(ends, since) == [(0.0, THERE, 180), (1.0, THERE, 487)]

    run(story)


def test_a_2xx_that_its_user_repeats() -> None:
    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        answer = response_to(server.request, 200, to_tag="t")
        for _ in range(3):
            server.respond(answer)
            await asyncio.sleep(1)
        assert said(ends, since) == [(0.0, THERE, 200)]

    run(story)


def test_another_place_that_was_found_gets_the_repetitions() -> None:
    """RFC 3263 section 5: where the sent-by of the Via leads."""

    async def locate(host: str, port: int | None, transport: Transport) -> Sequence[Address]:
        return [ELSEWHERE]

    async def story(ends: Ends) -> None:
        ends.endpoint.ways_back.locate = locate
        far = await Far(ends.world).bind(ELSEWHERE)
        server, since = await gone(ends, "pbx.example"), ends.world.now()
        refuse(server)
        await asyncio.sleep(40)
        assert [place for _, place, _ in said(ends, since)] == [THERE, *[ELSEWHERE] * len(REPEATED)]
        assert [response.status for response in far.responses] == [487] * len(REPEATED)
        assert ends.ignored == []

    run(story)


def test_another_place_that_closes_too_is_told() -> None:
    async def locate(host: str, port: int | None, transport: Transport) -> Sequence[Address]:
        return [ELSEWHERE]

    async def story(ends: Ends) -> None:
        ends.endpoint.ways_back.locate = locate
        far = await Far(ends.world).bind(ELSEWHERE)
        server, since = await gone(ends, "pbx.example"), ends.world.now()
        refuse(server)
        await asyncio.sleep(2)
        far.close()
        await asyncio.sleep(40)
        assert [(at, place) for at, place, _ in said(ends, since)][-1] == (3.5, ELSEWHERE)
        assert ends.ignored == [
            "could not be sent: ICMP port unreachable, nor to 192.168.1.14:5070: ICMP port unreachable"
        ]

    run(story)


def test_the_ports_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_CLOSED", 2)

    async def story(ends: Ends) -> None:
        server, since = await gone(ends), ends.world.now()
        refuse(server)
        await asyncio.sleep(0.1)
        for port in (7001, 7002):
            far = await Far(ends.world).bind(Address("192.168.1.77", port))
            sent_by = f"192.168.1.77:{port}"
            far.send(incoming("INVITE", branch=f"z9hG4bK{port}", sent_by=sent_by, call_id=str(port)))
            await asyncio.sleep(0.01)
            far.close()
            refuse(ends.requests[-1])
        await asyncio.sleep(0.6)
        again = [at for at, where, _ in said(ends, since) if where == THERE]
        assert again == [0.0, 0.5]  # it was forgotten, and tried again

    run(story)
