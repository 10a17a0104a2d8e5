"""One question to one DNS server, and whatever may come of it."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass

from phone_emulator.events import Address
from phone_emulator.world.base import World

from .message import Question, Reply, decode


class ServerFailed(Exception):
    """The server gave no answer; the text says why (``no answer after 9.0 s``, ``ICMP port unreachable``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How servers are asked (rule D8)."""

    timeout: float
    """Seconds per try."""
    tries: int
    tcp: bool
    source_host: str
    """The local IP address to ask from; empty leaves it to the machine."""


async def ask(world: World, server: Address, question: Question, manner: Manner) -> tuple[Reply, str]:
    """Ask *server*; returns its reply and how it came (``udp``, ``tcp``). Leaves no socket open.

    Raises ServerFailed when the server is silent, unreachable, or refuses the connection.
    """
    local_host = _local_host(world, server, manner.source_host)
    if not manner.tcp:
        reply = await _ask_udp(world, Address(local_host, 0), server, question, manner)
        if not reply.truncated:
            return reply, "udp"
    # A truncated answer proves the server alive, and TCP repeats by itself: one try is enough then.
    tries = manner.tries if manner.tcp else 1
    return await _ask_tcp(world, local_host, server, question, manner.timeout, tries), "tcp"


def _local_host(world: World, server: Address, source_host: str) -> str:
    try:
        remote = ipaddress.ip_address(server.host)
    except ValueError:
        raise ServerFailed(f"{server.host!r} is not an IP address") from None
    if source_host:
        source = ipaddress.ip_address(source_host)
        # A server on this very machine is not asked from outside, nor one outside from a loopback address.
        if source.version == remote.version and source.is_loopback == remote.is_loopback:
            return source_host
    try:
        return world.local_address_for(server.host)
    except OSError as error:
        raise ServerFailed(str(error)) from error


class _Answer:
    """Waits for the one message that answers the question; everything else is ignored."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._future: asyncio.Future[Reply | ServerFailed] = asyncio.get_running_loop().create_future()

    def offer(self, data: bytes) -> None:
        reply = None if self._future.done() else decode(data, self._question)
        if reply is not None:
            self._future.set_result(reply)

    def fail(self, reason: str) -> None:
        if not self._future.done():
            self._future.set_result(ServerFailed(reason))

    async def within(self, seconds: float | None) -> Reply | None:
        """The reply, or None when none came in time; raises ServerFailed."""
        await asyncio.wait((self._future,), timeout=seconds)
        if not self._future.done():
            return None
        result = self._future.result()
        if isinstance(result, ServerFailed):
            raise result
        return result


class _Datagrams:
    """Hears a UDP socket."""

    def __init__(self, server: Address, answer: _Answer) -> None:
        self._server = server
        self._answer = answer

    def datagram_received(self, data: bytes, remote: Address) -> None:
        if remote == self._server:
            self._answer.offer(data)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        if remote == self._server:
            self._answer.fail(reason)


async def _ask_udp(
    world: World, local: Address, server: Address, question: Question, manner: Manner
) -> Reply:
    answer = _Answer(question)
    try:
        socket = await world.open_udp(local, _Datagrams(server, answer))
    except OSError as error:
        raise ServerFailed(str(error)) from error
    try:
        query = question.encode()
        for _ in range(manner.tries):
            try:
                socket.send(query, server)
            except OSError as error:
                raise ServerFailed(str(error)) from error
            # One socket and one id for all tries: an answer that comes late is still an answer.
            reply = await answer.within(manner.timeout)
            if reply is not None:
                return reply
    finally:
        socket.close()
    raise ServerFailed(f"no answer after {manner.timeout * manner.tries:.1f} s")


class _Connection:
    """Hears a TCP connection: messages with two bytes of length before each (RFC 1035 section 4.2.2)."""

    def __init__(self, answer: _Answer) -> None:
        self._answer = answer
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                return
            self._answer.offer(bytes(self._buffer[2:end]))
            del self._buffer[:end]

    def connection_lost(self, reason: str) -> None:
        self._answer.fail(reason or "the server closed the connection without an answer")


async def _ask_tcp(
    world: World, local_host: str, server: Address, question: Question, seconds: float, tries: int
) -> Reply:
    query = question.encode()
    for _ in range(tries):
        answer = _Answer(question)
        try:
            async with asyncio.timeout(seconds):
                stream = await world.connect(server, _Connection(answer), local_host=local_host)
                try:
                    stream.send(len(query).to_bytes(2, "big") + query)
                    reply = await answer.within(None)
                finally:
                    stream.close()
        except TimeoutError:
            continue
        except OSError as error:
            raise ServerFailed(str(error)) from error
        if reply is not None and not reply.truncated:
            return reply
        raise ServerFailed("the answer is truncated, over TCP too")
    raise ServerFailed(f"no answer over TCP after {seconds * tries:.1f} s")
