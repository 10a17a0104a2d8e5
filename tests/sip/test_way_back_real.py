"""The way back on the machine's own sockets: ICMP errors, connections that end, framing that breaks."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence

import pytest

from phone_emulator.events import Address, Bus, Event, MessageIgnored, MessageSent, Transport
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.sip.message import response_to
from phone_emulator.sip.parser import parse
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.timers import Timers
from phone_emulator.world import RealWorld
from tests.patience import patient, until
from tests.sip.ends import incoming

HERE, THERE, ELSEWHERE = "127.0.0.21", "127.0.0.13", "127.0.0.14"
linux = pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's")


class Real:
    """An endpoint on real sockets, and what it was asked and told."""

    def __init__(self, world: RealWorld, timers: Timers) -> None:
        self.requests: asyncio.Queue[ServerTransaction] = asyncio.Queue()
        self.ignored: list[MessageIgnored] = []
        self.sent: list[MessageSent] = []
        self.places: list[Address] = []
        bus = Bus()
        bus.subscribe(self._hear)
        self.endpoint = Endpoint(
            world,
            bus,
            timers,
            host=HERE,
            port=0,
            on_request=self.requests.put_nowait,
            on_ack=lambda ack, flow: None,
            on_stray=lambda response, flow: None,
            locate=self._locate,
        )

    @property
    def address(self) -> tuple[str, int]:
        return self.endpoint.transports.local(Transport.UDP)

    async def _locate(self, host: str, port: int | None, transport: Transport) -> Sequence[Address]:
        return self.places

    def _hear(self, event: Event) -> None:
        if isinstance(event, MessageIgnored):
            self.ignored.append(event)
        elif isinstance(event, MessageSent):
            self.sent.append(event)


def run(story: Callable[[Real], Awaitable[None]], timers: Timers | None = None) -> None:
    world = RealWorld()

    async def main() -> None:
        real = Real(world, timers or Timers())
        await real.endpoint.open()
        try:
            await patient(story(real))
        finally:
            await real.endpoint.close()

    world.run(main())


def bound(host: str, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.bind((host, 0))
    sock.setblocking(False)
    if kind is socket.SOCK_STREAM:
        sock.listen()
    return sock


async def heard(sock: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(sock, 65535)


@linux
@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_a_response_that_draws_an_icmp_error_goes_where_sent_by_leads(method: str) -> None:
    async def story(real: Real) -> None:
        with bound(ELSEWHERE, socket.SOCK_DGRAM) as other, bound(ELSEWHERE, socket.SOCK_DGRAM) as gone:
            with bound(THERE, socket.SOCK_DGRAM) as asking:
                source = Address(*asking.getsockname())
                real.places = [source, Address(*gone.getsockname()), Address(*other.getsockname())]
                gone.close()
                sent_by = f"pbx.example:{source.port}"
                asking.sendto(incoming(method, sent_by=sent_by).to_bytes(), real.address)
                server = await real.requests.get()
            server.respond(response_to(server.request, 200, to_tag="t"))
            response = parse(await heard(other))
            assert response.cseq.method == method
            assert real.ignored == []

    run(story)


@linux
@pytest.mark.parametrize("closed", [False, True])
def test_a_refusal_is_not_repeated_to_a_closed_port(closed: bool) -> None:
    """RFC 3261 section 17.2.1: timer G goes on for 64*T1, here 0.64 s, unless the machine says that it is."""

    async def story(real: Real) -> None:
        with bound(THERE, socket.SOCK_DGRAM) as asking:
            source = Address(*asking.getsockname())
            asking.sendto(incoming("INVITE", sent_by=str(source)).to_bytes(), real.address)
            server = await real.requests.get()
            if closed:
                asking.close()
            server.respond(response_to(server.request, 487, to_tag="t"))
            await until(lambda: not real.endpoint.live_transactions, "the end of the transaction")
            responses = [event for event in real.sent if event.remote == source]
            assert (len(responses) == 1) is closed

    run(story, Timers(t1=0.01))


def test_a_response_whose_connection_has_ended_takes_a_new_one() -> None:
    async def story(real: Real) -> None:
        loop = asyncio.get_running_loop()
        with bound(THERE, socket.SOCK_STREAM) as listening:
            port = listening.getsockname()[1]
            with socket.create_connection(real.address, source_address=(THERE, 0)) as asking:
                asking.setblocking(False)
                await loop.sock_sendall(asking, incoming("OPTIONS", sent_by=f"{THERE}:{port}").to_bytes())
                server = await real.requests.get()
            while not server.flow.lost:  # noqa: ASYNC110
                await asyncio.sleep(0)
            server.respond(response_to(server.request, 200, to_tag="t"))
            new, _ = await loop.sock_accept(listening)
            with new:
                new.setblocking(False)
                assert parse(await heard(new)).cseq.method == "OPTIONS"
        assert real.ignored == []

    run(story)


@pytest.mark.parametrize("more", [0, 300_000])
def test_a_request_that_cannot_be_cut_is_answered_before_the_end(more: int) -> None:
    """Also where the peer has sent more than anybody reads."""

    async def story(real: Real) -> None:
        loop = asyncio.get_running_loop()
        with socket.create_connection(real.address, source_address=(THERE, 0)) as asking:
            asking.setblocking(False)
            data = incoming("OPTIONS").to_bytes().replace(b"Content-Length: 0", b"Content-Length: 99999")
            await loop.sock_sendall(asking, data + bytes(more))
            assert (await heard(asking)).startswith(b"SIP/2.0 413 ")
            try:
                assert await heard(asking) == b""
            except ConnectionResetError:
                assert more  # what was not read makes the end a reset
        [event] = real.ignored
        assert event.status == 413

    run(story)
