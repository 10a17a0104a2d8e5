"""The jitter buffer (``voice.jib``): which packets come in time to be heard, and when nobody can be heard.

Theory of operation: nothing is held back here. The fastest packets of the last seconds tell how long the way
takes; a packet that takes longer than they do, by more than the buffer's depth, is too late. An adaptive
buffer then grows to what that packet would have needed, and shrinks again slowly.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import NamedTuple

from .rtp import Packet, elapsed

PTIME = 0.020
"""Seconds of sound in a packet, before two have come one after the other."""
LONGEST = 0.2
"""Seconds of sound that a packet has at most: a longer step is one over silence, which was not sent."""
_SPAN = 10.0
"""Seconds, at least, for which the fastest packet is remembered: clocks drift, ways change."""
_LOST_CLOCK = 1.0
"""Seconds of nothing but late packets after which it is the sender's clock that has changed."""
_SHRINKING = 1 / 500
_MOST_PENDING = 64
_Played = tuple[float, float, int]
"""A packet that was or will be heard: when, its place in the stream by its timestamps, its number."""
_NOTHING = 0.001
"""Seconds of silence that nobody hears."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """What the jitter buffer is like; all in seconds."""

    adaptive: bool = True
    """``voice.jib.adaptive``."""
    minimum: float = 0.060
    """``voice.jib.min``, of an adaptive one."""
    normal: float = 0.120
    """``voice.jib.normal``, of a fixed one."""
    maximum: float = 0.240
    """``voice.jib.max``, of an adaptive one."""

    @property
    def first(self) -> float:
        """Its depth before anything has come."""
        return self.minimum if self.adaptive else self.normal

    @property
    def deepest(self) -> float:
        """The most it ever has."""
        return max(self.minimum, self.maximum) if self.adaptive else self.normal


class Silence(NamedTuple):
    """A time without sound of the far end."""

    since: float
    """When it began, as it was heard."""
    seconds: float


class Playout:
    """One end's jitter buffer.

    Args:
        buffer: what it is like.
    """

    def __init__(self, buffer: Buffer | None = None) -> None:
        self.buffer = buffer or Buffer()
        self.depth = self.buffer.first
        """Seconds that the fastest packets wait in it."""
        self.ptime = PTIME
        """Seconds of sound in the last packet whose successor came."""
        self.longest = Silence(0.0, 0.0)
        """The longest time without sound that is over, since sound was to be heard."""
        self._ssrc: int | None = None
        self._timestamp = 0
        self._media = 0.0
        """Seconds of timestamps since the stream's first."""
        self._fastest = self._fastest_before = 0.0
        """What the fastest packet took, of this span and of the one before, on the far end's clock."""
        self._span_ends = 0.0
        self._late_since: float | None = None
        self._pending: list[_Played] = []
        """In time and not looked at since they were heard, or not heard yet, in the order of hearing."""
        self._last: _Played | None = None
        self._silent_since: float | None = None
        """The end of what was heard last; None while nothing is to be heard."""
        self._resting = False
        """Whether the far end has said that it sends no sound."""
        self._filling = 0.0
        """Seconds for which the buffer fills before the first sound: that is no silence of the far end."""

    # -- what is to be heard -------------------------------------------------------------------------------

    def expect(self, now: float) -> None:
        """Sound is to be heard from *now* on: time without it counts."""
        if self._silent_since is None and not self._resting:
            self._silent_since, self._filling = now, self.depth

    def cease(self, now: float) -> None:
        """No sound is to be heard from *now* on."""
        if self._silent_since is not None:
            self._settle(now)
            self._silence(now)
        self._silent_since, self._last, self._resting = None, None, False
        self._pending.clear()

    def silence(self, now: float) -> Silence:
        """The longest time without sound until *now*, be it over or not."""
        self._settle(now)
        since = self._silent_since
        if since is None or now - since <= max(self.longest.seconds, _NOTHING):
            return self.longest
        return Silence(since, now - since)

    # -- what comes ----------------------------------------------------------------------------------------

    def takes(self, packet: Packet, arrived: float, clock: int) -> bool:
        """Whether *packet* of sound, which came at *arrived*, is in time to be heard.

        Args:
            packet: that has not come before.
            arrived: seconds on this end's clock.
            clock: of its timestamps, in Hz.
        """
        waits = self._waits(packet, arrived, clock)
        if self.buffer.adaptive:
            self._adapt(self.depth - waits)
        if waits < 0:
            return False
        pending, played = self._pending, (arrived + waits, self._media, packet.sequence)
        if pending and played < pending[-1]:
            insort(pending, played)
        else:
            pending.append(played)
        if len(pending) >= _MOST_PENDING:
            self._settle(arrived)
            if len(pending) >= _MOST_PENDING:  # far more than a buffer holds
                self._settle(pending[-1][0])
        return True

    def event(self, arrived: float) -> None:
        """A telephone event came, which is no silence: it stands in the place of sound."""
        self._settle(arrived + self.depth)
        if self._silent_since is not None:
            heard = arrived + self.depth
            self._silence(heard)
            self._silent_since, self._last = max(self._silent_since, heard + self.ptime), None

    def rest(self, arrived: float) -> None:
        """The far end sends no sound, and says so (RFC 3389): until it does again, there is comfort noise."""
        if self._silent_since is not None:
            self._settle(arrived + self.depth)
            self._silence(arrived + self.depth)
            self._silent_since, self._last, self._resting = None, None, True

    def _waits(self, packet: Packet, arrived: float, clock: int) -> float:
        """Seconds until *packet* is heard; negative: it is too late."""
        if packet.ssrc != self._ssrc:
            self._ssrc, self._timestamp, self._media = packet.ssrc, packet.timestamp, 0.0
            return self._anchor(arrived)
        self._media += elapsed(packet.timestamp, self._timestamp) / clock
        self._timestamp = packet.timestamp
        took = arrived - self._media
        if arrived >= self._span_ends:
            self._fastest_before, self._fastest = self._fastest, took
            self._span_ends = arrived + _SPAN
        elif took < self._fastest:
            self._fastest = took
        fastest, before = self._fastest, self._fastest_before
        waits = self.depth - (took - (fastest if fastest < before else before))
        if waits >= 0:
            self._late_since = None
            return waits
        if self._late_since is None:
            self._late_since = arrived
        beyond = self.depth - waits > self.buffer.deepest
        if beyond and (packet.marker or arrived - self._late_since >= _LOST_CLOCK):
            return self._anchor(arrived)
        return waits

    def _anchor(self, arrived: float) -> float:
        """The far end's clock begins anew with what came at *arrived*."""
        self._fastest = self._fastest_before = arrived - self._media
        self._span_ends = arrived + _SPAN
        self._late_since = None
        return self.depth

    def _adapt(self, needed: float) -> None:
        if needed > self.depth:
            self.depth = min(needed, self.buffer.deepest)
        elif self.depth > self.buffer.minimum:
            self.depth = max(self.depth - (self.depth - needed) * _SHRINKING, self.buffer.minimum)

    # -- what is heard -------------------------------------------------------------------------------------

    def _settle(self, now: float) -> None:
        """Look at what was heard until *now*: how long it lasted, and what lay between."""
        pending = self._pending
        count = bisect_right(pending, now, key=_start)
        for played in pending[:count]:
            start, media, sequence = played
            last, self._last = self._last, played
            if last is not None and sequence == (last[2] + 1) & 0xFFFF:
                step = media - last[1]
                if 0 < step <= LONGEST:
                    self.ptime = step
                    self._silent_since = last[0] + step
            since = start if self._resting else self._silent_since
            if since is not None:
                self._resting = False
                if start - self._filling - since > _NOTHING:
                    self._silence(start - self._filling)
                end = start + self.ptime
                self._silent_since, self._filling = (end if end > since else since), 0.0
        del pending[:count]

    def _silence(self, until: float) -> None:
        """Nothing was heard since the last of what was, *until* now."""
        if self._silent_since is None:
            return
        seconds = until - self._silent_since
        if seconds > max(self.longest.seconds, _NOTHING):
            self.longest = Silence(self._silent_since, seconds)


def _start(played: _Played) -> float:
    return played[0]
