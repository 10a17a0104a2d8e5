"""What becomes of a connection that leads nowhere: idle, stuck in a message, or never read from."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, MessageIgnored, Transport
from phone_emulator.sip import connections
from phone_emulator.sip.connection import IDLE, MESSAGE_TIME
from phone_emulator.sip.framing import MAX_SIZE
from phone_emulator.world.base import SendFailed
from tests.sip.ends import THERE, Ends, Far, incoming, request, run

TCP = Transport.TCP
HALF = incoming("OPTIONS").to_bytes()[:100]


def test_an_idle_connection_is_closed() -> None:
    async def story(ends: Ends) -> None:
        theirs = await Far(ends.world).connect()
        listening = await Far(ends.world).listen()
        own = await ends.endpoint.transports.flow(TCP, THERE)
        await asyncio.sleep(IDLE - 0.1)
        assert (theirs.lost, listening.lost, own.lost) == ([], [], False)
        await asyncio.sleep(0.2)
        assert (theirs.lost, listening.lost, own.lost) == ([""], [""], True)
        assert await ends.endpoint.transports.flow(TCP, THERE) is not own

    run(story)


def test_whatever_comes_or_goes_keeps_a_connection_open() -> None:
    async def story(ends: Ends) -> None:
        theirs = await Far(ends.world).connect()
        listening = await Far(ends.world).listen()
        own = await ends.endpoint.transports.flow(TCP, THERE)
        for n in range(3):
            await asyncio.sleep(IDLE - 1)
            theirs.raw(b"\r\n")
            ends.endpoint.transports.send(incoming("OPTIONS", branch=f"z9hG4bK{n}"), own)
        await asyncio.sleep(IDLE - 1)
        assert (theirs.lost, listening.lost) == ([], [])
        await asyncio.sleep(2)
        assert (theirs.lost, listening.lost) == ([""], [""])

    run(story)


def test_a_connection_that_a_line_is_registered_over_is_kept() -> None:
    async def story(ends: Ends) -> None:
        listening = await Far(ends.world).listen()
        own = await ends.endpoint.transports.flow(TCP, THERE)
        own.registrations = frozenset({"r-1"})
        await asyncio.sleep(86400)
        assert not own.lost
        own.registrations = frozenset()
        await asyncio.sleep(2 * IDLE)
        assert listening.lost == [""]

    run(story)


def test_half_a_message_and_no_more() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        await asyncio.sleep(10)
        far.raw(HALF)
        await asyncio.sleep(MESSAGE_TIME - 0.1)
        assert far.lost == []
        await asyncio.sleep(0.2)
        assert far.lost == [""]
        assert ends.ignored == [
            "half a message, and no more of it within 32 s: no empty line (CRLF) has ended its headers; "
            "connection closed"
        ]

    run(story)


HEADERS = (
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 192.168.1.13;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
    b"To: <sip:b@x>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEADERS + b"\r\n", 400),
        (HEADERS + b"Content-Length: two\r\n\r\n", 400),
        (HEADERS + b"Content-Length: 0\r\nl: 1\r\n\r\n", 400),
        (HEADERS + b"Content-Length: %d\r\n\r\n" % (MAX_SIZE + 1), 413),
        (HEADERS + b"Content-Length: %d\r\n\r\n" % MAX_SIZE, 513),
        (HEADERS + b"X: " + b"y" * MAX_SIZE, 513),
    ],
)
def test_a_request_that_cannot_be_cut_is_refused_before_the_connection_is_closed(
    data: bytes, status: int
) -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        far.send(incoming("OPTIONS", branch="z9hG4bK0", call_id="c0"))
        far.raw(data)
        await asyncio.sleep(0.01)
        assert [server.request.call_id for server in ends.requests] == ["c0"]
        [response] = far.responses
        assert (response.status, response.call_id, response.cseq.method) == (status, "c1", "OPTIONS")
        assert response.to_tag
        assert response.headers.get("Via") == "SIP/2.0/TCP 192.168.1.13;branch=z9hG4bK1"
        assert far.lost == [""]
        [event] = [event for event in ends.events if isinstance(event, MessageIgnored)]
        assert event.status == status
        assert event.reason.endswith("; connection closed")
        assert event.data.startswith(HEADERS)

    run(story)


@pytest.mark.parametrize(
    "data",
    [
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 192.168.1.21;branch=z9hG4bK1\r\n\r\n",
        HEADERS.replace(b"OPTIONS", b"ACK") + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_else_cannot_be_cut_draws_no_answer(data: bytes) -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        far.raw(data)
        await asyncio.sleep(0.01)
        assert far.heard == []
        assert far.lost == [""]
        [reason] = ends.ignored
        assert reason.endswith("; connection closed")

    run(story)


def test_a_message_that_trickles_is_not_waited_for_either() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        for place in range(round(MESSAGE_TIME)):
            assert far.lost == []
            far.raw(HALF[place : place + 1])
            await asyncio.sleep(1)
        await asyncio.sleep(0.1)
        assert far.lost == [""]
        assert len(ends.ignored) == 1

    run(story)


def test_each_message_has_its_own_time() -> None:
    """Messages back to back, each in two halves 20 s apart: there is always one that is not whole."""

    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        data = [incoming("OPTIONS", branch=f"z9hG4bK{n}", call_id=f"c{n}").to_bytes() for n in range(5)]
        far.raw(data[0][:50])
        for before, after in zip(data, [*data[1:], b""], strict=True):
            await asyncio.sleep(20)
            far.raw(before[50:] + after[:50])
        await asyncio.sleep(60)
        assert len(ends.requests) == 5
        assert far.lost == []
        assert ends.ignored == []

    run(story)


def test_a_peer_that_reads_nothing_is_given_up() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        flow = await ends.endpoint.transports.flow(TCP, THERE)
        ends.world.network.host(THERE.host).up = False
        message = request("INFO", via="SIP/2.0/TCP 192.168.1.21;branch=z9hG4bK1")
        message.body = bytes(60_000)
        fit = 1024 * 1024 // len(message.to_bytes())
        for _ in range(fit):
            ends.endpoint.transports.send(message, flow)
        with pytest.raises(SendFailed, match="reads nothing"):
            ends.endpoint.transports.send(message, flow)
        await asyncio.sleep(0)
        assert flow.lost
        ends.world.network.host(THERE.host).up = True
        assert not (await ends.endpoint.transports.flow(TCP, THERE)).lost
        assert len(far.streams) == 2

    run(story)


def test_what_waits_for_all_peers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_UNSENT", 300_000)

    async def story(ends: Ends) -> None:
        places = [Address(f"192.168.1.{n}", 5060) for n in range(30, 34)]
        peers = [await Far(ends.world).listen(place) for place in places]
        flows = [await ends.endpoint.transports.flow(TCP, place) for place in places]
        for place in places[:3]:
            ends.world.network.host(place.host).up = False

        def send(n: int, *, size: int) -> None:
            message = request("INFO", via="SIP/2.0/TCP 192.168.1.21;branch=z9hG4bK1")
            message.body = bytes(size)
            ends.endpoint.transports.send(message, flows[n])

        for n in (0, 0, 1, 1, 1, 2):
            send(n, size=45_000)
        send(3, size=100)
        assert ends.ignored == []
        send(2, size=45_000)  # in all too much: most of it waits for the second peer
        [event] = [event for event in ends.events if isinstance(event, MessageIgnored)]
        assert (event.remote, event.outwards) == (places[1], True)
        assert event.reason.startswith("connection reset: 135")
        assert event.reason.endswith(" bytes wait for this peer, and more than 300000 for all")
        send(2, size=45_000)
        send(0, size=1_000)
        assert len(ends.ignored) == 1
        with pytest.raises(SendFailed):
            send(1, size=100)
        await asyncio.sleep(0)
        assert [flow.lost for flow in flows] == [False, True, False, False]
        await asyncio.sleep(0.1)
        assert len(peers[3].heard) == 1

    run(story)


def test_a_keep_alive_is_answered() -> None:
    """RFC 5626 section 4.4.1: two line ends ask, one answers."""

    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        await asyncio.sleep(0.01)
        for data in (b"\r\n", b"\r\n\r\n", b"\r\n\r\n"):
            far.raw(data)
            await asyncio.sleep(0.01)
        assert far.pongs == 2
        assert ends.events == []
        ack = incoming("ACK").to_bytes()
        for data, pongs in ((ack, 2), (ack + b"\r\n\r\n", 2), (b"\r\n\r\n" + ack, 2)):
            far.raw(data)
            await asyncio.sleep(0.01)
            assert far.pongs == pongs
        assert len(ends.acks) == 3

    run(story)


def test_one_peer_cannot_keep_out_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS_OF_ONE", 3)

    async def story(ends: Ends) -> None:
        peers = [await Far(ends.world).connect() for _ in range(4)]
        await asyncio.sleep(0.01)
        assert [bool(peer.lost) for peer in peers] == [False, False, False, True]
        assert ends.ignored == ["connection refused: 3 from this address are open already"]
        peers[0].close()
        await asyncio.sleep(0.01)
        again = await Far(ends.world).connect()
        again.send(incoming("OPTIONS"))
        await asyncio.sleep(0.01)
        assert len(ends.requests) == 1

    run(story)


def test_many_messages_at_once_and_one_in_many_pieces() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        await asyncio.sleep(0.01)
        data = b"".join(
            incoming("OPTIONS", branch=f"z9hG4bK{n}", call_id=f"c{n}").to_bytes() for n in range(100)
        )
        far.raw(data)
        await asyncio.sleep(0.01)
        assert [server.request.call_id for server in ends.requests] == [f"c{n}" for n in range(100)]
        late = incoming("OPTIONS", branch="z9hG4bKlate", call_id="late").to_bytes()
        for place in range(0, len(late), 7):
            far.raw(late[place : place + 7])
            await asyncio.sleep(0.1)
        assert ends.requests[-1].request.call_id == "late"

    run(story)


def test_a_client_without_a_connection_any_more_gets_a_new_one() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        for n in range(3):
            flow = await ends.endpoint.transports.flow(TCP, THERE)
            client = ends.endpoint.clients.request(request("OPTIONS", call_id=f"c{n}"), flow, timeout=5)
            await asyncio.sleep(0.01)
            assert len(far.heard) == n + 1
            far.streams[-1].abort()
            await asyncio.sleep(0.01)
            assert flow.lost
            with pytest.raises(Exception, match="reset by peer"):
                await client.final()
        assert len(far.streams) == 3

    run(story)


def test_half_a_message_and_then_the_end() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        far.raw(HALF)
        far.close()
        await asyncio.sleep(1)
        assert ends.ignored == [
            "half a message, and the connection has ended: no empty line (CRLF) has ended its headers"
        ]

    run(story)
