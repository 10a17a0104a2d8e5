"""The transport layer of one user agent (RFC 3261 section 18): its UDP socket, listeners and connections."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from phone_emulator.events import Address, Bus, MessageIgnored, MessageReceived, MessageSent, Transport
from phone_emulator.world.base import (
    ConnectFailed,
    DatagramSocket,
    Listener,
    SendFailed,
    TlsClient,
    TlsServer,
    World,
    WorldError,
)
from phone_emulator.world.reasons import SOCKET_CLOSED
from phone_emulator.world.tasks import Tasks

from .allowance import FACTOR, Allowance, Allowances, Known
from .body import SDP, type_of
from .connection import Connection
from .connections import UNSENT_UNHEEDED, Connections
from .flow import Flow
from .framing import PING, PONG
from .line_ends import remark
from .message import MessageError, Request, Response
from .parser import parse

DATAGRAM_LIMIT = 1300
"""Bytes of a request that may go over UDP where the path's MTU is not known (RFC 3261 section 18.1.1)."""
BLANK = b"\r\n\0"
"""What keep-alives are made of (RFC 5626 section 3.5.1, and Yealink's four zero bytes)."""
PORT_TRIES = 16
"""Where any port will do, one that is free for UDP may be taken for TCP or at the other IP address."""
MOVES = 4
"""Addresses of before that answers may still name."""
MAX_FLOWS = 1000
"""Sources of datagrams that are kept for their next one."""


class _Sockets(NamedTuple):
    """Those of one IP address."""

    datagrams: DatagramSocket
    listeners: list[Listener]

    def close(self) -> None:
        """Close them."""
        for listener in self.listeners:
            listener.close()
        self.datagrams.close()


Received = Callable[[Request | Response, Flow], None]
Malformed = Callable[[bytes, Flow, MessageError, bool], None]
"""Also gets whether nobody was told of the bytes before."""
Failed = Callable[[Flow, str, bytes], None]
Lost = Callable[[Flow, str], None]
"""Gets why a connection has ended: empty where the far end closed it in order."""


