"""Which targets have asked for time before their next REGISTER: by a 503 with Retry-After.

A call is sent there all the same (C2).
"""

from __future__ import annotations

from collections.abc import Iterable

from phone_emulator.events import Attempt, Target
from phone_emulator.redundancy import rest_after
from phone_emulator.sip.headers import delta_seconds
from phone_emulator.sip.message import Response

from .lease import Place, place_of


class Rests:
    """Those of one line."""

    def __init__(self) -> None:
        self._until: dict[Place, float] = {}

    def answered(self, attempt: Attempt, response: Response, now: float) -> None:
        """*response* ended the REGISTER *attempt* at *now*; a rest that it asks for is told in its detail."""
        named = delta_seconds(response.headers.get("Retry-After")) if response.status == 503 else None
        rest = rest_after(named)
        if rest:
            self._until[place_of(attempt.target)] = now + rest
            said = "" if rest == named else f" = {named}, but 10 minutes at most"
            attempt.detail += f"; no REGISTER there for {rest:.0f} s (Retry-After{said})"

    def why(self, target: Target, now: float) -> str:
        """Why no REGISTER goes to *target* at *now*, for people; empty where one may."""
        left = self._until.get(place_of(target), now) - now
        return f"its 503 to a REGISTER asked for time (Retry-After): {left:.0f} s more" if left > 0 else ""

    def over(self, targets: Iterable[Target], now: float) -> float:
        """When the first of *targets* may be asked; *now* where one of them may. There is one."""
        return min(max(self._until.get(place_of(target), now), now) for target in targets)
