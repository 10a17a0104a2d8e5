"""The SIP element that a lab server is: a message in, what leaves for it out. No sockets, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from phone_emulator.lab.behaviour import Behaviour, BehaviourKind
from phone_emulator.lab.challenger import Challenger
from phone_emulator.lab.disguise import Disguise
from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.flow import Flow, flow_of_via, stamped
from phone_emulator.lab.mailbox import Mailbox
from phone_emulator.lab.proxy import Proxy, ProxyError
from phone_emulator.lab.registrar import Registrar
from phone_emulator.lab.site import Site
from phone_emulator.lab.vocabulary import COUNTED
from phone_emulator.phone.wire.event_package import expires_of
from phone_emulator.sip.body import SDP
from phone_emulator.sip.message import Message, MessageError, Request, Response, response_to
from phone_emulator.sip.warning import warning

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK, MESSAGE"

Outgoing = tuple[Message, Flow]
"""A message and where it goes."""


class Element:
    """Registrar, mailbox and stateless proxy behind one front (RFC 3261 sections 10.3 and 16.11).

    It keeps bindings and subscriptions to voice mail, and nothing else: a retransmitted request gets the
    answer that it got before.
    """

    def __init__(
        self,
        site: Site,
        accounts: Mapping[str, str],
        registrar: Registrar,
        challenger: Challenger,
        fingerprint: Fingerprint,
        proxy: Proxy,
    ) -> None:
        self._site = site
        self._accounts = accounts
        self._registrar = registrar
        self._challenger = challenger
        self._fingerprint = fingerprint
        self._proxy = proxy
        self._mailbox = Mailbox(site, fingerprint)
        self._disguise = Disguise(site)

    def receive(self, message: Message, source: Flow, behaviour: Behaviour, now: float) -> list[Outgoing]:
        """What leaves when *message* comes from *source*. Raises ValueError where no answer can go."""
        return [
            (self._disguise.put_on(leaving, behaviour.for_method(leaving.cseq.method), flow), flow)
            for leaving, flow in self._received(self._disguise.taken_off(message), source, behaviour, now)
        ]

    def _received(self, message: Message, source: Flow, behaviour: Behaviour, now: float) -> list[Outgoing]:
        if isinstance(message, Request):
            return self._request(_stamp(message, source), source, behaviour, now)
        if isinstance(message, Response) and behaviour.for_method(message.cseq.method).answers:
            if self._mailbox.answered(message):
                return []
            onward = self._proxy.back(message)
            return [] if onward is None else [onward]
        return []

    def undeliverable(self, request: Request) -> list[Outgoing]:
        """What the sender hears of *request*, as it was forwarded, when it could not be delivered."""
        if request.method == "ACK":
            return []
        headers = request.headers.copy()
        headers.remove_first("Via")
        if "Via" not in headers:
            return []  # the mailbox's own NOTIFY: nobody else sent it
        return [self._answer(Request(request.method, request.uri, headers), 480)]

    def _request(self, request: Request, source: Flow, behaviour: Behaviour, now: float) -> list[Outgoing]:
        method = request.method
        own = behaviour.for_method(method)
        if not own.answers:
            return []
        if method == "ACK":
            return self._ack(request, source, now)
        if own.min_expires is None and own.kind is BehaviourKind.STATUS:
            return [self._status(request, own, now)]
        if own.challenges and method in COUNTED and self._is_ours(request):
            return [self._answer(request, *self._challenge(request, own, now))]
        if method == "INVITE" and own.kind in (BehaviourKind.TRYING, BehaviourKind.RINGING):
            return self._no_end(request, own.kind)
        if method == "CANCEL":
            invited = behaviour.for_method("INVITE").kind
            if invited in (BehaviourKind.TRYING, BehaviourKind.RINGING):
                return self._cancel(request, invited)
        return self._ok(request, source, now, own.min_expires or 0)

    def _ok(self, request: Request, source: Flow, now: float, min_expires: int) -> list[Outgoing]:
        """The behaviour ``ok``: register, challenge, forward; no lease shorter than *min_expires* (s)."""
        method = request.method
        try:
            uri = request.request_uri
        except MessageError:
            return [self._answer(request, 416)]
        if method == "REGISTER" and self._site.owns(uri):
            refused = self._challenger.judge(request, 401, now)
            answer = refused or self._registrar.register(request, source, now, min_expires)
            return [self._answer(request, *answer)]
        if method == "OPTIONS" and uri.user is None and self._site.owns(uri):
            return [self._answer(request, 200, [("Allow", ALLOW), ("Accept", SDP)])]
        if method == "SUBSCRIBE" and 0 < expires_of(request, min_expires) < min_expires:
            return [self._answer(request, 423, [("Min-Expires", str(min_expires))])]
        if self._mailbox.concerns(request) and self._site.owns(uri):
            answer, told = self._mailbox.subscribe(request, source, now)
            return [self._answer(request, *answer), *([told] if told is not None else [])]
        if method == "INVITE" and request.to_tag is None and self._is_ours(request):
            refused = self._challenger.judge(request, 407, now)
            if refused is not None:
                return [self._answer(request, *refused)]
        try:
            return [self._proxy.forward(request, source, now)]
        except ProxyError as refusal:
            return [self._answer(request, refusal.status, [warning(refusal.why, self._site.host)])]

    def _ack(self, request: Request, source: Flow, now: float) -> list[Outgoing]:
        """An ACK to one of the server's own answers ends here; it is never answered."""
        if request.to_tag == self._fingerprint.tag(request):
            return []
        try:
            return [self._proxy.forward(request, source, now)]
        except ProxyError:
            return []

    def _is_ours(self, request: Request) -> bool:
        """Whether one of the server's own users asks: others are not challenged."""
        return request.from_.uri.user in self._accounts

    def _challenge(
        self, request: Request, behaviour: Behaviour, now: float
    ) -> tuple[int, list[tuple[str, str]]]:
        """A challenge that is answered in vain, or that cannot be answered at all."""
        status = 401 if request.method == "REGISTER" else 407
        if behaviour.challenge is not None:
            return self._challenger.broken(request, status, now, behaviour.challenge)
        shown = "Authorization" in request.headers or "Proxy-Authorization" in request.headers
        return self._challenger.challenge(request, status, now, stale=shown)

    def _status(self, request: Request, behaviour: Behaviour, now: float) -> Outgoing:
        status = behaviour.status or 503
        extra: list[tuple[str, str]] = []
        if status in (401, 407):
            _, extra = self._challenger.challenge(request, status, now)
        if behaviour.retry_after is not None:
            extra.append(("Retry-After", str(behaviour.retry_after)))
        return self._answer(request, status, extra)

    def _no_end(self, invite: Request, kind: BehaviourKind) -> list[Outgoing]:
        """100, and perhaps 180, and never an end."""
        answers = [self._answer(invite, 100)]
        if kind is BehaviourKind.RINGING:
            transport = answers[0][1].transport
            answers.append(self._answer(invite, 180, [("Contact", self._site.contact(transport))]))
        return answers

    def _cancel(self, cancel: Request, kind: BehaviourKind) -> list[Outgoing]:
        """200 to the CANCEL; what rings is ended with 487, what only tries stays without an end."""
        answers = [self._answer(cancel, 200)]
        if kind is BehaviourKind.RINGING:
            headers = cancel.headers.copy()
            headers.set("CSeq", f"{cancel.cseq.number} INVITE")
            answers.append(self._answer(Request("INVITE", cancel.uri, headers), 487))
        return answers

    def _answer(self, request: Request, status: int, extra: Iterable[tuple[str, str]] = ()) -> Outgoing:
        """The server's own response; it goes where the top Via says (RFC 3261 section 18.2.2)."""
        tag = None if status == 100 else self._fingerprint.tag(request)
        return response_to(request, status, to_tag=tag, extra=extra), flow_of_via(request.top_via)


def _stamp(request: Request, source: Flow) -> Request:
    """The request with ``received`` and ``rport`` in its top Via."""
    headers = request.headers.copy()
    value = stamped(headers.values("Via")[0], request.top_via, source)
    headers.remove_first("Via")
    headers.prepend("Via", value)
    return Request(request.method, request.uri, headers, request.body)
