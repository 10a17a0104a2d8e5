"""Everything that is refused or ignored is told, with its reason; and a flood finds an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from phone_emulator.events import MessageIgnored
from phone_emulator.sip import server as servers
from phone_emulator.sip.message import response_to
from phone_emulator.sip.parser import MAX_HEADERS
from tests.sip.ends import THERE, Ends, Far, incoming, run


def told(ends: Ends) -> list[tuple[int | None, str]]:
    """Status and reason of each."""
    return [(event.status, event.reason) for event in ends.events if isinstance(event, MessageIgnored)]


def with_peer(story: Callable[[Ends, Far], Awaitable[None]]) -> None:
    async def main(ends: Ends) -> None:
        await story(ends, await Far(ends.world).bind())

    run(main)


@pytest.mark.parametrize(
    ("status", "why", "reason"),
    [
        (486, "the user rejected it", "the user rejected it"),
        (420, "", "it requires an extension that the phone does not have"),
        (599, "", "599"),
        (302, "sent on to 1003", "sent on to 1003"),
    ],
)
def test_a_refusal_is_told_once(status: int, why: str, reason: str) -> None:
    async def story(ends: Ends, far: Far) -> None:
        invite = incoming("INVITE")
        far.send(invite)
        await asyncio.sleep(0.01)
        server = ends.requests[0]
        response = response_to(server.request, status, "599", to_tag="2")
        server.respond(response, why)
        await asyncio.sleep(40)
        assert told(ends) == [(status, reason)]
        event = next(event for event in ends.events if isinstance(event, MessageIgnored))
        assert (event.remote, event.data) == (THERE, invite.to_bytes())

    with_peer(story)


@pytest.mark.parametrize("status", [180, 200, 487])
def test_what_is_no_refusal_is_not_told(status: int) -> None:
    async def story(ends: Ends, far: Far) -> None:
        far.send(incoming("INVITE"))
        await asyncio.sleep(0.01)
        server = ends.requests[0]
        server.respond(response_to(server.request, status, to_tag="2"))
        assert told(ends) == []
        server.respond(response_to(server.request, 487, to_tag="2"))

    with_peer(story)


def test_a_cancel_that_finds_nothing_or_comes_too_late() -> None:
    async def story(ends: Ends, far: Far) -> None:
        far.send(incoming("CANCEL", branch="z9hG4bKnone"))
        far.send(incoming("INVITE", branch="z9hG4bK2"))
        await asyncio.sleep(0.01)
        server = ends.requests[0]
        server.respond(response_to(server.request, 200, to_tag="2"))
        far.send(incoming("CANCEL", branch="z9hG4bK2"))
        await asyncio.sleep(0.01)
        assert told(ends) == [
            (481, "there is no INVITE that it could cancel"),
            (None, "too late: the INVITE was answered 200 before"),
        ]

    with_peer(story)


def test_what_the_user_of_the_endpoint_has_no_use_for() -> None:
    async def story(ends: Ends, far: Far) -> None:
        ends.endpoint.servers._on_ack = lambda ack, flow: "no such call is known here"
        ends.endpoint.clients._on_stray = lambda response, flow: "it answers nothing"
        far.send(incoming("ACK"))
        stray = incoming("INFO", branch="z9hG4bKstray", sent_by="192.168.1.21")
        far.send(response_to(stray, 200, to_tag="2"))
        await asyncio.sleep(0.01)
        assert told(ends) == [(None, "no such call is known here"), (None, "it answers nothing")]

    with_peer(story)


def test_a_request_that_cannot_be_understood_is_told_once() -> None:
    async def story(ends: Ends, far: Far) -> None:
        far.raw(incoming("INVITE").to_bytes().replace(b"Content-Length: 0", b"Content-Length: 9"))
        await asyncio.sleep(0.01)
        assert [status for status, _ in told(ends)] == [400]
        assert [response.status for response in far.responses] == [400]

    with_peer(story)


# -- limits --------------------------------------------------------------------------------------------------


def test_more_requests_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "STATELESS_RESPONSES", 3)

    async def story(ends: Ends, far: Far) -> None:
        ends.endpoint.servers._most = 10
        for n in range(20):
            far.send(incoming("INVITE", branch=f"z9hG4bK{n}", call_id=f"c{n}"))
        await asyncio.sleep(0.01)
        assert len(ends.requests) == 10
        refused = [response for response in far.responses if response.status == 503]
        assert len(refused) == 3
        assert all(response.headers.get("Retry-After") == "32" for response in refused)
        why = "10 requests are being dealt with already, no more are taken"
        assert told(ends) == [*[(503, why)] * 3, *[(None, why)] * 7]
        # Those that have room are not disturbed; a second later a refusal is worth a response again.
        await asyncio.sleep(1)
        far.send(incoming("INVITE", branch="z9hG4bK0", call_id="c0"))
        far.send(incoming("INVITE", branch="z9hG4bKlate", call_id="late"))
        await asyncio.sleep(0.01)
        assert len(ends.requests) == 10
        assert len([response for response in far.responses if response.status == 503]) == 4
        for server in ends.requests:
            server.respond(response_to(server.request, 486, to_tag="2"))
        far.send(incoming("ACK", branch="z9hG4bKlate", call_id="late"))

    with_peer(story)


def test_the_bytes_of_requests_need_room_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "MAX_SERVER_BYTES", 3000)

    async def story(ends: Ends, far: Far) -> None:
        for n in range(6):
            far.send(incoming("INVITE", branch=f"z9hG4bK{n}", call_id=f"c{n}", subject="x" * 1000))
        await asyncio.sleep(0.01)
        assert len(ends.requests) == 3
        assert told(ends) == [(503, "3 requests are being dealt with already, no more are taken")] * 3
        for server in ends.requests:
            server.respond(response_to(server.request, 486, to_tag="2"))
        await asyncio.sleep(40)
        assert ends.endpoint.servers._bytes == 0

    with_peer(story)


def test_what_cannot_be_read_draws_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "STATELESS_RESPONSES", 3)

    async def story(ends: Ends, far: Far) -> None:
        broken = incoming("INVITE").to_bytes().replace(b"Content-Length: 0", b"Content-Length: 9")
        for _ in range(5):
            far.raw(broken)
        await asyncio.sleep(0.01)
        assert [response.status for response in far.responses] == [400] * 3
        assert [status for status, _ in told(ends)] == [400, 400, 400, None, None]

    with_peer(story)


def test_the_same_request_draws_the_same_refusal() -> None:
    """Section 8.2.7: who keeps no state says the same each time."""

    async def story(ends: Ends, far: Far) -> None:
        ends.endpoint.servers._most = 0
        for _ in range(2):
            far.send(incoming("OPTIONS"))
        await asyncio.sleep(0.01)
        first, second = far.responses
        assert first.to_bytes() == second.to_bytes()
        assert first.to_tag
        assert ends.endpoint.live_transactions == 0

    with_peer(story)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n",
            f"more than {MAX_HEADERS}",
        ),
        (
            incoming("OPTIONS").to_bytes().replace(b"Content-Length: 0", b"Content-Length: 65536"),
            "is more than a message may have",
        ),
    ],
)
def test_a_message_beyond_a_limit_has_its_own_reason(data: bytes, reason: str) -> None:
    async def story(ends: Ends, far: Far) -> None:
        far.raw(data)
        await asyncio.sleep(0.01)
        assert len(told(ends)) == 1
        assert reason in told(ends)[0][1]

    with_peer(story)
