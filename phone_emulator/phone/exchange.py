"""One attempt: a request at one target, authenticated, until an answer or a failure (C2, C3, R10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.events import Attempt, Outcome, Target, Transport
from phone_emulator.sip import digest
from phone_emulator.sip.endpoint import ClientTransaction, Endpoint, RequestFailed
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.transport import Flow
from phone_emulator.world.base import ConnectFailed, TlsClient, TlsFailed

from .identity import Identity, with_authorization

MAX_CHALLENGES = 3
"""Answered in one attempt: the first one, and stale ones after it."""
MAX_REDIRECTS = 5


@dataclass(slots=True)
class Draft:
    """A request on its way from target to target: what stays the same, and the CSeq that counts on."""

    identity: Identity
    request: Request
    """Without Via; Contact is rewritten for each flow."""
    contact: str | None = None
    """Instead of the line's own Contact: ``*`` removes every binding."""
    count: Callable[[], int] | None = None
    """Takes the next CSeq where several drafts count together: all REGISTERs of one Call-ID."""

    def for_flow(self, flow: Flow) -> Request:
        """The request as it goes to *flow*: only the next hop changes (C7)."""
        request = Request(
            self.request.method, self.request.uri, self.request.headers.copy(), self.request.body
        )
        if "Contact" in request.headers:
            request.headers.set("Contact", self.contact or self.identity.contact(flow.local, flow.transport))
        return request

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
        ca_pem: CAs that TLS servers are checked against; None for the machine's own.
        sessions: digest sessions by target, for requests that authenticate at once (REGISTER refreshes).
    """

    endpoint: Endpoint
    config: PhoneConfig
    account: AccountConfig
    ca_pem: str | None = None
    sessions: dict[tuple[str, int], tuple[str, digest.Session]] = field(default_factory=dict)

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
                attempt.outcome, attempt.detail = failure.outcome, failure.detail
            return None
        finally:
            attempt.give_up_at = None
            if attempt.ended is None:
                attempt.ended = world.now()
        if attempt.outcome is None:
            attempt.status = response.status
            attempt.outcome, attempt.detail = judge(response, self.account)
        return response, flow

    async def flow_to(self, target: Target, within: float | None, why: str) -> Flow:
        """A way to *target*; raises RequestFailed (C6)."""
        tls = TlsClient(target.host, verify=self.config.trust_certificates, ca_pem=self.ca_pem)
        try:
            return await self.endpoint.transports.flow(
                target.transport,
                target.remote,
                tls=tls if target.transport is Transport.TLS else None,
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

        request = draft.for_flow(flow)
        self._authorize_at_once(attempt.target, request)
        challenged = redirected = 0
        while True:
            attempt.give_up_at = world.now() + wait.seconds
            client = self.endpoint.request(
                request, flow, timeout=wait.seconds, rport=self.account.rport, on_sent=sent
            )
            watch.started(client)
            try:
                response = await self._final(client, attempt, watch)
            except RequestFailed as failure:
                raise _explained(failure, attempt) from None
            except asyncio.CancelledError:
                self.endpoint.give_up(client, "nobody waits for an answer any more")
                raise
            again: Request | None = None
            if attempt.outcome is not None:
                return response, flow  # given up meanwhile: nothing new is sent
            if response.status in (401, 407) and challenged < MAX_CHALLENGES:
                again = self._answer_challenge(response, draft, flow, attempt.target, first=challenged == 0)
                challenged += 1
            elif response.status == 423 and request.method == "REGISTER" and redirected < MAX_REDIRECTS:
                again = _ask_longer(response, draft, flow)
                redirected += 1
            elif 300 <= response.status < 400 and request.method == "INVITE" and redirected < MAX_REDIRECTS:
                again = _redirect(response, draft, flow)
                redirected += 1
            if again is None:
                return response, flow
            attempt.status = None  # a new request: what answered the last one proves nothing for it
            request = again

    async def _final(self, client: ClientTransaction, attempt: Attempt, watch: Watch) -> Response:
        while True:
            response = await client.response()
            attempt.give_up_at = None
            if response.status >= 200:
                return response
            attempt.status = response.status
            watch.provisional(response, client)

    def _authorize_at_once(self, target: Target, request: Request) -> None:
        """Use the nonce of the last REGISTER there again, as the phone does."""
        known = self.sessions.get(target.remote)
        if known is not None and request.method == "REGISTER":
            name, session = known
            with_authorization(request, name, self._credentials(session, request))

    def _answer_challenge(
        self, response: Response, draft: Draft, flow: Flow, target: Target, *, first: bool
    ) -> Request | None:
        """The request with credentials, or None when the challenge cannot be answered (R10)."""
        challenge = digest.choose(digest.challenges(response))
        if challenge is None or not self.account.password or (not first and not challenge.stale):
            return None
        session = digest.Session(challenge)
        name = digest.header_name(challenge)
        draft.next_cseq()
        request = draft.for_flow(flow)
        with_authorization(request, name, self._credentials(session, request))
        if request.method == "REGISTER":
            self.sessions[target.remote] = (name, session)
        return request

    def _credentials(self, session: digest.Session, request: Request) -> str:
        cnonce = f"{self.endpoint.world.random.getrandbits(32):08x}"
        return session.authorize(
            request.method,
            request.uri,
            self.account.digest_user,
            self.account.password.reveal(),
            cnonce,
            request.body,
        )


def judge(response: Response, account: AccountConfig) -> tuple[Outcome, str]:
    """What a final response means for the route (C2, C3), and the sentence for people."""
    words = f"{response.status} {response.reason}"
    if response.status < 300:
        return Outcome.ANSWERED, words
    if response.status == 503:
        return Outcome.UNAVAILABLE, f"answered {words}: the server is not available"
    if response.status in (401, 407):
        why = "to the credentials" if account.password else "and the line has no password"
        return Outcome.REJECTED, f"answered {words} {why}: an answer, no other server is tried"
    return Outcome.REJECTED, f"answered {words}: an answer, no other server is tried"


def _explained(failure: RequestFailed, attempt: Attempt) -> RequestFailed:
    """*failure* in the words of the rule that the attempt followed."""
    if failure.outcome is Outcome.NO_RESPONSE:
        return RequestFailed(failure.outcome, f"no response {attempt.wait.why}")
    return failure


def _ask_longer(response: Response, draft: Draft, flow: Flow) -> Request | None:
    """The REGISTER again with the lease that a 423 asks for (RFC 3261 section 10.3)."""
    text = response.headers.get("Min-Expires") or ""
    asked = draft.request.headers.get("Expires") or "0"
    if not text.isdecimal() or len(text) > 10 or int(text) <= int(asked):
        return None
    draft.next_cseq()
    draft.request.headers.set("Expires", text)
    return draft.for_flow(flow)


def _redirect(response: Response, draft: Draft, flow: Flow) -> Request | None:
    """The INVITE for the best Contact of a 3xx, to the same target (C3)."""
    try:
        contacts = sorted(response.contacts, key=lambda contact: -_q_value(contact.parameters.get("q")))
    except MessageError:
        return None
    uris = [str(contact.uri) for contact in contacts]
    fresh = next((uri for uri in uris if uri != draft.request.uri), None)
    if fresh is None:
        return None
    draft.next_cseq()
    draft.request.uri = fresh
    return draft.for_flow(flow)


def _q_value(text: str | None) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
