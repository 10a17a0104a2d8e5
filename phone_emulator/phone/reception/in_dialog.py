"""Requests of the far end within a call's dialog: what takes each method (RFC 3261 section 12.2.2)."""

from __future__ import annotations

from phone_emulator.config.model import AccountConfig
from phone_emulator.phone.calls.call import Call, Handler
from phone_emulator.phone.wire import option_tags
from phone_emulator.phone.wire.caller import renames
from phone_emulator.phone.wire.event_package import event_of
from phone_emulator.phone.wire.identity import ALLOW, ALLOW_EVENTS
from phone_emulator.sip.body import SDP
from phone_emulator.sip.server import ServerTransaction

from . import info, text

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


def on_bye(call: Call, server: ServerTransaction) -> None:
    """A BYE."""
    call.respond(server, 200)
    call.said_bye(server.request)


def on_invite_or_update(call: Call, server: ServerTransaction) -> None:
    """A re-INVITE or an UPDATE: the session, the remote target or the session timer."""
    dialog = call.dialog_of(server.request)
    assert dialog is not None
    call.session.answer(server, dialog)
    if server.final is None or server.final.status < 300:  # the 200 to an INVITE is about to leave
        if renames(call.seat.account):
            dialog.rename_remote(server.request)
        call.meet(server.request)


def on_prack(call: Call, server: ServerTransaction) -> None:
    """A PRACK: a provisional response of this phone has arrived."""
    call.acknowledge_provisional(server)


def on_options(call: Call, server: ServerTransaction) -> None:
    """An OPTIONS: what the phone can (RFC 3261 section 11.2)."""
    call.respond(server, 200, abilities(call.seat.account))


def on_info(call: Call, server: ServerTransaction) -> None:
    """An INFO: a digit, or a question whether the call is still up."""
    call.answer_with(server, info.received(call, server.request))


def on_message(call: Call, server: ServerTransaction) -> None:
    """A MESSAGE (RFC 3428)."""
    call.answer_with(server, text.received(call.seat, server.request))


def on_notify(call: Call, server: ServerTransaction) -> None:
    """A NOTIFY: how a transfer of this phone goes, or what the server wants the phone to do."""
    event = event_of(server.request)
    if event in CONTROLS:
        call.respond(server, 200)
        call.told_to(event)
    elif event != TRANSFER:
        call.respond(server, 489, [("Allow-Events", ALLOW_EVENTS)])
    else:
        _for_usage(call, server)


def on_subscribe(call: Call, server: ServerTransaction) -> None:
    """A SUBSCRIBE: to what the far end is told of a REFER of its own."""
    _for_usage(call, server)


def _for_usage(call: Call, server: ServerTransaction) -> None:
    """A request for something that hangs on *call*."""
    if not any(usage.take(server) for usage in tuple(call.usages)):
        call.respond(server, 481)


HANDLERS: dict[str, Handler] = {
    "BYE": on_bye,
    "INVITE": on_invite_or_update,
    "UPDATE": on_invite_or_update,
    "PRACK": on_prack,
    "NOTIFY": on_notify,
    "SUBSCRIBE": on_subscribe,
    "INFO": on_info,
    "MESSAGE": on_message,
    "OPTIONS": on_options,
}
"""What takes a request of each method; REFER, and what another phone is asked for by it, is `Referrals`'."""
