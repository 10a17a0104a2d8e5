"""What every world promises, in the simulated one, on asyncio's own loop and on uvloop."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trustme

from phone_emulator.events import Address, Transport
from phone_emulator.world import (
    ConnectFailed,
    RealWorld,
    SendFailed,
    SimulatedWorld,
    Stream,
    StreamReceiver,
    TlsClient,
    TlsFailed,
    TlsServer,
    World,
    WorldError,
)
from tests.patience import patient

Check = Callable[[World], Coroutine[Any, Any, None]]
Run = Callable[[Check], None]

SERVER, PHONE = "127.0.0.13", "127.0.0.21"

no_uvloop = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")


@pytest.fixture(params=["simulated", "asyncio", pytest.param("uvloop", marks=no_uvloop)])
def run(request: pytest.FixtureRequest) -> Run:
    def run_check(check: Check) -> None:
        world: RealWorld | SimulatedWorld
        if request.param == "simulated":
            world = SimulatedWorld(phone_host=PHONE, phone_host6="::1")
        else:
            world = RealWorld(fast=request.param == "uvloop")
        world.run(check(world))

    return run_check


class Ear:
    """Hears everything, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[object] = asyncio.Queue()

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.heard.put_nowait((data, remote))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        self.heard.put_nowait((reason, remote))

    def data_received(self, data: bytes) -> None:
        self.heard.put_nowait(data)

    def connection_lost(self, reason: str) -> None:
        self.heard.put_nowait(("lost", reason))

    async def next(self) -> object:
        return await patient(self.heard.get())


