"""The transports of a lab server: its sockets and its connections, in either world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from phone_emulator.events import Address, Transport
from phone_emulator.lab.flow import Flow
from phone_emulator.sip.framing import PING, PONG, Framer
from phone_emulator.sip.message import MessageError
from phone_emulator.world.base import (
    DatagramSocket,
    Listener,
    SendFailed,
    Stream,
    StreamReceiver,
    TimerHandle,
    TlsClient,
    TlsServer,
    World,
)
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import Tasks

CONNECT_SECONDS = 10.0
"""How long the server waits for a connection that it opens itself."""

MAX_WAITING = 64
"""Messages that wait for one connection to open."""

Heard = Callable[[bytes, Flow], None]
Ignored = Callable[[bytes, Flow, str], None]
Failed = Callable[[str], None]


class Transports:
    """The sockets of one server at *host*: *ports* says at which port each transport listens.

    A server without UDP still sends datagrams (to whom it calls), from a port of its own. *heard* is told
    every whole message and where it came from, *ignored* what was refused and why; *pongs* says whether
    keep-alives on connections are answered (RFC 5626 section 4.4.1). At most *max_connections* are open.
    """

    def __init__(
        self,
        world: World,
        host: str,
        ports: dict[Transport, int],
        heard: Heard,
        ignored: Ignored,
        pongs: Callable[[], bool],
        max_connections: int,
    ) -> None:
        self._world = world
        self._host = host
        self._asked = ports
        self.tls: TlsServer | None = None
        """What TLS clients are shown from the next `open` on."""
        self._heard = heard
        self._ignored = ignored
        self.pongs = pongs
        """Whether keep-alives on connections are answered now."""
        self._max_connections = max_connections
        self._lifetime: float | None = None
        self._udp: DatagramSocket | None = None
        self._listeners: dict[Transport, Listener] = {}
        self._connections: dict[Flow, _Connection] = {}
        self._tasks = Tasks(world, f"the server at {host}")

    async def open(self) -> dict[Transport, int]:
        """Open everything; the real port of each transport. Raises WorldError, with nothing left open."""
        ports: dict[Transport, int] = {}
        try:
            local = Address(self._host, self._asked.get(Transport.UDP, 0))
            self._udp = await self._world.open_udp(local, self)
            ports[Transport.UDP] = self._udp.local.port
            for transport, port in self._asked.items():
                if transport is Transport.UDP:
                    continue
                ports[transport] = await self._listen(transport, port)
        except OSError:
            self.close(reset=False)
            raise
        # Where a port was left to the machine, it stays the same when the server closes and opens again.
        self._asked = {**self._asked, **ports}
        return ports

    async def _listen(self, transport: Transport, port: int) -> int:
        tls = self.tls if transport is Transport.TLS else None
        listener = await self._world.listen(Address(self._host, port), self._accept, tls=tls)
        self._listeners[transport] = listener
        return listener.local.port

    async def open_again(self, transport: Transport) -> None:
        """Close what is open of *transport*, in order, and listen anew; raises WorldError."""
        listener = self._listeners.pop(transport, None)
        if listener is None:
            return
        listener.close()
        for flow, connection in list(self._connections.items()):
            if flow.transport is transport:
                del self._connections[flow]
                connection.close(reset=False)
        await self._listen(transport, self._asked[transport])

    def close_after(self, seconds: float | None) -> None:
        """Close each connection *seconds* after it was opened, those that are open after now; None: never."""
        if seconds == self._lifetime:
            return
        self._lifetime = seconds
        for connection in self._connections.values():
            if connection.stream is not None:
                self._limit(connection)

    def _limit(self, connection: _Connection) -> None:
        """Let *connection* live as long as it may from now on."""
        if connection.end is not None:
            connection.end.cancel()
            connection.end = None
        if self._lifetime is not None:
            due = self._world.now() + self._lifetime
            connection.end = self._tasks.call_at(
                due, lambda: self._hang_up(connection), "the end of a connection"
            )

    def _hang_up(self, connection: _Connection) -> None:
        self.forget(connection)
        connection.close(reset=False)

    def close(self, *, reset: bool) -> None:
        """Close everything; *reset* resets the open connections, else they end in order."""
        self._tasks.cancel()
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
        connections = list(self._connections.values())
        self._connections.clear()
        for connection in connections:
            connection.close(reset=reset)

    def connected(self, flow: Flow) -> bool:
        """Whether the connection that *flow* names is open."""
        connection = self._connections.get(flow)
        return connection is not None and connection.stream is not None

    def send(self, data: bytes, flow: Flow, *, dial: bool, failed: Failed) -> None:
        """Send *data*; does nothing while closed.

        With *dial* a connection that is not open is opened. *failed* is told why *data* could not be sent.
        """
        if self._udp is None:
            return
        if flow.transport is Transport.UDP:
            try:
                self._udp.send(data, flow.remote)
            except SendFailed as error:
                failed(str(error))
            return
        connection = self._connections.get(flow)
        if connection is not None:
            connection.send(data, failed)
        elif not dial:
            failed("the connection is closed")
        elif len(self._connections) >= self._max_connections:
            failed(f"{self._max_connections} connections are open already")
        else:
            connection = _Connection(self, flow)
            connection.send(data, failed)
            self._connections[flow] = connection
            self._tasks.spawn(
                self._dial(connection),
                f"the connection to {flow.remote}",
                on_fault=lambda error: connection.give_up(as_reason(error)),
            )

    async def _dial(self, connection: _Connection) -> None:
        flow = connection.flow
        # The lab trusts whoever it calls: its own certificates are what is tested, not those of others.
        tls = TlsClient(flow.remote.host, verify=False) if flow.transport is Transport.TLS else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                stream = await self._world.connect(flow.remote, connection, local_host=self._host, tls=tls)
        except TimeoutError:
            connection.give_up(f"no connection to {flow.remote} within {CONNECT_SECONDS:g} s")
        except OSError as error:
            connection.give_up(str(error))
        else:
            connection.opened(stream)
            self._limit(connection)

    def _accept(self, stream: Stream) -> StreamReceiver:
        flow = Flow(stream.transport, stream.remote)
        connection = _Connection(self, flow)
        if self._udp is None or len(self._connections) >= self._max_connections:
            self._ignored(b"", flow, f"{len(self._connections)} connections are open already")
            stream.abort()
            return connection
        self._connections[flow] = connection
        connection.opened(stream)
        self._limit(connection)
        return connection

    def hear(self, data: bytes, flow: Flow) -> None:
        """A whole message came."""
        if self._udp is not None:
            self._heard(data, flow)

    def ignore(self, data: bytes, flow: Flow, reason: str) -> None:
        """Something came that is no message."""
        self._ignored(data, flow, reason)

    def forget(self, connection: _Connection) -> None:
        """*connection* has ended."""
        if self._connections.get(connection.flow) is connection:
            del self._connections[connection.flow]

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """A datagram; keep-alives (blank, or zero bytes) are no messages and no garbage either."""
        if data.strip(b"\r\n\0"):
            self.hear(data, Flow(Transport.UDP, remote))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """Nobody is told: a stateless proxy does not know which request it was."""


class _Connection:
    """One TCP or TLS connection, open or about to be; ``stream`` is None before and after."""

    def __init__(self, owner: Transports, flow: Flow) -> None:
        self.flow = flow
        self.stream: Stream | None = None
        self.end: TimerHandle | None = None
        """When it is closed, where that is settled."""
        self._owner = owner
        self._framer = Framer()
        self._waiting: list[tuple[bytes, Failed]] = []

    def opened(self, stream: Stream) -> None:
        self.stream = stream
        waiting, self._waiting = self._waiting, []
        for data, failed in waiting:
            self.send(data, failed)

    def give_up(self, reason: str) -> None:
        """It could not be opened."""
        self._owner.forget(self)
        waiting, self._waiting = self._waiting, []
        for _, failed in waiting:
            failed(reason)

    def send(self, data: bytes, failed: Failed) -> None:
        if self.stream is not None:
            try:
                self.stream.send(data)
            except SendFailed as error:
                failed(str(error))
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append((data, failed))
        else:
            failed(f"{MAX_WAITING} messages wait for the connection already")

    def close(self, *, reset: bool) -> None:
        stream, self.stream = self.stream, None
        self._waiting.clear()
        self._forget_end()
        if stream is not None:
            if reset:
                stream.abort()
            else:
                stream.close()

    def data_received(self, data: bytes) -> None:
        if data == PING and self.stream is not None and self._owner.pongs():
            with contextlib.suppress(SendFailed):
                self.stream.send(PONG)
        try:
            while messages := self._framer.feed(data):
                data = b""
                for message in messages:
                    self._owner.hear(message, self.flow)
        except MessageError as error:
            self._owner.ignore(data, self.flow, f"connection closed: {error}")
            self._owner.forget(self)
            self.close(reset=False)

    def connection_lost(self, reason: str) -> None:
        self.stream = None
        self._forget_end()
        self._owner.forget(self)

    def _forget_end(self) -> None:
        if self.end is not None:
            self.end.cancel()
            self.end = None
