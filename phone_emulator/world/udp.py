"""UDP sockets of the machine.

On Linux they hear of ICMP errors (`ErrorQueueSocket`). Elsewhere asyncio's own datagram transport serves
(`PlainSocket`), and ICMP errors go unheard.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from contextlib import suppress
from typing import Any, Protocol

from phone_emulator.events import Address
from phone_emulator.scarcity import numbered

from . import reasons
from .address import canonical, is_ipv6, unsendable
from .base import DatagramReceiver, PortInUse, SendFailed, WorldError
from .error_queue import UNSENT_LIMIT, ErrorQueueSocket
from .holders import holder_of

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes asked of the machine; datagrams are lost on loopback too when a burst overflows it."""


class MachineSocket(Protocol):
    """What both kinds of socket are: a DatagramSocket that can be closed."""

    @property
    def local(self) -> Address:
        """The address it is bound to."""

    def send(self, data: bytes, remote: Address) -> None:
        """Send *data*; raises SendFailed."""

    def close(self) -> None:
        """Close."""


async def open_udp(
    local: Address,
    receiver: DatagramReceiver,
    registry: set[Any],
    *,
    plain: bool = False,
    dscp: int = 0,
) -> MachineSocket:
    """Bind a UDP socket; raises WorldError.

    :param registry: where the socket is entered while it is open
    :param plain: do without the error queue where there is one
    :param dscp: 0..63, how its datagrams are marked
    """
    sock = bind(local, socket.SOCK_DGRAM, "udp", dscp)
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    loop = asyncio.get_running_loop()
    if sys.platform == "linux" and not plain:
        return _with_error_queue(loop, sock, receiver, registry)
    try:
        _, protocol = await loop.create_datagram_endpoint(lambda: PlainSocket(receiver, registry), sock=sock)
    except OSError as error:
        sock.close()
        raise numbered(WorldError(reasons.cannot_bind(local, "udp", error)), error) from None
    return protocol


def _with_error_queue(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, receiver: DatagramReceiver, registry: set[Any]
) -> ErrorQueueSocket:
    """*sock*, heard through its error queue; raises WorldError, and it is closed then."""
    try:
        return ErrorQueueSocket(loop, sock, receiver, registry)
    except BaseException as error:
        local = Address(*sock.getsockname()[:2])
        sock.close()
        if isinstance(error, OSError | MemoryError):
            raise numbered(WorldError(reasons.cannot_bind(local, "udp", error)), error) from None
        raise


def bind(local: Address, kind: socket.SocketKind, protocol: str, dscp: int = 0) -> socket.socket:
    """A non-blocking socket bound to *local*; raises WorldError. *protocol* names it in the error.

    What it sends is marked with *dscp*, 0..63, where the machine lets it.
    """
    try:
        canonical(local.host)
    except ValueError as error:
        raise WorldError(f"cannot bind {local}/{protocol}: {error}") from None
    ipv6 = is_ipv6(local.host)
    sock = None
    try:
        # asyncio sets TCP_NODELAY only on a socket whose protocol is named.
        named = socket.IPPROTO_TCP if kind is socket.SOCK_STREAM else socket.IPPROTO_UDP
        sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, kind, named)
        sock.setblocking(False)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_STREAM and sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if dscp:
            mark(sock, dscp, ipv6=ipv6)
        sock.bind((local.host, local.port))
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, OSError | OverflowError | MemoryError):
            raise refusal(local, protocol, error) from None
        raise
    return sock


def refusal(local: Address, protocol: str, error: BaseException) -> WorldError:
    """What there is to say where *error* kept *local* from being bound."""
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE and not local.port:
        error = OSError(errno.EADDRNOTAVAIL, "")
        return numbered(WorldError(reasons.no_port(local.host, protocol)), error)
    if number == errno.EADDRINUSE:
        return PortInUse(reasons.in_use(local, protocol, holder_of(local, protocol)))
    refused = WorldError(reasons.cannot_bind(local, protocol, error))
    return refused if number == errno.EADDRNOTAVAIL else numbered(refused, error)


def mark(sock: socket.socket, dscp: int, *, ipv6: bool) -> None:
    """Have what *sock* sends marked with *dscp*, 0..63 (RFC 2474); a machine that refuses sends unmarked."""
    level, option = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if ipv6 else (socket.IPPROTO_IP, socket.IP_TOS)
    with suppress(OSError):
        sock.setsockopt(level, option, dscp << 2)


class PlainSocket(asyncio.DatagramProtocol):
    """A UDP socket by asyncio's datagram transport, for machines without an error queue."""

    _transport: asyncio.DatagramTransport

    def __init__(self, receiver: DatagramReceiver, registry: set[Any]) -> None:
        self._receiver = receiver
        self._registry = registry
        self._closed = False
        self._refusal: Exception | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """asyncio's transport is there."""
        self._transport = transport
        self._registry.add(self)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """asyncio heard something."""
        if not self._closed:
            self._receiver.datagram_received(data, Address(addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """asyncio calls this from within ``sendto`` when the machine refuses to send."""
        self._refusal = exc

    @property
    def local(self) -> Address:
        """The address it is bound to."""
        return Address(*self._transport.get_extra_info("sockname")[:2])

    def send(self, data: bytes, remote: Address) -> None:
        """Send *data*; raises SendFailed."""
        if self._closed:
            raise SendFailed(reasons.SOCKET_CLOSED)
        if why := unsendable(self.local.host, remote):
            raise SendFailed(why)
        waiting: int = self._transport.get_write_buffer_size()  # type: ignore[attr-defined]  # all have it
        if waiting > UNSENT_LIMIT * 1500:
            raise SendFailed("the machine takes no more datagrams")
        self._refusal = None
        self._transport.sendto(data, remote)
        if self._refusal is not None:
            raise SendFailed(reasons.in_words(self._refusal))

    def close(self) -> None:
        """Close; what is unsent is dropped."""
        if not self._closed:
            self._closed = True
            self._transport.abort()
            self._registry.discard(self)
