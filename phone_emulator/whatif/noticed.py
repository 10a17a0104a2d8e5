"""What a user of the phone would have noticed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phone_emulator.report.result import CallReport

from .record import Registered
from .words import AT_ONCE, NOTICEABLE, role, span


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """The sums of a rehearsal; times in seconds."""

    placed: int
    answered: int
    delays: tuple[float, ...]
    """How long each answered call took that took noticeably long, in increasing order."""
    refused: int
    """Ended by an answer other than a 2xx: busy, unknown, forbidden …"""
    lost: int
    """No server was left."""
    lost_after: float | None
    """How long the user waited at worst for a call that was lost."""
    registered: Registered
    length: float

    def as_json(self) -> dict[str, Any]:
        """The summary as ``simulate --format json`` prints it."""
        spans = self.registered
        return {
            "placed": self.placed,
            "answered": self.answered,
            "delayed": len(self.delays),
            "delay_median": _rounded(statistics.median(self.delays)) if self.delays else None,
            "delay_worst": _rounded(self.delays[-1]) if self.delays else None,
            "refused": self.refused,
            "lost": self.lost,
            "lost_after": _rounded(self.lost_after),
            "unregistered": _rounded(spans.nowhere),
            "unreachable": _rounded(spans.unreachable),
            "registered": {name: _rounded(seconds) for name, seconds in spans.by_role.items()},
            "length": _rounded(self.length),
        }

    def lines(self) -> list[str]:
        """The same for people, a sentence a line."""
        return [*self._calls(), *self._registration()]

    def _calls(self) -> list[str]:
        if not self.placed:
            return []
        calls = "1 call" if self.placed == 1 else f"{self.placed} calls"
        lost = f", {self.lost} lost"
        if self.lost_after:
            lost += f" (after {span(self.lost_after)} at worst)"
        refused = f", {self.refused} refused" if self.refused else ""
        lines = [f"{calls} placed: {self.answered} answered{refused}{lost}."]
        if self.delays:
            median, worst = statistics.median(self.delays), self.delays[-1]
            late = "1 answer" if len(self.delays) == 1 else f"{len(self.delays)} answers"
            if len(self.delays) == 1 or median == worst:
                lines.append(f"{late} came late, by {span(worst)}.")
            else:
                lines.append(f"{late} came late, by {span(median)} (median) and {span(worst)} at worst.")
        elif self.answered:
            lines.append("No answer came late." if self.answered > 1 else "The answer did not come late.")
        return lines

    def _registration(self) -> list[str]:
        spans = self.registered
        if spans.nowhere == spans.unreachable == 0 and not spans.by_role:
            return []
        lines = []
        long = {name: seconds for name, seconds in spans.by_role.items() if seconds >= AT_ONCE}
        if long:
            parts = [f"{span(seconds)} at {role(name)}" for name, seconds in long.items()]
            lines.append(f"Registered for {', '.join(parts)}.")
        if spans.nowhere >= AT_ONCE:
            lines.append(f"Without registration for {span(spans.nowhere)} of {span(self.length)}.")
        else:
            lines.append("Never without registration.")
        if spans.unreachable >= AT_ONCE:
            lines.append(
                f"Not to be called for {span(spans.unreachable)}: registered, as the phone believed, "
                "but only at servers that did not work."
            )
        return lines


def noticed(calls: Sequence[CallReport], registered: Registered, length: float) -> Noticed:
    """The sums of *calls* and of where the line was *registered* in *length* seconds."""
    results = [call.result for call in calls]
    lost = [call.elapsed for call in calls if call.result not in ("answered", "rejected")]
    answered = sorted(call.elapsed for call in calls if call.result == "answered")
    return Noticed(
        placed=len(calls),
        answered=len(answered),
        delays=tuple(seconds for seconds in answered if seconds >= NOTICEABLE),
        refused=results.count("rejected"),
        lost=len(lost),
        lost_after=max(lost, default=None),
        registered=registered,
        length=length,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
