"""UDP sockets of the machine.

An unconnected socket hears of ICMP errors only through Linux's error queue, so there the socket is ours
(`ErrorQueueSocket`). Its descriptor sits in an epoll set of its own, and the event loop watches that set:
libuv, beneath uvloop, gives a descriptor up for good when it reports an error, and an epoll set never does.
Elsewhere asyncio's own datagram transport serves (`PlainSocket`), and ICMP errors go unheard.
"""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import struct
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from phone_emulator.events import Address

from . import reasons
from .address import canonical, is_ipv6, unsendable
from .base import BatchReceiver, DatagramReceiver, SendFailed, WorldError

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes asked of the machine; datagrams are lost on loopback too when a burst overflows it."""

READS_PER_WAKE = 64
"""Datagrams read before the event loop has its turn."""

LARGEST = 65507
"""Bytes of a datagram's payload over IPv4."""

UNSENT_LIMIT = 256
"""Datagrams that may wait until the machine takes more."""

QUOTED = 1280
"""Bytes of the datagram that are read of an ICMP error: no error quotes more (RFC 4443 section 3)."""

SEND_TRIES = 4
"""A send fails with the ICMP error of an earlier one, and sends nothing: as often may one try again."""

# Linux, <linux/in.h>, <linux/in6.h>, <linux/errqueue.h>; Python has no names for them.
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_EXTENDED_ERROR = struct.Struct("=IBBBxII")
_ORIGIN_LOCAL, _ORIGIN_ICMP, _ORIGIN_ICMP6 = 1, 2, 3


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
        return ErrorQueueSocket(loop, sock, receiver, registry)
    _, protocol = await loop.create_datagram_endpoint(lambda: PlainSocket(receiver, registry), sock=sock)
    return protocol


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
    except (OSError, OverflowError) as error:
        if sock is not None:
            sock.close()
        raise WorldError(reasons.cannot_bind(local, protocol, error)) from None
    return sock


def mark(sock: socket.socket, dscp: int, *, ipv6: bool) -> None:
    """Have what *sock* sends marked with *dscp*, 0..63 (RFC 2474); a machine that refuses sends unmarked."""
    level, option = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if ipv6 else (socket.IPPROTO_IP, socket.IP_TOS)
    with suppress(OSError):
        sock.setsockopt(level, option, dscp << 2)


