"""Fetching a file: what all protocols share, and what can go wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import Secret
from phone_emulator.provisioning.location import Location
from phone_emulator.scarcity import raise_shortage
from phone_emulator.world import reasons
from phone_emulator.world.address import is_ipv6
from phone_emulator.world.base import TlsClient, TlsFailed
from phone_emulator.world.tls import client_context, handshake_in_words

MOST_BYTES = 64 * 2**20
"""Of one file, and of all files of one cycle."""
MOST_SECONDS = 120.0
"""A transfer that takes longer is given up, however often the server says something."""
CHUNK = 64 * 2**10

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""The IP addresses of a domain name; raises FetchError."""


class FetchError(Exception):
    """A file could not be fetched; the text says why, for people."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing
        """Whether another attempt might do better."""


class NotThere(FetchError):
    """The server has no such file, or does not give it away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How files are fetched."""

    user_agent: str
    timeout: float = 5.0
    """Seconds that a server may be silent."""
    user: str = ""
    password: Secret = field(default_factory=Secret)
    """For those who ask for credentials, and only where ``home`` is."""
    home: tuple[str, str, int] | None = None
    """The origin that user and password are for."""
    verify: bool = True
    ca_pem: str | None = None
    """Trusted CAs in PEM; None trusts the machine's own (or those of ``SSL_CERT_FILE``)."""
    local_host: str = ""
    """The address to fetch from; empty lets the machine choose."""
    lookup: Lookup | None = None
    """How names are looked up; None asks the machine."""

    def credentials(self, location: Location) -> tuple[str, Secret] | None:
        """User and password for *location*: those of its URL, else the configured ones at home."""
        if location.user:
            return location.user, location.password
        if self.user and location.origin == self.home:
            return self.user, self.password
        return None

    async def addresses(self, host: str) -> list[str]:
        """The IP addresses of *host*; raises FetchError."""
        if self.lookup is not None and not is_ip(host):
            return list(await self.lookup(host))
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None)
        except (OSError, UnicodeError, RuntimeError) as error:
            raise_shortage(error, f"{host} cannot be looked up")
            raise FetchError(f"{host} cannot be looked up: {reasons.in_words(error)}", passing=True) from None
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Connection:
    """A stream on which nobody may be silent for too long."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float, address: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self.address = address
        """The server's IP address."""

    async def send(self, data: bytes) -> None:
        """Send *data*; raises FetchError."""
        async with self._patience():
            self._writer.write(data)
            await self._writer.drain()

    async def receive(self) -> bytes:
        """Some bytes, none at the end of the stream; raises FetchError."""
        async with self._patience():
            return await self._reader.read(CHUNK)

    async def line(self) -> str:
        """One line, without its end; raises FetchError."""
        async with self._patience():
            try:
                data = await self._reader.readline()
            except ValueError:
                raise FetchError("the server sent a line that is too long") from None
        if not data.endswith(b"\n"):
            raise FetchError("the server closed the connection", passing=True)
        return data.decode("utf-8", "replace").rstrip("\r\n")

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError:
            raise FetchError(f"the server was silent for {self._timeout:g} s", passing=True) from None
        except OSError as error:
            raise FetchError(reasons.in_words(error), passing=True) from None

    def close(self) -> None:
        """Close it at once."""
        with suppress(OSError, RuntimeError):
            self._writer.transport.abort()


@asynccontextmanager
async def connected(
    host: str, port: int, manner: Manner, *, tls_name: str | None = None
) -> AsyncIterator[Connection]:
    """A connection to the first address of *host* that takes one; raises FetchError.

    Args:
        host: a name or an IP address.
        port: TCP port.
        manner: how.
        tls_name: the name that the server's certificate must carry; None for a connection without TLS.
    """
    failure = FetchError(f"{host} has no address")
    for address in await manner.addresses(host):
        try:
            connection = await _connect(address, port, manner, tls_name)
        except FetchError as error:
            failure = error
            continue
        try:
            yield connection
        finally:
            connection.close()
        return
    raise failure


async def _connect(address: str, port: int, manner: Manner, tls_name: str | None) -> Connection:
    context: ssl.SSLContext | None = None
    wanted: str | None = None
    try:
        if tls_name is not None:
            context, wanted = client_context(TlsClient(tls_name, manner.verify, manner.ca_pem), address)
        local = manner.local_host
        if local and is_ipv6(local) != is_ipv6(address):
            raise FetchError(f"{address} cannot be reached from {local}: one is IPv4, the other IPv6")
        async with asyncio.timeout(manner.timeout):
            reader, writer = await asyncio.open_connection(
                address,
                port,
                limit=CHUNK,
                ssl=context,
                server_hostname=wanted,
                local_addr=(local, 0) if local else None,
            )
    except TlsFailed as error:
        raise FetchError(str(error)) from None
    except TimeoutError:
        raise FetchError(f"no connection within {manner.timeout:g} s", passing=True) from None
    except ssl.SSLError as error:
        raise FetchError(handshake_in_words(error, wanted or address)) from None
    except OSError as error:
        raise_shortage(error, f"no connection to {address}")
        raise FetchError(reasons.in_words(error), passing=True) from None
    return Connection(reader, writer, manner.timeout, address)
