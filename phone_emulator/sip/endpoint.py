"""One SIP user agent on the wire: transactions over transports (RFC 3261 sections 17 and 18).

Machines decide (``transaction``), this file acts for them: it sends what they say, wakes them when they ask,
matches what comes in, and hands the rest to whoever uses the endpoint.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable

import sipmessage

from phone_emulator.events import Address, Bus, Outcome, Transport
from phone_emulator.world.base import SendFailed, TimerHandle, TlsServer, World

from . import transaction as machines
from .message import Message, MessageError, Request, Response, response_to
from .refusal import refusal
from .timers import Timers
from .transaction import Deliver, Ended, Failed, Send, Transaction, client_key, server_key
from .transport import Flow, TransportLayer

BRANCH_COOKIE = "z9hG4bK"
STAMPS = re.compile(r"\s*;\s*(?:rport|received)\s*(?:=[^;]*)?(?=;|$)", re.IGNORECASE)
"""The parameters of a Via that its receiver sets."""


class RequestFailed(Exception):
    """A request got no usable answer.

    Args:
        outcome: ``NO_RESPONSE``, or what the transport said.
        detail: for people.
    """

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class ClientTransaction:
    """A request on its way: await ``response`` for what comes back."""

    def __init__(
        self, endpoint: Endpoint, machine: Transaction, flow: Flow, on_sent: Callable[[], None] | None
    ) -> None:
        self._endpoint = endpoint
        self.machine = machine
        self.flow = flow
        self.on_sent = on_sent
        """Called each time the request leaves."""
        self.on_late: Callable[[Response], None] | None = None
        """Called with each 2xx that comes after the first final response (RFC 6026)."""
        self.timer: TimerHandle | None = None
        self.answered = False
        """Whether any response has come."""
        self._inbox: deque[Response | RequestFailed] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._final = False

    @property
    def request(self) -> Request:
        """The request as it was sent."""
        assert isinstance(self.machine.request, Request)
        return self.machine.request

    async def response(self) -> Response:
        """The next response; raises RequestFailed."""
        while not self._inbox:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        item = self._inbox.popleft()
        if isinstance(item, RequestFailed):
            raise item
        return item

    async def final(self) -> Response:
        """The final response; raises RequestFailed."""
        while (response := await self.response()).status < 200:
            pass
        return response

    def deliver(self, item: Response | RequestFailed) -> None:
        """Put *item* before whoever waits."""
        if isinstance(item, Response):
            self.answered = True
            if self._final:
                if self.on_late is not None and 200 <= item.status < 300:
                    self.on_late(item)
                return
            self._final = item.status >= 200
        elif self._final:
            return
        else:
            self._final = True
        self._inbox.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class ServerTransaction:
    """A request that came in: ``respond`` to it."""

    def __init__(self, endpoint: Endpoint, machine: Transaction, flow: Flow) -> None:
        self._endpoint = endpoint
        self.machine = machine
        self.flow = flow
        self.timer: TimerHandle | None = None
        self.on_cancel: Callable[[], None] | None = None
        """Called when the peer CANCELs this INVITE (the CANCEL itself is answered already)."""
        self.final: Response | None = None
        """The final response given."""

    @property
    def request(self) -> Request:
        """The request."""
        assert isinstance(self.machine.request, Request)
        return self.machine.request

    def respond(self, response: Response) -> None:
        """Send *response* (again, for a 2xx to INVITE)."""
        if response.status >= 200:
            self.final = response
        self._endpoint.respond(self, response)


RequestHandler = Callable[[ServerTransaction], None]
AckHandler = Callable[[Request, Flow], None]
StrayHandler = Callable[[Response, Flow], None]


class Endpoint:
    """A SIP user agent on the wire.

    Args:
        world: sockets, clock, randomness.
        bus: is told every message.
        timers: T1, T2, T4.
        host: local IP address.
        port: of UDP and TCP, 0 for any.
        user_agent: what the responses that it gives by itself name as User-Agent.
        on_request: called with each new request but ACK and CANCEL.
        on_ack: called with each ACK that belongs to no transaction: those to a 2xx.
        on_stray: called with each response that matches no transaction.
    """

    def __init__(
        self,
        world: World,
        bus: Bus,
        timers: Timers,
        *,
        host: str,
        port: int = 5060,
        tls_port: int = 5061,
        tls: TlsServer | None = None,
        user_agent: str = "",
        on_request: RequestHandler,
        on_ack: AckHandler,
        on_stray: StrayHandler,
    ) -> None:
        self.world = world
        self.timers = timers
        self.transports = TransportLayer(
            world,
            bus,
            host=host,
            port=port,
            tls_port=tls_port,
            tls=tls,
            received=self._received,
            malformed=self._malformed,
            failed=self._flow_failed,
        )
        self._user_agent = user_agent
        self._on_request = on_request
        self._on_ack = on_ack
        self._on_stray = on_stray
        self._clients: dict[machines.Key, ClientTransaction] = {}
        self._servers: dict[machines.Key, ServerTransaction] = {}
        self._unanswered: dict[machines.Key, ServerTransaction] = {}
        """Requests outside dialogs that wait for their final response, by what a merged copy shares."""
        self._by_flow: dict[tuple[Transport, Address], set[ClientTransaction]] = {}

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
        await self.transports.close()

    @property
    def live_transactions(self) -> int:
        """How many transactions are not over yet."""
        return len(self._clients) + len(self._servers)

    def new_branch(self) -> str:
        """A branch as the phone makes them: the cookie and a decimal number (RFC 3261 section 8.1.1.7)."""
        return f"{BRANCH_COOKIE}{self.world.random.getrandbits(32)}"

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
        sent.headers.prepend("Via", flow.via(branch or self.new_branch(), rport=rport))
        make = machines.invite_client if request.method == "INVITE" else machines.non_invite_client
        machine = make(sent, reliable=flow.transport.reliable, timers=self.timers, timeout=timeout)
        client = ClientTransaction(self, machine, flow, on_sent)
        self._clients[client_key(sent)] = client
        self._by_flow.setdefault((flow.transport, flow.remote), set()).add(client)
        self._act_client(client, machine.start(self.world.now()))
        return client

    def give_up(self, client: ClientTransaction, detail: str) -> None:
        """Forget *client*, whose answer is not waited for any longer; whoever waits gets RequestFailed."""
        client.deliver(RequestFailed(Outcome.NO_RESPONSE, detail))
        self._forget_client(client)

    def send_ack(self, ack: Request, flow: Flow, *, rport: bool = False) -> None:
        """Send an ACK to a 2xx, which belongs to no transaction; a failure shows as a repeated 2xx."""
        sent = Request(ack.method, ack.uri, ack.headers.copy(), ack.body)
        sent.headers.prepend("Via", flow.via(self.new_branch(), rport=rport))
        self._send(sent, flow)

    def acknowledge(self, invite: Request, response: Response, flow: Flow) -> None:
        """Send the ACK to a 300-699 that came when the transaction of *invite* was over already."""
        self._send(machines.ack_to(invite, response), flow)

    def respond(self, server: ServerTransaction, response: Response) -> None:
        """Send *response* in the transaction *server*."""
        if response.status >= 200:
            self._forget_unanswered(server)
        self._act_server(server, server.machine.respond(response, self.world.now()))

    # -- receiving -----------------------------------------------------------------------------------------

    def _received(self, message: Request | Response, flow: Flow) -> None:
        if isinstance(message, Response):
            self._response_received(message, flow)
        else:
            self._request_received(message, flow)

    def _malformed(self, data: bytes, flow: Flow, error: MessageError) -> None:
        """Refuse a request that cannot be read, where enough of it can."""
        response = refusal(data, error, self._user_agent)
        if response is None:
            return
        try:
            via = response.top_via
        except MessageError:
            where = flow
        else:
            where = _response_flow(via, flow)
            _stamp_source(response, via, flow)
        self._send(response, where)

    def _response_received(self, response: Response, flow: Flow) -> None:
        client = self._clients.get(client_key(response))
        if client is None:
            self._on_stray(response, flow)
        else:
            self._act_client(client, client.machine.receive(response, self.world.now()))

    def _request_received(self, request: Request, flow: Flow) -> None:
        via = request.top_via
        where = _response_flow(via, flow)
        _stamp_source(request, via, flow)
        key = server_key(request)
        server = self._servers.get(key)
        if server is not None:
            self._act_server(server, server.machine.receive(request, self.world.now()))
            return
        if request.method == "ACK":
            self._on_ack(request, flow)
            return
        make = machines.invite_server if request.method == "INVITE" else machines.non_invite_server
        machine = make(request, reliable=flow.transport.reliable, timers=self.timers)
        server = ServerTransaction(self, machine, where)
        self._servers[key] = server
        self._act_server(server, machine.start(self.world.now()))

    def _deliver(self, server: ServerTransaction, request: Request) -> None:
        """Hand a new request to whoever it is for; one that cannot be understood draws a 400 or 416."""
        if request.method == "CANCEL":
            self._cancelled(server)
            return
        if request.to_tag is None:
            merged = self._unanswered.setdefault(_merge_key(request), server)
            if merged is not server:  # it came on two ways (section 8.2.2.2)
                self._answer(server, 482)
                return
        try:
            self._on_request(server)
        except MessageError as error:
            self.transports.ignored(server.flow, str(error), request.raw or request.to_bytes())
            if server.final is None:
                self._answer(server, error.status)

    def _answer(self, server: ServerTransaction, status: int, to_tag: str | None = None) -> None:
        extra = [("User-Agent", self._user_agent)] if self._user_agent else []
        server.respond(response_to(server.request, status, to_tag=to_tag or self.new_tag(), extra=extra))

    def _cancelled(self, cancel: ServerTransaction) -> None:
        """Answer a CANCEL and tell the INVITE it is for (section 9.2)."""
        target = self._servers.get(server_key(cancel.request, "INVITE"))
        if target is None:
            self._answer(cancel, 481)
            return
        responded = target.machine.last_sent
        self._answer(cancel, 200, responded.to_tag if responded is not None else None)
        if target.final is None and target.on_cancel is not None:
            target.on_cancel()

    def _flow_failed(self, flow: Flow, reason: str) -> None:
        """The transport says that *flow* is dead: who waits for a first answer there is told at once."""
        for client in tuple(self._by_flow.get((flow.transport, flow.remote), ())):
            if not client.answered and client.flow.stream is flow.stream:
                outcome = Outcome.SEND_FAILED if flow.transport.reliable else Outcome.ICMP
                self._fail(client, outcome, reason)

    # -- acting for the machines ---------------------------------------------------------------------------

    def _act_client(self, client: ClientTransaction, actions: list[machines.Action]) -> None:
        for action in actions:
            match action:
                case Send(message):
                    if not self._send_request(client, message):
                        return
                case Deliver(message):
                    assert isinstance(message, Response)
                    client.deliver(message)
                case Failed():
                    client.deliver(RequestFailed(Outcome.NO_RESPONSE, action.detail))
                case Ended():
                    self._forget_client(client)
        self._wake(client, lambda: self._act_client(client, client.machine.fire(self.world.now())))

    def _send_request(self, client: ClientTransaction, message: Request | Response) -> bool:
        try:
            self.transports.send(message, client.flow)
        except SendFailed as error:
            if not client.answered:
                self._fail(client, Outcome.SEND_FAILED, str(error))
                return False
        else:
            if message is client.machine.request and client.on_sent is not None:
                client.on_sent()
        return True

    def _fail(self, client: ClientTransaction, outcome: Outcome, detail: str) -> None:
        client.deliver(RequestFailed(outcome, detail))
        client.machine.transport_failed(self.world.now(), detail)
        self._forget_client(client)

    def _act_server(self, server: ServerTransaction, actions: list[machines.Action]) -> None:
        for action in actions:
            match action:
                case Send(message):
                    self._send(message, server.flow)
                case Deliver(message):
                    assert isinstance(message, Request)
                    if message.method == "ACK":
                        self._on_ack(message, server.flow)
                    else:
                        self._deliver(server, message)
                case Failed():
                    pass  # an ACK that never came; the TU sees it by its own 2xx timer, else nothing is owed
                case Ended():
                    self._forget_server(server)
        self._wake(server, lambda: self._act_server(server, server.machine.fire(self.world.now())))

    def _send(self, message: Request | Response, flow: Flow) -> None:
        try:
            self.transports.send(message, flow)
        except SendFailed as error:
            self.transports.ignored(flow, f"could not be sent: {error}", message.to_bytes())

    def _wake(self, transaction: ClientTransaction | ServerTransaction, fire: Callable[[], None]) -> None:
        """Have *fire* called when the machine's next timer is due."""
        _stop_timer(transaction)
        due = transaction.machine.next_timer
        if due is not None:
            transaction.timer = self.world.call_at(due, fire)

    def _forget_client(self, client: ClientTransaction) -> None:
        self._clients.pop(client_key(client.request), None)
        key = (client.flow.transport, client.flow.remote)
        waiting = self._by_flow.get(key)
        if waiting is not None:
            waiting.discard(client)
            if not waiting:
                del self._by_flow[key]
        _stop_timer(client)

    def _forget_server(self, server: ServerTransaction) -> None:
        self._servers.pop(server_key(server.request), None)
        _stop_timer(server)

    def _forget_unanswered(self, server: ServerTransaction) -> None:
        if self._unanswered:
            key = _merge_key(server.request)
            if self._unanswered.get(key) is server:
                del self._unanswered[key]


