"""DSCP marks (RFC 2474), read where the packets arrive."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from phone_emulator.events import Address
from phone_emulator.world import (
    DatagramSocket,
    RealWorld,
    SimulatedWorld,
    Stream,
    StreamReceiver,
    stream,
    udp,
)
from tests.patience import NET

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="IP_RECVTOS as Linux has it")
IP_RECVTOS = 13
LOOPBACKS = pytest.mark.parametrize("host", ["127.0.0.13", "::1"])


class Ear:
    """Hears and forgets."""

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """Nobody is to be told."""

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """Nobody is to be told."""

    def data_received(self, data: bytes) -> None:
        """Nobody is to be told."""

    def connection_lost(self, reason: str) -> None:
        """Nobody is to be told."""


@LOOPBACKS
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("dscp", [0, 26, 46, 63])
def test_datagrams_arrive_marked(host: str, plain: bool, dscp: int) -> None:
    ipv6 = ":" in host
    world = RealWorld(fast=False)
    with socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.settimeout(NET)
        far.bind((host, 0))
        if ipv6:
            far.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        else:
            far.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)

        async def check() -> None:
            near: DatagramSocket
            if plain:
                near = await udp.open_udp(Address(host, 0), Ear(), set(), plain=True, dscp=dscp)
            else:
                near = await world.open_udp(Address(host, 0), Ear(), dscp=dscp)
            near.send(b"x", Address(*far.getsockname()[:2]))
            await asyncio.sleep(0)
            near.close()

        world.run(check())
        _, ancillary, _, _ = far.recvmsg(16, 256)
    marks = [int.from_bytes(data, sys.byteorder) for _, _, data in ancillary]
    assert marks == [dscp << 2]


@LOOPBACKS
def test_both_ends_of_a_connection_are_marked(host: str) -> None:
    async def check(world: RealWorld) -> None:
        accepted: asyncio.Queue[Stream] = asyncio.Queue()

        def accept(peer: Stream) -> StreamReceiver:
            accepted.put_nowait(peer)
            return Ear()

        listener = await world.listen(Address(host, 0), accept, dscp=26)
        own = await world.connect(listener.local, Ear(), dscp=10)
        assert (mark_of(own), mark_of(await accepted.get())) == (10, 26)

    world = RealWorld(fast=False)
    world.run(check(world))


def mark_of(connection: Stream) -> int:
    assert isinstance(connection, stream.MachineStream)
    held = connection._wire.get_extra_info("socket")
    ipv6 = ":" in connection.local.host
    level, option = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if ipv6 else (socket.IPPROTO_IP, socket.IP_TOS)
    marked: int = held.getsockopt(level, option)
    return marked >> 2


def test_a_machine_that_will_not_mark_sends_unmarked() -> None:
    """A mark that is no DSCP stands for a machine that refuses: IPV6_TCLASS takes 0 to 255 only."""

    async def check(world: RealWorld) -> None:
        near = await world.open_udp(Address("::1", 0), Ear(), dscp=1000)
        assert near.local.port
        near.close()

    world = RealWorld(fast=False)
    world.run(check(world))


def test_the_simulated_world_keeps_the_mark() -> None:
    world = SimulatedWorld()

    async def check() -> None:
        near = await world.open_udp(Address("192.168.1.21", 5060), Ear(), dscp=26)
        listener = await world.listen(Address("192.168.1.13", 5060), lambda stream: Ear(), dscp=10)
        own = await world.connect(listener.local, Ear(), dscp=46)
        assert (near.dscp, listener.dscp, own.dscp, own.peer.dscp) == (26, 10, 46, 10)

    world.run(check())
