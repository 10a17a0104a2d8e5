"""TCP and TLS connections of the machine, over asyncio's transports."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
from typing import Any

from phone_emulator.events import Address, Transport
from phone_emulator.scarcity import numbered, shortage

from . import reasons, tls
from .address import unsendable
from .base import (
    Accept,
    ConnectFailed,
    SendFailed,
    StreamReceiver,
    TlsClient,
    TlsFailed,
    TlsServer,
    WorldError,
)
from .udp import bind, refusal

UNSENT_LIMIT = 1024 * 1024
"""Bytes that may wait for a peer that takes none."""

CLOSE_TIMEOUT = 5.0
"""Seconds that an orderly end may take; then the connection is reset."""

BACKLOG = 1024
"""Connections that may wait to be accepted."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for 0 seconds."""


class MachineStream(asyncio.Protocol):
    """One connection: the Stream that its user holds, and the protocol that asyncio calls.

    :param registry: where the stream is entered while it is open
    :param accept: tells who hears an incoming connection; None for one of our own making, which keeps what
        it hears until `start`
    :ivar ended: done when the connection is gone
    """

    _wire: asyncio.Transport

    def __init__(self, transport: Transport, registry: set[Any], accept: Accept | None = None) -> None:
        self._transport = transport
        self._registry = registry
        self._accept = accept
        self._receiver: StreamReceiver | None = None
        self._early: list[bytes] = []
        self._lost: str | None = None
        self._why_closed: str | None = None
        self._give_up: asyncio.TimerHandle | None = None
        self._local = self._remote = Address("", 0)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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
        """Bytes that wait until the peer takes them."""
        return self._wire.get_write_buffer_size()

    def start(self, receiver: StreamReceiver) -> None:
        """From now on *receiver* hears what comes, beginning with what has come already."""
        self._receiver = receiver
        early, self._early = self._early, []
        for data in early:
            if self._why_closed is None:
                receiver.data_received(data)
        if self._lost is not None:
            receiver.connection_lost(self._lost)

    def send(self, data: bytes) -> None:
        """Queue *data*; raises SendFailed when the connection is closed or 1 MiB is unsent."""
        if self._why_closed is not None or self._wire.is_closing():
            raise SendFailed(reasons.STREAM_CLOSED)
        if self._wire.get_write_buffer_size() + len(data) > UNSENT_LIMIT:
            raise SendFailed(reasons.PEER_STALLED)
        self._wire.write(data)

    def close(self) -> None:
        """End in order, within 5 s."""
        if self._why_closed is None:
            self._why_closed = ""
            self._wire.close()
            if self._lost is None:
                self._give_up = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.reset)

    def abort(self) -> None:
        """Reset the connection."""
        if self._why_closed is None:
            self._why_closed = reasons.ABORTED
            self.reset()

    def reset(self) -> None:
        """Drop the connection at once, so that the peer hears a reset."""
        held = self._wire.get_extra_info("socket")
        if held is not None and held.fileno() >= 0:
            # uvloop's socket takes no options itself; the descriptor stays with its owner.
            borrowed = socket.socket(fileno=held.fileno())
            borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            borrowed.detach()
        self._wire.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio's connection is there; with TLS, its handshake is done."""
        self._wire = transport
        self._registry.add(self)
        self._local = Address(*transport.get_extra_info("sockname")[:2])
        # A peer that has gone already has no name any more; the end of the connection follows.
        self._remote = Address(*(transport.get_extra_info("peername") or ("", 0))[:2])
        if self._accept is None:
            return
        try:
            self.start(self._accept(self))
        except BaseException:
            self.abort()
            raise

    def data_received(self, data: bytes) -> None:
        """asyncio heard something."""
        if self._why_closed is not None:
            return
        if self._receiver is None:
            self._early.append(data)
        else:
            self._receiver.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's connection has ended."""
        self._registry.discard(self)
        if not self.ended.done():
            self.ended.set_result(None)
        if self._give_up is not None:
            self._give_up.cancel()
        if self._why_closed is not None:
            self._lost = self._why_closed
        elif isinstance(exc, ssl.SSLError):
            self._lost = tls.ended_in_words(exc)
        else:
            self._lost = "" if exc is None else reasons.in_words(exc)
        if self._why_closed is None:
            self._why_closed = self._lost
        if self._receiver is not None:
            self._receiver.connection_lost(self._lost)


