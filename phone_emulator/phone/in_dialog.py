"""Requests of the far end within a call's dialog: what takes each method (RFC 3261 section 12.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from phone_emulator.config.model import AccountConfig
from phone_emulator.sip.body import SDP
from phone_emulator.sip.message import METHODS
from phone_emulator.sip.server import ServerTransaction

from . import info, option_tags, text
from .event_package import event_of
from .identity import ALLOW, ALLOW_EVENTS
from .referral import referred_in

if TYPE_CHECKING:
    from .call import Call

TRANSFER = "refer"
"""The event of a NOTIFY that tells how a transfer goes."""
CONTROLS = frozenset({"talk", "hold"})
"""Events of NOTIFYs by which a server operates the phone."""


def abilities(account: AccountConfig | None) -> tuple[tuple[str, str], ...]:
    """What an OPTIONS to the line of *account* hears: headers (RFC 3261 section 11.2)."""
    return (
        ("Accept", SDP),
        ("Allow", ALLOW),
        ("Supported", option_tags.supported(account)),
        ("Allow-Events", ALLOW_EVENTS),
    )


def receive(call: Call, server: ServerTransaction) -> None:
    """A request came in within a dialog of *call*, in order."""
    method = server.request.method
    handler = HANDLERS.get(method)
    if handler is not None:
        handler(call, server)
    elif method in METHODS:
        call.respond(server, 405, [("Allow", ALLOW)])
    else:
        call.respond(server, 501)


def ended(call: Call, server: ServerTransaction) -> None:
    """A BYE."""
    call.respond(server, 200)
    call.far_end_hung_up()


def changed(call: Call, server: ServerTransaction) -> None:
    """A re-INVITE or an UPDATE: the session, the remote target or the session timer."""
    dialog = call.dialog_of(server.request)
    assert dialog is not None
    call.session.answer(server, dialog)
    if server.final is not None and server.final.status < 300:
        call.meet(server.request)


def acknowledged(call: Call, server: ServerTransaction) -> None:
    """A PRACK: a provisional response of this phone has arrived."""
    call.acknowledge_provisional(server)


def asked(call: Call, server: ServerTransaction) -> None:
    """An OPTIONS: what the phone can (RFC 3261 section 11.2)."""
    call.respond(server, 200, abilities(call.line.account))


def informed(call: Call, server: ServerTransaction) -> None:
    """An INFO: a digit, or a question whether the call is still up."""
    call.respond(server, *info.received(call, server.request))


def messaged(call: Call, server: ServerTransaction) -> None:
    """A MESSAGE (RFC 3428)."""
    call.respond(server, *text.received(call.line, server.request))


def notified(call: Call, server: ServerTransaction) -> None:
    """A NOTIFY: how a transfer of this phone goes, or what the server wants the phone to do."""
    event = event_of(server.request)
    if event in CONTROLS:
        call.respond(server, 200)
        call.told_to(event)
    elif event != TRANSFER:
        call.respond(server, 489, [("Allow-Events", ALLOW_EVENTS)])
    elif call.transfer is None or not call.transfer.notified(server):
        call.respond(server, 481)


def subscribed(call: Call, server: ServerTransaction) -> None:
    """A SUBSCRIBE: to what the far end is told of a REFER of its own."""
    if not any(referral.subscribed(server) for referral in call.referrals):
        call.respond(server, 481)


Handler = Callable[["Call", ServerTransaction], None]
HANDLERS: dict[str, Handler] = {
    "BYE": ended,
    "INVITE": changed,
    "UPDATE": changed,
    "PRACK": acknowledged,
    "REFER": referred_in,
    "NOTIFY": notified,
    "SUBSCRIBE": subscribed,
    "INFO": informed,
    "MESSAGE": messaged,
    "OPTIONS": asked,
}
"""What takes a request of each method; other known methods draw 405, unknown ones 501."""
