"""The simulated world's TCP and TLS: listeners, connecting, and pairs of streams."""

from __future__ import annotations

import asyncio
from collections import deque

from phone_emulator.events import Address, Transport

from . import peer_names, reasons
from .address import canonical, is_ipv6, unsendable
from .base import (
    UNKNOWN_CA,
    Accept,
    ConnectFailed,
    PortInUse,
    SendFailed,
    StreamReceiver,
    TlsClient,
    TlsFailed,
    TlsServer,
    WorldError,
)
from .network import Host, HostListener, Network

UNSENT_LIMIT = 1024 * 1024
"""Bytes that may wait for a peer that takes none."""

RETRIES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between the tries of a packet that opens a connection, while nobody answers (RFC 6298)."""


class SimulatedListener:
    """A listening socket of a simulated host."""

    def __init__(self, host: Host, local: Address, accept: Accept, tls: TlsServer | None, dscp: int) -> None:
        self._host = host
        self._local = local
        self.accept = accept
        self.tls = tls
        self.dscp = dscp

    @property
    def local(self) -> Address:
        """The address it is bound to."""
        return self._local

    def close(self) -> None:
        """Stop listening; open connections stay."""
        if self._host.listeners.get(self._local.port) is self:
            del self._host.listeners[self._local.port]


class SimulatedStream:
    """One end of a connection. What it sends waits in its outbox until it arrives at the other end.

    :ivar peer: the other end
    :ivar dscp: how what it sends would be marked
    """

    peer: SimulatedStream

    def __init__(
        self, network: Network, host: Host, local: Address, remote: Address, transport: Transport, dscp: int
    ) -> None:
        self.dscp = dscp
        self._network = network
        self._host = host
        self._local = local
        self._remote = remote
        self._transport = transport
        self._receiver: StreamReceiver | None = None
        self._outbox: deque[tuple[float, bytes | str]] = deque()  # (arrival, data), or why it ended
        self._unsent = 0
        self._closed = False
        host.streams.add(self)

    @property
    def local(self) -> Address:
        """This end."""
        return self._local

    @property
    def remote(self) -> Address:
        """The other end."""
        return self._remote

    @property
    def transport(self) -> Transport:
        """TCP or TLS."""
        return self._transport

    @property
    def unsent(self) -> int:
        """Bytes that wait until the peer takes them, or are on their way."""
        return self._unsent

    def open(self, receiver: StreamReceiver) -> None:
        """From now on *receiver* hears what comes; told in the next round of the loop at the earliest."""
        self._receiver = receiver
        self._network.loop.call_soon(self.peer._deliver)

    def send(self, data: bytes) -> None:
        """Queue *data*; raises SendFailed when the connection is closed or 1 MiB is unsent."""
        if self._closed:
            raise SendFailed(reasons.STREAM_CLOSED)
        if self._unsent + len(data) > UNSENT_LIMIT:
            raise SendFailed(reasons.PEER_STALLED)
        self._unsent += len(data)
        self._post(bytes(data))

    def close(self) -> None:
        """End in order: the peer hears what was sent, then the end."""
        if not self._closed:
            self._post("")
            self._end("")

    def abort(self) -> None:
        """Reset: what has not arrived is lost."""
        if not self._closed:
            self._outbox.clear()
            self._post(reasons.RESET)
            self._end(reasons.ABORTED)

    def resume(self) -> None:
        """The host is up again: what could not be delivered either way is sent again."""
        for end in (self, self.peer):
            if end._outbox:
                when = self._network.loop.time() + self._network.latency_between(self._host, self.peer._host)
                self._network.call_at(when, end._deliver)

    def _post(self, what: bytes | str) -> None:
        latency = self._network.latency_between(self._host, self.peer._host)
        arrival = self._network.loop.time() + latency
        self._outbox.append((arrival, what))
        self._network.call_at(arrival, self._deliver)

    def _deliver(self) -> None:
        """Hand the peer what is due, in order; `resume` and `open` call again if it cannot be taken yet."""
        while self._outbox and self._outbox[0][0] <= self._network.loop.time():
            if not self._connected() or (self.peer._receiver is None and not self.peer._closed):
                return
            _, what = self._outbox.popleft()
            if isinstance(what, str):
                self.peer._end(what)
                continue
            self._unsent -= len(what)
            if self.peer._receiver is not None and not self.peer._closed:
                self.peer._receiver.data_received(what)
        if self._closed and not self._outbox:
            self._host.streams.discard(self)

    def _connected(self) -> bool:
        return all(host.up and host.reachable for host in (self._host, self.peer._host))

    def _end(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        if not self._outbox:
            self._host.streams.discard(self)
        if self._receiver is not None:
            self._network.loop.call_soon(self._receiver.connection_lost, reason)


class _NoTls:
    """Stands at a TLS listener for a client that does not speak TLS: the first bytes end the connection."""

    def __init__(self, stream: SimulatedStream) -> None:
        self._stream = stream

    def data_received(self, data: bytes) -> None:
        self._stream.close()

    def connection_lost(self, reason: str) -> None:
        """Nobody is to be told."""


def listen(
    network: Network, local: Address, accept: Accept, tls: TlsServer | None, dscp: int = 0
) -> SimulatedListener:
    """Listen at *local*; adds the host. Raises WorldError."""
    host = network.local_host(local.host, is_ipv6(local.host))
    port = local.port or host.free_port("tcp")
    bound = Address(host.address, port)
    if port in host.listeners:
        raise PortInUse(reasons.in_use(bound, "tls" if tls else "tcp"))
    listener = host.listeners[port] = SimulatedListener(host, bound, accept, tls, dscp)
    return listener


async def connect(
    network: Network,
    remote: Address,
    receiver: StreamReceiver,
    local_host: str,
    tls: TlsClient | None,
    dscp: int = 0,
) -> SimulatedStream:
    """Open a connection; raises ConnectFailed, TlsFailed. One that nobody answers waits without end."""
    try:
        source = network.local_host(local_host, is_ipv6(remote.host))
    except WorldError as error:
        raise ConnectFailed(str(error)) from None
    if why := unsendable(source.address, remote):
        raise ConnectFailed(why)
    remote = Address(canonical(remote.host), remote.port)
    target = await _reach(network, source, remote.host)
    listener = target.listeners.get(remote.port)
    if listener is None or not target.reachable:
        await _reach(network, target, source.address)
        raise ConnectFailed(reasons.REFUSED if target.reachable else reasons.HOST_UNREACHABLE)
    if tls is not None:
        fault = handshake_fault(tls, listener.tls, remote.host)
        await _reach(network, target, source.address)
        await _reach(network, source, remote.host)
        if fault:
            await _reach(network, target, source.address)
            raise TlsFailed(fault)
    local = Address(source.address, source.free_port("tcp"))
    transport = Transport.TLS if tls else Transport.TCP
    client = SimulatedStream(network, source, local, remote, transport, dscp)
    spoken = Transport.TLS if listener.tls else Transport.TCP
    server = SimulatedStream(network, target, remote, local, spoken, listener.dscp)
    client.peer, server.peer = server, client
    network.loop.call_soon(_accept, listener, server, tls is not None)
    try:
        await _reach(network, target, source.address)
    except asyncio.CancelledError:
        client.abort()
        raise
    client.open(receiver)
    return client


def _accept(listener: HostListener, server: SimulatedStream, tls: bool) -> None:
    speaks = tls or listener.tls is None
    server.open(listener.accept(server) if speaks else _NoTls(server))


async def _reach(network: Network, one: Host, address: str) -> Host:
    """Let a packet travel from *one* to *address*, tried again while it vanishes; returns the host there."""
    for pause in (*RETRIES, None):
        other = network.find(address)
        if other is not None and one.up:
            await asyncio.sleep(network.latency_between(one, other))
            if all(host.up for host in (one, other)):
                return other
        if pause is not None:
            await asyncio.sleep(pause)
    silence: asyncio.Future[Host] = network.loop.create_future()
    return await silence


def handshake_fault(client: TlsClient, server: TlsServer | None, address: str) -> str:
    """Why the TLS handshake with *server* (None: it speaks plain TCP) fails; empty if it succeeds."""
    if server is None:
        return reasons.TLS_NOT_SPOKEN
    if server.client_ca_pem and server.client_ca_pem not in client.identity_pem:
        return reasons.TLS_NOT_TRUSTED if client.identity_pem else reasons.TLS_NO_CERTIFICATE
    if not client.verify:
        return ""
    if server.ca_pem == UNKNOWN_CA:
        return reasons.TLS_UNKNOWN_CA
    if client.ca_pem is not None and not client.machine_cas and not _holds(client.ca_pem, server.ca_pem):
        return reasons.TLS_UNKNOWN_CA
    if server.expired:
        return reasons.TLS_EXPIRED
    wanted = (client.server_name or address).rstrip(".")
    return peer_names.fault(server.names, wanted) if client.check_name else ""


def _holds(trusted: str, ca: str) -> bool:
    return trusted == ca or (ca != "" and ca in trusted)
