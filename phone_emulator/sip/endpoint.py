"""One SIP user agent on the wire: transactions over transports (RFC 3261 sections 17 and 18)."""

from __future__ import annotations

from collections.abc import Callable

from phone_emulator.events import Bus
from phone_emulator.world.base import TlsServer, World

from .allowance import Known
from .client import Clients, StrayHandler
from .flow import Flow
from .message import MessageError, Request, Response
from .server import MAX_SERVER_TRANSACTIONS, AckHandler, RequestHandler, Servers
from .timers import Timers
from .transport import BLANK, DATAGRAM_LIMIT, Lost, TransportLayer
from .way_back import Locate, WaysBack, nowhere, quoted_response

NOT_SENT = "but what it quotes is not known to have been sent there lately"
"""Of an ICMP error, for people."""


class Endpoint:
    """A SIP user agent on the wire.

    Args:
        world: sockets, clock, randomness.
        bus: is told every message.
        timers: T1, T2, T4.
        host: local IP address.
        other_host: local IP address of the other IP version; empty for none.
        port: of UDP and TCP, 0 for any.
        user_agent: what the responses that it gives by itself name as User-Agent.
        on_request: called with each new request but ACK and CANCEL.
        on_ack: called with each ACK that belongs to no transaction: those to a 2xx.
        on_stray: called with each response that matches no transaction.
        on_lost: called when a connection has ended by the far end, or by what came over it.
        on_unsent: called when the machine refuses to send a datagram.
        locate: looks up where the sent-by of a Via leads (RFC 3263 section 5); by itself nothing is.
        known: tells the addresses of this user agent's servers: others get no more than they may ask for, and
            nothing that only they say is sent to a third one.
        datagram_limit: bytes that a request may have over UDP; a longer one goes over TCP (section 18.1.1).
            0 lets every request go over UDP.
        dscp: 0..63, how its packets are marked.
        max_server_transactions: further requests of peers draw a 503.
    """

    def __init__(
        self,
        world: World,
        bus: Bus,
        timers: Timers,
        *,
        host: str,
        other_host: str = "",
        port: int = 5060,
        tls_port: int = 5061,
        tls: TlsServer | None = None,
        user_agent: str = "",
        on_request: RequestHandler,
        on_ack: AckHandler,
        on_stray: StrayHandler,
        on_lost: Lost = lambda flow, reason: None,
        on_unsent: Callable[[], None] = lambda: None,
        locate: Locate = nowhere,
        known: Known = lambda host: True,
        datagram_limit: int = DATAGRAM_LIMIT,
        dscp: int = 0,
        max_server_transactions: int = MAX_SERVER_TRANSACTIONS,
    ) -> None:
        self.world = world
        self.timers = timers
        self.transports = TransportLayer(
            world,
            bus,
            host=host,
            other_host=other_host,
            port=port,
            tls_port=tls_port,
            tls=tls,
            received=self._received,
            malformed=self._malformed,
            failed=self._flow_failed,
            lost=on_lost,
            known=known,
            unsent=on_unsent,
            datagram_limit=datagram_limit,
            dscp=dscp,
        )
        self.ways_back = WaysBack(world, self.transports, locate, 64 * timers.t1)
        self.clients = Clients(world, self.transports, timers, on_stray)
        self.servers = Servers(
            world,
            self.transports,
            timers,
            self.ways_back,
            user_agent=user_agent,
            on_request=on_request,
            on_ack=on_ack,
            most=max_server_transactions,
        )

    async def open(self) -> None:
        """Open the sockets; raises WorldError."""
        await self.transports.open()

    async def move(self, host: str, other_host: str = "", *, why: str) -> None:
        """Take other IP addresses; see `TransportLayer.move`. Raises WorldError.

        Changes of a session that wait for an answer, which goes to the address of before, fail: `Moved`.
        """
        left = set(self.transports.hosts) - {host, other_host}
        await self.transports.move(host, other_host, why=why)
        self.clients.moved(left, why)

    async def close(self) -> None:
        """Forget every transaction and close the sockets; whoever still waits is told."""
        try:
            self.clients.close()
            self.servers.close()
            await self.ways_back.close()
        finally:
            await self.transports.close()

    @property
    def live_transactions(self) -> int:
        """How many transactions are not over yet."""
        return len(self.clients) + len(self.servers)

    def new_tag(self) -> str:
        """A tag as the phone makes them: a decimal number (section 19.3)."""
        return self.servers.new_tag()

    # -- what the transports tell --------------------------------------------------------------------------

    def _received(self, message: Request | Response, flow: Flow) -> None:
        if isinstance(message, Response):
            self.servers.port_speaks(flow.remote)
            self.clients.receive(message, flow)
        else:
            self.servers.receive(message, flow)

    def _malformed(self, data: bytes, flow: Flow, error: MessageError, unread: bool) -> None:
        self.servers.refuse_unread(data, flow, error, unread)

    def _flow_failed(self, flow: Flow, reason: str, data: bytes) -> None:
        """*flow* is dead, as the datagram shows that begins with *data*, and drew an ICMP error.

        A response is sent to the next place. Where nothing that was sent there lately began so, the error is
        a forgery, or too late.
        """
        found = self.clients.flow_failed(flow, reason, data)
        response = quoted_response(data)
        if response is not None:
            found = self.servers.response_returned(response, flow, reason)
        if not found and flow.stream is None and data.strip(BLANK) and not data.startswith(b"ACK "):
            self.transports.ignored(flow, f"{reason}, {NOT_SENT}", data)