class MachineListener:
    """A listening socket."""

    def __init__(self, server: asyncio.AbstractServer, local: Address, registry: set[Any]) -> None:
        self._server = server
        self._local = local
        self._registry = registry
        registry.add(self)

    @property
    def local(self) -> Address:
        """The address it is bound to."""
        return self._local

    def close(self) -> None:
        """Stop listening; open connections stay."""
        self._server.close()
        self._registry.discard(self)


async def listen(
    local: Address, accept: Accept, server: TlsServer | None, registry: set[Any], dscp: int = 0
) -> MachineListener:
    """Listen at *local*; raises WorldError."""
    transport = Transport.TLS if server else Transport.TCP
    context = tls.server_context(server) if server else None
    sock = bind(local, socket.SOCK_STREAM, transport, dscp)  # the connections inherit the mark
    bound = Address(*sock.getsockname()[:2])
    loop = asyncio.get_running_loop()
    try:
        listening = await loop.create_server(
            lambda: MachineStream(transport, registry, accept), sock=sock, ssl=context, backlog=BACKLOG
        )
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError | MemoryError):
            raise refusal(bound, transport, error) from None
        raise
    return MachineListener(listening, bound, registry)


async def connect(
    remote: Address,
    receiver: StreamReceiver,
    local_host: str,
    client: TlsClient | None,
    registry: set[Any],
    dscp: int = 0,
) -> MachineStream:
    """Open a connection; raises ConnectFailed, TlsFailed."""
    context, wanted = tls.client_context(client, remote.host, sip=True) if client else (None, None)
    loop = asyncio.get_running_loop()
    sock = await _connected(loop, remote, local_host, dscp)
    stream = MachineStream(Transport.TLS if client else Transport.TCP, registry)
    try:
        # From here on the socket is the transport's, which closes it; closing it twice may hit another's.
        wire, _ = await loop.create_connection(lambda: stream, sock=sock, ssl=context, server_hostname=wanted)
        if client is not None and wanted is not None:
            tls.check_name(client, wanted, wire.get_extra_info("peercert"))
    except TlsFailed:
        stream.abort()
        raise
    except OSError as error:
        if wanted is None:
            raise numbered(ConnectFailed(reasons.in_words(error)), error) from None
        raise numbered(TlsFailed(tls.handshake_in_words(error, wanted)), error) from None
    loop.call_soon(stream.start, receiver)
    return stream


async def _connected(
    loop: asyncio.AbstractEventLoop, remote: Address, local_host: str, dscp: int
) -> socket.socket:
    if why := unsendable(local_host or remote.host, remote):
        raise ConnectFailed(why)
    any_host = "::" if ":" in remote.host else "0.0.0.0"
    try:
        sock = bind(Address(local_host or any_host, 0), socket.SOCK_STREAM, Transport.TCP, dscp)
    except WorldError as error:
        raise numbered(ConnectFailed(str(error)), error) from None
    try:
        await loop.sock_connect(sock, remote)
        if sock.getsockname() == sock.getpeername():
            # TCP's simultaneous open: to a free port of our own range a socket can connect to itself.
            raise ConnectFailed(reasons.REFUSED)
    except ConnectFailed:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        # The address is bound: what is not available is a port that has no connection to there yet.
        short = shortage(error) if error.errno == errno.EADDRNOTAVAIL else ""
        raise numbered(ConnectFailed(short or reasons.in_words(error)), error) from None
    except BaseException:
        sock.close()
        raise
    return sock
