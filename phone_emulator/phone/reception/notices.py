"""NOTIFYs of no dialog: what each event means to the phone, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from phone_emulator.events import CallState, CheckSync, Direction
from phone_emulator.phone.presence import mwi
from phone_emulator.phone.presence.blf import number_of
from phone_emulator.phone.registration.keepalive import KEEP_ALIVE
from phone_emulator.phone.wire import dialog_info, xml_body
from phone_emulator.phone.wire.event_package import event_of, event_parameters
from phone_emulator.phone.wire.identity import ALLOW_EVENTS
from phone_emulator.sip.message import Request
from phone_emulator.sip.server import ServerTransaction

from .desk import Desk, Station

CHECK_SYNC = "check-sync"
"""The event of a NOTIFY that makes the phone fetch its files again."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A NOTIFY that nobody subscribed to."""

    desk: Desk
    line: Station | None
    """Whose user the Request-URI names."""
    server: ServerTransaction

    @property
    def request(self) -> Request:
        """The NOTIFY."""
        return self.server.request


def check_sync(notice: Notice) -> int:
    """Fetch the configuration again (``sip.notify_reboot_enable``); it needs no line."""
    reboot = "reboot=true" in event_parameters(notice.request).lower().replace(" ", "")
    desk, remote = notice.desk, notice.server.flow.remote
    desk.bus.tell(CheckSync(at=desk.world.now(), remote=remote, reboot=reboot))
    return 200


def message_summary(notice: Notice) -> int:
    """Voice mail that nobody asked for; one of a subscription that is gone is told so."""
    if notice.request.to_tag is not None:
        return 481
    if notice.line is None:
        return 404
    notice.line.mailbox.take(notice.request.body)
    return 200


def watched_dialogs(notice: Notice) -> int:
    """What a watched number does, told outside a subscription (``account.X.out_dialog_blf_enable``)."""
    line, request = notice.line, notice.request
    if line is None or not line.seat.account.out_dialog_blf:
        return 481
    try:
        number = number_of(dialog_info.read(request.body).entity)
        lamps = [lamp for lamp in line.subscriptions.lamps if lamp.number.partition("@")[0] == number]
        for lamp in lamps:
            lamp.take(request.body)
    except xml_body.XmlError:
        return 400
    return 200 if lamps else 481


def told_to(notice: Notice) -> int:
    """Talk or hold: the call with this Call-ID; else the one that rings (talk) or is up (hold)."""
    event = event_of(notice.request)
    seat = None if notice.line is None else notice.line.seat
    calls = [call for call in notice.desk.calls if seat in (None, call.seat)]
    named = [call for call in calls if call.dialog and call.dialog.call_id == notice.request.call_id]
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


def nothing(notice: Notice) -> int:
    """Nothing is to be done."""
    return 200


EVENTS: dict[str, Callable[[Notice], int]] = {
    CHECK_SYNC: check_sync,
    mwi.EVENT: message_summary,
    dialog_info.EVENT: watched_dialogs,
    "talk": told_to,
    "hold": told_to,
    KEEP_ALIVE: nothing,
}
"""What takes a NOTIFY of each event, and returns the status of the answer."""


def answer_to(notice: Notice) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Act upon *notice*; the status of the answer, and headers for it."""
    take = EVENTS.get(event_of(notice.request))
    if take is not None:
        return take(notice), ()
    if notice.request.to_tag is not None:
        return 481, ()
    return 489, (("Allow-Events", ALLOW_EVENTS),)
