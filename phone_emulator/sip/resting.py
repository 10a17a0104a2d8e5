"""Transactions that are over but for repetitions (RFC 3261 timers J and K).

Such a transaction only says the same again when the far end does, for half a minute: a busy server has twenty
times as many of these as of all others. Here one is its key and its bytes; all wait for one timer, since all
wait equally long, and those that began to rest at nearly the same time are forgotten together.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from phone_emulator.world.base import TimerHandle, World
from phone_emulator.world.tasks import Tasks

from .transaction import INSTANT, Key

ROOM = 256 * 1024 * 1024
"""Bytes of memory for all of them; beyond that the oldest are forgotten before their time.

25,000 OPTIONS in each second fill it within 16 s: who repeats a request has mostly done so by then.
"""
OVERHEAD = 300
"""Bytes that one takes beside its key and its words."""
TOGETHER = 64
"""As many at most are forgotten together."""
GRACE = 1 / 1000
"""Of their time: so much longer some of them are remembered for that."""


@dataclass(slots=True)
class _Group:
    """Transactions that began to rest one right after the other."""

    open_until: float
    """Later ones make a new group."""
    due: float
    """When they are forgotten."""
    keys: list[Key] = field(default_factory=list)
    size: int = 0
    """Bytes that they take."""


_OVER = _Group(open_until=float("-inf"), due=0.0)


class Resting:
    """What ended transactions said last, until nobody can ask for it again.

    Args:
        world: its clock.
        seconds: how long each is remembered, or up to a thousandth longer.
        room: bytes that they may take.
    """

    __slots__ = ("_groups", "_newest", "_room", "_said", "_seconds", "_tasks", "_timer", "_world")

    def __init__(self, world: World, seconds: float, room: int = ROOM) -> None:
        self._world = world
        self._seconds = seconds
        self._room = room
        """What the groups before the newest leave of it."""
        self._said: dict[Key, bytes] = {}
        self._groups: deque[_Group] = deque()
        self._newest = _OVER
        """The last of the groups, where there is one."""
        self._tasks = Tasks(world, "the transactions that are over")
        self._timer: TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._said)

    def __contains__(self, key: Key) -> bool:
        return key in self._said

    def add(self, key: Key, said: bytes = b"") -> None:
        """Remember what the transaction *key* said last, unless it is remembered; empty for nothing."""
        if key in self._said:
            return
        group, now = self._newest, self._world.now()
        if now > group.open_until or len(group.keys) >= TOGETHER:
            group = self._begin(now)
        self._said[key] = said
        group.keys.append(key)
        group.size += len(key) + len(said) + OVERHEAD
        while group.size > self._room and self._groups:
            self._forget_oldest()

    def said(self, key: Key) -> bytes | None:
        """What the transaction *key* said last; None where there is no such transaction any more."""
        return self._said.get(key)

    def clear(self) -> None:
        """Forget all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._groups:
            self._forget_oldest()

    def _begin(self, now: float) -> _Group:
        """A new group is the newest."""
        self._room -= self._newest.size
        grace = self._seconds * GRACE
        group = self._newest = _Group(open_until=now + grace, due=now + grace + self._seconds)
        self._groups.append(group)
        if self._timer is None:
            self._expect(group.due)
        return group

    def _expect(self, due: float) -> None:
        """Forget what there is to forget when it is *due*; where that fails, all."""
        self._timer = self._tasks.call_at(
            due, self._expire, "forgetting", on_fault=lambda error: self.clear()
        )

    def _expire(self) -> None:
        now, groups = self._world.now() + INSTANT, self._groups
        while groups and groups[0].due <= now:
            self._forget_oldest()
        self._timer = None
        if groups:
            self._expect(groups[0].due)

    def _forget_oldest(self) -> None:
        group = self._groups.popleft()
        for key in group.keys:
            del self._said[key]
        if group is self._newest:
            self._newest = _OVER
        else:
            self._room += group.size
