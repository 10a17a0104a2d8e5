"""The transport layer of one user agent (RFC 3261 section 18): its UDP socket, listeners and connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
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
    WorldError,
)

from .connection import Connection
from .framing import PING, PONG
from .message import MessageError, Request, Response
from .parser import parse

DATAGRAM_LIMIT = 1300
"""Bytes of a request that may go over UDP where the path's MTU is not known (RFC 3261 section 18.1.1)."""
BLANK = b"\r\n\0"
"""What keep-alives are made of (RFC 5626 section 3.5.1, and Yealink's four zero bytes)."""
PORT_TRIES = 16
"""Where any port will do, one that is free for UDP may be taken for TCP or at the other IP address."""
MAX_FLOWS = 1000
"""Sources of datagrams that are kept for their next one."""
MAX_CONNECTIONS = 1000
"""Incoming connections beyond these are refused, so that a peer cannot use up the machine."""
MAX_CONNECTIONS_OF_ONE = 100
"""The same for those of one IP address, so that one peer cannot keep out the others."""

MAX_UNSENT = 64 * 1024 * 1024
"""Bytes that may wait for all peers together: each may let 1 MiB wait, and there may be 1,000."""
UNSENT_UNHEEDED = 16 * 1024
"""Bytes that one peer may let wait without a look at the others'."""


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
    used: float = 0.0
    """When something last came or went over the connection."""
    registrations: frozenset[str] = frozenset()
    """Call-IDs of the registrations that are reached over the connection: it stays open without use."""
    any_size: bool = False
    """Whether requests go over UDP here however large they are, since TCP was tried in vain."""
    tls: TlsClient | None = None
    """How the certificate was checked, of a connection that this end made over TLS."""

    def via(self, branch: str, *, rport: bool = False) -> str:
        """The value of the Via header for a request on this flow (section 18.1.1)."""
        suffix = ";rport" if rport else ""
        return f"SIP/2.0/{self.transport.upper()} {self.local};branch={branch}{suffix}"


Received = Callable[[Request | Response, Flow], None]
Malformed = Callable[[bytes, Flow, MessageError, bool], None]
"""Also gets whether nobody was told of the bytes before."""
Failed = Callable[[Flow, str, bytes], None]