class ErrorQueueSocket:
    """A UDP socket that hears of ICMP errors through the Linux error queue (``man 7 ip``, IP_RECVERR)."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        receiver: DatagramReceiver,
        registry: set[Any],
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._receiver = receiver
        self._hand_on = (
            receiver.datagrams_received if isinstance(receiver, BatchReceiver) else self._one_by_one
        )
        self._registry = registry
        self._closed = False
        self._local = Address(*sock.getsockname()[:2])
        self._unsent: deque[tuple[bytes, Address]] = deque()
        self._held: list[tuple[bytes, Address]] | None = None
        """What is sent while datagrams that came together are handed on: it leaves together too.

        The machine's network code and Python displace each other from the processor's caches: in turn, each
        datagram sent costs three times as much.
        """
        if is_ipv6(self._local.host):
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        self._events = select.epoll()
        self._events.register(sock.fileno(), select.EPOLLIN)
        loop.add_reader(self._events.fileno(), self._wake)
        registry.add(self)

    @property
    def local(self) -> Address:
        """The address it is bound to."""
        return self._local

    def send(self, data: bytes, remote: Address) -> None:
        """Send *data*, at once or as soon as the machine takes it; raises SendFailed."""
        if self._closed:
            raise SendFailed(reasons.SOCKET_CLOSED)
        if why := unsendable(self._local.host, remote):
            raise SendFailed(why)
        if self._held is not None and len(data) <= LARGEST:
            self._held.append((data, remote))
        else:
            self._send(data, remote)

    def _send(self, data: bytes, remote: Address) -> None:
        if not self._unsent and self._try_to_send(data, remote):
            return
        if len(self._unsent) >= UNSENT_LIMIT:
            raise SendFailed("the machine takes no more datagrams")
        if not self._unsent:
            self._events.modify(self._socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
        self._unsent.append((data, remote))

    def close(self) -> None:
        """Close; what is unsent is dropped."""
        if self._closed:
            return
        self._send_held()
        self._closed = True
        self._loop.remove_reader(self._events.fileno())
        self._events.close()
        self._socket.close()
        self._unsent.clear()
        self._registry.discard(self)

    def _try_to_send(self, data: bytes, remote: Address) -> bool:
        """Whether the machine took it; raises SendFailed."""
        tries_left = SEND_TRIES
        while True:
            try:
                self._socket.sendto(data, remote)
                return True
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                tries_left -= 1
                if not tries_left or error.errno == errno.EMSGSIZE:
                    raise SendFailed(reasons.in_words(error)) from None

    def _wake(self) -> None:
        for _, events in self._events.poll(0):
            if events & select.EPOLLERR:
                self._read_errors()
            if events & select.EPOLLIN and not self._closed:
                self._read_datagrams()
            if events & select.EPOLLOUT and not self._closed:
                self._send_unsent()

    def _read_datagrams(self) -> None:
        came: list[tuple[bytes, Address]] = []
        receive = self._socket.recvfrom
        for _ in range(READS_PER_WAKE):
            try:
                data, remote = receive(65535)
                came.append((data, _address(remote)))
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue  # an ICMP error on its way to the error queue, which tells more
        self._held = []
        try:
            self._hand_on(came)
        finally:
            self._send_held()

    def _one_by_one(self, came: Sequence[tuple[bytes, Address]]) -> None:
        for data, remote in came:
            self._receiver.datagram_received(data, remote)
            if self._closed:
                return

    def _send_held(self) -> None:
        held, self._held = self._held or (), None
        for data, remote in held:
            if self._closed:
                return
            try:
                self._send(data, remote)
            except SendFailed as error:
                self._receiver.datagram_failed(remote, str(error), data)

    def _read_errors(self) -> None:
        for _ in range(READS_PER_WAKE):
            try:
                data, ancillary, _, remote = self._socket.recvmsg(QUOTED, 512, socket.MSG_ERRQUEUE)
            except OSError:
                # The error may also be pending on the socket alone; asking for it clears it.
                self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                return
            for level, kind, told in ancillary:
                wanted = (socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)
                if (level, kind) in wanted and remote and (reason := extended_error(told)):
                    self._receiver.datagram_failed(Address(remote[0], remote[1]), reason, data)
            if self._closed:
                return

    def _send_unsent(self) -> None:
        while self._unsent:
            data, remote = self._unsent[0]
            try:
                if not self._try_to_send(data, remote):
                    return
            except SendFailed as error:
                self._unsent.popleft()
                self._receiver.datagram_failed(remote, str(error), data)
                if self._closed:
                    return
                continue
            self._unsent.popleft()
        self._events.modify(self._socket.fileno(), select.EPOLLIN)


def _address(remote: tuple[Any, ...]) -> Address:
    """Of what the machine calls it; over IPv6 that holds more."""
    return tuple.__new__(Address, remote[:2])  # without the call in between: there is one for each datagram


def extended_error(told: bytes) -> str:
    """The reason in Linux's ``struct sock_extended_err``; empty for one that tells no failure."""
    if len(told) < _EXTENDED_ERROR.size:
        return ""
    number, origin, kind, code, _, _ = _EXTENDED_ERROR.unpack_from(told)
    if origin == _ORIGIN_ICMP:
        return reasons.icmp_in_words(4, kind, code)
    if origin == _ORIGIN_ICMP6:
        return reasons.icmp_in_words(6, kind, code)
    return reasons.in_words(OSError(number, "")) if origin == _ORIGIN_LOCAL else ""


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
