"""One SIP user agent on the wire: transactions over transports (RFC 3261 sections 17 and 18).

Machines decide (``transaction``), this file acts for them: it sends what they say, wakes them when they ask,
matches what comes in, and hands the rest to whoever uses the endpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from zlib import crc32

from phone_emulator.events import Address, Bus, Outcome, Transport
from phone_emulator.world.base import SendFailed, TlsServer, World

from . import transaction as machines
from .detour import TCP_PATIENCE, Detours
from .handles import ClientTransaction, RequestFailed, ServerTransaction
from .message import Message, MessageError, Request, Response, response_to
from .parser import parse
from .refusal import WHY, refusal
from .resting import Resting
from .timers import Timers
from .transaction import Deliver, Ended, Failed, Send, client_key, client_key_of, server_key
from .transport import DATAGRAM_LIMIT, Flow, TooLarge, TransportLayer
from .way_back import Locate, WaysBack, nowhere, quoted_response, response_flow, stamp_source

BRANCH_COOKIE = "z9hG4bK"
MAX_SERVER_TRANSACTIONS = 20_000
"""Requests of peers that are remembered at one time; further ones draw a 503 and are forgotten."""
MAX_SERVER_BYTES = 64 * 1024 * 1024
"""The same for their bytes: 20,000 of the longest would take 1.3 GB."""
STATELESS_RESPONSES = 100
"""How many of those 503s, and of the 400s to what cannot be read, leave within a second: a flood is not
answered with another one."""
RETRY_AFTER = 32
"""Seconds that such a 503 asks for: by then the transactions of now are over (timer J)."""


RequestHandler = Callable[[ServerTransaction], None]
AckHandler = Callable[[Request, Flow], str | None]
"""Returns why the ACK is ignored, nothing where it is of use."""
StrayHandler = Callable[[Response, Flow], str | None]
"""Returns why the response is ignored, nothing where it is of use."""


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
        locate: looks up where the sent-by of a Via leads (RFC 3263 section 5); by itself nothing is.
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
        locate: Locate = nowhere,
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
            datagram_limit=datagram_limit,
            dscp=dscp,
        )
        self._user_agent = user_agent
        self._on_request = on_request
        self._on_ack = on_ack
        self._on_stray = on_stray
        self._clients: dict[machines.Key, ClientTransaction] = {}
        self._servers: dict[machines.Key, ServerTransaction] = {}
        self._mergeable: dict[machines.Key, ServerTransaction] = {}
        """Requests outside dialogs that are dealt with, by what a merged copy shares."""
        self._by_flow: dict[tuple[Transport, Address], set[ClientTransaction]] = {}
        self._answered = Resting(world, timers.k)
        """Requests whose final response came: others that come are repetitions."""
        self._responded = Resting(world, timers.j)
        """Requests that were responded to, and how: repetitions draw the same again."""
        self._detours = Detours(world, self.transports, TCP_PATIENCE * timers.t1)
        self.ways_back = WaysBack(self.transports, locate, 64 * timers.t1)
        self._max_servers = max_server_transactions
        self._server_bytes = 0
        """Of the requests in ``_servers``."""
        self._stateless = (0.0, 0)
        """The second in which requests were last refused without a transaction, and how many."""

    async def open(self) -> None:
        """Open the sockets; raises WorldError."""
        await self.transports.open()

    async def close(self) -> None:
        """Forget every transaction and close the sockets; whoever still waits is told."""
        for client in list(self._clients.values()):
            client.deliver(RequestFailed(Outcome.SEND_FAILED, "the phone was stopped"))
            self._forget_client(client)
        for server in list(self._servers.values()):
            self._forget_server(server)
        self._mergeable.clear()
        self._answered.clear()
        self._responded.clear()
        await self.ways_back.close()
        await self.transports.close()

    @property
    def live_transactions(self) -> int:
        """How many transactions are not over yet."""
        return len(self._clients) + len(self._servers) + len(self._answered) + len(self._responded)

    def new_branch(self, method: str) -> str:
        """A branch as the phone makes them: the cookie and a decimal number (RFC 3261 section 8.1.1.7).

        It is that of no other transaction of *method*, also where an endpoint has a hundred thousand.
        """
        while True:
            branch = f"{BRANCH_COOKIE}{self.world.random.getrandbits(32)}"
            key = client_key_of(branch, method)
            if key not in self._clients and key not in self._answered:
                return branch

    def new_tag(self) -> str:
        """A tag as the phone makes them: a decimal number (section 19.3)."""
        return str(self.world.random.getrandbits(32))

    # -- sending -------------------------------------------------------------------------------------------

    def request(
        self,
        request: Request,
        flow: Flow,
        *,
        timeout: float | None = None,
        rport: bool = False,
        branch: str | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> ClientTransaction:
        """Send *request*, with a new Via, in a transaction of its own.

        Args:
            request: without Via; it is not changed.
            flow: where to.
            timeout: seconds of silence until it fails, instead of 64*T1 (timers B and F).
            rport: whether Via asks for the source port (RFC 3581).
            branch: of the INVITE, for a CANCEL.
            on_sent: called each time the request leaves.
        """
        sent = Request(request.method, request.uri, request.headers.copy(), request.body)
        sent.headers.prepend("Via", flow.via(branch or self.new_branch(request.method), rport=rport))
        make = machines.invite_client if request.method == "INVITE" else machines.non_invite_client
        machine = make(sent, reliable=flow.transport.reliable, timers=self.timers, timeout=timeout)
        client = ClientTransaction(machine, flow, on_sent, timeout=timeout, rport=rport)
        self._start_client(client)
        return client

    def _start_client(self, client: ClientTransaction) -> None:
        flow = client.flow
        client.key = client_key(client.request)
        self._clients[client.key] = client
        self._by_flow.setdefault((flow.transport, flow.remote), set()).add(client)
        self._act_client(client, client.machine.start(self.world.now()))

    # -- a request that is too large for UDP ---------------------------------------------------------------

    def _leave_udp(self, client: ClientTransaction, size: int) -> None:
        """*client*'s request is too large for UDP: it waits for a connection."""
        _stop_timer(client)
        client.size, client.datagrams = size, client.flow
        name = f"TCP for a large {client.request.method}"
        client.detour = asyncio.create_task(self._take_detour(client, client.flow), name=name)

    async def _take_detour(self, client: ClientTransaction, flow: Flow) -> None:
        way, client.remark = await self._detours.find(flow, client.size)
        client.detour = None
        self._restart(client, way)

    def _restart(self, client: ClientTransaction, flow: Flow) -> None:
        """Send *client*'s request on *flow*, in a new transaction."""
        self._forget_client(client)
        first = client.request
        sent = Request(first.method, first.uri, first.headers.copy(), first.body)
        sent.headers.set("Via", flow.via(self.new_branch(sent.method), rport=client.rport))
        make = machines.invite_client if sent.method == "INVITE" else machines.non_invite_client
        reliable = flow.transport.reliable
        client.machine = make(sent, reliable=reliable, timers=self.timers, timeout=client.timeout)
        client.flow = flow
        self._start_client(client)

    def give_up(self, client: ClientTransaction, detail: str) -> None:
        """Forget *client*, whose answer is not waited for any longer; whoever waits gets RequestFailed."""
        client.deliver(RequestFailed(Outcome.NO_RESPONSE, detail))
        self._forget_client(client)

    def send_ack(self, ack: Request, flow: Flow, *, rport: bool = False) -> None:
        """Send an ACK to a 2xx, which belongs to no transaction; a failure shows as a repeated 2xx."""
        sent = Request(ack.method, ack.uri, ack.headers.copy(), ack.body)
        sent.headers.prepend("Via", flow.via(self.new_branch("ACK"), rport=rport))
        self._send(sent, flow)

    def acknowledge(self, invite: Request, response: Response, flow: Flow) -> None:
        """Send the ACK to a 300-699 that came when the transaction of *invite* was over already."""
        self._send(machines.ack_to(invite, response), flow)

    def respond(self, server: ServerTransaction, response: Response) -> None:
        """Send *response* in the transaction *server*; what it refuses is told by `ServerTransaction`."""
        if response.status >= 200 and server.straight:
            if self._drop_server(server):
                said = self._send(response, server.flow)
                if server.flow.stream is None:
                    self._responded.add(server.key, said)
        else:
            self._act_server(server, server.machine.respond(response, self.world.now()))

    def tell_refused(self, server: ServerTransaction, response: Response, why: str) -> None:
        """Tell that the request of *server* is refused, unless its sender asked for that (487)."""
        status, request = response.status, server.request
        if status != 487:
            reason = why or WHY.get(status) or response.reason
            self.transports.ignored(server.flow, reason, request.raw or request.to_bytes(), status)

    # -- receiving -----------------------------------------------------------------------------------------

    def _received(self, message: Request | Response, flow: Flow) -> None:
        if isinstance(message, Response):
            self._response_received(message, flow)
        else:
            self._request_received(message, flow)

    def _malformed(self, data: bytes, flow: Flow, error: MessageError, unread: bool) -> None:
        """Tell what is wrong with what cannot be read; refuse a request of which enough can."""
        response = refusal(data, error, self._user_agent)
        if response is None or not self._may_refuse():
            self.transports.ignored(flow, str(error), data, unread=unread)
            return
        try:
            via = response.via
        except MessageError:
            where = flow
        else:
            where = response_flow(via, flow)
            stamp_source(response, via, flow)
        self.transports.ignored(flow, str(error), data, response.status, unread=unread)
        self._send(response, where)

    def _may_refuse(self) -> bool:
        """Whether one more response without a transaction is no flood yet."""
        second, told = self._stateless
        now = self.world.now()
        if now >= second + 1:
            second, told = now, 0
        self._stateless = second, told + 1
        return told < STATELESS_RESPONSES

    def _response_received(self, response: Response, flow: Flow) -> None:
        if elsewhere := self._misdirected(response):
            self.transports.ignored(flow, elsewhere, response.raw or response.to_bytes())
            return
        key = client_key(response)
        client = self._clients.get(key)
        if client is not None:
            self._act_client(client, client.machine.receive(response, self.world.now()))
        elif key not in self._answered:
            ignored = self._on_stray(response, flow)
            if ignored:
                self.transports.ignored(flow, ignored, response.raw or response.to_bytes())

    def _misdirected(self, response: Response) -> str:
        """Why *response* is not for this user agent (sections 8.1.3.3 and 18.1.2); empty where it is."""
        headers = response.headers
        line = headers.first["via"]
        if ("," in line or not headers.unique) and len(headers.values("Via")) > 1:
            return "it has more than one Via: it answers a request that others have passed on"
        own = self.transports.sent_bys
        if line.partition(";")[0].rpartition(" ")[2] in own:
            return ""
        via = response.via
        port = via.port or (5061 if via.transport.upper() == "TLS" else 5060)
        if f"{via.host}:{port}" in own:
            return ""
        return f"its Via names {via.host}:{port}, which is not this phone"

    def _request_received(self, request: Request, flow: Flow) -> None:
        via = request.via
        where = response_flow(via, flow)
        stamp_source(request, via, flow)
        key = server_key(request, via=via)
        said = self._responded.said(key)
        if said is not None:
            self._send_bytes(said, where)
            return
        server = self._servers.get(key)
        if server is not None:
            self._act_server(server, server.machine.receive(request, self.world.now()))
            return
        if request.method == "ACK":
            self._acknowledged(request, flow)
            return
        if len(self._servers) >= self._max_servers or self._server_bytes > MAX_SERVER_BYTES:
            self._refuse_for_want_of_room(request, where)
            return
        server = self._servers[key] = ServerTransaction(self, request, where, key)
        self._server_bytes += len(request.raw or b"")
        if server.straight:
            self._deliver(server, request)
        else:
            self._act_server(server, server.machine.start(self.world.now()))

    def _acknowledged(self, ack: Request, flow: Flow) -> None:
        ignored = self._on_ack(ack, flow)
        if ignored:
            self.transports.ignored(flow, ignored, ack.raw or ack.to_bytes())

    def _refuse_for_want_of_room(self, request: Request, flow: Flow) -> None:
        """Answer 503 without a transaction (section 8.2.7), to the first ones of each second."""
        reason = f"{len(self._servers)} requests are being dealt with already, no more are taken"
        data = request.raw or request.to_bytes()
        if not self._may_refuse():
            self.transports.ignored(flow, reason, data)
            return
        self.transports.ignored(flow, reason, data, 503)
        extra = [("Retry-After", str(RETRY_AFTER))]
        self._send(response_to(request, 503, to_tag=str(crc32(data)), extra=extra), flow)

    def _deliver(self, server: ServerTransaction, request: Message) -> None:
        """Hand a new request to whoever it is for; one that cannot be understood draws a 400 or 416."""
        assert isinstance(request, Request)
        if request.method == "ACK":
            self._acknowledged(request, server.flow)
            return
        if request.method == "CANCEL":
            self._cancelled(server)
            return
        if self._mergeable and request.to_tag is None and _merge_key(request) in self._mergeable:
            self._answer(server, 482)  # it came on two ways (section 8.2.2.2)
            return
        try:
            self._on_request(server)
        except MessageError as error:
            if server.final is None:
                self._answer(server, error.status, why=str(error))
            else:
                self.transports.ignored(server.flow, str(error), request.raw or request.to_bytes())
        if server.final is None and request.to_tag is None:
            server.merge_key = _merge_key(request)
            self._mergeable[server.merge_key] = server

    def _answer(
        self, server: ServerTransaction, status: int, to_tag: str | None = None, why: str = ""
    ) -> None:
        extra = [("User-Agent", self._user_agent)] if self._user_agent else []
        server.respond(response_to(server.request, status, to_tag=to_tag or self.new_tag(), extra=extra), why)

    def _cancelled(self, cancel: ServerTransaction) -> None:
        """Answer a CANCEL and tell the INVITE it is for (section 9.2)."""
        target = self._servers.get(server_key(cancel.request, "INVITE"))
        if target is None:
            self._answer(cancel, 481, why="there is no INVITE that it could cancel")
            return
        responded = target.machine.last_sent
        self._answer(cancel, 200, target.to_tag or (responded.to_tag if responded is not None else None))
        if target.final is not None:
            request = cancel.request
            why = f"too late: the INVITE was answered {target.final.status} before"
            self.transports.ignored(cancel.flow, why, request.raw or request.to_bytes())
        elif target.on_cancel is not None:
            target.on_cancel()

    def _flow_failed(self, flow: Flow, reason: str, data: bytes) -> None:
        """The transport says that *flow* is dead: who waits for a first answer there is told at once.

        A response is sent to the next place, where *data* shows that it was one.
        """
        for client in tuple(self._by_flow.get((flow.transport, flow.remote), ())):
            if not client.answered and client.flow.stream is flow.stream:
                outcome = Outcome.SEND_FAILED if flow.transport.reliable else Outcome.ICMP
                self._fail(client, outcome, reason)
        response = quoted_response(data)
        if response is not None:
            self._response_returned(response, flow, reason)

    def _response_returned(self, quoted: Response, flow: Flow, reason: str) -> None:
        """The response that *quoted* is the beginning of drew an ICMP error (section 18.2.2)."""
        try:
            key = server_key(quoted)
        except MessageError:
            return  # too little of it is quoted
        said, server = self._responded.said(key), self._servers.get(key)
        response = parse(said) if said else server.machine.last_sent if server is not None else None
        if isinstance(response, Response) and response.status == quoted.status:
            self.ways_back.send(response, flow, reason)

    # -- acting for the machines ---------------------------------------------------------------------------

    def _act_client(self, client: ClientTransaction, actions: list[machines.Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                if not self._send_request(client, action.message):
                    return
            elif isinstance(action, Deliver):
                assert isinstance(action.message, Response)
                client.deliver(action.message)
            elif isinstance(action, Failed):
                client.deliver(RequestFailed(Outcome.NO_RESPONSE, action.detail))
            else:
                self._forget_client(client)
        if not client.machine.resting:
            self._wake(client, self._fire_client)
        elif self._clients.get(client.key) is client:
            self._forget_client(client)
            self._answered.add(client.key)

    def _fire_client(self, client: ClientTransaction) -> None:
        self._act_client(client, client.machine.fire(self.world.now()))

    def _send_request(self, client: ClientTransaction, message: Request | Response) -> bool:
        try:
            self.transports.send(message, client.flow)
        except TooLarge as large:
            self._leave_udp(client, large.size)
            return False
        except SendFailed as error:
            if not client.answered:
                self._fail(client, Outcome.SEND_FAILED, str(error))
                return False
        else:
            if message is client.machine.request and client.on_sent is not None:
                client.on_sent()
        return True

    def _fail(self, client: ClientTransaction, outcome: Outcome, detail: str) -> None:
        if client.datagrams is not None and client.flow.transport.reliable and not client.answered:
            way, client.remark = self._detours.back(client.datagrams, client.size, detail)
            self._restart(client, way)
            return
        client.deliver(RequestFailed(outcome, detail))
        client.machine.transport_failed(self.world.now(), detail)
        self._forget_client(client)

    def _act_server(self, server: ServerTransaction, actions: list[machines.Action]) -> None:
        said = b""
        for action in actions:
            if isinstance(action, Send):
                said = self._send(action.message, server.flow)
            elif isinstance(action, Deliver):
                self._deliver(server, action.message)
            elif isinstance(action, Ended):
                self._forget_server(server)
            # Failed: an ACK never came. The TU sees that by its own 2xx timer, else nothing is owed.
        if not server.machine.resting or server.request.method == "INVITE":
            self._wake(server, self._fire_server)  # of an INVITE that rests, a CANCEL may ask
        elif self._drop_server(server):
            _stop_timer(server)
            self._responded.add(server.key, said)

    def _fire_server(self, server: ServerTransaction) -> None:
        self._act_server(server, server.machine.fire(self.world.now()))

    def _send(self, message: Request | Response, flow: Flow) -> bytes:
        """Send *message*, and return its bytes; a failure is told, and counts as a loss on the way.

        A response takes another way where its own has failed.
        """
        try:
            return self.transports.send(message, flow)
        except SendFailed as error:
            data = message.to_bytes()
            if isinstance(message, Response):
                self.ways_back.send(message, flow, str(error))
                return data
            self.transports.ignored(flow, f"could not be sent: {error}", data, outwards=True)
            return data

    def _send_bytes(self, data: bytes, flow: Flow) -> None:
        """The same with the bytes of a response."""
        try:
            self.transports.send_bytes(data, flow)
        except SendFailed as error:
            response = parse(data)
            assert isinstance(response, Response)
            self.ways_back.send(response, flow, str(error))

    def _wake(self, transaction: _AnyTransaction, fire: Callable[[_AnyTransaction], None]) -> None:
        """Have *fire* called when the machine's next timer is due."""
        _stop_timer(transaction)
        due = transaction.machine.next_timer
        if due is not None:
            transaction.timer = self.world.call_at(due, partial(fire, transaction))

    def _forget_client(self, client: ClientTransaction) -> None:
        self._clients.pop(client.key, None)
        key = (client.flow.transport, client.flow.remote)
        waiting = self._by_flow.get(key)
        if waiting is not None:
            waiting.discard(client)
            if not waiting:
                del self._by_flow[key]
        if client.detour is not None:
            client.detour.cancel()
            client.detour = None
        _stop_timer(client)

    def _drop_server(self, server: ServerTransaction) -> bool:
        """Whether *server* was still among those that are dealt with."""
        if server.merge_key is not None:
            self._forget_merged(server)
        if self._servers.pop(server.key, None) is None:
            return False
        self._server_bytes -= len(server.request.raw or b"")
        return True

    def _forget_server(self, server: ServerTransaction) -> None:
        self._drop_server(server)
        _stop_timer(server)

    def _forget_merged(self, server: ServerTransaction) -> None:
        key, server.merge_key = server.merge_key, None
        if key is not None and self._mergeable.get(key) is server:
            del self._mergeable[key]


_AnyTransaction = TypeVar("_AnyTransaction", ClientTransaction, ServerTransaction)


def _stop_timer(transaction: ClientTransaction | ServerTransaction) -> None:
    if transaction.timer is not None:
        transaction.timer.cancel()
        transaction.timer = None


def _merge_key(request: Request) -> machines.Key:
    """What the copies of one request share that came on several ways (RFC 3261 section 8.2.2.2)."""
    number, method = request.cseq
    return f"{request.call_id}\n{request.from_tag or ''}\n{number}\n{method}"
