"""The cache of the phone's lookups (rule D6). Reads no clock: whoever asks says what time it is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from .records import Answer, RdType, RecordSet, Result, key_of

MAX_ENTRIES = 1000


class Cache:
    """Answers for their TTL, absences for theirs (RFC 2308); a full cache drops the least used."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[tuple[str, RdType], tuple[float, Result]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str, rdtype: RdType, now: float) -> Result | None:
        """What is known at *now* (seconds), with the TTL that is left and ``cache`` for its source."""
        key = (key_of(name), rdtype)
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, result = entry
        if expires <= now:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return replace(result, name=name, ttl=expires - now, source="cache")

    def put(self, result: Result, now: float) -> None:
        """Remember *result*, which came at *now*, until its TTL runs out."""
        if result.ttl <= 0:
            return
        key = (key_of(result.name), result.rdtype)
        self._entries[key] = (now + result.ttl, result)
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def put_additional(self, sets: tuple[RecordSet, ...], now: float, source: str) -> None:
        """Remember what a server volunteered, where nothing is known (RFC 2181 section 5.4.1)."""
        for extra in sets:
            if self.get(extra.name, extra.rdtype, now) is None:
                self.put(Answer(extra.name, extra.rdtype, extra.records, extra.ttl, source), now)

    def next_expiry(self, now: float) -> float | None:
        """When the next entry that still counts at *now* runs out; None where there is none."""
        return min((expires for expires, _ in self._entries.values() if expires > now), default=None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