class TooLarge(Exception):
    """A request is too large for UDP.

    Args:
        size: of the request, in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes are too many for UDP")
        self.size = size


class TransportLayer:
    """The sockets of one user agent.

    Args:
        world: where the sockets are.
        bus: is told each message that leaves, comes in or is ignored.
        host: local IP address of the sockets.
        other_host: local IP address of the other IP version, whose sockets are then open too; empty for none.
        port: of UDP and TCP, 0 for any.
        tls_port: what Via and Contact say over TLS.
        tls: how to accept TLS connections; None accepts none.
        received: called with each well-formed message and its flow.
        malformed: called with the bytes that are none, their flow, and what is wrong with them; tells
            it.
        failed: called when a flow is known to be dead, with the reason, and with the beginning of the
            datagram that showed it, as far as that is known.
        datagram_limit: bytes that a request may have over UDP; 0 for no limit.
        dscp: 0..63, how packets are marked.
    """

    def __init__(
        self,
        world: World,
        bus: Bus,
        *,
        host: str,
        other_host: str = "",
        port: int,
        tls_port: int = 5061,
        tls: TlsServer | None = None,
        received: Received,
        malformed: Malformed,
        failed: Failed,
        datagram_limit: int = DATAGRAM_LIMIT,
        dscp: int = 0,
    ) -> None:
        self._world = world
        self._bus = bus
        self._hosts = {":" in each: each for each in (other_host, host) if each}
        self._host = host
        self._port = port
        self._tls_port = tls_port
        self._tls = tls
        self._received = received
        self._malformed = malformed
        self._failed = failed
        self._datagram_limit = datagram_limit
        self._dscp = dscp
        self._udp: dict[bool, DatagramSocket] = {}
        """By whether it is IPv6."""
        self._listeners: list[Listener] = []
        self._connections: dict[tuple[Transport, Address, str], Connection] = {}
        self._connecting: dict[tuple[Transport, Address, str], _Connecting] = {}
        self._accepted: dict[Connection, None] = {}
        self._flows: dict[Address, Flow] = {}
        """Where datagrams came from lately."""
        self.sent_bys: frozenset[str] = frozenset()
        """What requests of this user agent name in their Via, and so the responses to them."""

    async def open(self) -> None:
        """Open the UDP sockets and the listeners; raises WorldError and leaves nothing open then."""
        asked = self._port
        for tries_left in reversed(range(1 if asked else PORT_TRIES)):
            try:
                for host in dict.fromkeys((self._host, *self._hosts.values())):
                    await self._open_at(host)
                break
            except BaseException as error:
                await self.close()
                if not tries_left or not isinstance(error, WorldError):
                    raise
                self._port = asked
        self.sent_bys = frozenset(
            str(Address(host, port)) for host in self._hosts.values() for port in (self._port, self._tls_port)
        )

    async def _open_at(self, host: str) -> None:
        """Open the sockets of one IP address, all at the same port."""
        socket = await self._world.open_udp(Address(host, self._port), self, dscp=self._dscp)
        self._udp[":" in host] = socket
        self._port = socket.local.port
        listen, dscp = self._world.listen, self._dscp
        self._listeners.append(await listen(Address(host, self._port), self._accept, dscp=dscp))
        if self._tls is not None:
            address = Address(host, self._tls_port)
            self._listeners.append(await listen(address, self._accept, tls=self._tls, dscp=dscp))

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
        self._flows.clear()
        for socket in self._udp.values():
            socket.close()
        self._udp.clear()

    def host_for(self, remote: str) -> str:
        """The local IP address of the IP version of *remote*; the first one where there is none."""
        return self._hosts.get(":" in remote, self._host)

    def local(self, transport: Transport, remote: str = "") -> Address:
        """This user agent's address as Via and Contact give it to *remote*, an IP address."""
        host = self.host_for(remote) if remote else self._host
        return Address(host, self._tls_port if transport is Transport.TLS else self._port)

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
            return Flow(transport, self.local(transport, remote.host), remote)
        key = (transport, remote, tls.server_name if tls else "")
        connection = self._connections.get(key)
        if connection is None:
            async with asyncio.timeout(within):
                connection = await self._connected(key, tls)
        return connection.flow

    async def _connected(self, key: tuple[Transport, Address, str], tls: TlsClient | None) -> Connection:
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

    def send(self, message: Request | Response, flow: Flow) -> bytes:
        """Send *message*, and return its bytes; raises SendFailed.

        Raises TooLarge for requests too large for UDP; responses and ACKs go nevertheless (section 18.1.1).
        """
        data = message.to_bytes()
        if flow.stream is None and len(data) > self._datagram_limit > 0 and _prefers_tcp(message, flow):
            raise TooLarge(len(data))
        self.send_bytes(data, flow)
        return data

    def send_bytes(self, data: bytes, flow: Flow) -> None:
        """Send the bytes of a message; raises SendFailed."""
        if flow.stream is None:
            # A phone of one IP version lets its socket say why it cannot send to the other.
            socket = self._udp.get(":" in flow.remote.host) or self._udp.get(":" in self._host)
            if socket is None:
                raise SendFailed("the socket is closed")
            socket.send(data, flow.remote)
        else:
            try:
                flow.stream.send(data)
            except SendFailed:
                flow.stream.abort()  # nothing goes through it any more: the next message takes a new one
                raise
            flow.used = self._world.now()
            if flow.stream.unsent > UNSENT_UNHEEDED:
                self._bound_unsent()
        if self._bus.listening:
            self._tell(MessageSent, flow, data)

    def _bound_unsent(self) -> None:
        """Reset the connection with most unsent bytes, where those of all are too many."""
        flows = [connection.flow for connection in (*self._connections.values(), *self._accepted)]
        waiting = [(flow.stream.unsent, flow, flow.stream) for flow in flows if flow.stream and not flow.lost]
        if sum(unsent for unsent, _, _ in waiting) <= MAX_UNSENT:
            return
        unsent, flow, stream = max(waiting, key=lambda each: each[0])
        why = f"connection reset: {unsent} bytes wait for this peer, and more than {MAX_UNSENT} for all"
        self.ignored(flow, why, b"", outwards=True)
        flow.lost = True
        stream.abort()

    def _tell(self, kind: type[MessageSent | MessageReceived], flow: Flow, data: bytes) -> None:
        """Tell of a message as it is on the wire."""
        now, transport = self._world.now(), flow.transport
        self._bus.tell(kind(at=now, local=flow.local, remote=flow.remote, transport=transport, data=data))

    # -- what the sockets tell -----------------------------------------------------------------------------

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """A datagram came in."""
        self.datagrams_received(((data, remote),))

    def datagrams_received(self, came: Sequence[tuple[bytes, Address]]) -> None:
        """Datagrams came in: all are read first, then each is acted upon."""
        read = [
            (data, remote, _read(data)) for data, remote in came if data[:1] not in BLANK or data.strip(BLANK)
        ]
        for data, remote, message in read:
            flow = self._flows.get(remote)
            if flow is None:
                if len(self._flows) >= MAX_FLOWS:
                    self._flows.clear()
                local = self.local(Transport.UDP, remote.host)
                flow = self._flows[remote] = Flow(Transport.UDP, local, remote)
            self._act_on(message, data, flow)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """An ICMP error came in for *remote*, which quotes the beginning of what was sent there."""
        self._failed(Flow(Transport.UDP, self.local(Transport.UDP, remote.host), remote), reason, data)

    def message_received(self, data: bytes, flow: Flow) -> None:
        """The bytes of one message came in."""
        self._act_on(_read(data), data, flow)

    def message_broken(self, data: bytes, flow: Flow, error: MessageError) -> None:
        """*data* came, which *error* keeps from being cut into messages."""
        self._act_on(error, data, flow)

    def _act_on(self, message: Request | Response | MessageError, data: bytes, flow: Flow) -> None:
        if isinstance(message, MessageError):
            self._malformed(data, flow, message, True)
            return
        if self._bus.listening:
            self._tell(MessageReceived, flow, data)
        try:
            self._received(message, flow)
        except MessageError as error:
            self._malformed(data, flow, error, False)

    def ignored(
        self,
        flow: Flow,
        reason: str,
        data: bytes,
        status: int | None = None,
        *,
        outwards: bool = False,
        unread: bool = False,
    ) -> None:
        """Tell that something that came in is not acted upon, or refused with *status*; or did not leave.

        *unread*: it is no message, so that nobody was told of it before.
        """
        self._bus.tell(
            MessageIgnored(
                at=self._world.now(),
                local=flow.local,
                remote=flow.remote,
                transport=flow.transport,
                reason=reason,
                data=data,
                status=status,
                outwards=outwards,
                unread=unread,
            )
        )

    def ping(self, transport: Transport, remote: Address) -> None:
        """Keep the way to *remote* open, where there is one; it is no message, and nobody is told."""
        with contextlib.suppress(SendFailed):
            if not transport.reliable:
                socket = self._udp.get(":" in remote.host)
                if socket is not None:
                    socket.send(PING, remote)
                return
            for (kind, where, _), connection in self._connections.items():
                if (kind, where) == (transport, remote) and connection.flow.stream is not None:
                    connection.flow.stream.send(PING)
                    connection.flow.used = self._world.now()

    def pong(self, flow: Flow) -> None:
        """Answer a keep-alive on a connection (RFC 5626 section 4.4.1)."""
        if flow.stream is not None:
            with contextlib.suppress(SendFailed):
                flow.stream.send(PONG)

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """A connection has ended."""
        for key, known in list(self._connections.items()):
            if known is connection:
                del self._connections[key]
        self._accepted.pop(connection, None)
        connection.flow.lost = True
        self._failed(connection.flow, reason or "connection closed by the peer", b"")

    async def _connect(self, key: tuple[Transport, Address, str], tls: TlsClient | None) -> Connection:
        transport, remote, _ = key
        connection = Connection(self, self._world)
        if transport is Transport.TLS and tls is None:
            raise TlsFailed("no server name to check the certificate against")
        stream = await self._world.connect(
            remote,
            connection,
            local_host=self.host_for(remote.host),
            tls=tls if transport is Transport.TLS else None,
            dscp=self._dscp,
        )
        if connection.lost:
            raise ConnectFailed("connection closed at once")
        connection.opened(Flow(transport, self.local(transport, remote.host), remote, stream, tls=tls))
        self._connections[key] = connection
        return connection

    def _accept(self, stream: Stream) -> Connection:
        connection = Connection(self, self._world)
        local = self.local(stream.transport, stream.remote.host)
        flow = connection.flow = Flow(stream.transport, local, stream.remote, stream)
        theirs = sum(each.flow.remote.host == stream.remote.host for each in self._accepted)
        if len(self._accepted) >= MAX_CONNECTIONS:
            self.ignored(flow, f"connection refused: {MAX_CONNECTIONS} are open already", b"")
            stream.abort()
        elif theirs >= MAX_CONNECTIONS_OF_ONE:
            why = f"connection refused: {MAX_CONNECTIONS_OF_ONE} from this address are open already"
            self.ignored(flow, why, b"")
            stream.abort()
        else:
            self._accepted[connection] = None
            connection.opened(flow)
        return connection


def _read(data: bytes) -> Request | Response | MessageError:
    """The message in *data*, or what is wrong with it."""
    try:
        return parse(data)
    except MessageError as error:
        return error


def _prefers_tcp(message: Request | Response, flow: Flow) -> bool:
    """Whether a large *message* should go over TCP: an ACK would have no transaction to go over UDP later."""
    return isinstance(message, Request) and message.method != "ACK" and not flow.any_size


@dataclass(slots=True, eq=False)
class _Connecting:
    """A connection that is being made, and how many wait for it."""

    task: asyncio.Task[Connection]
    waiting: int = 0
