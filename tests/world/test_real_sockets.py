"""What only the machine's own sockets have: the error queue, full buffers, certificates that expire."""

from __future__ import annotations

import asyncio
import datetime
import errno
import importlib.util
import os
import socket
import struct
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme

from phone_emulator.events import Address
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
    error_queue,
    real,
    reasons,
    stream,
    udp,
)
from tests.patience import patient, until

HOST = "127.0.0.13"
linux = pytest.mark.skipif(sys.platform != "linux", reason="the error queue is Linux's")
no_uvloop = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")

Run = Callable[[Callable[[RealWorld], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["asyncio", pytest.param("uvloop", marks=no_uvloop)])
def run(request: pytest.FixtureRequest) -> Run:
    def run_check(check: Callable[[RealWorld], Coroutine[Any, Any, None]]) -> None:
        world = RealWorld(fast=request.param == "uvloop")
        world.run(check(world))

    return run_check


class Ear:
    """Hears everything, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[object] = asyncio.Queue()

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.heard.put_nowait(data)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        self.heard.put_nowait((remote, reason))

    def data_received(self, data: bytes) -> None:
        self.heard.put_nowait(data)

    def connection_lost(self, reason: str) -> None:
        self.heard.put_nowait(("lost", reason))

    async def next(self) -> object:
        return await patient(self.heard.get())


def pem(certificate: trustme.LeafCert, names: tuple[str, ...]) -> TlsServer:
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    return TlsServer(names, chain.decode(), certificate.private_key_pem.bytes().decode())


def test_both_worlds_are_worlds() -> None:
    worlds: list[World] = [RealWorld(), SimulatedWorld()]
    assert [world.virtual for world in worlds] == [False, True]


def test_the_real_world_runs_on_uvloop_where_there_is_one() -> None:
    async def kinds() -> set[str]:
        return {kind.__module__.partition(".")[0] for kind in type(asyncio.get_running_loop()).__mro__}

    has_uvloop = importlib.util.find_spec("uvloop") is not None
    assert ("uvloop" in RealWorld().run(kinds())) is has_uvloop
    assert "uvloop" not in RealWorld(fast=False).run(kinds())


@linux
def test_a_burst_of_icmp_errors_loses_no_datagram(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        ear, other_ear = Ear(), Ear()
        phone = await world.open_udp(Address(HOST, 0), ear)
        other = await world.open_udp(Address(HOST, 0), other_ear)
        gone = [(await world.open_udp(Address(HOST, 0), Ear())) for _ in range(3)]
        for closed in gone:
            closed.close()
        for n in range(100):
            # The error of the first is pending when the second is sent: nothing has been read in between.
            phone.send(b"x", gone[n % 3].local)
            phone.send(b"%d" % n, other.local)
        assert [await other_ear.next() for _ in range(100)] == [b"%d" % n for n in range(100)]
        errors = [await ear.next() for _ in range(6)]
        assert errors == [(gone[n % 3].local, "ICMP port unreachable") for n in range(6)]

    run(check)


@linux
def test_an_error_and_a_datagram_that_wait_together_are_both_heard(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        ear = Ear()
        phone = await world.open_udp(Address(HOST, 0), ear)
        other = await world.open_udp(Address(HOST, 0), Ear())
        gone = await world.open_udp(Address(HOST, 0), Ear())
        gone.close()
        for _ in range(3):
            phone.send(b"x", gone.local)
            other.send(b"y", phone.local)
        heard = [await ear.next() for _ in range(6)]
        assert heard.count(b"y") == 3
        assert heard.count((gone.local, "ICMP port unreachable")) == 3

    run(check)


@linux
def test_the_icmp_errors_of_others_do_not_stop_the_reading(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        class Closer(Ear):
            def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
                super().datagram_failed(remote, reason, data)
                phone.close()

        ear = Closer()
        phone = await world.open_udp(Address(HOST, 0), ear)
        gone = await world.open_udp(Address(HOST, 0), Ear())
        gone.close()
        for _ in range(3):
            phone.send(b"x", gone.local)
        await ear.next()
        assert ear.heard.empty(), "closed from within: nothing more is told"

    run(check)


@linux
def test_a_burst_larger_than_one_wake_up_is_read(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        ear = Ear()
        phone = await world.open_udp(Address(HOST, 0), ear)
        for n in range(3 * error_queue.READS_PER_WAKE + 1):
            phone.send(b"%d" % n, phone.local)
        count = 3 * error_queue.READS_PER_WAKE + 1
        assert [await ear.next() for _ in range(count)] == [b"%d" % n for n in range(count)]

    run(check)


def extended(origin: int, kind: int, code: int, number: int = errno.ECONNREFUSED) -> bytes:
    """Linux's struct sock_extended_err and the offender's address."""
    return struct.pack("=IBBBBII", number, origin, kind, code, 0, 0, 0) + bytes(16)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (extended(2, 3, 0), "ICMP network unreachable"),
        (extended(2, 3, 1), "ICMP host unreachable"),
        (extended(2, 3, 2), "ICMP protocol unreachable"),
        (extended(2, 3, 3), "ICMP port unreachable"),
        (extended(2, 3, 4), ""),
        (extended(2, 3, 9), "ICMP network administratively prohibited"),
        (extended(2, 3, 10), "ICMP host administratively prohibited"),
        (extended(2, 3, 13), "ICMP administratively prohibited"),
        (extended(2, 3, 99), "ICMP destination unreachable (code 99)"),
        (extended(2, 11, 0), "ICMP time exceeded"),
        (extended(2, 12, 0), "ICMP error (type 12, code 0)"),
        (extended(3, 1, 0), "ICMP network unreachable"),
        (extended(3, 1, 1), "ICMP administratively prohibited"),
        (extended(3, 1, 3), "ICMP host unreachable"),
        (extended(3, 1, 4), "ICMP port unreachable"),
        (extended(3, 2, 0), ""),
        (extended(3, 3, 0), "ICMP time exceeded"),
        (extended(1, 0, 0, errno.EHOSTUNREACH), "host is unreachable"),
        (extended(4, 0, 0), ""),
        (b"short", ""),
    ],
)
def test_extended_errors_in_words(told: bytes, reason: str) -> None:
    assert error_queue.extended_error(told) == reason


class FullSocket(socket.socket):
    """A socket that takes nothing until it is told to, or answers with errors."""

    refusals: list[OSError]

    def sendto(self, *args: Any) -> int:
        if self.refusals:
            refusal = self.refusals[0]
            if not isinstance(refusal, BlockingIOError):
                self.refusals.pop(0)
            raise refusal
        return super().sendto(*args)


def full_socket(monkeypatch: pytest.MonkeyPatch, refusals: list[OSError]) -> None:
    FullSocket.refusals = refusals
    monkeypatch.setattr(socket, "socket", FullSocket)


@linux
def test_datagrams_wait_in_order_while_the_machine_takes_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(world: RealWorld) -> None:
        ear = Ear()
        phone = await world.open_udp(Address(HOST, 0), ear)
        full_socket(monkeypatch, blocked)
        sender = await world.open_udp(Address(HOST, 0), Ear())
        for n in range(error_queue.UNSENT_LIMIT):
            sender.send(b"%d" % n, phone.local)
        with pytest.raises(SendFailed, match="the machine takes no more datagrams"):
            sender.send(b"one too many", phone.local)
        blocked.clear()
        sent = [await ear.next() for _ in range(error_queue.UNSENT_LIMIT)]
        assert sent == [b"%d" % n for n in range(error_queue.UNSENT_LIMIT)]
        sender.send(b"at once", phone.local)
        assert await ear.next() == b"at once"

    blocked: list[OSError] = [BlockingIOError(errno.EAGAIN, "")]
    run(check)


@linux
def test_a_waiting_datagram_that_fails_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(world: RealWorld) -> None:
        full_socket(monkeypatch, refusals)
        ear = Ear()
        sender = await world.open_udp(Address(HOST, 0), ear)
        sender.send(b"x", Address(HOST, 9))
        refusals[:] = [PermissionError(errno.EPERM, "")] * error_queue.SEND_TRIES
        assert await ear.next() == (Address(HOST, 9), "the machine's firewall forbids it")

    refusals: list[OSError] = [BlockingIOError(errno.EAGAIN, "")]
    run(check)


class Echo(Ear):
    """Sends back what it hears, each three times, and closes its socket after that."""

    def datagram_received(self, data: bytes, remote: Address) -> None:
        for _ in range(3):
            self.socket.send(data, remote)
        with pytest.raises(SendFailed, match=r"too (long|large|big)"):
            self.socket.send(bytes(66_000), remote)
        if data == b"last":
            self.socket.close()

    socket: udp.MachineSocket


def test_what_is_sent_while_datagrams_are_handed_on_leaves_in_order(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        ear, echo = Ear(), Echo()
        phone = await world.open_udp(Address(HOST, 0), ear)
        echo.socket = await world.open_udp(Address(HOST, 0), echo)
        texts = [b"%d" % n for n in range(40)] + [b"last"]
        for text in texts:
            phone.send(text, echo.socket.local)
        expected = [text for text in texts for _ in range(3)]
        assert [await ear.next() for _ in expected] == expected

    run(check)


@linux
def test_what_could_not_be_sent_while_datagrams_are_handed_on_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answering(Ear):
        def datagram_received(self, data: bytes, remote: Address) -> None:
            refusals[:] = [PermissionError(errno.EPERM, "")] * error_queue.SEND_TRIES
            self.socket.send(b"answer", remote)

        socket: udp.MachineSocket

    async def check(world: RealWorld) -> None:
        ear = Answering()
        phone = await world.open_udp(Address(HOST, 0), Ear())
        full_socket(monkeypatch, refusals)
        ear.socket = await world.open_udp(Address(HOST, 0), ear)
        phone.send(b"question", ear.socket.local)
        assert await ear.next() == (phone.local, "the machine's firewall forbids it")

    refusals: list[OSError] = []
    run(check)


@linux
def test_only_an_error_that_stays_fails_the_send(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(world: RealWorld) -> None:
        ear = Ear()
        full_socket(monkeypatch, refusals)
        phone = await world.open_udp(Address(HOST, 0), ear)
        refusals[:] = [ConnectionRefusedError(errno.ECONNREFUSED, "")] * (error_queue.SEND_TRIES - 1)
        phone.send(b"through", phone.local)
        assert await ear.next() == b"through"
        refusals[:] = [OSError(errno.ENETUNREACH, "")] * error_queue.SEND_TRIES
        with pytest.raises(SendFailed, match="network is unreachable"):
            phone.send(b"x", phone.local)

    refusals: list[OSError] = []
    run(check)


def test_plain_sockets_do_without_the_error_queue(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        opened: set[Any] = set()
        ear = Ear()
        one = await udp.open_udp(Address(HOST, 0), ear, opened, plain=True)
        two = await udp.open_udp(Address(HOST, 0), Ear(), opened, plain=True)
        assert opened == {one, two}
        two.send(b"hello", one.local)
        assert await ear.next() == b"hello"
        gone = two.local
        two.close()
        two.close()
        with pytest.raises(SendFailed, match="the socket is closed"):
            two.send(b"x", one.local)
        with pytest.raises(SendFailed, match="not an IP address"):
            one.send(b"x", Address("", 5060))
        one.send(b"into the void", gone)
        one.send(b"still alive", one.local)
        assert await ear.next() == b"still alive"
        one.close()
        assert not opened

    run(check)


def test_an_address_of_nobody_here_cannot_be_bound(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        elsewhere = Address("192.0.2.9", 5060)
        with pytest.raises(WorldError, match=r"^no such local address 192\.0\.2\.9$"):
            await world.open_udp(elsewhere, Ear())
        with pytest.raises(WorldError, match=r"^no such local address 192\.0\.2\.9$"):
            await world.listen(elsewhere, lambda stream: Ear())
        with pytest.raises(ConnectFailed, match=r"^no such local address 192\.0\.2\.9$"):
            await world.connect(Address(HOST, 9), Ear(), local_host=elsewhere.host)

    run(check)


@pytest.mark.parametrize("secure", [False, True])
def test_a_peer_that_reads_nothing_is_told_at_one_mebibyte(run: Run, secure: bool) -> None:
    async def check(world: RealWorld) -> None:
        peers = asyncio.Queue[Stream]()

        def accept(peer: Stream) -> StreamReceiver:
            peers.put_nowait(peer)
            return Ear()

        authority = trustme.CA()
        server = pem(authority.issue_cert("a.example"), ("a.example",)) if secure else None
        listener = await world.listen(Address(HOST, 0), accept, tls=server)
        tls = TlsClient("a.example", verify=False) if secure else None
        ear = Ear()
        connection = await world.connect(listener.local, ear, tls=tls)
        peer = await peers.get()
        assert isinstance(peer, stream.MachineStream)
        peer._wire.pause_reading()
        sent = 0
        told = ""
        while not told and sent < 64 * 1024 * 1024:
            try:
                connection.send(bytes(65536))
            except SendFailed as error:
                told = str(error)
            sent += 65536
            await asyncio.sleep(0)
        assert told == "the peer reads nothing any more"
        assert sent >= 1024 * 1024
        connection.abort()
        assert await ear.next() == ("lost", "aborted")
        peer.abort()

    run(check)


def test_an_orderly_end_that_does_not_come_is_a_reset_in_the_end(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(world: RealWorld) -> None:
        with socket.create_server((HOST, 0)) as deaf:
            ear = Ear()
            connection = await world.connect(Address(*deaf.getsockname()), ear)
            for _ in range(100):
                try:
                    connection.send(bytes(65536))
                except SendFailed:
                    break
                await asyncio.sleep(0)
            connection.close()
            assert await ear.next() == ("lost", "")

    monkeypatch.setattr(stream, "CLOSE_TIMEOUT", 0.01)
    run(check)


def test_leaving_the_world_closes_what_is_open(run: Run) -> None:
    ears: list[Ear] = []

    async def check(world: RealWorld) -> None:
        def accept(peer: Stream) -> StreamReceiver:
            ears.append(Ear())
            return ears[-1]

        authority = trustme.CA()
        server = pem(authority.issue_cert("a.example"), ("a.example",))
        await world.open_udp(Address(HOST, 0), Ear())
        for tls in (None, server):
            listener = await world.listen(Address(HOST, 0), accept, tls=tls)
            for _ in range(3):
                await world.connect(
                    listener.local, Ear(), tls=TlsClient("a.example", verify=False) if tls else None
                )
        # This one never gets through its handshake.
        await world.connect(listener.local, Ear())
        await until(lambda: len(world._open) == 3 + 12 + 1, "both ends of each")

    run(check)  # warnings of unclosed sockets are errors
    assert len(ears) == 6
    assert {ear.heard.get_nowait() for ear in ears} == {("lost", "")}


def test_a_handshake_that_is_given_up_leaves_nothing(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        with socket.create_server((HOST, 0)) as deaf:
            tls = TlsClient("a.example", verify=False)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(world.connect(Address(*deaf.getsockname()), Ear(), tls=tls), 0.02)
            assert not world._open

    run(check)


@pytest.mark.parametrize("parting", [b"", b"\x15\x03\x03\x00\x02\x02\x70"])
def test_a_server_that_leaves_during_the_handshake(run: Run, parting: bytes) -> None:
    async def check(world: RealWorld) -> None:
        async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(parting)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(leave, HOST, 0)
        address = Address(*server.sockets[0].getsockname())
        with pytest.raises(TlsFailed) as caught:
            await world.connect(address, Ear(), tls=TlsClient("a.example", verify=False))
        assert str(caught.value) == (
            "the peer knows no such server name"
            if parting
            else "the peer closed the connection during the TLS handshake"
        )
        server.close()

    run(check)


def test_certificates_that_are_not_accepted(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        authority = trustme.CA()
        ca = authority.cert_pem.bytes().decode()
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        expired = pem(authority.issue_cert("a.example", not_after=yesterday), ())
        by_address = pem(authority.issue_cert(HOST), ())
        self_signed = TlsServer((), ca, authority.private_key_pem.bytes().decode())
        for server, name, trusted, why in (
            (expired, "a.example", ca, "certificate has expired"),
            (by_address, "a.example", ca, f"certificate is for {HOST}, not a.example"),
            (by_address, HOST, ca, ""),
            (by_address, "", ca, ""),
            (by_address, HOST, None, "certificate is signed by an unknown authority"),
            (self_signed, "a.example", None, "certificate is self-signed"),
        ):
            listener = await world.listen(Address(HOST, 0), lambda stream: Ear(), tls=server)
            told = ""
            try:
                await world.connect(listener.local, Ear(), tls=TlsClient(name, ca_pem=trusted))
            except TlsFailed as error:
                told = str(error)
            assert told == why

    run(check)


def test_unusable_certificates_are_told(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        with pytest.raises(WorldError, match=r"no certificate and key are given for a\.example"):
            await world.listen(Address(HOST, 0), lambda stream: Ear(), tls=TlsServer(("a.example",)))
        with pytest.raises(WorldError, match=r"cannot use the TLS certificate for a\.example"):
            await world.listen(
                Address(HOST, 0), lambda stream: Ear(), tls=TlsServer(("a.example",), "x", "y")
            )
        with pytest.raises(TlsFailed, match="the trusted certificates cannot be used"):
            await world.connect(Address(HOST, 9), Ear(), tls=TlsClient("a.example", ca_pem="x"))
        with pytest.raises(TlsFailed, match=r"'a\.\.example' cannot be used as a server name"):
            await world.connect(Address(HOST, 9), Ear(), tls=TlsClient("a..example"))

    run(check)


def test_the_key_log_is_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(world: RealWorld) -> None:
        server = pem(trustme.CA().issue_cert("a.example"), ("a.example",))
        listener = await world.listen(Address(HOST, 0), lambda stream: Ear(), tls=server)
        await world.connect(listener.local, Ear(), tls=TlsClient("a.example", verify=False))

    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    run(check)
    assert "CLIENT_HANDSHAKE_TRAFFIC_SECRET" in log.read_text(encoding="utf-8")


def test_small_writes_are_not_held_back(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        accepted: list[Stream] = []

        def accept(peer: Stream) -> StreamReceiver:
            accepted.append(peer)
            peer.send(b"x")
            return Ear()

        listener = await world.listen(Address(HOST, 0), accept)
        ear = Ear()
        connection = await world.connect(listener.local, ear)
        await ear.next()
        for end in (connection, accepted[0]):
            assert isinstance(end, stream.MachineStream)
            handle = socket.socket(fileno=os.dup(end._wire.get_extra_info("socket").fileno()))
            with handle:
                assert handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0

    run(check)


def test_the_receive_buffer_is_large(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        usual = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with usual:
            default = usual.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        phone = await world.open_udp(Address(HOST, 0), Ear())
        assert isinstance(phone, error_queue.ErrorQueueSocket)
        assert phone._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= default

    run(check)


def test_name_servers_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "resolv.conf"
    monkeypatch.setattr(real, "RESOLV_CONF", file)
    assert RealWorld().nameservers() == []
    lines = "# mine", "search a.example", "nameserver 192.0.2.53 # near", "nameserver", "nameserver me"
    file.write_text("\n".join([*lines, "nameserver FD00::53", ""]))
    assert RealWorld().nameservers() == [Address("192.0.2.53", 53), Address("fd00::53", 53)]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "host is unreachable"),
        (ConnectionResetError(errno.ECONNRESET, "x"), "connection reset by peer"),
        (ConnectionResetError("Connection lost"), "connection reset by peer"),
        (TimeoutError(), "connection timed out"),
        (OSError(errno.EAFNOSUPPORT, "Address family not supported"), "address family not supported"),
        (ValueError("TLS is wrong"), "TLS is wrong"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_errors_in_words(error: Exception, words: str) -> None:
    assert reasons.in_words(error) == words


def test_an_interrupted_world_closes_in_order(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        await world.open_udp(Address(HOST, 0), Ear())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(check)


def test_an_alarm_is_never_early(run: Run) -> None:
    async def check(world: RealWorld) -> None:
        late: list[float] = []
        whens = [world.now() + n * 0.00037 for n in range(40)]
        for when in whens:
            world.call_at(when, lambda when=when: late.append(world.now() - when))  # type: ignore[misc]
        world.call_at(whens[0] - 10, lambda: late.append(0.0))
        done = asyncio.Event()
        world.call_at(whens[-1] + 0.002, done.set)
        await done.wait()
        assert len(late) == 41
        assert min(late) >= 0.0

    run(check)


def test_an_alarm_that_comes_too_soon_is_not_asked_for_without_end(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(world: RealWorld) -> None:
        loop, asked = asyncio.get_running_loop(), []
        call_later = loop.call_later

        def counted(delay: float, callback: Any, *args: Any, **how: Any) -> Any:
            asked.append(delay)
            return call_later(delay, callback, *args, **how)

        monkeypatch.setattr(loop, "call_later", counted)
        for n in range(20):
            done = asyncio.Event()
            world.call_at(world.now() + 0.00937 + n * 0.00013, done.set)
            await done.wait()
        monkeypatch.undo()
        assert len(asked) <= 3 * 20

    run(check)
