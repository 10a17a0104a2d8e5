"""TFTP: reading one file (RFC 1350), in blocks as large as the server grants (RFC 2347 to 2349)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from phone_emulator.cleaning import brief
from phone_emulator.numbers import at_most, number
from phone_emulator.provisioning.fetching import MOST_BYTES, FetchError, Manner, NotThere
from phone_emulator.provisioning.location import Location
from phone_emulator.scarcity import raise_shortage
from phone_emulator.world import reasons
from phone_emulator.world.address import is_ipv6

RRQ, DATA, ACK, ERROR, OACK = 1, 3, 4, 5, 6
PLAIN_BLOCK = 512
ASKED_BLOCK = 1428
"""A datagram of it fits into one Ethernet frame."""
RETRANSMIT = 1.0
"""Seconds without a block after which the last packet is sent again."""
MOST_WAITING = 64
"""Datagrams that wait to be read; more are dropped, as a socket would."""
_NO_SUCH_FILE, _NO_ACCESS = 1, 2

Peer = tuple[str, int]


class _Socket(asyncio.DatagramProtocol):
    """Queues what comes."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[bytes, Peer] | OSError] = asyncio.Queue(MOST_WAITING)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        if not self.queue.full():
            self.queue.put_nowait((data, (str(addr[0]), addr[1])))

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, OSError) and not self.queue.full():
            self.queue.put_nowait(exc)


async def fetch_tftp(location: Location, manner: Manner) -> bytes:
    """What is at *location*; raises FetchError."""
    addresses = await manner.addresses(location.host)
    if not addresses:
        raise FetchError(f"{location.host} has no address")
    async with _socket(addresses[0], manner) as (transport, socket):
        return await _Transfer(transport, socket, (addresses[0], location.port), manner.timeout).read(
            location.plain_path.removeprefix("/")
        )


@asynccontextmanager
async def _socket(address: str, manner: Manner) -> AsyncIterator[tuple[asyncio.DatagramTransport, _Socket]]:
    any_host = "::" if is_ipv6(address) else "0.0.0.0"
    try:
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            _Socket, local_addr=(manner.local_host or any_host, 0)
        )
    except OSError as error:
        raise_shortage(error, "no socket")
        raise FetchError(f"no socket: {reasons.in_words(error)}") from None
    try:
        yield transport, protocol
    finally:
        transport.abort()


class _Transfer:
    """One read: a packet out, a packet in, in step."""

    def __init__(
        self, transport: asyncio.DatagramTransport, socket: _Socket, server: Peer, timeout: float
    ) -> None:
        self._transport = transport
        self._socket = socket
        self._peer = server
        self._timeout = timeout
        self._host = server[0]
        self._known = False
        """Whether the server's port for this transfer is known (its transfer identifier)."""

    async def read(self, name: str) -> bytes:
        """The file *name*; raises FetchError."""
        options = f"blksize\0{ASKED_BLOCK}\0tsize\0" + "0\0"
        last = struct.pack("!H", RRQ) + f"{name}\0octet\0{options}".encode()
        content = bytearray()
        block_size, expected = PLAIN_BLOCK, 1
        while True:
            code, data = await self._exchange(last, expected)
            if code == OACK:
                block_size = self._granted(data)
                last = struct.pack("!HH", ACK, 0)
                continue
            content += data
            if len(content) > MOST_BYTES:
                self._give_up("too large")
                raise FetchError(f"is larger than {MOST_BYTES >> 20} MiB, no cfg file is")
            last = struct.pack("!HH", ACK, expected)
            if len(data) < block_size:
                self._transport.sendto(last, self._peer)
                return bytes(content)
            expected = (expected + 1) % 65536

    async def _exchange(self, packet: bytes, expected: int) -> tuple[int, bytes]:
        """Send *packet*; DATA with block number *expected*, or OACK, raises FetchError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeout
        while True:
            self._transport.sendto(packet, self._peer)
            again = min(loop.time() + RETRANSMIT, end)
            while (left := again - loop.time()) > 0:
                try:
                    async with asyncio.timeout(left):
                        heard = await self._socket.queue.get()
                except TimeoutError:
                    break
                answer = self._understood(heard, packet, expected)
                if answer is not None:
                    return answer
            if loop.time() >= end:
                raise FetchError(f"the server was silent for {self._timeout:g} s", passing=True)

    def _understood(
        self, heard: tuple[bytes, Peer] | OSError, sent: bytes, expected: int
    ) -> tuple[int, bytes] | None:
        """What came, if it is what was waited for; a block that came before is passed over, not answered."""
        if isinstance(heard, OSError):
            raise FetchError(reasons.in_words(heard), passing=True)
        data, peer = heard
        if peer[0] != self._host or len(data) < 4 or (self._known and peer != self._peer):
            return None
        code, number = struct.unpack_from("!HH", data)
        if code == ERROR:
            raise _error(number, data[4:])
        if code == OACK and not self._known:
            self._peer, self._known = peer, True
            return OACK, data[2:]
        if code == DATA and number == expected:
            self._peer, self._known = peer, True
            return DATA, data[4:]
        return None

    def _granted(self, data: bytes) -> int:
        """The block size that an OACK grants; raises FetchError."""
        words = data.decode("latin-1").split("\0")
        granted = {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=False)}
        size = number(granted.get("blksize", str(PLAIN_BLOCK)), ASKED_BLOCK)
        total = at_most(granted.get("tsize", "0"), MOST_BYTES + 1)
        if size is None or size < 8 or total is None:
            self._give_up("bad option")
            raise FetchError("the server answers with options that were not asked for")
        if total > MOST_BYTES:
            self._give_up("too large")
            raise FetchError(f"is larger than {MOST_BYTES >> 20} MiB, no cfg file is")
        return size

    def _give_up(self, why: str) -> None:
        self._transport.sendto(struct.pack("!HH", ERROR, 0) + why.encode() + b"\0", self._peer)


def _error(number: int, data: bytes) -> FetchError:
    text = brief(data.partition(b"\0")[0].decode("utf-8", "replace"))
    if number in (_NO_SUCH_FILE, _NO_ACCESS):
        return NotThere(f"TFTP error {number}: {text}")
    return FetchError(f"the server says: TFTP error {number}: {text}")
