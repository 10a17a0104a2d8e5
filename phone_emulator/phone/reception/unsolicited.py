"""NOTIFYs of no dialog: what each event means to the phone, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from phone_emulator.events import CallState, CheckSync, Direction
from phone_emulator.phone.presence import mwi
from phone_emulator.phone.presence.blf import number_of
from phone_emulator.phone.registration.keepalive import KEEP_ALIVE
from phone_emulator.phone.wire import content, dialog_info, xml_body
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.event_package import event_of, event_parameters
from phone_emulator.phone.wire.identity import ALLOW_EVENTS
from phone_emulator.sip.body import Part
from phone_emulator.sip.message import Request
from phone_emulator.sip.server import ServerTransaction

from .desk import Desk, Station

CHECK_SYNC = "check-sync"
"""The event of a NOTIFY that makes the phone fetch its files again."""


@dataclass(frozen=True, slots=True)
class UnsolicitedNotify:
    """A NOTIFY that nobody subscribed to."""

    desk: Desk
    line: Station | None
    """Whose user the Request-URI names."""
    server: ServerTransaction
    part: Part | None
    """What it says, where its event has something to say."""

    @property
    def request(self) -> Request:
        """The NOTIFY."""
        return self.server.request


def check_sync(notify: UnsolicitedNotify) -> int:
    """Fetch the configuration again (``sip.notify_reboot_enable``); it needs no line."""
    reboot = "reboot=true" in event_parameters(notify.request).lower().replace(" ", "")
    desk, remote = notify.desk, notify.server.flow.remote
    desk.bus.tell(CheckSync(at=desk.world.now(), remote=remote, reboot=reboot))
    return 200


def message_summary(notify: UnsolicitedNotify) -> int:
    """Voice mail that nobody asked for; one of a subscription that is gone is told so."""
    if notify.request.to_tag is not None:
        return 481
    if notify.line is None:
        return 404
    if notify.part is not None:
        notify.line.mailbox.take(notify.part.body)
    return 200


def watched_dialogs(notify: UnsolicitedNotify) -> int:
    """What a watched number does, told outside a subscription (``account.X.out_dialog_blf_enable``)."""
    line, body = notify.line, b"" if notify.part is None else notify.part.body
    if line is None or not line.seat.account.out_dialog_blf:
        return 481
    try:
        number = number_of(dialog_info.read(body).entity)
        lamps = [lamp for lamp in line.subscriptions.lamps if lamp.number.partition("@")[0] == number]
        for lamp in lamps:
            lamp.take(body)
    except xml_body.XmlError:
        return 400
    return 200 if lamps else 481


def told_to(notify: UnsolicitedNotify) -> int:
    """Talk or hold: the call with this Call-ID; else the one that rings (talk) or is up (hold)."""
    event = event_of(notify.request)
    seat = None if notify.line is None else notify.line.seat
    source = notify.server.source.host
    calls = [call for call in notify.desk.calls if seat in (None, call.seat) and source in call.seat.known]
    named = [call for call in calls if call.dialog and call.dialog.call_id == notify.request.call_id]
    fit = CallState.RINGING if event == "talk" else CallState.TALKING
    others = [
        call
        for call in calls
        if call.state is fit and (event == "hold" or call.direction is Direction.INCOMING)
    ]
    chosen = named or (others if len(others) == 1 else [])
    if not chosen:
        return 481
    chosen[0].told_to(event)
    return 200


def nothing(notify: UnsolicitedNotify) -> int:
    """Nothing is to be done."""
    return 200


EVENTS: dict[str, Callable[[UnsolicitedNotify], int]] = {
    CHECK_SYNC: check_sync,
    mwi.EVENT: message_summary,
    dialog_info.EVENT: watched_dialogs,
    "talk": told_to,
    "hold": told_to,
    KEEP_ALIVE: nothing,
}
"""What takes a NOTIFY of each event, and returns the status of the answer."""


CONTENT = {mwi.EVENT: (mwi.CONTENT_TYPE,), dialog_info.EVENT: (dialog_info.CONTENT_TYPE,)}
"""Of which type the body of a NOTIFY of each event is; of the others it is of no use."""


def answer_to(desk: Desk, line: Station | None, server: ServerTransaction) -> Answer:
    """Act upon the NOTIFY of *server*, whose Request-URI names the user of *line*; its answer."""
    request = server.request
    event = event_of(request)
    take = EVENTS.get(event)
    if take is None:
        return Answer(481) if request.to_tag is not None else Answer(489, (("Allow-Events", ALLOW_EVENTS),))
    types = CONTENT.get(event, content.HARMLESS)
    part, refusal = content.read_body(request, *types, unsaid=types[0])
    return refusal or Answer(take(UnsolicitedNotify(desk, line, server, part)))
