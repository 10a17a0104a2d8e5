"""The server transactions of one endpoint: the requests that came in (RFC 3261 section 17.2).

Machines decide (``transaction``), this file acts for them: it sends what they say, wakes them when they ask,
matches what comes in, and hands each new request to whoever uses the endpoint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from zlib import crc32

from phone_emulator.events import Address
from phone_emulator.world.base import SendFailed, TimerHandle, World
from phone_emulator.world.reasons import ICMP_PORT_UNREACHABLE
from phone_emulator.world.tasks import Tasks

from . import transaction as machines
from .allowance import Known
from .flow import Flow
from .message import Message, MessageError, Request, Response, response_to
from .parser import parse
from .refusal import WHY, refusal
from .resting import Resting
from .source import noted_source, response_flow, stamp_source
from .tables import STRAIGHT
from .timers import Timers
from .transaction import Deliver, Ended, Send, Transaction, server_key, server_kind
from .transport import TransportLayer
from .waking import stop_timer, wake
from .way_back import WaysBack

MAX_SERVER_TRANSACTIONS = 20_000
"""Requests of peers that are remembered at one time; further ones draw a 503 and are forgotten."""
MAX_SERVER_BYTES = 64 * 1024 * 1024
"""The same for their bytes: 20,000 of the longest would take 1.3 GB."""
MAX_CLOSED = 1000
"""Ports that are known to be closed; older ones are forgotten."""
SHARE_OF_ONE, SHARE_OF_STRANGERS = 10, 4
"""One stranger gets a tenth of that room, and the last quarter of it is kept for the servers."""
STATELESS_RESPONSES = 100
"""How many of those 503s, and of the 400s to what cannot be read, leave within a second: a flood is not
answered with another one. The servers have so many of their own."""
RETRY_AFTER = 32
"""Seconds that such a 503 asks for: by then the transactions of now are over (timer J)."""


class ServerTransaction:
    """A request that came in: ``respond`` to it."""

    __slots__ = (
        "_machine",
        "_servers",
        "admits",
        "final",
        "flow",
        "key",
        "merge_key",
        "on_cancel",
        "request",
        "source",
        "straight",
        "timer",
        "to_tag",
    )

    def __init__(
        self, servers: Servers, request: Request, flow: Flow, key: machines.Key, source: Address
    ) -> None:
        self._servers = servers
        self._machine: Transaction | None = None
        self.request = request
        """The request."""
        self.flow = flow
        """Where the responses go."""
        self.source = source
        """Where it came from."""
        self.admits: Known = servers.known
        """From which other hosts it may be repeated, acknowledged and cancelled: those of a server."""
        self.straight = server_kind(request) in STRAIGHT
        """Whether the request was handed on, and nothing has happened since."""
        self.key = key
        """What repetitions find it by."""
        self.merge_key: machines.Key | None = None
        """What a copy of the request that came on another way finds it by."""
        self.timer: TimerHandle | None = None
        self.on_cancel: Callable[[Request], None] | None = None
        """Called with the CANCEL when the peer sends one for this INVITE; it is answered already."""
        self.to_tag: str | None = None
        """Of its responses, where it is chosen before the first one leaves: a CANCEL is answered with it."""
        self.final: Response | None = None
        """The final response given."""

    @property
    def machine(self) -> Transaction:
        """What decides; not made before there is something to decide (see ``tables.STRAIGHT``)."""
        if self._machine is None:
            servers, reliable = self._servers, self.flow.transport.reliable
            make = machines.invite_server if self.request.method == "INVITE" else machines.non_invite_server
            self._machine = make(self.request, reliable=reliable, timers=servers.timers)
            if self.straight:
                self.straight = False
                self._machine.start(servers.world.now())
        return self._machine

    def respond(self, response: Response, why: str = "") -> None:
        """Send *response* (again, for a 2xx to INVITE); *why* tells people what a refusal is about."""
        if response.status >= 200:
            if self.final is None and response.status >= 300:
                self._servers.tell_refused(self, response, why)
            self.final = response
        self._servers.respond(self, response)


RequestHandler = Callable[[ServerTransaction], None]
AckHandler = Callable[[Request, Flow], str | None]
"""Returns why the ACK is ignored, nothing where it is of use."""


class Servers:
    """The server transactions of one endpoint.

    Args:
        world: its clock and its randomness.
        transports: what the responses leave by.
        timers: T1, T2, T4.
        ways_back: what responses take that do not get through.
        user_agent: what the responses that are given here name as User-Agent.
        on_request: called with each new request but ACK and CANCEL.
        on_ack: called with each ACK that belongs to no transaction: those to a 2xx.
        most: further requests draw a 503.
    """

    def __init__(
        self,
        world: World,
        transports: TransportLayer,
        timers: Timers,
        ways_back: WaysBack,
        *,
        user_agent: str,
        on_request: RequestHandler,
        on_ack: AckHandler,
        most: int,
    ) -> None:
        self.world = world
        self.timers = timers
        self._transports = transports
        self.known = transports.known
        self._ways_back = ways_back
        self._user_agent = user_agent
        self._on_request = on_request
        self._on_ack = on_ack
        self._most = most
        self._tasks = Tasks(world, "the requests of others")
        self._current: dict[machines.Key, ServerTransaction] = {}
        """Those that are dealt with."""
        self._bytes = 0
        """Of their requests."""
        self._of_host: Counter[str] = Counter()
        """How many of them came from each IP address."""
        self._mergeable: dict[machines.Key, ServerTransaction] = {}
        """Requests outside dialogs that are dealt with, by what a merged copy shares."""
        self._responded = Resting(world, timers.j)
        """Requests that were responded to, and how: repetitions draw the same again."""
        self._closed: dict[Address, None] = {}
        """Where ICMP says that nobody listens, and nothing has come from since; the latest last."""
        self._stateless = {False: (0.0, 0), True: (0.0, 0)}
        """The second in which requests were last refused without a transaction, and how many; of strangers,
        and of the servers."""

    def __len__(self) -> int:
        return len(self._current) + len(self._responded)

    def close(self) -> None:
        """Forget all."""
        for server in list(self._current.values()):
            self._forget(server)
        self._mergeable.clear()
        self._responded.clear()
        self._closed.clear()

    def new_tag(self) -> str:
        """A tag as the phone makes them: a decimal number (section 19.3)."""
        return str(self.world.unguessable.getrandbits(32))

    def respond(self, server: ServerTransaction, response: Response) -> None:
        """Send *response* in the transaction *server*; what it refuses is told by `ServerTransaction`."""
        if response.status >= 200 and server.straight:
            if self._drop(server):
                said = self._send(response, server.flow)
                if server.flow.stream is None:
                    self._responded.add(server.key, said)
        else:
            before = server.machine.last_sent
            self._act(server, server.machine.respond(response, self.world.now()), before)

    def tell_refused(self, server: ServerTransaction, response: Response, why: str) -> None:
        """Tell that the request of *server* is refused, unless its sender asked for that (487)."""
        status, request = response.status, server.request
        if status != 487:
            reason = why or WHY.get(status) or response.reason
            came = server.flow
            if came.remote != server.source:
                came = replace(came, remote=server.source)
            self._transports.ignored(came, reason, request.raw or request.to_bytes(), status)

    def receive(self, request: Request, flow: Flow) -> None:
        """A request came in; raises MessageError where it cannot be understood."""
        via = request.via
        where = response_flow(via, flow, known=self._transports.known)
        stamp_source(request, via, flow)
        self.port_speaks(flow.remote)
        key = server_key(request, via=via)
        said = self._responded.said(key)
        if said is not None:
            first = noted_source(parse(said).via) if said else flow.remote.host
            if self._may_repeat(request, flow, first, self.known):
                self._send_bytes(said, where)
            return
        server = self._current.get(key)
        if server is not None:
            self._received_again(server, request, flow)
            return
        if request.method == "ACK":
            self._acknowledged(request, flow)
            return
        if full := self._full(flow.remote.host):
            self._refuse_for_want_of_room(request, where, full)
            return
        server = self._current[key] = ServerTransaction(self, request, where, key, flow.remote)
        self._bytes += len(request.raw or b"")
        self._of_host[flow.remote.host] += 1
        if server.straight:
            self._deliver(server, request)
        else:
            self._act(server, server.machine.start(self.world.now()))

    def _received_again(self, server: ServerTransaction, request: Request, flow: Flow) -> None:
        """The request of *server* came once more, or the ACK to its refusal."""
        now, said, host = self.world.now(), server.machine.last_sent, flow.remote.host
        if not self._may_repeat(request, flow, server.source.host, server.admits):
            return
        if said is not None and said.to_tag and said.to_tag == request.to_tag and host == server.source.host:
            flow.prove(now)
        self._act(server, server.machine.receive(request, now))

    def _may_repeat(self, request: Request, flow: Flow, first: str, admits: Known) -> bool:
        """Whether *request* counts, which came over *flow*; the one with its branch came from *first*."""
        host = flow.remote.host
        if host == first or admits(host):
            return True
        method = "INVITE" if request.method == "ACK" else request.method
        why = f"it came from {host}, and the {method} with its branch from {first}"
        self._transports.ignored(flow, why, request.raw or request.to_bytes())
        return False

    def refuse_unread(self, data: bytes, flow: Flow, error: MessageError, unread: bool) -> None:
        """Tell what is wrong with what cannot be read; refuse a request of which enough can."""
        response = refusal(data, error, self._user_agent)
        if response is None or not self._may_refuse(flow):
            self._transports.ignored(flow, str(error), data, unread=unread)
            return
        try:
            via = response.via
        except MessageError:
            where = flow
        else:
            where = response_flow(via, flow, known=self._transports.known)
            stamp_source(response, via, flow)
        self._transports.ignored(flow, str(error), data, response.status, unread=unread)
        self._send(response, where)

    def _port_closed(self, place: Address) -> None:
        """ICMP says that nobody listens at *place*: no response is repeated there by itself."""
        self._closed.pop(place, None)
        self._closed[place] = None
        if len(self._closed) > MAX_CLOSED:
            del self._closed[next(iter(self._closed))]

    def port_speaks(self, place: Address) -> None:
        """Something has come from *place*: whatever ICMP said, it is open."""
        if self._closed:
            self._closed.pop(place, None)

    def response_returned(self, quoted: Response, flow: Flow, reason: str) -> bool:
        """The response that *quoted* is the beginning of drew an ICMP error (section 18.2.2).

        Returns:
            Whether such a response was sent lately.
        """
        try:
            key = server_key(quoted)
        except MessageError:
            return False
        said, server = self._responded.said(key), self._current.get(key)
        response = parse(said) if said else server.machine.last_sent if server is not None else None
        if not isinstance(response, Response):
            return False
        if response.status != quoted.status:
            return True  # it has said something else since
        if reason == ICMP_PORT_UNREACHABLE:
            self._port_closed(flow.remote)
        self._ways_back.send(response, flow, reason)
        return True

    def _fault(self, server: ServerTransaction, error: Exception, work: str) -> None:
        """*work* about the request of *server* raised *error*."""
        self._tasks.fault(error, work, partial(self._settle, server))

    def _settle(self, server: ServerTransaction, error: Exception) -> None:
        """What was done about a request raised *error*: it is owed an answer all the same."""
        if server.final is None:
            self._answer(server, 500, why="an internal fault of this phone")
        else:
            self._forget(server)

    def _acknowledged(self, ack: Request, flow: Flow) -> None:
        try:
            ignored = self._on_ack(ack, flow)
        except MessageError:
            raise
        except Exception as error:
            self._tasks.fault(error, f"dealing with ACK from {flow.remote}")
            return
        if ignored:
            self._transports.ignored(flow, ignored, ack.raw or ack.to_bytes())

    def _full(self, host: str) -> str:
        """Why no further request is taken from *host*, for people; empty where one is."""
        dealt, size = len(self._current), self._bytes
        theirs = self._of_host.get(host, 0)
        if dealt >= self._most or size > MAX_SERVER_BYTES:
            return f"{dealt} requests are being dealt with already"
        kept = 1 - 1 / SHARE_OF_STRANGERS
        alone = theirs * SHARE_OF_ONE >= self._most
        if not alone and dealt < kept * self._most and size <= kept * MAX_SERVER_BYTES:
            return ""
        if self._transports.known(host):
            return ""
        if alone:
            return f"{theirs} requests from {host}, which is no server of this phone, are being dealt with"
        return f"{dealt} requests are being dealt with, and the room that is left is kept for the servers"

    def _refuse_for_want_of_room(self, request: Request, flow: Flow, full: str) -> None:
        """Answer 503 without a transaction (section 8.2.7), to the first ones of each second."""
        reason = f"{full}, no more are taken"
        data = request.raw or request.to_bytes()
        if not self._may_refuse(flow):
            self._transports.ignored(flow, reason, data)
            return
        self._transports.ignored(flow, reason, data, 503)
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
                self._transports.ignored(server.flow, str(error), request.raw or request.to_bytes())
        except Exception as error:
            self._fault(server, error, f"dealing with {request.method} from {server.flow.remote}")
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
        target = self._current.get(server_key(cancel.request, "INVITE"))
        host = cancel.source.host
        if target is not None and host != target.source.host and not target.admits(host):
            # Who sent the INVITE sends its CANCEL (section 9.1); a server may do so from another address.
            why = f"it came from {host}, and the INVITE that it would cancel from {target.source.host}"
            self._answer(cancel, 481, why=why)
            return
        if target is None:
            self._answer(cancel, 481, why="there is no INVITE that it could cancel")
            return
        responded = target.machine.last_sent
        self._answer(cancel, 200, target.to_tag or (responded.to_tag if responded is not None else None))
        if target.final is not None:
            request = cancel.request
            why = f"too late: the INVITE was answered {target.final.status} before"
            self._transports.ignored(cancel.flow, why, request.raw or request.to_bytes())
        elif target.on_cancel is not None:
            try:
                target.on_cancel(cancel.request)
            except Exception as error:
                self._fault(target, error, f"dealing with CANCEL from {cancel.flow.remote}")

    def _may_refuse(self, flow: Flow) -> bool:
        """Whether one more response without a transaction is no flood yet."""
        known = self._transports.known(flow.remote.host)
        second, told = self._stateless[known]
        now = self.world.now()
        if now >= second + 1:
            second, told = now, 0
        self._stateless[known] = second, told + 1
        return told < STATELESS_RESPONSES

    def _act(
        self, server: ServerTransaction, actions: list[machines.Action], before: Message | None = None
    ) -> None:
        """Do what the machine of *server* says; *before* is what it had sent, where this end repeats that."""
        said = b""
        for action in actions:
            if isinstance(action, Send):
                assert isinstance(action.message, Response)
                if action.message is before and self._is_closed(server.flow):
                    self._ways_back.repeat(action.message)
                else:
                    said = self._send(action.message, server.flow)
            elif isinstance(action, Deliver):
                self._deliver(server, action.message)
            elif isinstance(action, Ended):
                self._forget(server)
            # Failed: an ACK never came. The TU sees that by its own 2xx timer, else nothing is owed.
        if not server.machine.resting or server.request.method == "INVITE":
            wake(self._tasks, server, self._fire, self._settle)  # of an INVITE that rests, a CANCEL may ask
        elif self._drop(server):
            stop_timer(server)
            self._responded.add(server.key, said)

    def _fire(self, server: ServerTransaction) -> None:
        before = server.machine.last_sent
        self._act(server, server.machine.fire(self.world.now()), before)

    def _is_closed(self, flow: Flow) -> bool:
        """Whether ICMP has said that nobody listens where *flow* leads."""
        return flow.stream is None and flow.remote in self._closed

    def _send(self, response: Response, flow: Flow) -> bytes:
        """Send *response*, and return its bytes; it takes another way where its own has failed."""
        try:
            return self._transports.send(response, flow)
        except SendFailed as error:
            self._ways_back.send(response, flow, str(error))
            return response.to_bytes()

    def _send_bytes(self, data: bytes, flow: Flow) -> None:
        """The same of what was sent before."""
        try:
            self._transports.send_bytes(data, flow)
        except SendFailed as error:
            response = parse(data)
            assert isinstance(response, Response)
            self._ways_back.send(response, flow, str(error))

    def _drop(self, server: ServerTransaction) -> bool:
        """Whether *server* was still among those that are dealt with."""
        if server.merge_key is not None:
            self._forget_merged(server)
        if self._current.pop(server.key, None) is None:
            return False
        self._bytes -= len(server.request.raw or b"")
        host = server.source.host
        self._of_host[host] -= 1
        if not self._of_host[host]:
            del self._of_host[host]
        return True

    def _forget(self, server: ServerTransaction) -> None:
        self._drop(server)
        stop_timer(server)

    def _forget_merged(self, server: ServerTransaction) -> None:
        key, server.merge_key = server.merge_key, None
        if key is not None and self._mergeable.get(key) is server:
            del self._mergeable[key]


def _merge_key(request: Request) -> machines.Key:
    """What the copies of one request share that came on several ways (RFC 3261 section 8.2.2.2)."""
    number, method = request.cseq
    return f"{request.call_id}\n{request.from_tag or ''}\n{number}\n{method}"
