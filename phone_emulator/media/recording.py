"""What is heard in a call, put where a person would hear it on the clock of the world.

Theory of operation: the first packet of a stream is heard when it comes, and each other one as much later as
its timestamp says, so that order and gaps are as they were spoken and a jitter buffer need not be played. A
packet that would be heard FAR too late, or too soon behind a gap, shows that the sender's clock has jumped,
or stood still: it is heard when it comes, behind what is heard already, and the stream goes on from there.
One that is late and was overtaken is left out.
"""

from __future__ import annotations

from array import array

from .judgement import Silences, Stretch
from .rtp import Packet, ahead, elapsed
from .sound import Sound

FAR = 0.2
"""Seconds by which a packet may be late, or early: no jitter buffer of a phone holds more."""
GAP = 0.2
"""Seconds of silence that are told."""


class Recording:
    """One voice, with the times at which it is heard.

    Args:
        rate: samples a second.
        start: when it begins, in seconds of the world.
        keep: seconds of sound that are kept, the last ones; its silences are all told.
    """

    def __init__(self, rate: int, start: float, keep: float) -> None:
        self.rate = rate
        self.start = start
        self._keep = round(keep * rate)
        self._samples = array("h")
        self._dropped = 0
        """Samples that went before the first that is kept."""
        self._silences = Silences(rate, start, GAP)
        self._ends = start
        """When the last that was heard ends."""
        self._first: int | None = None
        """Where the first sound stands, among all samples; None before it."""
        self._stream = 0, 0
        """SSRC, and how many of its timestamps are a second."""
        self._last: tuple[int, int, float] | None = None
        """The highest sequence number, and a timestamp that is heard at that time."""

    @property
    def sound(self) -> Sound:
        """What is kept, from the first sound on."""
        first = 0 if self._first is None else max(self._first - self._dropped, 0)
        return Sound(self.rate, self._samples[first:])

    def hear(self, packet: Packet, samples: array[int], now: float, clock: int = 8000) -> None:
        """*samples* are the sound of *packet*, which comes at *now*, in seconds of the world.

        Its timestamp counts *clock* a second.
        """
        at = self._time_of(packet, now, clock)
        if at is not None:
            self.write(samples, at)

    def write(self, samples: array[int], at: float) -> None:
        """*samples* are heard from *at* on, in seconds of the world."""
        self._silences.feed(samples, at)
        self._ends = max(self._ends, at + len(samples) / self.rate)
        place = round((at - self.start) * self.rate) - self._dropped
        if place < 0:
            samples, place = samples[-place:], 0
        if self._first is None:
            self._first = place + self._dropped
        kept = self._samples
        if place > len(kept) + self._keep:
            self._dropped += place
            self._samples, place = samples[:], 0
            return
        if place > len(kept):
            kept.frombytes(bytes(2 * (place - len(kept))))
        kept[place : place + len(samples)] = samples
        surplus = len(kept) - self._keep
        if surplus > self._keep // 4:
            del kept[:surplus]
            self._dropped += surplus

    def between(self, start: float, end: float) -> Sound:
        """What was heard from *start* to *end*, in seconds of the world; what was not heard is silence."""
        first = max(round((start - self.start) * self.rate), self._dropped)
        count = max(round((end - self.start) * self.rate) - first, 0)
        place = first - self._dropped
        found = self._samples[place : place + count]
        found.frombytes(bytes(2 * (count - len(found))))
        return Sound(self.rate, found)

    def silences(self, now: float) -> list[Stretch]:
        """When nothing was heard for GAP and longer until *now*, in seconds of the world."""
        return self._silences.until(now)

    def _time_of(self, packet: Packet, now: float, clock: int) -> float | None:
        """When *packet*, which comes at *now*, is heard; None for never: it is too late."""
        stream = packet.ssrc, clock
        if self._last is not None and self._stream == stream:
            highest, timestamp, then = self._last
            step = ahead(packet.sequence, highest)
            at = then + elapsed(packet.timestamp, timestamp) / clock
            if abs(now - at) <= FAR or now < at <= self._ends + FAR:
                self._last = (highest + max(step, 0)) & 0xFFFF, packet.timestamp, at
                return at
            if step <= 0:
                return None
        at = self._ends if now <= self._ends <= now + FAR else now
        self._stream, self._last = stream, (packet.sequence, packet.timestamp, at)
        return at
