"""Session timers (RFC 4028): a call that nobody keeps alive ends by itself.

Two times follow from what both ends have agreed on: half the interval, when the refresher refreshes, and a
little before its end, when a call that was not refreshed ends.
"""

from __future__ import annotations

from collections.abc import Callable

from phone_emulator.phone.wire.session_expires import MIN_INTERVAL, Terms
from phone_emulator.world.base import TimerHandle, World
from phone_emulator.world.tasks import Tasks

LONGEST_LEAD = 32.0
"""Seconds before its end that an interval is over, or a third of it if that is less (section 10)."""
ASLEEP = 10.0
"""Seconds after the end that show a machine that slept (suspend): busy ones are not that late."""
SHORTEST_RETRY = 1.0
"""Seconds between a refresh that failed and the next one, at least."""


class SessionTimer:
    """The clock of one call's session.

    Args:
        world: its clock.
        tasks: of the call.
        refresh: called when this end is to refresh the session.
        expire: called when the session is about to end, with the reason for people.
    """

    def __init__(
        self, world: World, tasks: Tasks, refresh: Callable[[], None], expire: Callable[[str], None]
    ) -> None:
        self.terms: Terms | None = None
        """Those in force; None without a session timer."""
        self.least = MIN_INTERVAL
        """Seconds: the highest Min-SE that a 422 has named."""
        self._world = world
        self._tasks = tasks
        self._refresh = refresh
        self._expire = expire
        self._handles: list[TimerHandle] = []
        self._end = 0.0

    def start(self, terms: Terms | None) -> None:
        """The session was made or refreshed just now, on *terms*."""
        self.stop()
        self.terms = terms
        if terms is None:
            return
        now = self._world.now()
        self._end = now + terms.interval - min(LONGEST_LEAD, terms.interval / 3)
        self._handles = [self._call_at(self._end, self._expired)]
        if terms.ours:
            self._handles.append(self._call_at(now + terms.interval / 2, self._refresh_due))

    def retry(self) -> None:
        """A refresh failed, but the call is up: try again at half the time that is left."""
        left = self._end - self._world.now()
        if self._handles and left / 2 >= SHORTEST_RETRY:
            self._handles.append(self._call_at(self._end - left / 2, self._refresh_due))

    def _call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        return self._tasks.call_at(when, callback, "the session timer")

    def stop(self) -> None:
        """The call is over."""
        for handle in self._handles:
            handle.cancel()
        self._handles = []

    def _refresh_due(self) -> None:
        if self._world.now() < self._end:  # else the machine has slept, and the end is due, too
            self._refresh()

    def _expired(self) -> None:
        assert self.terms is not None
        whose = "this phone's refresh failed" if self.terms.ours else "the far end did not refresh it"
        if self._world.now() > self._end + ASLEEP:
            whose = "this machine slept meanwhile"
        self.stop()
        self._expire(f"the session expired after {self.terms.interval} s: {whose}")
