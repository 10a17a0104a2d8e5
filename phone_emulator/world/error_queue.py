"""UDP sockets that hear of ICMP errors.

An unconnected socket hears of them only through Linux's error queue (``man 7 ip``, IP_RECVERR), so here the
socket is ours. Its descriptor sits in an epoll set of its own, and the event loop watches that set: libuv,
beneath uvloop, gives a descriptor up for good when it reports an error, and an epoll set never does.
"""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

from phone_emulator.events import Address

from . import reasons
from .address import is_ipv6, unsendable
from .base import BatchReceiver, DatagramReceiver, SendFailed

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
        try:
            self._events.register(sock.fileno(), select.EPOLLIN)
            loop.add_reader(self._events.fileno(), self._wake)
        except BaseException:
            self._events.close()
            raise
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
