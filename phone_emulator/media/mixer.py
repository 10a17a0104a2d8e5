"""Several voices as one: each hears the sum of the others, never itself.

Theory of operation: every voice lies on the clock of the world, so that none waits for another: what somebody
hears at a time is the sum of what the others say then, whenever and in whatever pieces it came. The sum is
held within 16 bits. All voices have the mixer's rate; a codec of another one is resampled on its way in and
out (`Speech`). How many voices there are is a matter of a number.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection

KEPT = 1.0
"""Seconds of each voice that are kept: more than lies between what comes in and what goes out."""


class Mixer:
    """The voices of one conversation.

    Args:
        rate: samples a second, of every voice and of every sum.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._voices: dict[str, _Voice] = {}

    @property
    def voices(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._voices)

    def join(self, voice: str) -> None:
        """*voice* takes part, silent as yet."""
        self._voices[voice] = _Voice(round(KEPT * self.rate))

    def leave(self, voice: str) -> None:
        """*voice* is not heard any more."""
        self._voices.pop(voice, None)

    def say(self, voice: str, samples: array[int], at: float) -> None:
        """*voice* says *samples* from *at* on, in seconds of the world, in the place of what it said then."""
        self._voices[voice].write(samples, round(at * self.rate))

    def without(self, own: Collection[str], at: float, seconds: float) -> array[int]:
        """The *seconds* from *at* on of all voices but *own*; silence where nobody says anything."""
        first = round(at * self.rate)
        count = round(seconds * self.rate)
        found = [voice.read(first, count) for name, voice in self._voices.items() if name not in own]
        return mixed([each for each in found if each is not None], count)

    def sounds(self, own: Collection[str], at: float) -> bool:
        """Whether any voice but *own* says something at *at*, in seconds of the world, or later."""
        place = round(at * self.rate)
        return any(voice.end > place for name, voice in self._voices.items() if name not in own)


class _Voice:
    """What one says; places count samples since the world's second 0.

    Args:
        most: samples that are kept, the last ones.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._start = 0
        self._samples = array("h")

    @property
    def end(self) -> int:
        """Where it falls silent."""
        return self._start + len(self._samples)

    def write(self, samples: array[int], place: int) -> None:
        samples = samples[: self._most]
        if not self._samples or place > self.end + self._most:
            self._start, self._samples = place, samples[:]
            return
        if place < self._start:
            samples, place = samples[self._start - place :], self._start
        kept, first = self._samples, place - self._start
        if first > len(kept):
            kept.frombytes(bytes(2 * (first - len(kept))))
        kept[first : first + len(samples)] = samples
        if len(kept) > 2 * self._most:
            surplus = len(kept) - self._most
            del kept[:surplus]
            self._start += surplus

    def read(self, place: int, count: int) -> array[int] | None:
        """The *count* samples from *place* on, silence where there are none; None where all are."""
        first = place - self._start
        if first >= len(self._samples) or first + count <= 0:
            return None
        found = self._samples[max(first, 0) : first + count]
        if len(found) < count:
            before = array("h", bytes(2 * max(-first, 0)))
            found = before + found
            found.frombytes(bytes(2 * (count - len(found))))
        return found


def mixed(voices: Collection[array[int]], count: int) -> array[int]:
    """The sum of *voices*, of *count* samples each, within 16 bits."""
    if not voices:
        return array("h", bytes(2 * count))
    if len(voices) == 1:
        return next(iter(voices))
    sums = map(sum, zip(*voices, strict=True))
    return array("h", [-32768 if each < -32768 else 32767 if each > 32767 else each for each in sums])
