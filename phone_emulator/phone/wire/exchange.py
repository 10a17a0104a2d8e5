"""One attempt: a request at one target, authenticated, until an answer or a failure (C2, C3, R10)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.events import Attempt, Outcome, Target, Transport
from phone_emulator.sip.client import ClientTransaction, RequestFailed
from phone_emulator.sip.digest import unanswerable
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.headers import delta_seconds
from phone_emulator.sip.message import Request, Response
from phone_emulator.sip.reason import said_by
from phone_emulator.world.base import ConnectFailed, TlsFailed

from . import session_expires
from .certificates import Trust
from .credentials import Credentials
from .identity import Identity
from .known import KnownServers
from .redirection import Redirection
from .service_route import ServiceRoutes

MAX_CHALLENGES = 3
"""Answered for one URI: those of several realms, and stale ones after them."""
MAX_REQUESTS = 20
"""Requests of one attempt: credentials, longer intervals and redirections all take a new one."""
FINAL = "an answer, no other server is tried"
LEASED = frozenset({"REGISTER", "SUBSCRIBE"})
"""Requests whose time the server may find too brief."""


@dataclass(slots=True)
class Draft:
    """A request on its way from target to target: what stays the same, and the CSeq that counts on."""

    identity: Identity
    request: Request
    """Without Via; Contact is rewritten for each flow."""
    contact: str | None = None
    """Instead of the line's own Contact: ``*`` removes every binding."""
    beside: Callable[[str], Iterable[str]] = lambda contact: ()
    """What a REGISTER removes beside the Contact that it makes: the Contacts of before."""
    removes: tuple[str, ...] = ()
    """The same, of the last one."""
    count: Callable[[], int] | None = None
    """Takes the next CSeq where several drafts count together: all REGISTERs of one Call-ID."""
    credentials: Credentials | None = None
    """What was asked for so far; None before the first attempt."""
    proven: bool = False
    """Whether its last request carried any of them."""
    withheld: bool = False
    """Whether the last challenge came from whom no credentials are shown."""
    reconnects: int = 0
    """How often the target closed the connection behind an answer that was not the last."""
    redirection: Redirection | None = None
    """Where an INVITE was sent instead; None before the first attempt."""
    shown: str = ""
    """The Contact that it carried last."""
    _borrowed: tuple[str, ...] = ()
    """Headers that it has because the URI asks for them that it goes to."""

    def for_flow(self, flow: Flow) -> Request:
        """The request as it goes to *flow*: only the next hop changes (C7)."""
        request = Request(
            self.request.method, self.request.uri, self.request.headers.copy(), self.request.body
        )
        if "Contact" in request.headers:
            own = self.identity.binding if request.method == "REGISTER" else self.identity.contact
            self.shown = self.contact or own(flow.local, flow.transport)
            self.removes = tuple(self.beside(self.shown))
            removed = (f"{contact};expires=0" for contact in self.removes)
            request.headers.set("Contact", ", ".join((self.shown, *removed)))
        return request

    def redirect(self, uri: str, headers: Iterable[tuple[str, str]]) -> None:
        """Send it to *uri* instead, which asks for *headers*; those that it has anyway stay as they are."""
        request = self.request
        for name in self._borrowed:
            request.headers.remove(name)
        wanted = [(name, value) for name, value in headers if name not in request.headers]
        for name, value in wanted:
            request.headers.add(name, value)
        request.uri, self._borrowed = uri, tuple(name for name, _ in wanted)

    def next_cseq(self) -> None:
        """Count the CSeq on: the next request of this draft is a new one (RFC 3261 section 22.2)."""
        number, method = self.request.cseq
        number = self.count() if self.count is not None else number + 1
        self.request.headers.set("CSeq", f"{number} {method}")


@dataclass(slots=True)
class Watch:
    """Who follows an attempt while it goes on; every part may be left out."""

    sent: Callable[[], None] = lambda: None
    """The request left once more."""
    provisional: Callable[[Response, ClientTransaction], None] = lambda response, client: None
    """A 1xx came."""
    started: Callable[[ClientTransaction], None] = lambda client: None
    """A transaction began."""


