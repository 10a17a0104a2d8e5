"""An INVITE that takes the place of a call: Replaces (RFC 3891 section 3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from phone_emulator.events import CallState
from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.calls.outgoing import OutgoingCall
from phone_emulator.phone.calls.states import UP
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.dialog_info import DialogState
from phone_emulator.phone.wire.errors import CallError
from phone_emulator.sip.message import MessageError
from phone_emulator.sip.refer import Replaces, parse_replaces

from .referral import Dial


class NotReplaced(Exception):
    """There is no call that can be replaced.

    Args:
        status: what the INVITE is answered with.
        why: for people.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def replaced_call(calls: Iterable[Call], history: Iterable[Call], wanted: Replaces) -> Call:
    """The one of *calls* that an INVITE with *wanted* takes the place of; raises NotReplaced.

    A call that is up may be replaced, and one that rings at the far end; not one that rings here, which is
    the far end's to replace. 481: there is none; 486: it is up, and only a ringing one was meant; 603: it is
    over.
    """
    live = [call for call in calls if _means(wanted, call)]
    if len(live) > 1:
        raise NotReplaced(481, f"Replaces means {len(live)} calls")
    if not live:
        if any(_means(wanted, call) for call in history):
            raise NotReplaced(603, "the call to be replaced is over")
        raise NotReplaced(481, "there is no call to be replaced")
    call = live[0]
    if call.state in UP:
        if wanted.early_only:
            raise NotReplaced(486, "the call to be replaced was answered already")
        return call
    if call.state is CallState.ENDING:
        raise NotReplaced(603, "the call to be replaced is about to end")
    if isinstance(call, OutgoingCall):
        return call
    raise NotReplaced(481, "the call to be replaced rings here: its caller is to be asked")


def pick_up(seat: Seat, ringing: DialogState, dial: Dial) -> OutgoingCall:
    """Answer a call that rings elsewhere (``account.X.dialoginfo_callpickup``); raises CallError.

    An INVITE with Replaces goes to the caller: the early dialog is the caller's to give away (section 3), and
    its own tag is the remote one of whoever it rings at.

    Args:
        seat: of the line that talks then.
        ringing: the early dialog, as a BLF key knows it (`Lamp.ringing`).
        dial: places the call.
    """
    if not seat.account.dialog_pickup:
        raise CallError(f"account.{seat.number}.dialoginfo_callpickup = 0: calls are not picked up this way")
    if not (ringing.remote and ringing.call_id and ringing.remote_tag and ringing.local_tag):
        raise CallError("the server does not tell enough of the call that rings to pick it up")
    replaces = Replaces(ringing.call_id, ringing.remote_tag, ringing.local_tag, early_only=True)
    with contextlib.suppress(MessageError):
        if parse_replaces(str(replaces)) == replaces:
            return dial(ringing.remote, seat.number, headers=[("Replaces", str(replaces))])
    raise CallError("what the server tells of the call that rings cannot be used to pick it up")


def _means(wanted: Replaces, call: Call) -> bool:
    dialogs = call.ringing_dialogs if call.dialog is None else [call.dialog]
    return any(wanted.names(each.call_id, each.local_tag, each.remote_tag) for each in dialogs)
