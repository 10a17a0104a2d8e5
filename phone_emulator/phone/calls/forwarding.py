"""Calls that are sent elsewhere: 302 with Contact and Diversion (RFC 3261 section 21.3.3, RFC 5806)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from phone_emulator.config.model import AccountConfig, ForwardConfig, PhoneConfig
from phone_emulator.events import CallForwarded
from phone_emulator.phone.dialling.number import as_written, dialled, why_undialable
from phone_emulator.sip.message import Request

if TYPE_CHECKING:
    from phone_emulator.phone.seat import Seat
    from phone_emulator.phone.wire.identity import Identity

RING = 6
"""Seconds of one ring, as ``forward.no_answer.timeout`` counts them."""
MAX_DIVERSIONS = 5
"""A call that was diverted so often is not sent on again: it goes round in a circle."""


class Forward(StrEnum):
    """Why a call is sent elsewhere, in the words of Diversion (RFC 5806 section 4.2)."""

    ALWAYS = "unconditional"
    BUSY = "user-busy"
    NO_ANSWER = "no-answer"


WORDS = {
    Forward.ALWAYS: "every call is forwarded",
    Forward.BUSY: "the line is busy",
    Forward.NO_ANSWER: "nobody answered",
}


def settings(config: PhoneConfig, account: AccountConfig) -> ForwardConfig:
    """The forwards in effect for *account* (``features.fwd_mode``); none where forwarding is not allowed."""
    if not config.forward_allowed:
        return ForwardConfig()
    return account.forward if config.forward_by_account else config.forward


def target(seat: Seat, request: Request, why: Forward) -> str:
    """The number that the INVITE *request* is forwarded to because of *why*; empty where it is not."""
    set_up = settings(seat.context.config, seat.account)
    enabled, number = {
        Forward.ALWAYS: (set_up.always, set_up.always_target),
        Forward.BUSY: (set_up.busy, set_up.busy_target),
        Forward.NO_ANSWER: (set_up.no_answer, set_up.no_answer_target),
    }[why]
    filtered = seat.context.config.call_num_filter
    if not enabled or why_undialable(number, filtered):
        return ""
    number = dialled(number, filtered)
    return number if len(request.headers.values("Diversion")) < MAX_DIVERSIONS else ""


def patience(seat: Seat) -> int:
    """Seconds that a call rings before it is forwarded."""
    return settings(seat.context.config, seat.account).rings * RING


def headers(
    seat: Seat, identity: Identity, request: Request, number: str, why: Forward
) -> list[tuple[str, str]]:
    """What the 302 carries that sends the INVITE *request* to *number*."""
    found = [("Contact", f"<{identity.uri_of(as_written(number, seat.context.config))}>")]
    if seat.context.config.forward_diversion:
        found.append(("Diversion", f"{identity.name_addr()};reason={why}"))
        found += [("Diversion", value) for value in request.headers.values("Diversion")]
    return found


def reason(number: str, why: Forward) -> str:
    """That a call goes to *number*, for people."""
    return f"forwarded to {number}: {WORDS[why]}"


def tell(seat: Seat, remote: str, number: str, why: Forward) -> None:
    """Tell that the call of *remote* went to *number*."""
    said = reason(number, why)
    seat.tell(CallForwarded(at=seat.now, line=seat.number, remote=remote, to=number, reason=said))