class TooLarge(Exception):
    """A request is too large for UDP.

    Args:
        size: of the request, in bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes are too many for UDP")
        self.size = size


class TransportLayer:
    """The sockets of one user agent.

    Args:
        world: where the sockets are.
        bus: is told each message that leaves, comes in or is ignored.
        host: local IP address of the sockets.
        other_host: local IP address of the other IP version, whose sockets are then open too; empty for none.
        port: of UDP and TCP, 0 for any.
        tls_port: what Via and Contact say over TLS.
        tls: how to accept TLS connections; None accepts none.
        received: called with each well-formed message and its flow.
        malformed: called with the bytes that are none, their flow, and what is wrong with them; tells
            it.
        failed: called when a flow is known to be dead, with the reason, and with the beginning of the
            datagram that showed it, as far as that is known.
        lost: called behind that when a connection has ended by the far end, or by what came over it.
        known: whose datagrams are believed to come from where they say; see `allowance`.
        unsent: called when the machine refuses to send a datagram.
        datagram_limit: bytes that a request may have over UDP; 0 for no limit.
        dscp: 0..63, how packets are marked.
    """

    def __init__(
        self,
        world: World,
        bus: Bus,
        *,
        host: str,
        other_host: str = "",
        port: int,
        tls_port: int = 5061,
        tls: TlsServer | None = None,
        received: Received,
        malformed: Malformed,
        failed: Failed,
        lost: Lost = lambda flow, reason: None,
        known: Known = lambda host: True,
        unsent: Callable[[], None] = lambda: None,
        datagram_limit: int = DATAGRAM_LIMIT,
        dscp: int = 0,
    ) -> None:
        self._world = world
        self._bus = bus
        self._hosts = {":" in each: each for each in (other_host, host) if each}
        self._host = host
        self._asked_port = self._port = port
        self._tls_port = tls_port
        self._tls = tls
        self._received = received
        self._malformed = malformed
        self._failed = failed
        self._lost = lost
        self.known = known
        """Whether an IP address is that of a server of this user agent."""
        self._unsent = unsent
        self._datagram_limit = datagram_limit
        self._dscp = dscp
        self._udp: dict[bool, DatagramSocket] = {}
        """By whether it is IPv6."""
        self._listeners: dict[bool, list[Listener]] = {}
        """The same."""
        self._absent = ""
        """Why there is no address, for people; empty where there is one."""
        self._tasks = Tasks(world, "the transports")
        self._connections = Connections(self, world, dscp)
        self._flows: dict[Address, Flow] = {}
        """Where datagrams came from lately."""
        self._allowances = Allowances()
        self.sent_bys: frozenset[str] = frozenset()
        """What requests of this user agent name in their Via, and so the responses to them."""
        self._moves: deque[frozenset[str]] = deque(maxlen=MOVES)

    async def open(self) -> None:
        """Open the UDP sockets and the listeners; raises WorldError and leaves nothing open then."""
        for tries_left in reversed(range(1 if self._asked_port else PORT_TRIES)):
            self._port = self._asked_port
            try:
                for host in dict.fromkeys((self._host, *self._hosts.values())):
                    sockets = await self._opened_at(host)
                    self._udp[":" in host], self._listeners[":" in host] = sockets
                break
            except BaseException as error:
                await self.close()
                if not tries_left or not isinstance(error, WorldError):
                    raise
        self._name_sent_bys()

    async def move(self, host: str, other_host: str = "", *, why: str = "") -> None:
        """Take other IP addresses, at the same port: from now on everything leaves from there.

        What is open at an address that is left is closed; who waits for an answer over a connection is told.
        Raises WorldError, and then there is no address.

        Args:
            host: the first one; empty for none, and then nothing can be sent.
            other_host: that of the other IP version; empty for none.
            why: for people.
        """
        wanted = {":" in each: each for each in (other_host, host) if each}
        stays = {version for version in self._udp if wanted.get(version) == self._hosts[version]}
        opened, failed = dict[bool, _Sockets](), None
        for version in wanted.keys() - stays:
            try:
                opened[version] = await self._opened_at(wanted[version])
            except WorldError as error:
                failed = error
        # From here on nothing else has its turn until all is as it will be.
        left = [self._hosts[version] for version in self._udp.keys() - stays]
        for version in (False, True):
            if failed is not None or version not in stays:
                self._close_at(version)
        if failed is not None:
            for sockets in opened.values():
                sockets.close()
            if self._asked_port == 0:
                self._port = 0  # any will do: the next move takes another one
        else:
            for version, sockets in opened.items():
                self._udp[version], self._listeners[version] = sockets
        self._flows.clear()
        self._absent = str(failed) if failed is not None else "" if wanted else why
        self._connections.leave(list(self._hosts.values()) if failed is not None else left, why)
        if failed is not None:
            raise failed
        if wanted:
            self._hosts, self._host = wanted, host
            self._name_sent_bys()

    def as_of_now(self, flow: Flow) -> Flow:
        """*flow*, or the same way from where this user agent has moved since; connections do not move."""
        if flow.stream is not None or flow.local == self.local(flow.transport, flow.remote.host):
            return flow
        local = self.local(flow.transport, flow.remote.host)
        return Flow(flow.transport, local, flow.remote, any_size=flow.any_size, allowance=flow.allowance)

    def _name_sent_bys(self) -> None:
        """Know by its Via what answers a request of this user agent, also one from where it was lately."""
        ports = (self._port, self._tls_port)
        now = frozenset(str(Address(host, port)) for host in self._hosts.values() for port in ports)
        self._moves.append(now)
        self.sent_bys = frozenset().union(*self._moves)

    async def _opened_at(self, host: str) -> _Sockets:
        """The sockets of one IP address, all at the same port, open; raises WorldError, and leaves none."""
        listen, dscp = self._world.listen, self._dscp
        datagrams = await self._world.open_udp(Address(host, self._port), self, dscp=dscp)
        sockets = _Sockets(datagrams, [])
        try:
            local = Address(host, datagrams.local.port)
            sockets.listeners.append(await listen(local, self._connections.accept, dscp=dscp))
            if self._tls is not None:
                local = Address(host, self._tls_port)
                accept = self._connections.accept
                sockets.listeners.append(await listen(local, accept, tls=self._tls, dscp=dscp))
        except BaseException:
            sockets.close()
            raise
        self._port = datagrams.local.port
        return sockets

    def _close_at(self, version: bool) -> None:
        """Close the sockets of one IP version; connections stay."""
        socket, listeners = self._udp.pop(version, None), self._listeners.pop(version, [])
        if socket is not None:
            _Sockets(socket, listeners).close()

    async def close(self) -> None:
        """Close every socket."""
        try:
            await self._connections.close()
        finally:
            self._flows.clear()
            self._allowances.clear()
            for version in (False, True):
                self._close_at(version)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The local IP addresses; those of before while there is none."""
        return tuple(self._hosts.values())

    def host_for(self, remote: str) -> str:
        """The local IP address of the IP version of *remote*; the first one where there is none."""
        return self._hosts.get(":" in remote, self._host)

    def local(self, transport: Transport, remote: str = "") -> Address:
        """This user agent's address as Via and Contact give it to *remote*, an IP address."""
        host = self.host_for(remote) if remote else self._host
        return Address(host, self._tls_port if transport is Transport.TLS else self._port)

    async def flow(
        self,
        transport: Transport,
        remote: Address,
        *,
        tls: TlsClient | None = None,
        within: float | None = None,
    ) -> Flow:
        """A way to *remote*: over TCP and TLS an open connection, made when there is none.

        Args:
            transport: UDP, TCP or TLS.
            remote: where to.
            tls: how to check the certificate; needed for TLS.
            within: seconds that the connection may take to come up.

        Raises:
            ConnectFailed, TlsFailed: the connection cannot be made.
            TimeoutError: it is not up in time.
        """
        if not transport.reliable:
            return Flow(transport, self.local(transport, remote.host), remote)
        if self._absent:
            raise ConnectFailed(self._absent)
        return await self._connections.flow(transport, remote, tls, within)

    def send(self, message: Request | Response, flow: Flow) -> bytes:
        """Send *message*, and return its bytes; raises SendFailed.

        Raises TooLarge for requests too large for UDP; responses and ACKs go nevertheless (section 18.1.1).
        """
        data = message.to_bytes()
        if flow.stream is None and len(data) > self._datagram_limit > 0 and _prefers_tcp(message, flow):
            raise TooLarge(len(data))
        self.send_bytes(data, flow)
        return data

    def send_bytes(self, data: bytes, flow: Flow) -> None:
        """Send the bytes of a message; raises SendFailed."""
        if flow.stream is None:
            allowance = flow.allowance or self._allowances.find(flow.remote.host)
            if allowance is not None and not self._may_send(data, flow, allowance):
                return
            if len(self._moves) > 1:
                flow = self.as_of_now(flow)
            # A phone of one IP version lets its socket say why it cannot send to the other.
            socket = self._udp.get(":" in flow.remote.host) or self._udp.get(":" in self._host)
            if socket is None:
                raise SendFailed(self._absent or SOCKET_CLOSED)
            try:
                socket.send(data, flow.remote)
            except SendFailed:
                self._unsent()
                raise
        else:
            try:
                flow.stream.send(data)
            except SendFailed:
                flow.lost = True
                flow.stream.abort()  # nothing goes through it any more: the next message takes a new one
                raise
            flow.used = self._world.now()
            if flow.stream.unsent > UNSENT_UNHEEDED:
                self._connections.bound_unsent()
        if self._bus.listening:
            now, transport = self._world.now(), flow.transport
            self._bus.tell(
                MessageSent(at=now, local=flow.local, remote=flow.remote, transport=transport, data=data)
            )

    def _may_send(self, data: bytes, flow: Flow, allowance: Allowance) -> bool:
        """Whether *data* may go to who has perhaps not asked for it; tells the first time that it may not."""
        if allowance.spend(len(data)) or self.known(flow.remote.host):
            return True
        if not allowance.told:
            allowance.told = True
            why = f"not sent: it would make {FACTOR} times the bytes that came from {flow.remote.host}"
            self.ignored(flow, f"{why}, where nobody has shown to be", data, outwards=True)
        return False

    def _tell_received(self, message: Request | Response, flow: Flow, data: bytes) -> None:
        """Tell of a message that came in, as it is on the wire."""
        self._bus.tell(
            MessageReceived(
                at=self._world.now(),
                local=flow.local,
                remote=flow.remote,
                transport=flow.transport,
                data=data,
                remark=remark(data, message.body if message.body and type_of(message) == SDP else b""),
            )
        )

    # -- what the sockets tell -----------------------------------------------------------------------------

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """A datagram came in."""
        self.datagrams_received(((data, remote),))

    def datagrams_received(self, came: Sequence[tuple[bytes, Address]]) -> None:
        """Datagrams came in: all are read first, then each is acted upon."""
        read = [
            (data, remote, _read(data)) for data, remote in came if data[:1] not in BLANK or data.strip(BLANK)
        ]
        now = self._world.now()
        for data, remote, message in read:
            flow = self._flows.get(remote)
            if flow is None or flow.allowance is None or now >= flow.allowance.fresh_until:
                flow = self._new_flow(remote, now)
            assert flow.allowance is not None
            flow.allowance.received(len(data))
            self._act_on(message, data, flow)

    def _new_flow(self, remote: Address, now: float) -> Flow:
        """Where datagrams come from, *remote*, with what may be sent there."""
        if len(self._flows) >= MAX_FLOWS:
            self._flows.clear()
        local, allowance = self.local(Transport.UDP, remote.host), self._allowances.of(remote.host, now)
        flow = self._flows[remote] = Flow(Transport.UDP, local, remote, allowance=allowance)
        return flow

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """An ICMP error came in for *remote*, which quotes the beginning of what was sent there."""
        self._failed(Flow(Transport.UDP, self.local(Transport.UDP, remote.host), remote), reason, data)

    def message_received(self, data: bytes, flow: Flow) -> None:
        """The bytes of one message came in."""
        self._act_on(_read(data), data, flow)

    def message_broken(self, data: bytes, flow: Flow, error: MessageError) -> None:
        """*data* came, which *error* keeps from being cut into messages."""
        self._act_on(error, data, flow)

    def _act_on(self, message: Request | Response | MessageError, data: bytes, flow: Flow) -> None:
        try:
            self._take(message, data, flow)
        except Exception as error:  # others came with it, on one connection or in one batch
            self._tasks.fault(error, f"taking a message from {flow.remote}")

    def _take(self, message: Request | Response | MessageError, data: bytes, flow: Flow) -> None:
        if isinstance(message, MessageError):
            self._malformed(data, flow, message, True)
            return
        if self._bus.listening:
            self._tell_received(message, flow, data)
        try:
            self._received(message, flow)
        except MessageError as error:
            self._malformed(data, flow, error, False)

    def ignored(
        self,
        flow: Flow,
        reason: str,
        data: bytes,
        status: int | None = None,
        *,
        outwards: bool = False,
        unread: bool = False,
    ) -> None:
        """Tell that something that came in is not acted upon, or refused with *status*; or did not leave.

        *unread*: it is no message, so that nobody was told of it before.
        """
        self._bus.tell(
            MessageIgnored(
                at=self._world.now(),
                local=flow.local,
                remote=flow.remote,
                transport=flow.transport,
                reason=reason,
                data=data,
                status=status,
                outwards=outwards,
                unread=unread,
            )
        )

    def ping(self, transport: Transport, remote: Address) -> None:
        """Keep the way to *remote* open, where there is one; it is no message, and nobody is told."""
        if transport.reliable:
            self._connections.ping(transport, remote)
            return
        socket = self._udp.get(":" in remote.host)
        if socket is not None:
            with contextlib.suppress(SendFailed):
                socket.send(PING, remote)

    def pong(self, flow: Flow) -> None:
        """Answer a keep-alive on a connection (RFC 5626 section 4.4.1)."""
        if flow.stream is not None:
            with contextlib.suppress(SendFailed):
                flow.stream.send(PONG)

    def connection_lost(self, connection: Connection, reason: str) -> None:
        """A connection has ended."""
        self._connections.lost(connection)
        self._failed(connection.flow, reason or "connection closed by the peer", b"")
        if reason or not connection.closed:  # else this end has ended it, and for no fault of it
            self._lost(connection.flow, reason)


def _read(data: bytes) -> Request | Response | MessageError:
    """The message in *data*, or what is wrong with it."""
    try:
        return parse(data)
    except MessageError as error:
        return error


def _prefers_tcp(message: Request | Response, flow: Flow) -> bool:
    """Whether a large *message* should go over TCP: an ACK would have no transaction to go over UDP later."""
    return isinstance(message, Request) and message.method != "ACK" and not flow.any_size
