"""A TCP or TLS relay before SIPp that does to the stream what networks do: cuts it into pieces, or off."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from tests.integration.harness.certificates import ServerCertificate
from tests.integration.harness.net import SIP_PORT, TLS_PORT

BEHIND = 5070
"""The port of a far end that something stands before."""


class Relay:
    """Between the phone and a far end that listens behind it; open within an ``async with`` block.

    There is one connection to the far end, and one to the phone at a time, whoever made it.

    Args:
        address: of both; the phone finds the relay at 5060, or 5061 with a certificate.
        certificate: speaks TLS with it.
        bytewise: the phone gets each byte alone.
        gathered: the phone gets at once what the far end says up to the first of these, then up to the next.
        before: is put before each piece that the phone gets.
        cut_at: the connection to the phone is closed instead of handing on what has this in it: a request of
            the phone's, or an answer to it.
        cut_before: the same, but this is handed on over the next connection (see `reach`).
    """

    def __init__(
        self,
        address: str,
        certificate: ServerCertificate | None = None,
        *,
        bytewise: bool = False,
        gathered: Sequence[bytes] = (),
        before: bytes = b"",
        cut_at: bytes = b"",
        cut_before: bytes = b"",
    ) -> None:
        self._address = address
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(certificate.chain_file, certificate.key_file)
        self._bytewise, self._before, self._cut_at = bytewise, before, cut_at
        self._gathered = list(gathered)
        self._cut_before = cut_before
        self.has_cut = False
        """Whether it has closed the connection to the phone."""
        self._reached = asyncio.Event()
        self.connections = 0
        """How many the phone has made."""
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._phone: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Relay:
        self._behind, self._far_end = await asyncio.open_connection(self._address, BEHIND)
        self._writers.append(self._far_end)
        port = TLS_PORT if self._context is not None else SIP_PORT
        self._server = await asyncio.start_server(self._accept, self._address, port, ssl=self._context)
        self._spawn(self._from_far_end())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def cut(self) -> None:
        """Close the connection to the phone."""
        if self._phone is not None:
            self._phone.close()
            self._phone = None
            self._reached.clear()
            self.has_cut = True

    async def reach(self, host: str, port: int = SIP_PORT) -> None:
        """Connect to the phone, as a server does whose connection is gone (RFC 3261 section 18.2.2)."""
        self._serve(*await asyncio.open_connection(host, port, local_addr=(self._address, 0)))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serve(reader, writer)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._phone = writer
        self._reached.set()
        self._writers.append(writer)
        self._spawn(self._from_phone(reader))

    async def _from_phone(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self._is_cut(data):
                    self._far_end.write(data)

    async def _from_far_end(self) -> None:
        while data := await self._behind.read(65536):
            if self._gathered:
                last = self._gathered.pop(0)
                while last not in data:
                    data += await self._behind.read(65536)
            if self._cut_before and self._cut_before in data:
                head, cut, tail = data.partition(self._cut_before)
                self._cut_before, data = b"", cut + tail
                await self._hand_on(head)
                self.cut()
                await self._reached.wait()
            if not self._is_cut(data):
                await self._hand_on(self._before + data)

    async def _hand_on(self, data: bytes) -> None:
        pieces = [data[n : n + 1] for n in range(len(data))] if self._bytewise else [data]
        for piece in pieces:
            if self._phone is None:
                return
            self._phone.write(piece)
            await self._phone.drain()
            await asyncio.sleep(0)

    def _is_cut(self, data: bytes) -> bool:
        if not self._cut_at or self._cut_at not in data:
            return False
        self._cut_at = b""
        self.cut()
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work, name="relay"))
