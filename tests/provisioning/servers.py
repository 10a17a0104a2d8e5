"""Small servers that misbehave as told, on loopback."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def stream_server(talk: Talk) -> AsyncIterator[int]:
    """A TCP server whose connections *talk*; yields its port on 127.0.0.1."""

    talks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        running = [task for task in talks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running)


def saying(answer: bytes, *, then_wait: float = 0.0) -> Talk:
    """Reads an HTTP request, says *answer* whatever it was, and closes after *then_wait* seconds."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if then_wait:
            await asyncio.sleep(then_wait)

    return talk


class Tftp(asyncio.DatagramProtocol):
    """A TFTP server of one file.

    Args:
        content: of the file.
        options: whether options are granted.
        lost: numbers of datagrams, counted from 1, that it forgets to send.
        error: answers every request with this error.
        block_size: what it says of the size of a block, where options are granted.
    """

    def __init__(
        self,
        content: bytes = b"",
        *,
        options: bool = True,
        lost: tuple[int, ...] = (),
        error: tuple[int, str] | None = None,
        block_size: str = "1428",
    ) -> None:
        self.requests: list[bytes] = []
        self.blocks_sent = 0
        self._content = content
        self._options = options
        self._lost = lost
        self._error = error
        self._granted = block_size
        self._sent = 0
        self._block_size = 512

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        code = struct.unpack_from("!H", data)[0]
        if code == 1:
            self.requests.append(data)
            if self._error is not None:
                number, text = self._error
                self._send(struct.pack("!HH", 5, number) + text.encode() + b"\0", addr)
            elif self._options:
                self._block_size = 1428
                granted = f"blksize\x00{self._granted}\x00tsize\x00{len(self._content)}\x00".encode()
                self._send(struct.pack("!H", 6) + granted, addr)
            else:
                self._block(1, addr)
        elif code == 4:
            number = struct.unpack_from("!H", data, 2)[0]
            if number * self._block_size <= len(self._content):
                self._block(number + 1, addr)

    def _block(self, number: int, addr: tuple[str | object, int]) -> None:
        start = (number - 1) * self._block_size
        self.blocks_sent += 1
        self._send(struct.pack("!HH", 3, number) + self._content[start : start + self._block_size], addr)

    def _send(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self._sent += 1
        if self._sent not in self._lost:
            self._transport.sendto(data, addr)


@asynccontextmanager
async def tftp_server(server: Tftp) -> AsyncIterator[int]:
    """Run *server*; yields its port on 127.0.0.1."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


class Ftp:
    """An FTP server of one file, scripted: *replies* by order word; EPSV and RETR work by themselves."""

    def __init__(self, content: bytes = b"", **replies: str) -> None:
        self.orders: list[str] = []
        self._content = content
        self._replies = {
            "USER": "331 Password please",
            "PASS": "230 Come in",
            "TYPE": "200 Fine",
            "RETR": "150 Here it comes",
            "PASV": "502 No",
        } | replies
        self._data: asyncio.Server | None = None
        self._wanted = asyncio.Event()
        self._transfers: list[asyncio.Task[None]] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        try:
            await self._session(reader, writer)
        finally:
            self._wanted.set()
            if self._data is not None:
                self._data.close()
                while self._transfers:
                    await self._transfers.pop()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-Welcome\r\n220-220 is our number\r\n220 Ready\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.orders.append(line)
            word = line.partition(" ")[0]
            if word == "EPSV" and "EPSV" not in self._replies:
                self._data = await asyncio.start_server(self._transfer, "127.0.0.1", 0)
                port = self._data.sockets[0].getsockname()[1]
                writer.write(f"229 Entering Extended Passive Mode (|||{port}|)\r\n".encode())
                continue
            writer.write(f"{self._replies.get(word, '502 No')}\r\n".encode())
            if word == "RETR" and self._replies["RETR"].startswith("150"):
                self._wanted.set()
                writer.write(b"226 That was it\r\n")

    async def _transfer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._transfers.append(task)
        await self._wanted.wait()
        with suppress(OSError):
            writer.write(self._content)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
