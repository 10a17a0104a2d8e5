"""The simulated network's switches: hosts that are away, latency, loss, duplicates, order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from phone_emulator.events import Address
from phone_emulator.world import (
    ConnectFailed,
    SendFailed,
    SimulatedWorld,
    Stream,
    StreamReceiver,
    TlsClient,
    TlsServer,
    WorldError,
)
from phone_emulator.world.network import REORDER_DELAY, Disturbance
from phone_emulator.world.simulated_stream import handshake_fault

PHONE, SERVER = Address("192.168.1.21", 5060), Address("192.168.1.13", 5060)


class Ear:
    """Notes what it hears and when."""

    def __init__(self, world: SimulatedWorld) -> None:
        self.world = world
        self.heard: list[tuple[float, object]] = []

    def note(self, what: object) -> None:
        self.heard.append((self.world.now(), what))

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.note(data)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        self.note((remote.host, reason))

    def data_received(self, data: bytes) -> None:
        self.note(data)

    def connection_lost(self, reason: str) -> None:
        self.note(("lost", reason))


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld(seed=1)


def numbers(ear: Ear) -> list[int]:
    return [int(what) for _, what in ear.heard if isinstance(what, bytes)]


async def connected(world: SimulatedWorld, ear: Ear) -> tuple[Stream, Ear]:
    """A connection to SERVER; the stream of the client, what the server hears."""
    heard = Ear(world)

    def accept(stream: Stream) -> StreamReceiver:
        return heard

    await world.listen(SERVER, accept)
    return await world.connect(SERVER, ear), heard


def test_silence_or_icmp(world: SimulatedWorld) -> None:
    async def main() -> None:
        ear = Ear(world)
        phone = await world.open_udp(PHONE, ear)
        await world.open_udp(SERVER, Ear(world))
        silent, rejecting = world.network.add_host("192.168.1.14"), world.network.add_host("192.168.1.15")
        silent.up = False
        rejecting.reachable = False
        for last in (13, 14, 15, 99):
            phone.send(b"x", Address(f"192.168.1.{last}", 5062))
        await asyncio.sleep(60)
        assert ear.heard == [
            (0.0, ("192.168.1.13", "ICMP port unreachable")),
            (0.0, ("192.168.1.15", "ICMP host unreachable")),
        ]

    world.run(main())


def test_a_host_that_is_down_neither_hears_nor_is_heard(world: SimulatedWorld) -> None:
    async def main() -> None:
        ear, server_ear = Ear(world), Ear(world)
        phone, server = await world.open_udp(PHONE, ear), await world.open_udp(SERVER, server_ear)
        host = world.network.host(SERVER.host)
        host.latency = 0.5
        for n in range(3):
            host.up = n != 0
            phone.send(b"%d" % n, SERVER)
            server.send(b"%d" % n, PHONE)
            await asyncio.sleep(0.25)
            host.up = n != 1
            await asyncio.sleep(0.75)
        assert numbers(server_ear) == [0, 2], "it was down when 1 arrived"
        assert numbers(ear) == [1, 2], "it was down when 0 left"

    world.run(main())


def test_latency_of_the_network_and_of_hosts(world: SimulatedWorld) -> None:
    async def main() -> None:
        ear, server_ear = Ear(world), Ear(world)
        phone = await world.open_udp(PHONE, ear)
        server = await world.open_udp(SERVER, server_ear)
        world.network.latency = 0.25
        phone.send(b"1", SERVER)
        await asyncio.sleep(1)
        world.network.host(SERVER.host).latency = 0.5
        phone.send(b"2", SERVER)
        await asyncio.sleep(1)
        world.network.host(PHONE.host).latency = 0.125
        phone.send(b"3", SERVER)
        server.close()
        await asyncio.sleep(2)
        assert server_ear.heard == [(0.25, b"1"), (1.5, b"2")]
        assert ear.heard == [(3.25, (SERVER.host, "ICMP port unreachable"))]

    world.run(main())


def test_datagrams_keep_their_order_when_the_latency_falls(world: SimulatedWorld) -> None:
    async def main() -> None:
        ear = Ear(world)
        phone = await world.open_udp(PHONE, Ear(world))
        await world.open_udp(SERVER, ear)
        for n in range(50):
            world.network.latency = 0.5 - n / 100
            phone.send(b"%d" % n, SERVER)
        await asyncio.sleep(1)
        assert numbers(ear) == list(range(50))

    world.run(main())


def run_traffic(seed: int, **switches: float) -> list[int]:
    world = SimulatedWorld(seed)

    async def main() -> list[int]:
        ear = Ear(world)
        phone = await world.open_udp(PHONE, Ear(world))
        await world.open_udp(SERVER, ear)
        for switch, value in switches.items():
            setattr(world.network.host(SERVER.host), switch, value)
        for n in range(1000):
            phone.send(b"%d" % n, SERVER)
            await asyncio.sleep(REORDER_DELAY / 2)
        await asyncio.sleep(1)
        return numbers(ear)

    return world.run(main())


def test_loss_duplicates_and_reordering_are_the_seeds() -> None:
    everything = list(range(1000))
    assert run_traffic(1) == everything
    assert run_traffic(1, loss=1.0) == []
    lossy = run_traffic(1, loss=0.2)
    assert lossy == sorted(set(lossy))
    assert 700 < len(lossy) < 900
    assert run_traffic(1, loss=0.2) == lossy != run_traffic(2, loss=0.2)
    doubled = run_traffic(1, duplicate=0.2)
    assert sorted(set(doubled)) == everything
    assert 1100 < len(doubled) < 1300
    mixed = run_traffic(1, reorder=0.2)
    assert mixed != everything
    assert sorted(mixed) == everything


def test_a_disturbance_befalls_one_way_only(world: SimulatedWorld) -> None:
    async def main() -> None:
        ear, server_ear = Ear(world), Ear(world)
        phone = await world.open_udp(PHONE, ear)
        server = await world.open_udp(SERVER, server_ear)
        world.network.loss = 1.0
        world.network.disturb(PHONE.host, SERVER.host, Disturbance(duplicate=1.0, delay=0.25))
        phone.send(b"1", SERVER)
        server.send(b"2", PHONE)
        await asyncio.sleep(1)
        assert server_ear.heard == [(0.25, b"1"), (0.25, b"1")]
        assert ear.heard == []
        world.network.disturb(PHONE.host, SERVER.host, None)
        phone.send(b"3", SERVER)
        await asyncio.sleep(1)
        assert numbers(server_ear) == [1, 1]
        world.network.disturb(PHONE.host, SERVER.host, Disturbance(reorder=0.5))
        for n in range(100):
            phone.send(b"%d" % n, SERVER)
        await asyncio.sleep(1)
        found = numbers(server_ear)[2:]
        assert found != list(range(100)) == sorted(found)
        assert {at for at, _ in server_ear.heard[2:]} == {2.0, 2.0 + REORDER_DELAY}

    world.run(main())


def test_what_is_switched_off_throws_no_dice() -> None:
    world = SimulatedWorld(seed=5)

    async def main() -> float:
        phone = await world.open_udp(PHONE, Ear(world))
        await world.open_udp(SERVER, Ear(world))
        phone.send(b"x", SERVER)
        await asyncio.sleep(1)
        return world.random.random()

    assert world.run(main()) == SimulatedWorld(seed=5).random.random()


def test_connecting_takes_round_trips(world: SimulatedWorld) -> None:
    async def main() -> None:
        world.network.latency = 0.1
        ear = Ear(world)
        stream, server_ear = await connected(world, ear)
        assert world.now() == 0.2
        stream.send(b"1")
        world.network.latency = 0.0
        stream.send(b"2")
        stream.close()
        await asyncio.sleep(1)
        assert server_ear.heard == [(0.2 + 0.1, b"1"), (0.2 + 0.1, b"2"), (0.2 + 0.1, ("lost", ""))]
        assert ear.heard == [(0.2, ("lost", ""))]

    world.run(main())


@pytest.mark.parametrize(("up_at", "connected_at"), [(0.5, 1.0), (6.5, 7.0), (40.0, 63.0)])
def test_a_connection_is_tried_again_until_the_host_is_up(
    world: SimulatedWorld, up_at: float, connected_at: float
) -> None:
    async def main() -> None:
        host = world.network.add_host(SERVER.host)
        host.up = False

        def come_up() -> None:
            host.up = True

        world.call_at(up_at, come_up)
        await connected(world, Ear(world))
        assert world.now() == connected_at

    world.run(main())


def test_a_connection_to_nobody_waits_until_its_caller_gives_up(world: SimulatedWorld) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000):
                await world.connect(Address("192.0.2.1", 5060), Ear(world))
        assert world.now() == 1000.0
        assert world.pending_timers() == []

    world.run(main())


def test_a_connection_given_up_half_way_is_reset(world: SimulatedWorld) -> None:
    async def main() -> None:
        server_ear = Ear(world)
        await world.listen(SERVER, lambda stream: server_ear)
        world.network.latency = 1.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await world.connect(SERVER, Ear(world))
        await asyncio.sleep(10)
        assert server_ear.heard == [(2.5, ("lost", "connection reset by peer"))]
        assert not world.network.host(SERVER.host).streams
        assert not world.network.host(PHONE.host).streams

    world.run(main())


def test_an_unreachable_host_refuses_connections_in_its_own_words(world: SimulatedWorld) -> None:
    async def main() -> None:
        await world.listen(SERVER, lambda stream: Ear(world))
        world.network.host(SERVER.host).reachable = False
        with pytest.raises(ConnectFailed, match="host is unreachable"):
            await world.connect(SERVER, Ear(world))

    world.run(main())


@pytest.mark.parametrize("switch", ["up", "reachable"])
def test_a_stream_falls_silent_while_a_host_is_away_and_loses_nothing(
    world: SimulatedWorld, switch: str
) -> None:
    async def main() -> None:
        ear = Ear(world)
        stream, server_ear = await connected(world, ear)
        host = world.network.host(SERVER.host)
        setattr(host, switch, False)
        stream.send(b"1")
        stream.send(b"2")
        await asyncio.sleep(30)
        assert server_ear.heard == []
        setattr(host, switch, True)
        stream.send(b"3")
        await asyncio.sleep(1)
        assert numbers(server_ear) == [1, 2, 3]
        setattr(host, switch, False)
        stream.close()
        await asyncio.sleep(30)
        assert len(server_ear.heard) == 3
        assert ear.heard == [(31.0, ("lost", ""))]
        setattr(host, switch, True)
        await asyncio.sleep(1)
        assert server_ear.heard[-1] == (61.0, ("lost", ""))
        assert not host.streams
        assert not world.network.host(PHONE.host).streams

    world.run(main())


def test_a_peer_that_takes_nothing_is_told_at_one_mebibyte(world: SimulatedWorld) -> None:
    async def main() -> None:
        stream, server_ear = await connected(world, Ear(world))
        world.network.host(SERVER.host).up = False
        for _ in range(1024):
            stream.send(bytes(1024))
        with pytest.raises(SendFailed, match="the peer reads nothing any more"):
            stream.send(b"x")
        world.network.host(SERVER.host).up = True
        await asyncio.sleep(1)
        stream.send(b"x")
        await asyncio.sleep(1)
        assert server_ear.heard[-1][1] == b"x"

    world.run(main())


def test_what_is_under_way_to_an_end_that_closed_is_dropped(world: SimulatedWorld) -> None:
    async def main() -> None:
        world.network.latency = 1.0
        ear = Ear(world)
        stream, server_ear = await connected(world, ear)
        stream.send(b"too late")
        servers = world.network.host(SERVER.host).streams
        next(iter(servers)).close()
        await asyncio.sleep(10)
        assert [what for _, what in server_ear.heard] == [("lost", "")]
        assert [what for _, what in ear.heard] == [("lost", "")]
        assert not servers
        assert not world.network.host(PHONE.host).streams

    world.run(main())


def test_hosts_are_known_by_any_spelling(world: SimulatedWorld) -> None:
    network = world.network
    assert network.add_host("fd00:0:0::13") is network.host("fd00::13")
    assert network.find("192.168.1.99") is None
    with pytest.raises(
        LookupError, match=r"no host 192\.168\.1\.99 in this network; it has 192\.168\.1\.21, fd"
    ):
        network.host("192.168.1.99")
    with pytest.raises(WorldError, match="'primary' is not an IP address"):
        network.add_host("primary")


def test_the_phone_has_an_address_of_each_kind() -> None:
    world = SimulatedWorld(
        nameservers=[Address("192.168.1.53", 53)], phone_host="10.0.0.7", phone_host6="fd01::7"
    )

    async def main() -> None:
        for anywhere, own in (("0.0.0.0", "10.0.0.7"), ("::", "fd01::7")):
            assert (await world.open_udp(Address(anywhere, 5060), Ear(world))).local == Address(own, 5060)
            assert world.local_address_for(own) == own
        with pytest.raises(WorldError, match="'' is not an IP address"):
            world.local_address_for("")

    world.run(main())
    assert world.nameservers() == [Address("192.168.1.53", 53)]


def test_ephemeral_ports_run_out_at_last(world: SimulatedWorld) -> None:
    async def main() -> None:
        first = await world.open_udp(Address(SERVER.host, 0), Ear(world))
        for _ in range(65536 - 49152 - 1):
            last = await world.open_udp(Address(SERVER.host, 0), Ear(world))
        with pytest.raises(WorldError, match="no free port is left"):
            await world.open_udp(Address(SERVER.host, 0), Ear(world))
        assert (first.local.port, last.local.port) == (49152, 65535)
        first.close()
        assert (await world.open_udp(Address(SERVER.host, 0), Ear(world))).local == first.local

    world.run(main())


def test_the_same_seed_gives_the_same_simulation() -> None:
    def story(seed: int) -> list[tuple[float, object]]:
        world = SimulatedWorld(seed)

        async def main() -> list[tuple[float, object]]:
            world.network.loss = world.network.duplicate = world.network.reorder = 0.3
            ears = [Ear(world) for _ in range(3)]
            sockets = [await world.open_udp(Address(f"10.0.0.{n}", 0), ear) for n, ear in enumerate(ears, 1)]

            async def chatter(n: int) -> None:
                for _ in range(50):
                    await asyncio.sleep(world.random.random())
                    sockets[n].send(b"%d" % n, sockets[world.random.randrange(3)].local)

            chatters: list[Coroutine[Any, Any, None]] = [chatter(n) for n in range(3)]
            await asyncio.gather(*chatters)
            return [event for ear in ears for event in ear.heard]

        return world.run(main())

    assert story(3) == story(3) != story(4)


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        ("a certificate of their CA", ""),
        ("", "the peer wants a certificate of ours, and we have none"),
        ("another", "the peer does not trust our certificate: its CA is unknown there"),
    ],
)
def test_a_server_may_ask_for_a_certificate(identity: str, why: str) -> None:
    server = TlsServer(("a.example",), ca_pem="lab", client_ca_pem="their CA")
    client = TlsClient("a.example", ca_pem="lab", identity_pem=identity)
    assert handshake_fault(client, server, "192.168.1.13") == why


def test_an_address_that_goes_takes_what_was_open_there_with_it(world: SimulatedWorld) -> None:
    async def main() -> None:
        ear, server = Ear(world), Ear(world)
        phone = await world.open_udp(PHONE, ear)
        far = await world.open_udp(SERVER, server)
        stream, heard = await connected(world, ear)
        world.readdress(PHONE.host, "192.168.1.22")
        with pytest.raises(SendFailed, match="no such local address"):
            phone.send(b"1", SERVER)
        far.send(b"2", PHONE)
        stream.send(b"3")
        with pytest.raises(WorldError, match=r"no such local address 192\.168\.1\.21"):
            await world.open_udp(Address(PHONE.host, 5070), ear)
        with pytest.raises(ConnectFailed, match=r"no such local address 192\.168\.1\.21"):
            await world.connect(SERVER, ear, local_host=PHONE.host)
        assert not world.has_address(PHONE.host)
        assert world.local_address_for(SERVER.host) == "192.168.1.22"
        (await world.open_udp(Address("192.168.1.22", 5060), ear)).send(b"4", SERVER)
        await asyncio.sleep(1)
        assert (numbers(ear), numbers(server), numbers(heard)) == ([], [4], [])
        world.readdress("", PHONE.host)  # back again
        await asyncio.sleep(1)
        assert numbers(heard) == [3]

    world.run(main())


def test_a_machine_without_an_address_reaches_nobody(world: SimulatedWorld) -> None:
    async def main() -> None:
        world.readdress(PHONE.host, "")
        with pytest.raises(WorldError, match=r"no way to 192\.168\.1\.13: network is unreachable"):
            world.local_address_for(SERVER.host)
        assert world.local_address_for("fd00::13") == "fd00::21"
        with pytest.raises(WorldError, match="'pbx' is not an IP address"):
            world.readdress("", "pbx")

    world.run(main())
