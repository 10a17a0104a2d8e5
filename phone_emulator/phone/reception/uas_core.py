"""Requests that belong to no dialog: whom they are for, and what they are answered (RFC 3261 section 8.2)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from phone_emulator.config.model import AccountConfig
from phone_emulator.events import CallRefused
from phone_emulator.phone.calls import forwarding
from phone_emulator.phone.calls.forwarding import Forward
from phone_emulator.phone.calls.incoming import IncomingCall
from phone_emulator.phone.presence.notifier import Notifier
from phone_emulator.phone.presence.subscription import Subscription
from phone_emulator.phone.transfer.replaces import NotReplaced, replaced_call
from phone_emulator.phone.wire import content, option_tags, session_expires
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.caller import Caller, caller_of
from phone_emulator.phone.wire.identity import ALLOW, Identity
from phone_emulator.phone.wire.wire_style import dressed
from phone_emulator.sip.body import SDP, accepts
from phone_emulator.sip.message import METHODS, MessageError, Request, response_to
from phone_emulator.sip.refer import replaces_of
from phone_emulator.sip.refusal import WHY
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.statuses import REASONS
from phone_emulator.world.address import canonical

from . import text
from .desk import Desk, Station
from .in_dialog import abilities
from .unsolicited import answer_to
from .validation import NO_SERVER, RequestValidator

MAX_LIVE_CALLS = 100
"""Incoming calls beyond these are refused with 486, so that a peer cannot use up the memory."""
MAX_OF_STRANGERS, MAX_OF_ONE_STRANGER = 50, 10
"""The same for those that come from elsewhere than the line's servers, so that room is left for these."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """An INVITE that may become a call."""

    desk: Desk
    line: Station
    server: ServerTransaction
    guard: RequestValidator

    @property
    def request(self) -> Request:
        """The INVITE."""
        return self.server.request

    @property
    def caller(self) -> Caller:
        """Who sent it."""
        return caller_of(self.request, self.line.seat.account, self.desk.config)

    @property
    def busy(self) -> bool:
        """Whether there is no room for it (``call_waiting.enable``)."""
        waits = self.desk.config.call_waiting
        return (not self.line.seat.idle() and not waits) or bool(self.crowded)

    @property
    def known(self) -> bool:
        """Whether it comes from one of the line's servers."""
        return self.server.source.host in self.line.seat.known

    @property
    def crowded(self) -> str:
        """Why the phone takes no further call from there, for people; empty where it does."""
        calls, host = self.desk.calls, self.server.source.host
        if len(calls) >= MAX_LIVE_CALLS:
            return f"{MAX_LIVE_CALLS} calls are up already"
        if self.known:
            return ""
        strangers = [call for call in calls if not call.sources.founded]
        if len(strangers) >= MAX_OF_STRANGERS:
            return f"{MAX_OF_STRANGERS} calls of strangers are up already"
        theirs = sum(call.sources.admits(host) for call in strangers)
        return f"{theirs} calls from {host} are up already" if theirs >= MAX_OF_ONE_STRANGER else ""


