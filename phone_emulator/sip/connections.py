"""The TCP and TLS connections of one user agent: made once for each place, bounded, told when they end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from phone_emulator.events import Address, Transport
from phone_emulator.world.base import ConnectFailed, SendFailed, Stream, TlsClient, TlsFailed, World
from phone_emulator.world.tasks import Tasks

from .allowance import Known
from .connection import Connection, ConnectionUser
from .flow import Flow

MAX_CONNECTIONS = 1000
"""Incoming connections beyond these are refused, so that a peer cannot use up the machine."""
KEPT_FOR_SERVERS = 250
"""So many of them are this end's own servers' alone."""
MAX_CONNECTIONS_OF_ONE = 100
"""The same for those of one IP address, so that one peer cannot keep out the others."""

MAX_UNSENT = 64 * 1024 * 1024
"""Bytes that may wait for all peers together: each may let 1 MiB wait, and there may be 1,000."""
UNSENT_UNHEEDED = 16 * 1024
"""Bytes that one peer may let wait without a look at the others'."""

_Key = tuple[Transport, Address, str]
"""Where to, and as whom the peer must prove itself over TLS."""


class Layer(ConnectionUser, Protocol):
    """The transport layer."""

    def local(self, transport: Transport, remote: str = "") -> Address:
        """This user agent's address as Via and Contact give it to *remote*, an IP address."""

    def host_for(self, remote: str) -> str:
        """The local IP address of the IP version of *remote*."""

    @property
    def known(self) -> Known:
        """Whether an IP address is that of a server of this user agent."""


class Connections:
    """The connections of one transport layer.

    Args:
        layer: whose they are.
        world: where they are made.
        dscp: 0..63, how their packets are marked.
    """

    def __init__(self, layer: Layer, world: World, dscp: int) -> None:
        self._layer = layer
        self._world = world
        self._dscp = dscp
        self._open: dict[_Key, Connection] = {}
        self._connecting: dict[_Key, _Connecting] = {}
        self._accepted: dict[Connection, None] = {}
        self._tasks = Tasks(world, "the connections")

    async def close(self) -> None:
        """Close all, and give up those that are being made."""
        await self._tasks.stop()
        for connection in (*self._open.values(), *self._accepted):
            connection.close()
        self._open.clear()
        self._accepted.clear()

    def leave(self, hosts: Sequence[str], why: str) -> None:
        """Close those from the local addresses *hosts*, which are left; who waits for one is told *why*."""
        for connection in (*self._open.values(), *self._accepted):
            if connection.flow.local.host in hosts:
                connection.close()
                connection.connection_lost(why)
        for key, connecting in list(self._connecting.items()):
            if self._layer.host_for(key[1].host) in hosts:
                connecting.why = why
                self._forget_connecting(key, connecting)

    async def flow(
        self, transport: Transport, remote: Address, tls: TlsClient | None, within: float | None
    ) -> Flow:
        """The flow of an open connection to *remote*, made when there is none; see `TransportLayer.flow`."""
        key = (transport, remote, tls.server_name if tls else "")
        connection = self._open.get(key)
        if connection is None or connection.flow.lost:
            async with asyncio.timeout(within):
                connection = await self._connected(key, tls)
        return connection.flow

    def accept(self, stream: Stream) -> Connection:
        """A peer has made one; it is reset where there are too many."""
        connection = Connection(self._layer, self._world, self._tasks)
        local = self._layer.local(stream.transport, stream.remote.host)
        flow = connection.flow = Flow(stream.transport, local, stream.remote, stream)
        theirs = sum(each.flow.remote.host == stream.remote.host for each in self._accepted)
        most = MAX_CONNECTIONS
        if len(self._accepted) >= most - KEPT_FOR_SERVERS and not self._layer.known(stream.remote.host):
            most -= KEPT_FOR_SERVERS
        if len(self._accepted) >= most:
            self._layer.ignored(flow, f"connection refused: {most} are open already", b"")
            stream.abort()
        elif theirs >= MAX_CONNECTIONS_OF_ONE:
            why = f"connection refused: {MAX_CONNECTIONS_OF_ONE} from this address are open already"
            self._layer.ignored(flow, why, b"")
            stream.abort()
        else:
            self._accepted[connection] = None
            connection.opened(flow)
        return connection

    def lost(self, connection: Connection) -> None:
        """*connection* has ended."""
        for key, known in list(self._open.items()):
            if known is connection:
                del self._open[key]
        self._accepted.pop(connection, None)
        connection.flow.lost = True

    def ping(self, transport: Transport, remote: Address) -> None:
        """Keep those to *remote* open."""
        for (kind, where, _), connection in self._open.items():
            if (kind, where) == (transport, remote):
                with contextlib.suppress(SendFailed):
                    connection.ping()

    def bound_unsent(self) -> None:
        """Reset the connection with most unsent bytes, where those of all are too many."""
        flows = [connection.flow for connection in (*self._open.values(), *self._accepted)]
        waiting = [(flow.stream.unsent, flow, flow.stream) for flow in flows if flow.stream and not flow.lost]
        if sum(unsent for unsent, _, _ in waiting) <= MAX_UNSENT:
            return
        unsent, flow, stream = max(waiting, key=lambda each: each[0])
        why = f"connection reset: {unsent} bytes wait for this peer, and more than {MAX_UNSENT} for all"
        self._layer.ignored(flow, why, b"", outwards=True)
        flow.lost = True
        stream.abort()

    async def _connected(self, key: _Key, tls: TlsClient | None) -> Connection:
        """The connection being made: requests at once share it, and it goes on while one of them waits."""
        connecting = self._connecting.get(key)
        if connecting is None:
            name = f"connect {key[0]} {key[1]}"
            expected = (ConnectFailed, TlsFailed)  # who waits is told
            connecting = _Connecting(self._tasks.spawn(self._connect(key, tls), name, expected=expected))
            self._connecting[key] = connecting
        task = connecting.task
        connecting.waiting += 1
        try:
            await asyncio.wait((task,))
        finally:
            connecting.waiting -= 1
            if not connecting.waiting:
                self._forget_connecting(key, connecting)
        if task.cancelled():
            raise ConnectFailed(connecting.why)
        return task.result()

    def _forget_connecting(self, key: _Key, connecting: _Connecting) -> None:
        connecting.task.cancel()
        if self._connecting.get(key) is connecting:
            del self._connecting[key]

    async def _connect(self, key: _Key, tls: TlsClient | None) -> Connection:
        transport, remote, _ = key
        connection = Connection(self._layer, self._world, self._tasks)
        if transport is Transport.TLS and tls is None:
            raise TlsFailed("no server name to check the certificate against")
        stream = await self._world.connect(
            remote,
            connection,
            local_host=self._layer.host_for(remote.host),
            tls=tls if transport is Transport.TLS else None,
            dscp=self._dscp,
        )
        if connection.lost:
            raise ConnectFailed("connection closed at once")
        connection.opened(Flow(transport, self._layer.local(transport, remote.host), remote, stream, tls=tls))
        self._open[key] = connection
        return connection


@dataclass(slots=True, eq=False)
class _Connecting:
    """A connection that is being made, and how many wait for it."""

    task: asyncio.Task[Connection]
    waiting: int = 0
    why: str = "the phone was stopped"
    """Why it is given up, where it is."""
