"""The client transactions of one endpoint: the requests that it sent (RFC 3261 section 17.1).

Machines decide (``transaction``), this file acts for them: it sends what they say, wakes them when they ask,
and gives whoever awaits a response what comes in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from functools import partial

from phone_emulator.events import Address, Outcome, Transport
from phone_emulator.world.base import SendFailed, TimerHandle, World
from phone_emulator.world.tasks import Tasks

from . import transaction as machines
from .detour import TCP_PATIENCE, Detours
from .flow import Flow
from .message import MessageError, Request, Response
from .resting import Resting
from .timers import Timers
from .transaction import Deliver, Failed, Send, Transaction, client_key, client_key_of
from .transport import TooLarge, TransportLayer
from .waking import stop_timer, wake

CHANGES = frozenset({"INVITE", "UPDATE"})
"""What changes a session, within its dialog."""
Admits = Callable[[str], bool]
"""Whether a response counts that comes from an IP address which was not asked."""
StrayHandler = Callable[[Response, Flow], str | None]
"""Returns why the response is ignored, nothing where it is of use."""


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


class Moved(RequestFailed):
    """The phone's own address has changed: no answer finds it. The far end is asked from the new one."""


class ClientTransaction:
    """A request on its way: await ``response`` for what comes back."""

    def __init__(
        self,
        machine: Transaction,
        flow: Flow,
        on_sent: Callable[[], None] | None,
        *,
        timeout: float | None = None,
        rport: bool = False,
    ) -> None:
        self.machine = machine
        self.key: machines.Key = ""
        """What responses find it by."""
        self.flow = flow
        self.on_sent = on_sent
        """Called each time the request leaves."""
        self.timeout = timeout
        self.rport = rport
        self.remark = ""
        """What is worth telling of its way, for people: that it went over TCP, and why."""
        self.size = 0
        """Bytes, where they were too many for UDP."""
        self.datagrams: Flow | None = None
        """The UDP flow that it was meant for, where it goes over TCP for its size."""
        self.detour: asyncio.Task[None] | None = None
        """Makes the TCP connection that it waits for."""
        self.on_late: Callable[[Response], None] | None = None
        """Called with each 2xx that comes after the first final response (RFC 6026)."""
        self.on_provisional: Callable[[Response], None] | None = None
        """Called with each 1xx at once: a request in the dialog that it makes may be right behind it."""
        self.on_success: Callable[[Response], None] | None = None
        """The same with the first 2xx."""
        self.timer: TimerHandle | None = None
        self.answered = False
        """Whether any response has come."""
        self.admits: Admits | None = None
        """From which hosts responses count beside that of its flow; None takes them from anywhere."""
        self.source = flow.remote
        """Where its last response came from; where it went, before the first."""
        self.success: Response | None = None
        """The first 2xx."""
        self._inbox: deque[Response | Exception] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._final = False

    @property
    def over(self) -> bool:
        """Whether the final response, or what there is instead, has come."""
        return self._final

    @property
    def request(self) -> Request:
        """The request as it was sent."""
        assert isinstance(self.machine.request, Request)
        return self.machine.request

    async def response(self) -> Response:
        """The next response; raises RequestFailed, or what acting upon a response raised."""
        while not self._inbox:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        item = self._inbox.popleft()
        if isinstance(item, Exception):
            raise item
        return item

    async def final(self) -> Response:
        """The final response; raises RequestFailed."""
        while (response := await self.response()).status < 200:
            pass
        return response

    def deliver(self, item: Response | Exception) -> None:
        """Put *item* before whoever waits."""
        if isinstance(item, Response):
            self.answered = True
            if self._final:
                if self.on_late is not None and 200 <= item.status < 300:
                    self.on_late(item)
                return
            if item.status < 200 and self.on_provisional is not None:
                self.on_provisional(item)
            if 200 <= item.status < 300:
                self.success = item
                if self.on_success is not None:
                    self.on_success(item)
            self._final = item.status >= 200  # not before: what those raise is for whoever waits
        elif self._final:
            return
        else:
            self._final = True
        self._inbox.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Clients:
    """The client transactions of one endpoint.

    Args:
        world: its clock and its randomness.
        transports: what they are sent over.
        timers: T1, T2, T4.
        on_stray: called with each response that matches no transaction.
    """

    def __init__(
        self,
        world: World,
        transports: TransportLayer,
        timers: Timers,
        on_stray: StrayHandler,
    ) -> None:
        self._world = world
        self._transports = transports
        self._timers = timers
        self._on_stray = on_stray
        self._waiting: dict[machines.Key, ClientTransaction] = {}
        self._by_flow: dict[tuple[Transport, Address], set[ClientTransaction]] = {}
        self._answered = Resting(world, timers.k)
        """Requests whose final response came: others that come are repetitions."""
        self._detours = Detours(world, transports, TCP_PATIENCE * timers.t1)
        self._tasks = Tasks(world, "the requests")

    def __len__(self) -> int:
        return len(self._waiting) + len(self._answered)

    def close(self) -> None:
        """Forget all; whoever still waits is told."""
        for client in list(self._waiting.values()):
            client.deliver(RequestFailed(Outcome.SEND_FAILED, "the phone was stopped"))
            self._forget(client)
        self._answered.clear()

    def new_branch(self, method: str) -> str:
        """A branch as the phone makes them: the cookie and a decimal number (RFC 3261 section 8.1.1.7).

        It is that of no other transaction of *method*, also where an endpoint has a hundred thousand.
        """
        while True:
            branch = f"{machines.MAGIC_COOKIE}{self._world.unguessable.getrandbits(32)}"
            key = client_key_of(branch, method)
            if key not in self._waiting and key not in self._answered:
                return branch

    def request(
        self,
        request: Request,
        flow: Flow,
        *,
        timeout: float | None = None,
        rport: bool = False,
        branch: str | None = None,
        sent_by: Flow | None = None,
        admits: Admits | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> ClientTransaction:
        """Send *request*, with a new Via, in a transaction of its own.

        Args:
            request: without Via; it is not changed.
            flow: where to.
            timeout: seconds of silence until it fails, instead of 64*T1 (timers B and F).
            rport: whether Via asks for the source port (RFC 3581).
            branch: of the INVITE, for a CANCEL.
            sent_by: the flow of the INVITE, for a CANCEL: the Via is that of the INVITE (section 9.1).
            admits: from which hosts beside that of *flow* responses count; None takes them from anywhere.
            on_sent: called each time the request leaves.
        """
        sent = Request(request.method, request.uri, request.headers.copy(), request.body)
        via = (sent_by or flow).via(branch or self.new_branch(request.method), rport=rport)
        sent.headers.prepend("Via", via)
        machine = self._machine(sent, flow, timeout)
        client = ClientTransaction(machine, flow, on_sent, timeout=timeout, rport=rport)
        client.admits = admits
        self._start(client)
        return client

    def give_up(self, client: ClientTransaction, detail: str) -> None:
        """Forget *client*, whose answer is not waited for any longer; whoever waits gets RequestFailed."""
        client.deliver(RequestFailed(Outcome.NO_RESPONSE, detail))
        self._forget(client)

    def moved(self, left: Collection[str], why: str) -> None:
        """This end has none of the local addresses *left* any more; *why*, for people.

        A session's changes that left from there fail at once, for what is to follow them. All else is sent
        again as ever: where it had not arrived, its answer comes to where it now leaves.
        """
        for client in tuple(self._waiting.values()):
            request = client.request
            if client.over or client.flow.local.host not in left:
                continue
            if request.method in CHANGES and request.to_tag:
                client.deliver(Moved(Outcome.SEND_FAILED, why))
                self._forget(client)

    def send_ack(self, ack: Request, flow: Flow, *, rport: bool = False) -> None:
        """Send an ACK to a 2xx, which belongs to no transaction; a failure shows as a repeated 2xx."""
        sent = Request(ack.method, ack.uri, ack.headers.copy(), ack.body)
        sent.headers.prepend("Via", flow.via(self.new_branch("ACK"), rport=rport))
        self._send_ack(sent, flow)

    def acknowledge(self, invite: Request, response: Response, flow: Flow) -> None:
        """Send the ACK to a 300-699 that came when the transaction of *invite* was over already."""
        self._send_ack(machines.ack_to(invite, response), flow)

    def flow_failed(self, flow: Flow, reason: str, quoted: bytes = b"") -> bool:
        """The transport says that *flow* is dead: who waits for a first answer there is told at once.

        Args:
            flow: that is dead.
            reason: for people.
            quoted: the beginning of the datagram that showed it: whose request began otherwise, or whose
                branch does not stand in it, waits on.

        Returns:
            Whether one of the requests that wait there began so.
        """
        found = False
        for client in tuple(self._by_flow.get((flow.transport, flow.remote), ())):
            if client.flow.stream is not flow.stream or not _begins_with(client.request, quoted, flow):
                continue
            found = True
            if not client.answered:
                outcome = Outcome.SEND_FAILED if flow.transport.reliable else Outcome.ICMP
                self._fail(client, outcome, reason)
        return found

    def receive(self, response: Response, flow: Flow) -> None:
        """A response came in."""
        if elsewhere := self._misdirected(response):
            self._transports.ignored(flow, elsewhere, response.raw or response.to_bytes())
            return
        key = client_key(response)
        client = self._waiting.get(key)
        if client is not None:
            if why := _not_taken(client, response, flow):
                self._transports.ignored(flow, why, response.raw or response.to_bytes())
                return
            client.source = flow.remote
            if flow.remote.host == client.flow.remote.host:  # the branch was sent nowhere else
                flow.prove(self._world.now())
            try:
                self._act(client, client.machine.receive(response, self._world.now()))
            except MessageError:
                raise
            except Exception as error:
                work = f"taking the {response.status} to {client.request.method}"
                settle = None if client.over else partial(self._settle, client)
                self._tasks.fault(error, work, settle)
        elif key not in self._answered:
            ignored = None
            with self._tasks.guarded(f"taking a late {response.status}", expected=(MessageError,)):
                ignored = self._on_stray(response, flow)
            if ignored:
                self._transports.ignored(flow, ignored, response.raw or response.to_bytes())

    def _misdirected(self, response: Response) -> str:
        """Why *response* is not for this user agent (sections 8.1.3.3 and 18.1.2); empty where it is."""
        headers = response.headers
        line = headers.first["via"]
        if ("," in line or not headers.unique) and len(headers.values("Via")) > 1:
            return "it has more than one Via: it answers a request that others have passed on"
        own = self._transports.sent_bys
        if line.partition(";")[0].rpartition(" ")[2] in own:
            return ""
        via = response.via
        port = via.port or (5061 if via.transport.upper() == "TLS" else 5060)
        if f"{via.host}:{port}" in own:
            return ""
        return f"its Via names {via.host}:{port}, which is not this phone"

    def _send_ack(self, ack: Request, flow: Flow) -> None:
        """Send *ack*; a failure is told, and counts as a loss on the way."""
        try:
            self._transports.send(ack, flow)
        except SendFailed as error:
            reason = f"could not be sent: {error}"
            self._transports.ignored(flow, reason, ack.to_bytes(), outwards=True)

    def _machine(self, request: Request, flow: Flow, timeout: float | None) -> Transaction:
        """What decides about *request*, which goes over *flow*."""
        make = machines.invite_client if request.method == "INVITE" else machines.non_invite_client
        return make(request, reliable=flow.transport.reliable, timers=self._timers, timeout=timeout)

    def _start(self, client: ClientTransaction) -> None:
        flow = client.flow
        client.key = client_key(client.request)
        self._waiting[client.key] = client
        self._by_flow.setdefault((flow.transport, flow.remote), set()).add(client)
        with self._tasks.guarded(f"sending {client.request.method}", on_fault=partial(self._settle, client)):
            self._act(client, client.machine.start(self._world.now()))

    def _act(self, client: ClientTransaction, actions: list[machines.Action]) -> None:
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
                self._forget(client)
        if not client.machine.resting:
            wake(self._tasks, client, self._fire, self._settle)
        elif self._waiting.get(client.key) is client:
            self._forget(client)
            self._answered.add(client.key)

    def _fire(self, client: ClientTransaction) -> None:
        self._act(client, client.machine.fire(self._world.now()))

    def _settle(self, client: ClientTransaction, error: Exception) -> None:
        """What was done about *client* raised *error*: whoever waits for it gets that."""
        self._forget(client)
        client.deliver(error)

    def _send_request(self, client: ClientTransaction, message: Request | Response) -> bool:
        try:
            self._transports.send(message, client.flow)
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
        client.machine.transport_failed(self._world.now(), detail)
        self._forget(client)

    def _forget(self, client: ClientTransaction) -> None:
        self._waiting.pop(client.key, None)
        key = (client.flow.transport, client.flow.remote)
        waiting = self._by_flow.get(key)
        if waiting is not None:
            waiting.discard(client)
            if not waiting:
                del self._by_flow[key]
        if client.detour is not None:
            client.detour.cancel()
            client.detour = None
        stop_timer(client)

    # -- a request that is too large for UDP ---------------------------------------------------------------

    def _leave_udp(self, client: ClientTransaction, size: int) -> None:
        """*client*'s request is too large for UDP: it waits for a connection."""
        stop_timer(client)
        client.size, client.datagrams = size, client.flow
        client.detour = self._tasks.spawn(
            self._take_detour(client, client.flow),
            f"TCP for a large {client.request.method}",
            on_fault=partial(self._settle, client),
        )

    async def _take_detour(self, client: ClientTransaction, flow: Flow) -> None:
        way, client.remark = await self._detours.find(flow, client.size)
        client.detour = None
        self._restart(client, way)

    def _restart(self, client: ClientTransaction, flow: Flow) -> None:
        """Send *client*'s request on *flow*, in a new transaction."""
        self._forget(client)
        first = client.request
        sent = Request(first.method, first.uri, first.headers.copy(), first.body)
        sent.headers.set("Via", flow.via(self.new_branch(sent.method), rport=client.rport))
        client.machine = self._machine(sent, flow, client.timeout)
        client.flow = flow
        self._start(client)


def _not_taken(client: ClientTransaction, response: Response, flow: Flow) -> str:
    """Why *response*, which came over *flow*, counts for nothing to *client*; empty where it counts.

    An address counts, no port: servers send from others than they listen at.
    """
    asked, host = client.flow, flow.remote.host
    if asked.stream is not None and flow.stream is None:
        return f"a datagram answers no request that went over {asked.transport.upper()}"
    if response.call_id != client.request.call_id:
        return "its Call-ID is not that of the request with its branch"
    if host != asked.remote.host and client.admits is not None and not client.admits(host):
        return f"it came from {flow.remote}, and its request went to {asked.remote}"
    return ""


def _begins_with(request: Request, quoted: bytes, flow: Flow) -> bool:
    """Whether *request* began with *quoted*, as far as its branch, which nobody else can know."""
    if flow.stream is not None:
        return True
    return (request.branch or "").encode() in quoted and request.to_bytes().startswith(quoted)
