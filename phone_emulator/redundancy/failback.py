"""Failback: which target of a server is asked first (F0-F5).

A server with failback mode 0 has no memory. With modes 1 to 3 the target that worked last becomes the
*current* one and is asked first, until a failback is due *and* the line is idle; then the primary is asked
first again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from phone_emulator.config.model import FailbackMode, FailoverConfig
from phone_emulator.events import Target

Key = tuple[str, int, str]


def _key(target: Target) -> Key:
    return target.address, target.port, target.transport


class Failback:
    """The memory of one server of one line."""

    def __init__(self, failover: FailoverConfig) -> None:
        self.mode = failover.failback_mode
        self._timeout = failover.failback_timeout
        self.current: Target | None = None
        """The target asked first instead of the primary; None while that is the primary."""
        self.due_at: float = math.inf
        """When the primary is asked first again (modes 1 and 3)."""
        self._renewal_due = False
        self._looked_up = -math.inf
        self._ttls: dict[Key, float] = {}
        """Seconds from then on that the address record of each target lives."""

    def located(self, targets: Sequence[Target], now: float) -> None:
        """DNS, or its cache, has given *targets* at *now*."""
        self._looked_up = now
        self._ttls = {_key(target): target.ttl for target in targets if target.ttl is not None}

    def worked(self, target: Target, targets: Sequence[Target], now: float) -> None:
        """*target* of the list *targets* answered a request at *now* (F4)."""
        if self.mode is FailbackMode.NEW_REQUESTS or not targets or _key(target) == _key(targets[0]):
            self._forget()
        elif self.current is None or _key(self.current) != _key(target):
            self.current = target
            self._start(now)

    def failed_back(self, now: float) -> None:
        """A failback attempt failed: the current target stays, the wait starts again (F5)."""
        if self.current is not None:
            self._start(now)

    def renewal(self) -> None:
        """The registration has to be renewed: mode 2 goes back to the primary with it (F2)."""
        if self.mode is FailbackMode.REGISTRATION and self.current is not None:
            self._renewal_due = True

    def dropped(self, targets: Sequence[Target]) -> Target | None:
        """The current target, where DNS names it no more: it is none of *targets*."""
        current = self.current
        known = current is None or any(_key(target) == _key(current) for target in targets)
        return None if known else current

    def is_due(self, now: float) -> bool:
        """Whether the primary should be asked first again."""
        return self.current is not None and (now >= self.due_at or self._renewal_due)

    def order(
        self, targets: Sequence[Target], now: float, *, idle: bool
    ) -> tuple[list[Target], Target | None, bool]:
        """The order in which *targets* are asked.

        Args:
            targets: the server's list, primary first.
            now: seconds since the world began.
            idle: whether the line has no call; a due failback waits for that.

        Returns:
            The ordered list; the current target where it goes first, else None; whether this is a failback.
        """
        current = self.current
        if current is None:
            return list(targets), None, False
        known = [target for target in targets if _key(target) == _key(current)]
        if not known or known[0] is targets[0]:  # DNS has others by now, or another order
            return list(targets), None, False
        if self.is_due(now) and idle:
            return list(targets), None, True
        return known + [target for target in targets if _key(target) != _key(current)], known[0], False

    def _start(self, now: float) -> None:
        self._renewal_due = False
        self.due_at = math.inf
        if self.mode is FailbackMode.DNS_TTL and self.current is not None:
            ttl = self._ttls.get(_key(self.current), math.inf)
            over = self._looked_up + ttl <= now  # during the walk: each request would wait at the primary
            self.due_at = (now if over else self._looked_up) + ttl
        elif self.mode is FailbackMode.DURATION and self._timeout:
            self.due_at = now + self._timeout

    def _forget(self) -> None:
        self.current = None
        self.due_at = math.inf
        self._renewal_due = False