@dataclass(slots=True)
class Exchange:
    """Runs attempts for one line.

    Args:
        endpoint: the phone on the wire.
        config: of the phone.
        account: of the line.
        trust: how TLS servers are met.
        known: whose challenges are answered.
    """

    endpoint: Endpoint
    config: PhoneConfig
    account: AccountConfig
    trust: Trust
    known: KnownServers
    registering: Credentials = field(init=False)
    """Of every REGISTER: they use the nonce of the last one again, as the phone does."""

    service_routes: ServiceRoutes = field(default_factory=ServiceRoutes)
    """What requests outside dialogs go through, by target."""
    _registered_over: dict[str, Flow] = field(default_factory=dict)
    """By the Call-ID of its REGISTERs."""

    def __post_init__(self) -> None:
        self.registering = self.new_credentials()

    def new_credentials(self, *, known: bool = True) -> Credentials:
        """Those of a request or a dialog that nobody has challenged yet.

        *known*: whether it goes to the line's servers; nobody else is shown them.
        """
        chance = self.endpoint.world.unguessable
        return Credentials(self.account, chance, self.known, withheld=not known)

    async def run(
        self, attempt: Attempt, draft: Draft, watch: Watch | None = None
    ) -> tuple[Response, Flow] | None:
        """Try *draft* at ``attempt.target``; fills in the attempt's outcome.

        Returns:
            The final response and its flow, or None when there is none.
        """
        world = self.endpoint.world
        try:
            response, flow = await self._converse(attempt, draft, watch or Watch())
        except RequestFailed as failure:
            if attempt.outcome is None:
                attempt.outcome, attempt.detail = failure.outcome, _with_remark(failure.detail, attempt)
            return None
        finally:
            attempt.give_up_at = None
            if attempt.ended is None:
                attempt.ended = world.now()
        if attempt.outcome is None:
            attempt.status = response.status
            attempt.outcome, detail = judge(
                response, self.account, proven=draft.proven, withheld=draft.withheld
            )
            attempt.detail = _with_remark(detail, attempt)
        return response, flow

    def keep_open(self, call_id: str, flow: Flow | None) -> None:
        """The registration *call_id* is reached over *flow*, which stays open; None where it is lost."""
        before = self._registered_over.pop(call_id, None)
        if before is not None:
            before.registrations -= {call_id}
        if flow is not None:
            flow.registrations |= {call_id}
            self._registered_over[call_id] = flow

    def registered_over(self, call_id: str) -> Flow | None:
        """Where the registration *call_id* is reached; None where it is lost."""
        return self._registered_over.get(call_id)

    async def flow_to(self, target: Target, within: float | None, why: str) -> Flow:
        """A way to *target*; raises RequestFailed (C6)."""
        try:
            return await self.endpoint.transports.flow(
                target.transport,
                target.remote,
                tls=self.trust.client(target.host) if target.transport is Transport.TLS else None,
                within=within,
            )
        except TimeoutError:
            raise RequestFailed(Outcome.CONNECT_FAILED, f"no connection {why}") from None
        except ConnectFailed as error:
            raise RequestFailed(Outcome.CONNECT_FAILED, str(error)) from None
        except TlsFailed as error:
            raise RequestFailed(Outcome.TLS_FAILED, str(error)) from None

    async def _converse(self, attempt: Attempt, draft: Draft, watch: Watch) -> tuple[Response, Flow]:
        world = self.endpoint.world
        wait = attempt.wait
        if wait.connect is not None:
            attempt.give_up_at = world.now() + wait.connect
        flow = await self.flow_to(attempt.target, wait.connect, wait.connect_why)

        def sent() -> None:
            attempt.sent += 1
            attempt.sends.append(world.now())
            watch.sent()

        if draft.credentials is None:
            registers = draft.request.method == "REGISTER"
            draft.credentials = self.registering if registers else self.new_credentials()
        challenged = 0
        answered = False
        """Whether the target has answered over this connection."""
        unread = False
        """Whether it was closed before the request was read."""
        for _ in range(MAX_REQUESTS):
            if flow.lost:  # closed behind the last answer: the server is there, and is asked anew
                draft.reconnects += 1
                flow, answered = await self.flow_to(attempt.target, wait.connect, wait.connect_why), False
                if attempt.outcome is not None:  # given up meanwhile: nothing new is sent
                    raise RequestFailed(attempt.outcome, attempt.detail)
                if unread:
                    draft.next_cseq()
                    unread = False
            request = draft.for_flow(flow)
            self.service_routes.attach(request, flow.remote)
            shown = draft.credentials.attach(request, flow.remote)
            draft.proven = bool(shown)
            attempt.give_up_at = world.now() + wait.seconds
            client = self.endpoint.clients.request(
                request,
                flow,
                timeout=wait.seconds,
                rport=self.account.rport,
                on_sent=sent,
                admits=self.known.__contains__ if self.config.trust_ctrl else None,
            )
            try:
                watch.started(client)
                response = await self._final(client, attempt, watch)
                _attribute(attempt, client, response.status)
            except RequestFailed as failure:
                if flow.lost and answered and attempt.outcome is None:
                    unread = True
                    continue
                raise _explained(failure, attempt) from None
            except BaseException:
                self.endpoint.clients.give_up(client, "nobody waits for an answer any more")
                raise
            finally:
                attempt.remark = client.remark or attempt.remark
            answered = True
            if attempt.outcome is not None:
                return response, flow  # given up meanwhile: nothing new is sent
            if response.status in (401, 407):
                challenged += 1
                learnt = challenged <= MAX_CHALLENGES and draft.credentials.learn(
                    response, shown, flow.remote, client.source
                )
                draft.withheld = not draft.credentials.shown_to(flow.remote, client.source)
                again = learnt or _mended(response, draft)
            elif response.status < 300:
                draft.credentials.accepted(response, shown)
                again = False
            else:
                again = _mended(response, draft)
                if again and draft.request.uri != request.uri:
                    challenged = 0
            if draft.redirection is not None:
                attempt.remark = draft.redirection.remark or attempt.remark
            if not again:
                break
            draft.next_cseq()
            attempt.status = None  # a new request: what answered the last one proves nothing for it
        return response, flow

    async def _final(self, client: ClientTransaction, attempt: Attempt, watch: Watch) -> Response:
        while True:
            response = await client.response()
            attempt.give_up_at = None
            if response.status >= 200:
                return response
            attempt.status = response.status
            _attribute(attempt, client, response.status)
            watch.provisional(response, client)


