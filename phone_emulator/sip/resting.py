"""Transactions that are over but for repetitions (RFC 3261 timers J and K).

Such a transaction only says the same again when the far end does, for half a minute: a busy server has twenty
times as many of these as of all others. Here one is its key and its bytes; all wait for one timer, since all
wait equally long.
"""

from __future__ import annotations

from collections import deque

from phone_emulator.world.base import TimerHandle, World

from .transaction import INSTANT, Key

MOST = 1_000_000
"""How many are remembered, some 650 MB of them; beyond that the oldest is forgotten before its time."""


class Resting:
    """What ended transactions said last, until nobody can ask for it again.

    Args:
        world: its clock.
        seconds: how long each is remembered.
        most: how many are.
    """

    __slots__ = ("_due", "_most", "_said", "_seconds", "_timer", "_world")

    def __init__(self, world: World, seconds: float, most: int = MOST) -> None:
        self._world = world
        self._seconds = seconds
        self._most = most
        self._said: dict[Key, bytes] = {}
        self._due: deque[tuple[float, Key]] = deque()
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._said)

    def __contains__(self, key: Key) -> bool:
        return key in self._said

    def add(self, key: Key, said: bytes = b"") -> None:
        """Remember what the transaction *key*, not remembered yet, said last; empty if it keeps silent."""
        due = self._world.now() + self._seconds
        self._said[key] = said
        self._due.append((due, key))
        if len(self._due) > self._most:
            self._said.pop(self._due.popleft()[1], None)
        if self._timer is None:
            self._timer = self._world.call_at(due, self._expire)

    def said(self, key: Key) -> bytes | None:
        """What the transaction *key* said last; None where there is no such transaction any more."""
        return self._said.get(key)

    def clear(self) -> None:
        """Forget all."""
        self._said.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        now, due = self._world.now() + INSTANT, self._due
        while due and due[0][0] <= now:
            self._said.pop(due.popleft()[1], None)
        self._timer = self._world.call_at(due[0][0], self._expire) if due else None
