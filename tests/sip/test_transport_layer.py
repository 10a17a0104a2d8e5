"""Sockets and connections of one user agent (RFC 3261 section 18)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import Address, Transport
from phone_emulator.sip import connections
from phone_emulator.world.base import ConnectFailed, TlsClient, TlsFailed, TlsServer, WorldError
from tests.sip.ends import HERE, THERE, Ends, Far, incoming, run

TCP, TLS = Transport.TCP, Transport.TLS
SECURE = Address("192.168.1.13", 5061)
LAB_TLS = TlsServer(("pbx.example.com",), ca_pem="lab")


def test_a_connection_serves_every_request_to_its_peer() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        layer = ends.endpoint.transports
        first = await layer.flow(TCP, THERE)
        assert await layer.flow(TCP, THERE) is first
        far.streams[0].close()
        await asyncio.sleep(0.1)
        assert first.lost
        assert await layer.flow(TCP, THERE) is not first
        assert len(far.streams) == 2

    run(story)


def test_requests_at_once_share_one_connect() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        layer = ends.endpoint.transports
        one, two = await asyncio.gather(layer.flow(TCP, THERE), layer.flow(TCP, THERE))
        assert one is two
        assert len(far.streams) == 1

    run(story)


def test_one_requests_patience_is_not_the_others() -> None:
    """Whoever gives up leaves the connect to those who still wait; the last one ends it."""

    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        ends.world.network.host(THERE.host).up = False
        layer = ends.endpoint.transports
        patient = asyncio.create_task(layer.flow(TCP, THERE, within=100))
        with pytest.raises(TimeoutError):
            await layer.flow(TCP, THERE, within=0.5)
        assert not patient.done()
        cancelled = asyncio.create_task(layer.flow(TCP, THERE))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        await asyncio.sleep(0.1)
        assert not patient.done()
        ends.world.network.host(THERE.host).up = True
        assert (await patient).remote == THERE
        assert len(far.streams) == 1

    run(story)


def test_a_connect_that_nobody_answers_is_given_up() -> None:
    # rule C6
    async def story(ends: Ends) -> None:
        layer = ends.endpoint.transports
        with pytest.raises(TimeoutError):
            await layer.flow(TCP, Address("192.168.1.99", 5060), within=7.5)
        assert ends.world.now() == 7.5
        await asyncio.sleep(0)
        assert ends.world.pending_tasks() == []
        assert not layer._connections._connecting

    run(story)


def test_a_refused_connection_fails_all_who_wait() -> None:
    # rule C6
    async def story(ends: Ends) -> None:
        ends.world.network.add_host(THERE.host)
        layer = ends.endpoint.transports
        tries = await asyncio.gather(
            layer.flow(TCP, THERE), layer.flow(TCP, THERE, within=3), return_exceptions=True
        )
        assert [str(each) for each in tries] == ["connection refused", "connection refused"]
        await Far(ends.world).listen()
        assert (await layer.flow(TCP, THERE)).remote == THERE

    run(story)


def test_closing_while_a_connection_is_made() -> None:
    async def story(ends: Ends) -> None:
        waiting = asyncio.create_task(ends.endpoint.transports.flow(TCP, THERE))
        await asyncio.sleep(0.1)
        await ends.endpoint.close()
        with pytest.raises(ConnectFailed, match="the phone was stopped"):
            await waiting

    run(story)


def test_tls_names() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen(SECURE, LAB_TLS)
        layer = ends.endpoint.transports
        good = await layer.flow(TLS, SECURE, tls=TlsClient("pbx.example.com", ca_pem="lab"))
        assert good.via("b") == "SIP/2.0/TLS 192.168.1.21:5061;branch=b"
        with pytest.raises(TlsFailed, match=r"other\.example"):
            await layer.flow(TLS, SECURE, tls=TlsClient("other.example", ca_pem="lab"))
        # A connection checked against one name does not serve another.
        unchecked = await layer.flow(TLS, SECURE, tls=TlsClient("third.example", verify=False))
        assert unchecked is not good
        with pytest.raises(TlsFailed, match="no server name"):
            await layer.flow(TLS, SECURE)
        assert len([stream for stream in far.streams if stream.transport is TLS]) == 2

    run(story)


@pytest.mark.parametrize(
    "garbage",
    [
        b"INVITE sip:x SIP/2.0\r\nFrom: a\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: x\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"x" * 70000,
    ],
)
def test_garbage_closes_its_own_connection_only(garbage: bytes) -> None:
    async def story(ends: Ends) -> None:
        good, bad = await Far(ends.world).connect(), await Far(ends.world).connect()
        await asyncio.sleep(0.01)
        bad.raw(incoming("OPTIONS").to_bytes() + garbage)
        await asyncio.sleep(0.01)
        assert bad.lost == [""]
        assert len(ends.requests) == 1, "what came before it still counts"
        assert ends.ignored[-1].endswith("; connection closed")
        good.send(incoming("OPTIONS", branch="z9hG4bK2", call_id="c2"))
        await asyncio.sleep(0.01)
        assert len(ends.requests) == 2
        assert good.lost == []

    run(story)


def test_a_message_that_is_no_message_does_not_close_the_connection() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        await asyncio.sleep(0.01)
        far.raw(b"HELLO\r\nContent-Length: 0\r\n\r\n")
        far.raw(b"\r\n\r\n")
        far.send(incoming("OPTIONS"))
        await asyncio.sleep(0.01)
        assert far.pongs == 1
        assert len(ends.requests) == 1
        assert len(ends.ignored) == 1
        assert far.lost == []

    run(story)


def test_messages_in_pieces() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).connect()
        await asyncio.sleep(0.01)
        data = incoming("OPTIONS").to_bytes() + incoming("INFO", branch="z9hG4bK2").to_bytes()
        for place in range(len(data)):
            far.raw(data[place : place + 1])
        await asyncio.sleep(0.01)
        assert [server.request.method for server in ends.requests] == ["OPTIONS", "INFO"]

    run(story)


def test_keep_alives_are_no_messages() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        for data in (b"\r\n\r\n", b"\0\0\0\0", b"", b"\r\n"):
            far.raw(data)
        await asyncio.sleep(0.01)
        assert ends.events == []
        far.raw(b"garbage")
        await asyncio.sleep(0.01)
        assert len(ends.ignored) == 1
        assert ends.received == 0

    run(story)


def test_incoming_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)

    async def story(ends: Ends) -> None:
        peers = [await Far(ends.world).connect() for _ in range(5)]
        await asyncio.sleep(0.01)
        assert [bool(peer.lost) for peer in peers] == [False, False, False, True, True]
        peers[0].close()
        await asyncio.sleep(0.01)
        another = await Far(ends.world).connect()
        another.send(incoming("OPTIONS"))
        await asyncio.sleep(0.01)
        assert len(ends.requests) == 1

    run(story)


def test_a_port_in_use_leaves_nothing_open() -> None:
    async def story(ends: Ends) -> None:
        other = Ends(ends.world)
        with pytest.raises(OSError, match="already in use"):
            await other.endpoint.open()
        assert other.endpoint.transports._udp == {}

    run(story)


def test_any_port_is_one_that_every_socket_can_have() -> None:
    async def story(ends: Ends) -> None:
        taken = await ends.world.open_udp(Address(HERE.host, 0), Far(ends.world))
        taken.close()
        for port in (taken.local.port + 1, taken.local.port + 2):
            await Far(ends.world).listen(Address(HERE.host, port))
        other = Ends(ends.world, port=0)
        await other.endpoint.open()
        assert other.endpoint.transports.local(Transport.TCP).port == taken.local.port + 3
        assert other.endpoint.transports.local(Transport.UDP).port == taken.local.port + 3
        await other.endpoint.close()

    run(story)


def test_ports_are_not_tried_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(ends: Ends) -> None:
        async def listen(*args: object, **kwargs: object) -> None:
            raise WorldError("address already in use")

        monkeypatch.setattr(ends.world, "listen", listen)
        other = Ends(ends.world, port=0)
        with pytest.raises(WorldError, match="already in use"):
            await other.endpoint.open()
        assert other.endpoint.transports._udp == {}

    run(story)