class Door:
    """Accepts connections, greeting each if there is a greeting."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.greeting = greeting
        self.came: asyncio.Queue[tuple[Stream, Ear]] = asyncio.Queue()

    def __call__(self, stream: Stream) -> StreamReceiver:
        ear = Ear()
        self.came.put_nowait((stream, ear))
        if self.greeting:
            stream.send(self.greeting)
        return ear

    async def next(self) -> tuple[Stream, Ear]:
        return await patient(self.came.get())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA) -> TlsServer:
    names = ("*.pbx.example", "sip.example", "a.pbx.example")
    issued = authority.issue_cert(*names)
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    key = issued.private_key_pem.bytes()
    return TlsServer(names, chain.decode(), key.decode(), authority.cert_pem.bytes().decode())


async def reason_of(attempt: Awaitable[object], kind: type[OSError]) -> str:
    with pytest.raises(kind) as caught:
        await attempt
    return str(caught.value)


def test_the_clock_begins_at_zero_and_calls_in_order_and_never_early(run: Run) -> None:
    async def check(world: World) -> None:
        assert 0.0 <= world.now() < 5.0
        assert world.began == (0.0 if world.virtual else pytest.approx(time.time(), abs=5.0))
        calls: list[tuple[str, bool]] = []
        done = asyncio.Event()
        start = world.now()

        def late() -> None:
            calls.append(("late", world.now() >= start + 0.0124))
            done.set()

        world.call_at(start + 0.0124, late)
        world.call_at(start + 0.0042, lambda: calls.append(("soon", world.now() >= start + 0.0042)))
        never = world.call_at(start + 0.006, lambda: calls.append(("never", True)))
        never.cancel()
        never.cancel()
        await done.wait()
        assert calls == [("soon", True), ("late", True)]

    run(check)


def test_datagrams_go_both_ways(run: Run) -> None:
    async def check(world: World) -> None:
        phone_ear, server_ear = Ear(), Ear()
        phone = await world.open_udp(Address(PHONE, 0), phone_ear)
        server = await world.open_udp(Address(SERVER, 0), server_ear)
        assert phone.local.host == PHONE
        assert phone.local.port > 0
        phone.send(b"ping", server.local)
        assert server_ear.heard.empty(), "delivery is the loop's, never from within send"
        assert await server_ear.next() == (b"ping", phone.local)
        server.send(b"pong", phone.local)
        assert await phone_ear.next() == (b"pong", server.local)

    run(check)


@pytest.mark.parametrize("host", [PHONE, "::1"])
def test_an_icmp_error_names_the_remote_and_loses_no_datagram(run: Run, host: str) -> None:
    async def check(world: World) -> None:
        ear, other_ear = Ear(), Ear()
        phone = await world.open_udp(Address(host, 0), ear)
        other = await world.open_udp(Address(host, 0), other_ear)
        gone = await world.open_udp(Address(host, 0), Ear())
        gone.close()
        for n in range(5):
            phone.send(b"into the void", gone.local)
            phone.send(b"%d" % n, other.local)
            assert await other_ear.next() == (b"%d" % n, phone.local)
            assert await ear.next() == ("ICMP port unreachable", gone.local)

    run(check)


def test_a_closed_socket_hears_and_sends_nothing_and_frees_its_port(run: Run) -> None:
    async def check(world: World) -> None:
        ear, old_ear, new_ear = Ear(), Ear(), Ear()
        phone = await world.open_udp(Address(PHONE, 0), ear)
        old = await world.open_udp(Address(SERVER, 0), old_ear)
        phone.send(b"under way", old.local)
        old.close()
        old.close()
        with pytest.raises(SendFailed, match="the socket is closed"):
            old.send(b"x", phone.local)
        new = await world.open_udp(old.local, new_ear)
        assert new.local == old.local
        phone.send(b"for the new one", new.local)
        assert (b"for the new one", phone.local) in (await new_ear.next(), await _or_none(new_ear))
        assert old_ear.heard.empty()

    run(check)


async def _or_none(ear: Ear) -> object:
    return None if ear.heard.empty() else await ear.next()


def test_a_port_is_bound_once(run: Run) -> None:
    async def check(world: World) -> None:
        udp = await world.open_udp(Address(SERVER, 0), Ear())
        tcp = await world.listen(Address(SERVER, 0), Door())
        again = await reason_of(world.open_udp(udp.local, Ear()), WorldError)
        assert again.startswith(f"cannot bind {udp.local}/udp: address already in use")
        again = await reason_of(world.listen(tcp.local, Door()), WorldError)
        assert again.startswith(f"cannot bind {tcp.local}/tcp: address already in use")

    run(check)


@pytest.mark.parametrize(
    ("remote", "size", "why"),
    [
        (Address("sip.example", 5060), 1, "'sip.example' is not an IP address"),
        (Address("::1", 5060), 1, "::1 cannot be reached from 127.0.0.21: one is IPv4, the other IPv6"),
        (Address(SERVER, 0), 1, "0 is not a port number"),
        (Address(SERVER, 70000), 1, "70000 is not a port number"),
        (Address(SERVER, 5060), 65508, "the datagram is too long for UDP"),
    ],
)
def test_what_cannot_be_sent_is_told_at_once(run: Run, remote: Address, size: int, why: str) -> None:
    async def check(world: World) -> None:
        phone = await world.open_udp(Address(PHONE, 0), Ear())
        with pytest.raises(SendFailed) as caught:
            phone.send(bytes(size), remote)
        assert str(caught.value) == why

    run(check)


@pytest.mark.parametrize("host", [SERVER, "::1"])
@pytest.mark.parametrize("secure", [False, True])
def test_a_connection_from_greeting_to_orderly_end(
    run: Run, host: str, secure: bool, certificate: TlsServer
) -> None:
    async def check(world: World) -> None:
        door, ear = Door(b"welcome"), Ear()
        listener = await world.listen(Address(host, 0), door, tls=certificate if secure else None)
        tls = TlsClient("a.pbx.example", ca_pem=certificate.ca_pem) if secure else None
        stream = await world.connect(listener.local, ear, tls=tls)
        assert ear.heard.empty(), "nothing is heard before the stream is known"
        assert stream.remote == listener.local
        assert stream.transport is (Transport.TLS if secure else Transport.TCP)
        assert await ear.next() == b"welcome"
        accepted, server_ear = await door.next()
        assert (accepted.local, accepted.remote) == (stream.remote, stream.local)
        assert accepted.transport is stream.transport
        stream.send(b"hello")
        assert await server_ear.next() == b"hello"
        stream.send(b"the last word")
        stream.close()
        stream.close()
        with pytest.raises(SendFailed, match="the connection is closed"):
            stream.send(b"too late")
        assert await server_ear.next() == b"the last word"
        assert await server_ear.next() == ("lost", "")
        assert await ear.next() == ("lost", "")
        with pytest.raises(SendFailed, match="the connection is closed"):
            accepted.send(b"to nobody")
        accepted.abort()
        assert ear.heard.empty()
        assert server_ear.heard.empty()

    run(check)


@pytest.mark.parametrize("secure", [False, True])
def test_an_aborted_connection_is_reset(run: Run, secure: bool, certificate: TlsServer) -> None:
    async def check(world: World) -> None:
        door, ear = Door(), Ear()
        listener = await world.listen(Address(SERVER, 0), door, tls=certificate if secure else None)
        tls = TlsClient("sip.example", ca_pem=certificate.ca_pem) if secure else None
        stream = await world.connect(listener.local, ear, tls=tls)
        accepted, server_ear = await door.next()
        accepted.abort()
        accepted.abort()
        accepted.close()
        assert await ear.next() == ("lost", "connection reset by peer")
        assert await server_ear.next() == ("lost", "aborted")
        stream.close()
        assert ear.heard.empty()

    run(check)


def test_a_connection_to_a_port_without_listener_is_refused(run: Run) -> None:
    async def check(world: World) -> None:
        door = Door()
        listener = await world.listen(Address(SERVER, 0), door)
        stays = await world.connect(listener.local, Ear())
        _, server_ear = await door.next()
        listener.close()
        listener.close()
        assert await reason_of(world.connect(listener.local, Ear()), ConnectFailed) == "connection refused"
        stays.send(b"still here")
        assert await server_ear.next() == b"still here"

    run(check)


def test_a_connection_leaves_from_the_address_it_is_told(run: Run) -> None:
    async def check(world: World) -> None:
        door = Door()
        listener = await world.listen(Address(SERVER, 0), door)
        stream = await world.connect(listener.local, Ear(), local_host="127.0.0.77")
        accepted, _ = await door.next()
        assert stream.local.host == accepted.remote.host == "127.0.0.77"

    run(check)


def test_a_connection_needs_addresses_that_fit(run: Run) -> None:
    async def check(world: World) -> None:
        named = world.connect(Address("sip.example", 5060), Ear())
        assert await reason_of(named, ConnectFailed) == "'sip.example' is not an IP address"
        mixed = world.connect(Address("::1", 5060), Ear(), local_host=PHONE)
        assert "one is IPv4, the other IPv6" in await reason_of(mixed, ConnectFailed)

    run(check)


def test_a_certificate_must_carry_the_configured_name(run: Run, certificate: TlsServer) -> None:
    async def check(world: World) -> None:
        door, ca = Door(), certificate.ca_pem
        listener = await world.listen(Address(SERVER, 0), door, tls=certificate)
        for wrong in ("pbx.example", "a.b.pbx.example", "other.example"):
            failed = world.connect(listener.local, Ear(), tls=TlsClient(wrong, ca_pem=ca))
            why = await reason_of(failed, TlsFailed)
            assert why == f"certificate is for *.pbx.example, sip.example, a.pbx.example, not {wrong}"
        wild = world.connect(listener.local, Ear(), tls=TlsClient("b.pbx.example", ca_pem=ca))
        assert (await reason_of(wild, TlsFailed)).endswith("a wildcard names no SIP domain (RFC 5922)")
        unnamed = TlsClient("other.example", ca_pem=ca, check_name=False)
        assert (await world.connect(listener.local, Ear(), tls=unnamed)).transport is Transport.TLS
        nameless = world.connect(listener.local, Ear(), tls=TlsClient("", ca_pem=ca))
        assert (await reason_of(nameless, TlsFailed)).endswith(f"not {SERVER}")
        for right in (TlsClient("SIP.example", ca_pem=ca), TlsClient("other.example", verify=False)):
            stream = await world.connect(listener.local, Ear(), tls=right)
            assert stream.transport is Transport.TLS

    run(check)


def test_a_certificate_must_be_signed_by_a_trusted_authority(run: Run, certificate: TlsServer) -> None:
    async def check(world: World) -> None:
        listener = await world.listen(Address(SERVER, 0), Door(), tls=certificate)
        stranger = trustme.CA().cert_pem.bytes().decode()
        failed = world.connect(listener.local, Ear(), tls=TlsClient("sip.example", ca_pem=stranger))
        assert await reason_of(failed, TlsFailed) == "certificate is signed by an unknown authority"

    run(check)


def test_tls_to_a_listener_that_speaks_none_fails(run: Run) -> None:
    async def check(world: World) -> None:
        listener = await world.listen(Address(SERVER, 0), Door(b"SIP/2.0 400 Bad Request\r\n\r\n"))
        failed = world.connect(listener.local, Ear(), tls=TlsClient("sip.example", verify=False))
        assert await reason_of(failed, TlsFailed) == "the peer does not speak TLS"

    run(check)


def test_plain_text_to_a_tls_listener_ends_the_connection(run: Run, certificate: TlsServer) -> None:
    async def check(world: World) -> None:
        door, ear = Door(), Ear()
        listener = await world.listen(Address(SERVER, 0), door, tls=certificate)
        stream = await world.connect(listener.local, ear)
        stream.send(b"OPTIONS sip:sip.example SIP/2.0\r\n\r\n")
        heard = await ear.next()
        while isinstance(heard, bytes):  # a TLS alert
            heard = await ear.next()
        assert isinstance(heard, tuple)
        assert heard[0] == "lost"
        assert door.came.empty()

    run(check)


def test_a_datagram_in_answer_is_delivered_after_the_receiver_returns(run: Run) -> None:
    async def check(world: World) -> None:
        depth = 0
        deepest = 0
        heard = asyncio.Queue[bytes]()

        class Echo(Ear):
            def datagram_received(self, data: bytes, remote: Address) -> None:
                nonlocal depth, deepest
                depth += 1
                deepest = max(deepest, depth)
                heard.put_nowait(data)
                if len(data) < 5:
                    one.send(data + b"x", one.local)
                depth -= 1

        one = await world.open_udp(Address(PHONE, 0), Echo())
        one.send(b"", one.local)
        assert [len(await patient(heard.get())) for _ in range(6)] == [0, 1, 2, 3, 4, 5]
        assert deepest == 1

    run(check)


def test_the_local_address_for_a_remote(run: Run) -> None:
    async def check(world: World) -> None:
        assert world.local_address_for("::1") == "::1"
        assert world.local_address_for(PHONE) in (PHONE, "127.0.0.1")
        with pytest.raises(WorldError, match=r"'sip\.example' is not an IP address"):
            world.local_address_for("sip.example")
        assert all(server.port == 53 for server in world.nameservers())

    run(check)


@pytest.mark.parametrize("host", [PHONE, "0.0.0.0", "::1", "::"])
def test_addresses_of_the_machine(run: Run, host: str) -> None:
    async def check(world: World) -> None:
        assert world.has_address(host)

    run(check)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "sip.example"])
def test_what_is_no_address_of_the_machine(run: Run, host: str) -> None:
    async def check(world: World) -> None:
        if isinstance(world, SimulatedWorld) and host != "sip.example":
            world.readdress(host, "")  # else one that binds to it has it
        assert not world.has_address(host)

    run(check)


def test_addresses_are_looked_at_until_nobody_wants_it(run: Run) -> None:
    async def check(world: World) -> None:
        looked, other = asyncio.Event(), list[str]()
        watch = world.watch_addresses(looked.set)
        unwanted = world.watch_addresses(lambda: other.append("looked"))
        unwanted.cancel()
        if isinstance(world, SimulatedWorld):
            world.readdress(PHONE, "127.0.0.22")
        await patient(looked.wait())
        watch.cancel()
        watch.cancel()
        assert other == []

    run(check)


@pytest.mark.parametrize("make", [SimulatedWorld, RealWorld])
def test_run_gives_back_what_the_coroutine_gives(make: type[SimulatedWorld] | type[RealWorld]) -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise LookupError("no such line")

    assert make().run(answer()) == 42
    with pytest.raises(LookupError, match="no such line"):
        make().run(fail())


@pytest.mark.parametrize("make", [SimulatedWorld, RealWorld])
def test_the_seed_makes_the_randomness(make: type[SimulatedWorld] | type[RealWorld]) -> None:
    draws = [make(7).random.random(), make(7).random.random(), make(8).random.random()]
    assert draws[0] == draws[1] != draws[2]