class UasCore:
    """Answers what comes in outside of dialogs.

    Args:
        desk: whose requests they are.
        notifier: tells of the phone's calls to whoever subscribes to them.
    """

    def __init__(self, desk: Desk, notifier: Notifier) -> None:
        self._desk = desk
        self.guard = RequestValidator(desk)
        """Refuses what does not come from where it may."""
        self._notifier = notifier

    def receive(self, server: ServerTransaction) -> None:
        """A request came in that belongs to no dialog; raises MessageError where it cannot be read."""
        request = server.request
        if request.method != "NOTIFY" and request.to_tag is not None:
            self.answer(server, Answer(481))
            return
        if request.method != "INVITE" and "Replaces" in request.headers:  # RFC 3891 section 3
            self.answer(server, Answer(400, why="Replaces makes sense in an INVITE only"))
            return
        handler = HANDLERS.get(request.method)
        if handler is not None:
            refusal = None
            # An INVITE has more to pass, and who sends a NOTIFY that is awaited may be named in the answer.
            if request.method != "INVITE" and self._awaiting(request) is None:
                refusal = self.guard.refusal(server, self.line_called(request))
            if refusal is None and request.method in BODILESS:
                refusal = content.unread(request)
            if refusal is not None:
                self.answer(server, refusal)
            else:
                handler(self, server)
        elif request.method in METHODS:
            self.answer(server, Answer(405, headers=(("Allow", ALLOW),)))
        else:
            self.answer(server, Answer(501))

    def answer(self, server: ServerTransaction, answer: Answer, account: AccountConfig | None = None) -> None:
        """Give *answer*; *account* is that of the line that the request is for, if that is known."""
        context = self._desk.context
        agent = context.device.user_agent(context.config, account)
        extra = [*answer.headers, ("User-Agent", agent)]
        tag = context.endpoint.new_tag()
        response = response_to(server.request, answer.status, answer.reason, to_tag=tag, extra=extra)
        compact = account is not None and account.compact_headers
        server.respond(dressed(response, context.device.style, compact=compact), answer.why)

    def line_called(self, request: Request) -> Station | None:
        """The line that *request* is for, by the user of its Request-URI; None for none.

        A call to the phone's own address is for any line. Of several lines it is the one whose domain is
        named, or whose server the request comes from.
        """
        user, any_user = request.request_uri.user, self._desk.any_user
        lines = list(self._desk.lines.values())
        named = [line for line in lines if any_user or line.seat.account.user == user]
        if not named and self._called_directly(request):
            named = lines
        if len(named) < 2:
            return next(iter(named), None)
        domains, via = _domains_named(request), request.via
        came_from = {via.host, via.parameters.get("received") or via.host}

        def fits(line: Station) -> tuple[bool, bool]:
            account = line.seat.account
            through = any(server.address in came_from for server in account.servers)
            known = any(host in line.seat.known for host in came_from)
            return account.domain.lower() in domains, through or known

        return max(named, key=fits)

    def _called_directly(self, request: Request) -> bool:
        """Whether *request* is about a call to the phone's address (``features.direct_ip_call_enable``)."""
        desk = self._desk
        if not desk.config.direct_ip_call or request.method not in ("INVITE", "OPTIONS"):
            return False
        try:
            return canonical(request.request_uri.host.strip("[]")) in map(canonical, desk.context.hosts)
        except ValueError:
            return False

    def identity_called(self, line: Station, request: Request) -> Identity:
        """How *line* names itself to the sender of *request*; where any user rings, as whom it is for."""
        desk, account, user = self._desk, line.seat.account, request.request_uri.user
        if desk.any_user and user:
            account = replace(account, user_name=user)
        return desk.context.identity(account, account.servers[0])

    def _refuse(self, invitation: Invitation, answer: Answer) -> None:
        """Answer an INVITE that is not to ring with *answer*, and tell that it was refused."""
        seat = invitation.line.seat
        self.answer(invitation.server, answer, seat.account)
        seat.tell(
            CallRefused(
                at=seat.now,
                line=seat.number,
                remote=invitation.caller.number,
                status=answer.status,
                reason=answer.why or WHY.get(answer.status) or REASONS.get(answer.status, ""),
            )
        )

    # -- by method -----------------------------------------------------------------------------------------

    def on_invite(self, server: ServerTransaction) -> None:
        """An INVITE: a call, unless something speaks against it."""
        request, desk = server.request, self._desk
        try:
            line = self.line_called(request)
            replaces = replaces_of(request.headers)
            # They raise, and become the ends of the dialog.
            _ = request.from_address, request.to_address, request.contacts
        except MessageError as error:
            self.answer(server, Answer(400, reason=str(error)[:80]))
            return
        if line is None:
            self.answer(server, Answer(404))
            return
        invitation = Invitation(desk, line, server, self.guard)
        for check in ADMISSION if replaces is None else READABLE:
            refusal = check(invitation)
            if refusal is not None:
                self._refuse(invitation, refusal)
                return
        try:
            replaced = None if replaces is None else replaced_call(desk.calls, desk.history, replaces)
        except NotReplaced as error:
            self._refuse(invitation, Answer(error.status, why=error.why))
            return
        host = server.source.host
        if replaced is not None and not (host in replaced.seat.known or replaced.sources.admits(host)):
            why = f"{host} {NO_SERVER}, and is not known in the call that it would replace"
            self._refuse(invitation, Answer(403, why=why))
            return
        identity = self.identity_called(line, request)
        call = IncomingCall(line, desk.new_call_id(), invitation.caller, identity, server)
        if replaced is None:
            desk.ring(call)
        else:
            desk.replace(replaced, call)

    def on_notify(self, server: ServerTransaction) -> None:
        """A NOTIFY of no dialog: the first of a subscription, or one that nobody subscribed to."""
        desk, subscription = self._desk, self._awaiting(server.request)
        if subscription is not None:
            subscription.adopt(server)
            return
        line = self.line_called(server.request)
        answer = answer_to(desk, line, server)
        self.answer(server, answer, line.seat.account if line is not None else None)

    def _awaiting(self, request: Request) -> Subscription | None:
        """The subscription whose first NOTIFY *request* is; None for none."""
        if request.method != "NOTIFY":
            return None
        found = (line.subscriptions.awaiting(request) for line in self._desk.lines.values())
        return next((each for each in found if each is not None), None)

    def on_options(self, server: ServerTransaction) -> None:
        """An OPTIONS: what the phone can, with the status that an INVITE would draw now (section 11.2)."""
        line = self.line_called(server.request)
        if line is None and server.request.request_uri.user:
            self.answer(server, Answer(404))
            return
        refusal = None
        if line is not None:
            invitation = Invitation(self._desk, line, server, self.guard)
            refusal = not_disturbing(invitation) or room_left(invitation)
        status = 200 if refusal is None else refusal.status
        account = line.seat.account if line is not None else None
        self.answer(server, Answer(status, headers=abilities(account)), account)

    def on_message(self, server: ServerTransaction) -> None:
        """A MESSAGE (RFC 3428)."""
        line = self.line_called(server.request)
        if line is None:
            self.answer(server, Answer(404))
            return
        answer = text.received(line.seat, server.request)
        self.answer(server, answer, line.seat.account)

    def on_subscribe(self, server: ServerTransaction) -> None:
        """A SUBSCRIBE: somebody wants to watch a line."""
        line = self.line_called(server.request)
        if line is None:
            self.answer(server, Answer(404))
            return
        refusal = self._notifier.subscribed(server, line.seat, self.identity_called(line, server.request))
        if refusal is not None:
            self.answer(server, refusal, line.seat.account)

    def on_refer(self, server: ServerTransaction) -> None:
        """A REFER: the phone is to call somebody."""
        line = self.line_called(server.request)
        if line is None:
            self.answer(server, Answer(404))
        else:
            known = server.source.host in line.seat.known
            self._desk.referrals.outside(line.seat, server, known=known)

    def on_in_dialog_only(self, server: ServerTransaction) -> None:
        """What makes sense in a dialog only."""
        self.answer(server, Answer(481))


