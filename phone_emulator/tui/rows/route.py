"""The route of a call: each server in order with its state, outcome and reason, and the wait that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING

from phone_emulator.events import Attempt, Direction, Outcome, Target
from phone_emulator.phone.calls.incoming import IncomingCall
from phone_emulator.phone.transfer.transfer import under_way
from phone_emulator.redundancy.walk import moves_on
from phone_emulator.tui.spans import seconds
from phone_emulator.tui.words import outcome_word, parting_word

if TYPE_CHECKING:
    from phone_emulator.phone.calls.call import Call


class Mark(StrEnum):
    """What a row's colour and symbol say."""

    GOOD = auto()
    BAD = auto()
    LIVE = auto()
    TO_COME = auto()
    PASSED = auto()


SYMBOLS = {Mark.GOOD: "✓", Mark.BAD: "✗", Mark.LIVE: "…", Mark.TO_COME: "·", Mark.PASSED: "−"}

_AT_ONCE = 0.25
"""Seconds; less than any T1, the first retransmission."""
_MARKS = {
    Outcome.ANSWERED: Mark.GOOD,
    Outcome.SKIPPED: Mark.PASSED,
    Outcome.CANCELLED: Mark.PASSED,
}


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One server of the route."""

    mark: Mark
    number: int
    role: str
    place: str
    """``192.168.1.13:5060/udp``."""
    word: str
    """``no response``, ``503 unavailable``, ``calling``, ``waiting``."""
    took: str
    """``32.0 s``."""
    reason: str
    """One sentence."""
    sends: str
    """``INVITE sent 4 times: 0.0, 0.5, 1.5, 3.5 s``."""


@dataclass(frozen=True, slots=True)
class RouteView:
    """The route pane."""

    title: str
    rows: tuple[RouteRow, ...]
    mark: Mark
    sentence: str
    """What goes on now, or how it ended."""
    share: float | None = None
    """How much of the wait is left, 0..1; None when nothing is waited for."""


def route_view(call: Call, now: float, origin: tuple[str, str] | None) -> RouteView:
    """The route of *call* at *now*.

    Args:
        call: in either direction.
        now: seconds since the world began.
        origin: role and place that an incoming call came from, where they are known.
    """
    title = f"{call.id} · {'to' if call.direction is Direction.OUTGOING else 'from'} {call.remote}"
    if call.direction is Direction.INCOMING:
        mark = _result_mark(call)
        role, place = origin or ("", "")
        left = call.left if isinstance(call, IncomingCall) else ""
        rows = [RouteRow(mark, 1, role or "peer", place, "INVITE came in", "", left, "")] if origin else []
        return RouteView(title, tuple(rows), mark, _incoming_sentence(call))
    going_on = call.result is None
    live = call.route[-1] if call.route and call.route[-1].outcome is None else None
    to_come = call.to_come if going_on else []
    asked = [attempt.target for attempt in to_come if attempt.outcome is None]
    before = [None, *call.route]
    rows = [_attempt_row(attempt, now, last) for attempt, last in zip(call.route, before, strict=False)]
    rows += [
        RouteRow(
            Mark.TO_COME if each.outcome is None else Mark.PASSED,
            each.n,
            each.target.role,
            _place(each.target),
            "waiting" if each.outcome is None else "passed over",
            "",
            each.detail,
            "",
        )
        for each in to_come
    ]
    if not going_on:
        return RouteView(title, tuple(rows), _result_mark(call), _end_sentence(call))
    if live is None:
        where = _between(call, asked)
        return RouteView(title, tuple(rows), Mark.LIVE, where)
    sentence, share = _wait_sentence(live, now, more=bool(asked))
    return RouteView(title, tuple(rows), Mark.LIVE, sentence, share)


def _attempt_row(attempt: Attempt, now: float, before: Attempt | None) -> RouteRow:
    end = attempt.ended if attempt.ended is not None else now
    told = attempt.detail
    if attempt.outcome in (None, Outcome.ANSWERED):
        # Why it is asked, unless the row above has said so.
        told = "" if before is not None and before.detail in attempt.why else attempt.why
    mark = Mark.LIVE if attempt.outcome is None else _MARKS.get(attempt.outcome, Mark.BAD)
    return RouteRow(
        mark=mark,
        number=attempt.n,
        role=attempt.target.role,
        place=_place(attempt.target),
        word=outcome_word(attempt),
        took="" if attempt.outcome is Outcome.SKIPPED else seconds(end - attempt.started),
        reason=told,
        sends=_sends(attempt),
    )


def _place(target: Target) -> str:
    return f"{target.remote}/{target.transport}" if target.address else target.host


def _sends(attempt: Attempt) -> str:
    if not attempt.sends or attempt.sends[-1] - attempt.sends[0] < _AT_ONCE:
        return ""  # sent once, or again at once with credentials
    times = ", ".join(f"{moment - attempt.started:.1f}" for moment in attempt.sends)
    return f"{attempt.method} sent {len(attempt.sends)} times: {times} s"


def _wait_sentence(attempt: Attempt, now: float, *, more: bool) -> tuple[str, float | None]:
    if attempt.status:
        role = attempt.target.role
        return f"{role} answered {attempt.status}: the call stays with this server", None
    if attempt.give_up_at is None:
        return f"sending to {attempt.target}", None
    left = max(attempt.give_up_at - now, 0.0)
    whole = attempt.wait.seconds if attempt.sent or attempt.wait.connect is None else attempt.wait.connect
    then = "next server in" if more else "giving up in"
    head = "no answer yet" if attempt.sent else "no connection yet"
    return f"{head}, {then} {seconds(left)}", left / whole if whole else 0.0


def _between(call: Call, asked: Sequence[Target]) -> str:
    """What goes on while no request is out: *asked* are the targets to come."""
    if asked and asked[0].address and call.route:
        return f"{asked[0]} is next"
    if asked:
        return f"looking up {asked[0].host}"
    servers = call.seat.account.servers
    return f"looking up {servers[0].address}" if servers else "no server is configured"


def _end_sentence(call: Call) -> str:
    if call.result == "answered":
        tries = f" (attempt {len(call.route)})" if len(call.route) > 1 else ""
        answered = f"answered via {call.via} after {seconds(call.elapsed)}{tries}"
        return f"{answered}{_transferred(call)}{_ended(call)}"
    # The rows say why each server was left; once is enough.
    exhausted = call.result == "failed" and bool(call.route) and moves_on(call.route[-1])
    reason = "every server is exhausted" if exhausted else call.reason
    return f"{call.result} after {seconds(call.elapsed)}: {reason}"


def _incoming_sentence(call: Call) -> str:
    if call.result is None:
        return f"{call.remote} calls line {call.seat.number}"
    ended = _ended(call) if call.answered_at is not None else ""
    return f"{call.result} after {seconds(call.elapsed)}: {call.reason}{_transferred(call)}{ended}"


def _ended(call: Call) -> str:
    """How a call that was up ended; empty while it is, and where the user has hung up and was heard."""
    end = call.end
    told = end is not None and call.ended is not None and not end.smooth
    return f"; {end.detail}" if end is not None and told else ""


def _transferred(call: Call) -> str:
    """What has become of the call since it was answered, where it was transferred."""
    transfer = under_way(call)
    if transfer is not None:
        return f", being transferred to {transfer.to}"
    return f", transferred to {call.transferred_to}" if call.transferred_to else ""


def _result_mark(call: Call) -> Mark:
    if call.result is None:
        return Mark.LIVE
    if call.result == "answered":
        return Mark.BAD if parting_word(call) else Mark.GOOD
    return Mark.PASSED if call.result == "cancelled" else Mark.BAD
