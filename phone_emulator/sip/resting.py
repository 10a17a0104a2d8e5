"""Transactions that are over but for repetitions (RFC 3261 timers J and K).

Such a transaction only says the same again when the far end does, for half a minute: a busy server has twenty
times as many of these as of all others. Here one is its key and its bytes; all wait for one timer, since all
wait equally long.
"""

from __future__ import annotations

from collections import deque

from phone_emulator.world.base import TimerHandle, World

from .transaction import INSTANT, Key

ROOM = 256 * 1024 * 1024
"""Bytes of memory for all of them; beyond that the oldest is forgotten before its time.

25,000 OPTIONS in each second fill it within 16 s: who repeats a request has mostly done so by then.
"""
OVERHEAD = 300
"""Bytes that one takes beside its key and its words."""


class Resting:
    """What ended transactions said last, until nobody can ask for it again.

    Args:
        world: its clock.
        seconds: how long each is remembered.
        room: bytes that they may take.
    """

    __slots__ = ("_due", "_room", "_said", "_seconds", "_timer", "_world")

    def __init__(self, world: World, seconds: float, room: int = ROOM) -> None:
        self._world = world
        self._seconds = seconds
        self._room = room
        """What is left of it."""
        self._said: dict[Key, bytes] = {}
        self._due: deque[tuple[float, Key]] = deque()
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._said)

    def __contains__(self, key: Key) -> bool:
        return key in self._said

    def add(self, key: Key, said: bytes = b"") -> None:
        """Remember what the transaction *key* said last, unless it is remembered; empty for nothing."""
        if key in self._said:
            return
        due = self._world.now() + self._seconds
        self._said[key] = said
        self._due.append((due, key))
        self._room -= len(key) + len(said) + OVERHEAD
        while self._room < 0:
            self._forget_oldest()
        if self._timer is None:
            self._timer = self._world.call_at(due, self._expire)

    def said(self, key: Key) -> bytes | None:
        """What the transaction *key* said last; None where there is no such transaction any more."""
        return self._said.get(key)

    def clear(self) -> None:
        """Forget all."""
        while self._due:
            self._forget_oldest()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        now, due = self._world.now() + INSTANT, self._due
        while due and due[0][0] <= now:
            self._forget_oldest()
        self._timer = self._world.call_at(due[0][0], self._expire) if due else None

    def _forget_oldest(self) -> None:
        _, key = self._due.popleft()
        self._room += len(key) + len(self._said.pop(key)) + OVERHEAD