def _stop_timer(transaction: ClientTransaction | ServerTransaction) -> None:
    if transaction.timer is not None:
        transaction.timer.cancel()
        transaction.timer = None


def _merge_key(request: Request) -> machines.Key:
    """What the copies of one request share that came on several ways (RFC 3261 section 8.2.2.2)."""
    number, method = request.cseq
    return request.call_id, request.from_tag or "", str(number), method


def _stamp_source(message: Message, via: sipmessage.Via, flow: Flow) -> None:
    """Note in the top Via where the request came from (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
    host, port = flow.remote
    asked = "rport" in via.parameters
    if not asked and via.host.strip("[]") == host:
        return
    top, *others = message.headers.values("Via")
    plain = STAMPS.sub("", top)
    rport = f";rport={port}" if asked else ""
    message.headers.remove("Via")
    for value in reversed([f"{plain};received={host}{rport}", *others]):
        message.headers.prepend("Via", value)


def _response_flow(via: sipmessage.Via, flow: Flow) -> Flow:
    """Where responses to the request go whose top Via is *via* (RFC 3261 section 18.2.2, RFC 3581)."""
    if flow.stream is not None:
        return flow
    if "rport" in via.parameters:
        return flow
    return Flow(
        flow.transport, flow.local, Address(flow.remote.host, via.port or flow.transport.default_port)
    )
