"""How a call ended, put in words: what its last message drew, and what else ended it."""

from __future__ import annotations

from collections.abc import Sequence

from phone_emulator.events import Attempt, Ended, EndedBy, Outcome
from phone_emulator.phone.wire.credentials import words_of
from phone_emulator.sip import reason as reasons
from phone_emulator.sip.client import RequestFailed
from phone_emulator.sip.message import Message, Response

TIMED_OUT = 408
"""A server on the way has waited for the far end in vain."""


def explained(end: Ended, message: Message, why: str) -> None:
    """*message* of the far end has ended the call for *why*, and may give a reason of its own (RFC 3326)."""
    if given := reasons.reasons_of(message):
        end.reason, end.elsewhere = reasons.told(given), reasons.completed_elsewhere(given)
        end.detail = because(end, why)


def because(end: Ended | None, why: str) -> str:
    """*why*, and what the far end gave as its reason."""
    if end is None or not end.reason or end.reason in why:
        return why
    elsewhere = "answered elsewhere, " if end.elsewhere else ""
    return f"{why}: {elsewhere}{end.reason}"


def answered(end: Ended, response: Response) -> None:
    """*response* is the final one to the request that ended the call."""
    said, end.status = words_of(response), response.status
    if response.status == TIMED_OUT:
        unanswered(end, f"a server on the way answered {said}")
        return
    end.answered = True
    if not end.accepted:
        end.detail = f"{end.detail}; the {end.method} was refused: {said}"


def answered_by_bye(end: Ended | None, response: Response | None) -> None:
    """The call was answered while it was given up, and a BYE drew *response*."""
    if end is None:
        return
    end.method = "BYE"
    if response is None:
        unanswered(end, "no response")
    else:
        answered(end, response)


def unanswered(end: Ended, why: str) -> None:
    """The request that ended the call draws no answer; *why*, for people."""
    end.answered = False
    heard = "" if end.last_heard is None else f"; the far end was last heard at {end.last_heard:.1f} s"
    end.detail = f"{end.detail}; the {end.method} was not answered: {why}{heard}"


def words(failure: RequestFailed, t1: float) -> str:
    """Why a request in a dialog drew no answer, for people."""
    if failure.outcome is Outcome.NO_RESPONSE:
        return f"no response within 64*T1 = {64 * t1:.1f} s"
    return failure.detail


def by_failure(failure: RequestFailed | None, response: Response | None) -> EndedBy:
    """Who ended a call that a request within it found to be over."""
    if response is not None:
        return EndedBy.TIMEOUT if response.status == TIMED_OUT else EndedBy.THEM
    timed_out = failure is None or failure.outcome is Outcome.NO_RESPONSE
    return EndedBy.TIMEOUT if timed_out else EndedBy.TRANSPORT


def by_route(route: Sequence[Attempt]) -> EndedBy:
    """Who ended a call that no server has taken: as the last of its attempts that was made ended."""
    outcomes = [attempt.outcome for attempt in route if attempt.outcome is not Outcome.SKIPPED]
    last = outcomes[-1] if outcomes else None
    match last:
        case None | Outcome.CANCELLED:
            return EndedBy.US
        case Outcome.NO_RESPONSE:
            return EndedBy.TIMEOUT
        case Outcome.ANSWERED | Outcome.REJECTED | Outcome.UNAVAILABLE:
            return EndedBy.THEM
        case _:
            return EndedBy.TRANSPORT
