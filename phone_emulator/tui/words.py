"""The phone's own words: what a Yealink screen says for a state, a failure or a registration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phone_emulator.events import Attempt, CallState, Direction, EndedBy, Outcome, RegistrationState
from phone_emulator.phone.transfer.referral import followed
from phone_emulator.phone.transfer.transfer import under_way

if TYPE_CHECKING:
    from phone_emulator.phone.calls.call import Call

REGISTRATION = {
    RegistrationState.UNREGISTERED: "Unregistered",
    RegistrationState.REGISTERING: "Registering",
    RegistrationState.REGISTERED: "Registered",
    RegistrationState.FAILED: "Register failed!",
    RegistrationState.UNREGISTERING: "Unregistering",
}

NOWHERE = "No Service: registered nowhere"
"""A state of its own: the line should be registered, and no server holds it."""

UNREACHABLE = "Registered, may be unreachable"
"""Calls may not come: the connection that it is registered over is lost."""

CALL = {
    CallState.CALLING: "Calling",
    CallState.RINGING: "Ringing",
    CallState.TALKING: "Talking",
    CallState.HELD: "Hold",
    CallState.ENDING: "Call Finish",
    CallState.ENDED: "Call Finish",
}

FAILURES = {
    400: "Bad request!",
    403: "Forbidden",
    404: "Not found!",
    408: "Invite request no response!",
    433: "Anonymity disallowed!",
    480: "Temporarily unavailable!",
    484: "Address is incomplete!",
    486: "Busy here!",
    488: "Not acceptable here!",
    500: "Internal Server Error",
    600: "Busy here!",
    603: "Rejected",
    606: "Not acceptable here!",
}
"""What the screen says when a call ends with this status."""

OUTCOMES = {
    Outcome.ANSWERED: "answered",
    Outcome.REJECTED: "rejected",
    Outcome.UNAVAILABLE: "unavailable",
    Outcome.NO_RESPONSE: "no response",
    Outcome.ICMP: "port unreachable",
    Outcome.CONNECT_FAILED: "no connection",
    Outcome.TLS_FAILED: "TLS failed",
    Outcome.SEND_FAILED: "send failed",
    Outcome.UNRESOLVED: "name not found",
    Outcome.SKIPPED: "passed over",
    Outcome.CANCELLED: "hung up",
}
"""How an attempt ended, in a column's width."""


def call_word(call: Call) -> str:
    """The state of *call* as the phone's screen shows it: ``Calling``, ``Incoming call``, ``Busy here!``."""
    if call.state is CallState.RINGING and call.direction is Direction.INCOMING:
        return "Incoming call"
    if call.state in (CallState.TALKING, CallState.HELD):
        if under_way(call) is not None:
            return "Transferring"
        if followed(call):
            return "Be Transferred"
    if call.state is CallState.CALLING and call.route and call.route[-1].status:
        return "Connecting"
    if call.state is CallState.TALKING and call.far_held:
        return "Held"
    if call.state is CallState.TALKING and call.conference is not None:
        return "Conf"
    over = call.state in (CallState.ENDING, CallState.ENDED)
    if over and call.result is not None and call.result != "answered":
        return failure_word(call)
    return CALL[call.state]


def failure_word(call: Call) -> str:
    """What the screen says of a call that did not come about."""
    if call.missed:
        return "Missed call"
    if call.end is not None and call.end.elsewhere:
        return "Answered elsewhere"
    if call.result == "cancelled":
        return "Cancelled"
    if call.direction is Direction.INCOMING:
        return "Rejected" if call.result == "rejected" else "Call failed!"
    if call.status in FAILURES:
        return FAILURES[call.status]
    tried = [attempt for attempt in call.route if attempt.outcome is not Outcome.SKIPPED]
    if tried and all(attempt.outcome is Outcome.NO_RESPONSE for attempt in tried):
        return FAILURES[408]
    return "Call failed!"


def parting_word(call: Call) -> str:
    """What went wrong when *call* was ended: its BYE was in vain; empty for nothing."""
    end = call.end
    if end is None or end.method != "BYE" or end.by is EndedBy.THEM or end.answered is None:
        return ""
    if end.answered is False:
        return "BYE not answered"
    return "" if end.accepted else "BYE refused"


def outcome_word(attempt: Attempt) -> str:
    """How *attempt* ended, or how far it is: ``503 unavailable``, ``no response``, ``180 ringing``."""
    if attempt.outcome is None:
        if attempt.status:
            return f"{attempt.status} {'trying' if attempt.status == 100 else 'ringing'}"
        return "calling" if attempt.method == "INVITE" else "registering"
    word = OUTCOMES[attempt.outcome]
    if attempt.outcome is Outcome.CANCELLED and attempt.method == "REGISTER":
        return "cut short"  # nobody hangs up a registration
    numbered = attempt.outcome in (Outcome.REJECTED, Outcome.UNAVAILABLE, Outcome.ANSWERED)
    return f"{attempt.status} {word}" if numbered and attempt.status else word
