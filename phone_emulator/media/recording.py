"""What was heard in a call, kept as a person would have heard it."""

from __future__ import annotations

from array import array

from .rtp import Packet, signed
from .sound import Sound

_GAP = 10
"""Seconds of silence that are filled in for a gap; a longer one is a new beginning."""


class Recording:
    """Sound put where its timestamps say, so that order and gaps are as they were spoken.

    Args:
        rate: samples a second.
        seconds: how much of it is kept; 0: nothing.
    """

    def __init__(self, rate: int, seconds: float) -> None:
        self.rate = rate
        self._limit = round(seconds * rate)
        self._samples = array("h")
        self._stream = 0, 0
        """SSRC, and how many of its timestamps are a second."""
        self._began: tuple[int, int] | None = None
        """Its first timestamp, and the place of that among the samples."""

    @property
    def sound(self) -> Sound:
        """What is kept so far; gaps are silence."""
        return Sound(self.rate, self._samples[:])

    def write(self, packet: Packet, samples: array[int], clock: int) -> None:
        """Keep *samples*, the sound of *packet*, whose timestamps count *clock* a second."""
        kept, place, stream = self._samples, -1, (packet.ssrc, clock)
        if self._began is not None and stream == self._stream:
            first, start = self._began
            place = start + signed((packet.timestamp - first) & 0xFFFFFFFF) * self.rate // clock
            if abs(place - len(kept)) > _GAP * self.rate:
                place = -1
        if place < 0:
            place = len(kept)
            self._stream, self._began = stream, (packet.timestamp, place)
        samples = samples[: max(0, self._limit - place)]
        if len(kept) < place and samples:
            kept.extend(array("h", bytes(2 * (place - len(kept)))))
        kept[place : place + len(samples)] = samples
