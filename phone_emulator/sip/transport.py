"""The transport layer of one user agent (RFC 3261 section 18): its UDP socket, listeners and connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from phone_emulator.events import Address, Bus, MessageIgnored, MessageReceived, MessageSent, Transport
from phone_emulator.world.base import (
    ConnectFailed,
    DatagramSocket,
    Listener,
    SendFailed,
    Stream,
    TlsClient,
    TlsFailed,
    TlsServer,
    World,
)

from .message import Framer, MessageError, Request, Response, parse

MAX_CONNECTIONS = 1000
"""Incoming connections beyond these are refused, so that a peer cannot use up the machine."""


@dataclass(slots=True, eq=False)
class Flow:
    """Where messages go and where they come from: a remote address over a transport."""

    transport: Transport
    local: Address
    """As it stands in Via and Contact."""
    remote: Address
    stream: Stream | None = None
    """The connection; None over UDP."""
    lost: bool = False
    """Whether the connection has ended."""

    def via(self, branch: str, *, rport: bool = False) -> str:
        """The value of the Via header for a request on this flow (section 18.1.1)."""
        suffix = ";rport" if rport else ""
        return f"SIP/2.0/{self.transport.upper()} {self.local};branch={branch}{suffix}"


Received = Callable[[Request | Response, Flow], None]
Malformed = Callable[[bytes, Flow, MessageError], None]
Failed = Callable[[Flow, str], None]


class TransportLayer:
    """The sockets of one user agent.

    Args:
        world: where the sockets are.
        bus: is told each message that leaves, comes in or is ignored.
        host: local IP address of every socket.
        port: of UDP and TCP, 0 for any.
        tls_port: what Via and Contact say over TLS.
        tls: how to accept TLS connections; None accepts none.
        received: called with each well-formed message and its flow.
        malformed: called with the bytes that are none, their flow, and what is wrong with them.
        failed: called when a flow is known to be dead, with the reason.
    """

    def __init__(
        self,
        world: World,
        bus: Bus,
        *,
        host: str,
        port: int,
        tls_port: int = 5061,
        tls: TlsServer | None = None,
        received: Received,
        malformed: Malformed,
        failed: Failed,
    ) -> None:
        self._world = world
        self._bus = bus
        self._host = host
        self._port = port
        self._tls_port = tls_port
        self._tls = tls
        self._received = received
        self._malformed = malformed
        self._failed = failed
        self._udp: DatagramSocket | None = None
        self._listeners: list[Listener] = []
        self._connections: dict[tuple[Transport, Address, str], _Connection] = {}
        self._connecting: dict[tuple[Transport, Address, str], _Connecting] = {}
        self._accepted: set[_Connection] = set()

    async def open(self) -> None:
        """Open the UDP socket and the listeners; raises WorldError and leaves nothing open then."""
        try:
            self._udp = await self._world.open_udp(Address(self._host, self._port), self)
            self._port = self._udp.local.port
            self._listeners.append(await self._world.listen(Address(self._host, self._port), self._accept))
            if self._tls is not None:
                tls_address = Address(self._host, self._tls_port)
                self._listeners.append(await self._world.listen(tls_address, self._accept, tls=self._tls))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every socket."""
        tasks = [connecting.task for connecting in self._connecting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in (*self._connections.values(), *self._accepted):
            connection.close()
        for listener in self._listeners:
            listener.close()
        self._connections.clear()
        self._accepted.clear()
        self._listeners.clear()
        if self._udp is not None:
            self._udp.close()
            self._udp = None

    def local(self, transport: Transport) -> Address:
        """This user agent's address as Via and Contact give it."""
        return Address(self._host, self._tls_port if transport is Transport.TLS else self._port)

    async def flow(
        self,
        transport: Transport,
        remote: Address,
        *,
        tls: TlsClient | None = None,
        within: float | None = None,
    ) -> Flow:
        """A way to *remote*: over TCP and TLS an open connection, made when there is none.

        Args:
            transport: UDP, TCP or TLS.
            remote: where to.
            tls: how to check the certificate; needed for TLS.
            within: seconds that the connection may take to come up.

        Raises:
            ConnectFailed, TlsFailed: the connection cannot be made.
            TimeoutError: it is not up in time.
        """
        if not transport.reliable:
            return Flow(transport, self.local(transport), remote)
        key = (transport, remote, tls.server_name if tls else "")
        connection = self._connections.get(key)
        if connection is None:
            async with asyncio.timeout(within):
                connection = await self._connected(key, tls)
        return connection.flow

    async def _connected(self, key: tuple[Transport, Address, str], tls: TlsClient | None) -> _Connection:
        """The connection being made: requests at once share it, and it goes on while one of them waits."""
        connecting = self._connecting.get(key)
        if connecting is None:
            name = f"connect {key[0]} {key[1]}"
            connecting = _Connecting(asyncio.create_task(self._connect(key, tls), name=name))
            # Who waits may have been cancelled in the moment of the failure.
            connecting.task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._connecting[key] = connecting
        task = connecting.task
        connecting.waiting += 1
        try:
            await asyncio.wait((task,))
        finally:
            connecting.waiting -= 1
            if not connecting.waiting:
                self._forget_connecting(key, connecting)
        if task.cancelled():
            raise ConnectFailed("the phone was stopped")
        return task.result()

    def _forget_connecting(self, key: tuple[Transport, Address, str], connecting: _Connecting) -> None:
        connecting.task.cancel()
        if self._connecting.get(key) is connecting:
            del self._connecting[key]

    def send(self, message: Request | Response, flow: Flow) -> None:
        """Send *message*; raises SendFailed."""
        data = message.to_bytes()
        if flow.stream is not None:
            flow.stream.send(data)
        elif self._udp is None:
            raise SendFailed("the socket is closed")
        else:
            self._udp.send(data, flow.remote)
        self._bus.tell(
            MessageSent(
                at=self._world.now(),
                local=flow.local,
                remote=flow.remote,
                transport=flow.transport,
                data=data,
            )
        )

    # -- what the sockets tell -----------------------------------------------------------------------------

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """A datagram came in."""
        flow = Flow(Transport.UDP, self.local(Transport.UDP), remote)
        if data.strip(b"\r\n\0"):  # else a keep-alive (RFC 5626 section 3.5.1, and Yealink's four zero bytes)
            self.message_received(data, flow)

    def datagram_failed(self, remote: Address, reason: str) -> None:
        """An ICMP error came in for *remote*."""
        self._failed(Flow(Transport.UDP, self.local(Transport.UDP), remote), reason)

    def message_received(self, data: bytes, flow: Flow) -> None:
        """The bytes of one message came in."""
        try:
            message = parse(data)
        except MessageError as error:
            self.ignored(flow, str(error), data)
            self._malformed(data, flow, error)
            return
        self._bus.tell(
            MessageReceived(
                at=self._world.now(),
                local=flow.local,
                remote=flow.remote,
                transport=flow.transport,
                data=data,
            )
        )
        try:
            self._received(message, flow)
        except MessageError as error:
            self.ignored(flow, str(error), data)
            self._malformed(data, flow, error)

    def ignored(self, flow: Flow, reason: str, data: bytes) -> None:
        """Tell that something that came in is not acted upon."""
        self._bus.tell(
            MessageIgnored(
                at=self._world.now(), remote=flow.remote, transport=flow.transport, reason=reason, data=data
            )
        )

    def connection_lost(self, connection: _Connection, reason: str) -> None:
        """A connection has ended."""
        for key, known in list(self._connections.items()):
            if known is connection:
                del self._connections[key]
        self._accepted.discard(connection)
        connection.flow.lost = True
        self._failed(connection.flow, reason or "connection closed by the peer")

    async def _connect(self, key: tuple[Transport, Address, str], tls: TlsClient | None) -> _Connection:
        transport, remote, _ = key
        connection = _Connection(self)
        if transport is Transport.TLS and tls is None:
            raise TlsFailed("no server name to check the certificate against")
        stream = await self._world.connect(
            remote, connection, local_host=self._host, tls=tls if transport is Transport.TLS else None
        )
        if connection.lost:
            raise ConnectFailed("connection closed at once")
        connection.flow = Flow(transport, self.local(transport), remote, stream)
        self._connections[key] = connection
        return connection

    def _accept(self, stream: Stream) -> _Connection:
        connection = _Connection(self)
        connection.flow = Flow(stream.transport, self.local(stream.transport), stream.remote, stream)
        if len(self._accepted) >= MAX_CONNECTIONS:
            stream.abort()
        else:
            self._accepted.add(connection)
        return connection


@dataclass(slots=True, eq=False)
class _Connecting:
    """A connection that is being made, and how many wait for it."""

    task: asyncio.Task[_Connection]
    waiting: int = 0


class _Connection:
    """One TCP or TLS connection: bytes in, messages out."""

    flow: Flow

    def __init__(self, layer: TransportLayer) -> None:
        self._layer = layer
        self._framer = Framer()
        self.lost = False

    def data_received(self, data: bytes) -> None:
        """The next bytes."""
        try:
            for message in self._framer.feed(data):
                if not self.lost:
                    self._layer.message_received(message, self.flow)
            self._framer.feed(b"")  # tells at once what is wrong behind the last whole message
        except MessageError as error:
            if self.lost:
                return
            # After a framing error nothing tells where the next message starts.
            self._layer.ignored(self.flow, f"{error}; connection closed", data[:4096])
            self.close()
            self.connection_lost(str(error))

    def connection_lost(self, reason: str) -> None:
        """The connection has ended."""
        if self.lost:
            return
        self.lost = True
        if hasattr(self, "flow"):
            self._layer.connection_lost(self, reason)

    def close(self) -> None:
        """Close the connection."""
        if self.flow.stream is not None:
            self.flow.stream.close()