def _domains_named(request: Request) -> set[str]:
    """The domains that Request-URI and To name, with their port and without."""
    uris = [request.request_uri]
    with contextlib.suppress(MessageError):  # it is answered where it matters
        uris.append(request.to_address.uri)
    return {text.lower() for uri in uris for text in (uri.host, f"{uri.host}:{uri.port}") if uri.host}


HANDLERS: dict[str, Callable[[UasCore, ServerTransaction], None]] = {
    "INVITE": UasCore.on_invite,
    "NOTIFY": UasCore.on_notify,
    "OPTIONS": UasCore.on_options,
    "MESSAGE": UasCore.on_message,
    "SUBSCRIBE": UasCore.on_subscribe,
    "REFER": UasCore.on_refer,
    **dict.fromkeys(("BYE", "PRACK", "UPDATE", "INFO"), UasCore.on_in_dialog_only),
}
"""What takes a request outside of dialogs; other known methods draw 405, unknown ones 501."""


BODILESS = frozenset({"OPTIONS", "SUBSCRIBE", "REFER"})
"""Of these a body is of no use; the others read theirs."""


def unsupported(request: Request, line: Station | None) -> Answer | None:
    """The 420 for a request that requires what *line* does not speak (section 8.2.2.3)."""
    missing = option_tags.missing(request, None if line is None else line.seat.account)
    return Answer(420, headers=(("Unsupported", ", ".join(missing)),)) if missing else None