def judge(
    response: Response, account: AccountConfig, *, proven: bool, withheld: bool = False
) -> tuple[Outcome, str]:
    """What a final response means for the route (C2, C3), and the sentence for people.

    *proven*: whether the request that it answers carried credentials; *withheld*: whether the line shows
    none to whoever answered.
    """
    words = said_by(response)
    if response.status < 300:
        return Outcome.ANSWERED, words
    if response.status == 503:
        return Outcome.UNAVAILABLE, f"answered {words}: the server is not available"
    if response.status in (401, 407):
        if withheld:
            why = "and is none of the line's servers, the only ones to get its credentials"
            return Outcome.REJECTED, f"answered {words} {why}: {FINAL}"
        return Outcome.REJECTED, f"answered {words}{_unproven(response, account, proven=proven)}: {FINAL}"
    return Outcome.REJECTED, f"answered {words}: {FINAL}"


def _unproven(response: Response, account: AccountConfig, *, proven: bool) -> str:
    """Why there was no other answer to a 401 or 407, for people."""
    why = unanswerable(response)
    if proven:
        return f" to the credentials{f', and {why}' if why else ''}"
    if why:
        return f" to a request without credentials, and cannot be answered: {why}"
    return "" if account.password else " and the line has no password"


def _attribute(attempt: Attempt, client: ClientTransaction, status: int) -> None:
    """Note who has answered the request of *attempt* with *status*, where that is not who was asked."""
    elsewhere = client.source if client.source != client.flow.remote else None
    if status >= 200:
        attempt.answered_by = elsewhere
    elif elsewhere is not None:
        told = f"a {status} came from {elsewhere}, which is not the target asked"
        if told not in attempt.remark:
            attempt.remark = "; ".join(filter(None, (attempt.remark, told)))


def _with_remark(detail: str, attempt: Attempt) -> str:
    """*detail*, and what else is worth telling of the way of *attempt*'s request and its answer."""
    remarks = [attempt.remark] if attempt.remark else []
    if attempt.answered_by is not None:
        remarks.append(f"the answer came from {attempt.answered_by}, which is not the target asked")
    return f"{detail} ({'; '.join(remarks)})" if remarks else detail


def _explained(failure: RequestFailed, attempt: Attempt) -> RequestFailed:
    """*failure* in the words of the rule that the attempt followed."""
    if failure.outcome is Outcome.NO_RESPONSE:
        return RequestFailed(failure.outcome, f"no response {attempt.wait.why}")
    return failure


def _mended(response: Response, draft: Draft) -> bool:
    """Change *draft* so that it is worth another try after the refusal *response*; False where none is."""
    request = draft.request
    if response.status == 423 and request.method in LEASED:
        return _ask_longer(response, request)
    if request.method != "INVITE":
        return False
    if response.status == 422:
        return session_expires.ask_longer(request, response)
    if response.status == 503 or response.status >= 600:
        return False  # C2: the server itself; RFC 3261 section 21.6: nobody wants the call anywhere
    if draft.redirection is None:
        draft.redirection = Redirection(request.uri)
    if response.status < 400:
        draft.redirection.redirected(response)
    elif not draft.redirection.begun:
        return False
    uri = draft.redirection.next()
    if uri is not None:
        draft.redirect(uri, draft.redirection.headers)
    return uri is not None


def _ask_longer(response: Response, request: Request) -> bool:
    """Ask for the lease that a 423 names (RFC 3261 section 10.3)."""
    least = delta_seconds(response.headers.get("Min-Expires"))
    if least is None or least <= (delta_seconds(request.headers.get("Expires")) or 0):
        return False
    request.headers.set("Expires", str(least))
    return True
