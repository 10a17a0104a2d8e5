"""Requests that belong to no dialog: whom they are for, and what they are answered (RFC 3261 section 8.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_emulator.config.model import AccountConfig
from phone_emulator.events import CheckSync
from phone_emulator.sip.endpoint import ServerTransaction
from phone_emulator.sip.message import METHODS, MessageError, Request, response_to

from .identity import ALLOW
from .incoming import IncomingCall
from .subscription import EVENT as MWI_EVENT

if TYPE_CHECKING:
    from .line import Line
    from .phone import Phone

MAX_LIVE_CALLS = 100
"""Incoming calls beyond these are refused with 486, so that a peer cannot use up the memory."""
SDP_TYPE = "application/sdp"
CHECK_SYNC = "check-sync"
"""The event of a NOTIFY that makes the phone fetch its files again."""
OPTION_TAGS: frozenset[str] = frozenset()
"""What a request may ``Require`` of the phone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with."""

    status: int
    reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Invitation:
    """An INVITE that may become a call."""

    phone: Phone
    line: Line
    server: ServerTransaction

    @property
    def request(self) -> Request:
        """The INVITE."""
        return self.server.request


class Reception:
    """Answers what comes in outside of dialogs.

    Args:
        phone: whose requests they are.
    """

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def receive(self, server: ServerTransaction) -> None:
        """A request came in that belongs to no dialog; raises MessageError where it cannot be read."""
        request = server.request
        if request.method != "NOTIFY" and request.to_tag is not None:
            self.answer(server, Reply(481))
            return
        handler = HANDLERS.get(request.method)
        if handler is not None:
            handler(self, server)
        elif request.method in METHODS:
            self.answer(server, Reply(405, headers=(("Allow", ALLOW),)))
        else:
            self.answer(server, Reply(501))

    def answer(self, server: ServerTransaction, reply: Reply, account: AccountConfig | None = None) -> None:
        """Give *reply*; *account* is that of the line that the request is for, if that is known."""
        phone = self._phone
        agent = phone.options.device.user_agent(phone.config, account)
        extra = [*reply.headers, ("User-Agent", agent)]
        tag = phone.context.endpoint.new_tag()
        server.respond(response_to(server.request, reply.status, reply.reason, to_tag=tag, extra=extra))

    def line_called(self, request: Request) -> Line | None:
        """The line that *request* is for, by the user of its Request-URI."""
        user = request.request_uri.user
        lines = self._phone.lines.values()
        for line in lines:
            if line.account.user_name == user:
                return line
        return next(iter(lines), None) if self._phone.options.any_user else None

    # -- by method -----------------------------------------------------------------------------------------

    def invited(self, server: ServerTransaction) -> None:
        """An INVITE: a call, unless something speaks against it."""
        request, phone = server.request, self._phone
        try:
            line = self.line_called(request)
            caller = request.from_address.uri.user or str(request.from_address.uri)
            _ = request.to_address, request.contacts  # raise: they become the ends of the dialog
        except MessageError as error:
            self.answer(server, Reply(400, str(error)[:80]))
            return
        if line is None:
            self.answer(server, Reply(404))
            return
        invitation = Invitation(phone, line, server)
        for check in ADMISSION:
            refusal = check(invitation)
            if refusal is not None:
                self.answer(server, refusal, line.account)
                return
        identity = phone.context.identity(line.account, line.account.servers[0])
        phone.ring(IncomingCall(line, phone.new_call_id(), caller, identity, server))

    def notified(self, server: ServerTransaction) -> None:
        """A NOTIFY of no dialog: check-sync, or voice mail (unasked, or before the SUBSCRIBE's answer)."""
        request, phone = server.request, self._phone
        line = self.line_called(request)
        event, _, parameters = (request.headers.get("Event") or "").partition(";")
        if event.strip().lower() == CHECK_SYNC:
            reboot = "reboot=true" in parameters.lower().replace(" ", "")
            phone.bus.tell(CheckSync(at=phone.world.now(), remote=server.flow.remote, reboot=reboot))
        elif line is not None and event.startswith(MWI_EVENT):
            line.message_summary(request.body)
        self.answer(server, Reply(200))

    def asked(self, server: ServerTransaction) -> None:
        """An OPTIONS: what the phone can (section 11.2)."""
        self.answer(server, Reply(200, headers=(("Allow", ALLOW),)))

    def messaged(self, server: ServerTransaction) -> None:
        """A MESSAGE (RFC 3428)."""
        self.answer(server, Reply(200))

    def lost(self, server: ServerTransaction) -> None:
        """What makes sense in a dialog only."""
        self.answer(server, Reply(481))


HANDLERS: dict[str, Callable[[Reception, ServerTransaction], None]] = {
    "INVITE": Reception.invited,
    "NOTIFY": Reception.notified,
    "OPTIONS": Reception.asked,
    "MESSAGE": Reception.messaged,
    **dict.fromkeys(("BYE", "PRACK", "UPDATE", "INFO"), Reception.lost),
}
"""What takes a request outside of dialogs; other known methods draw 405, unknown ones 501."""


def unsupported(request: Request) -> Reply | None:
    """The 420 for a request that requires what the phone cannot (section 8.2.2.3)."""
    missing = [tag for tag in request.headers.values("Require") if tag.lower() not in OPTION_TAGS]
    return Reply(420, headers=(("Unsupported", ", ".join(missing)),)) if missing else None


# -- may it ring? --------------------------------------------------------------------------------------------


def source_trusted(invitation: Invitation) -> Reply | None:
    """``sip.trust_ctrl``: only the line's own servers may call."""
    line, source = invitation.line, invitation.server.flow.remote.host
    return Reply(403) if invitation.phone.config.trust_ctrl and not line.knows(source) else None


def contact_given(invitation: Invitation) -> Reply | None:
    """Without a From tag it is of RFC 2543, which asked for no Contact either."""
    request = invitation.request
    missing = request.from_tag and not request.contacts
    return Reply(400, "Missing Contact header") if missing else None


def body_readable(invitation: Invitation) -> Reply | None:
    """A session description, not encoded, or no body (section 8.2.3)."""
    request = invitation.request
    content_type = (request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if request.body and content_type != SDP_TYPE:
        return Reply(415, headers=(("Accept", SDP_TYPE),))
    if request.body and request.headers.get("Content-Encoding") not in (None, "identity"):
        return Reply(415, headers=(("Accept-Encoding", "identity"),))
    return None


def answer_accepted(invitation: Invitation) -> Reply | None:
    """The caller takes a session description for an answer (section 20.1)."""
    headers = invitation.request.headers
    if "Accept" not in headers:
        return None
    ranges = {value.partition(";")[0].strip().lower() for value in headers.values("Accept")}
    return Reply(406) if ranges.isdisjoint((SDP_TYPE, "application/*", "*/*")) else None


def not_disturbing(invitation: Invitation) -> Reply | None:
    """``account.X.dnd.enable``, refused with ``features.dnd_refuse_code``."""
    dnd = invitation.line.account.dnd
    return Reply(invitation.phone.config.dnd_refuse_code) if dnd else None


def room_left(invitation: Invitation) -> Reply | None:
    """``call_waiting.enable``, and no more calls than the phone can hold."""
    phone = invitation.phone
    busy = not invitation.line.idle and not phone.config.call_waiting
    return Reply(486) if busy or len(phone.calls) >= MAX_LIVE_CALLS else None


Check = Callable[[Invitation], Reply | None]
ADMISSION: tuple[Check, ...] = (
    source_trusted,
    contact_given,
    body_readable,
    answer_accepted,
    not_disturbing,
    room_left,
)
"""What an INVITE has to pass before it rings, in this order."""