# -- may it ring? --------------------------------------------------------------------------------------------


def source_trusted(invitation: Invitation) -> Answer | None:
    """``sip.trust_ctrl``, ``sip.request_validation.*``: only who may."""
    return invitation.guard.refusal(invitation.server, invitation.line)


def contact_given(invitation: Invitation) -> Answer | None:
    """Without a From tag it is of RFC 2543, which asked for no Contact either."""
    request = invitation.request
    missing = request.from_tag and not request.contacts
    return Answer(400, reason="Missing Contact header") if missing else None


def body_readable(invitation: Invitation) -> Answer | None:
    """A session description, not encoded, or no body (section 8.2.3)."""
    return content.unreadable(invitation.request, SDP)


def answer_accepted(invitation: Invitation) -> Answer | None:
    """The caller takes a session description for an answer (section 20.1)."""
    return None if accepts(invitation.request, SDP) else Answer(406)


def caller_known(invitation: Invitation) -> Answer | None:
    """``account.X.reject_anonymous_call``, refused with ``features.anonymous_response_code`` (RFC 5079)."""
    refused = invitation.line.seat.account.reject_anonymous and invitation.caller.anonymous
    why = "the caller does not say who calls"
    return Answer(invitation.desk.config.anonymous_code, why=why) if refused else None


def not_forwarded(invitation: Invitation) -> Answer | None:
    """``forward.always.*``."""
    return _forwarded(invitation, Forward.ALWAYS)


def not_forwarded_as_busy(invitation: Invitation) -> Answer | None:
    """``forward.busy.*``."""
    return _forwarded(invitation, Forward.BUSY) if invitation.busy else None


def interval_long_enough(invitation: Invitation) -> Answer | None:
    """The session timer that the caller wants is not too brief (RFC 4028 section 9)."""
    brief = session_expires.too_brief(invitation.line.seat.account, invitation.request)
    return Answer(422, headers=(("Min-SE", str(session_expires.MIN_INTERVAL)),)) if brief else None


def not_disturbing(invitation: Invitation) -> Answer | None:
    """``account.X.dnd.enable``, refused with ``features.dnd_refuse_code``."""
    dnd = invitation.line.seat.account.dnd
    return Answer(invitation.desk.config.dnd_refuse_code, why="do not disturb is on") if dnd else None


def room_left(invitation: Invitation) -> Answer | None:
    """``call_waiting.enable``, and no more calls than the phone can hold."""
    if not invitation.busy:
        return None
    return Answer(486, why=invitation.crowded or "call_waiting.enable = 0")


def _forwarded(invitation: Invitation, why: Forward) -> Answer | None:
    """The 302 that sends the call elsewhere, where *why* does so."""
    desk, line, request = invitation.desk, invitation.line, invitation.request
    number = forwarding.target(line.seat, request, why)
    if not number:
        return None
    identity = desk.context.identity(line.seat.account, line.seat.account.servers[0])
    forwarding.tell(line.seat, invitation.caller.number, number, why)
    headers = tuple(forwarding.headers(line.seat, identity, request, number, why))
    return Answer(302, headers=headers, why=forwarding.reason(number, why))


Check = Callable[[Invitation], Answer | None]
READABLE: tuple[Check, ...] = (
    source_trusted,
    contact_given,
    body_readable,
    answer_accepted,
    interval_long_enough,
)
"""What every INVITE has to pass, also one that takes the place of a call."""
ADMISSION: tuple[Check, ...] = (
    *READABLE,
    caller_known,
    not_forwarded,
    not_disturbing,
    not_forwarded_as_busy,
    room_left,
)
"""What an INVITE has to pass before it rings, in this order."""
