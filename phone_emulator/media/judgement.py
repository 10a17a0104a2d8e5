"""What can be said of sound: how loud it is, which tones are in it, and where it is silent.

Theory of operation: levels are in dBov, the power next to that of the loudest square wave that 16 bits hold
(RFC 6464 section 3): the loudest sine is at -3 dBov. A window of 100 ms goes along the sound by 50 ms; in
each, one bin of a Fourier transform under a Hann window says how much of the tone is there (Goertzel's
question, asked of all samples at once). The tone is there where it is no silence, a tenth of all power, and
more than there is to either side of it. A codec's noise has none of that, and two tones at once, or three
in a conference, are each heard.
"""

from __future__ import annotations

import cmath
import math
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import add, mul, sub
from typing import NamedTuple

from .sound import Sound
from .tones import HIGHEST, LOWEST

SILENCE = -50.0
"""dBov; what is quieter is silence: a codec's own noise, a far end that says nothing."""
NOTHING = -127.0
"""dBov of samples of 0 (RFC 6464 section 3)."""
SHORTEST_TONE = 0.2
"""Seconds; each tone that is as long is heard, and none of half of it."""

_FULL_SCALE = 32768.0
_FRAME = 0.010
"""Seconds of which it is said that they are silent or not."""
_WINDOW, _STEP = 0.100, 0.050
"""Seconds."""
_ASIDE = 10
"""Hz to either side, where there has to be less: a tone that is 5 Hz off is another one."""
_SHARE = 0.1
"""Of all power in the window."""
_FULL = 0.3
"""The power of a window whose middle is within the tone, next to one that has nothing else: half of it has
a quarter."""
_NEEDED = 3
"""Windows that follow each other."""


class Stretch(NamedTuple):
    """A part of time."""

    start: float
    """Seconds."""
    seconds: float

    @property
    def end(self) -> float:
        """Seconds."""
        return self.start + self.seconds


def level(samples: Sequence[int]) -> float:
    """How loud *samples* are on the whole, in dBov; NOTHING at least."""
    power = sum(map(mul, samples, samples)) / len(samples) if samples else 0.0
    return _dbov(power)


def tone(sound: Sound, hertz: float) -> float:
    """How long the tone of *hertz* is heard without a break, in seconds, to 50 ms; 0 for no such tone.

    To be heard is to last SHORTEST_TONE, within 5 Hz, no quieter than SILENCE, as a tenth of all there is.
    """
    half = array("h", bytes(2 * (round(_WINDOW * sound.rate) // 2)))
    powers = [
        _tone_power(window, hertz, sound.rate) for window in _windows(half + sound.samples + half, sound.rate)
    ]
    neighbours = zip([0.0, *powers], powers, [*powers[1:], 0.0], strict=False)
    run = longest = 0
    for before, power, after in neighbours:
        run = run + 1 if power > _FULL * max(before, after) else 0
        longest = max(longest, run)
    return longest * _STEP if longest >= _NEEDED else 0.0


def strongest(sound: Sound) -> int:
    """The tone that is the strongest in the loudest 100 ms of *sound*, to 10 Hz; 0 where it is silent."""
    loudest = max(_windows(sound.samples, sound.rate), key=level, default=array("h"))
    if level(loudest) < SILENCE:
        return 0
    size = 1 << (len(loudest) - 1).bit_length()
    spectrum = _spectrum([*map(mul, loudest, _hann(len(loudest))), *[0.0] * (size - len(loudest))])
    place = max(range(1, size // 2), key=lambda each: abs(spectrum[each]))
    near = round(place * sound.rate / size / _ASIDE) * _ASIDE
    around = [hertz for hertz in (near - _ASIDE, near, near + _ASIDE) if LOWEST <= hertz <= HIGHEST]
    return max(around, key=lambda hertz: _power(loudest, hertz, sound.rate), default=0)


def silences(sound: Sound, least: float = 0.0) -> list[Stretch]:
    """Where *sound* is silent for *least* seconds and longer, counted from its beginning."""
    found = Silences(sound.rate, 0.0, least)
    found.feed(sound.samples, 0.0)
    return found.until(sound.seconds)


def longest_silence(sound: Sound) -> Stretch:
    """The longest of its silences, at its beginning and its end, too; of 0 s where there is none."""
    return max(silences(sound), key=lambda each: each.seconds, default=Stretch(0.0, 0.0))


class Silences:
    """Finds where sound is silent while it comes, in pieces; what does not come is silent, too.

    Args:
        rate: samples a second.
        start: when one begins to listen, in seconds.
        least: seconds of silence that count.
        most: how many are remembered; the first ones go.
    """

    def __init__(self, rate: int, start: float, least: float, most: int = 1000) -> None:
        self._frame = round(_FRAME * rate)
        self._rate = rate
        self._least = least
        self._most = most
        self._sounded = start
        """When the sound was last heard that was no silence."""
        self._found: list[Stretch] = []

    def feed(self, samples: array[int], at: float) -> None:
        """*samples* are heard from *at* on."""
        for place in range(0, len(samples), self._frame):
            frame = samples[place : place + self._frame]
            if level(frame) >= SILENCE:
                begins = at + place / self._rate
                self._note(begins)
                self._sounded = max(self._sounded, begins + len(frame) / self._rate)

    def until(self, now: float) -> list[Stretch]:
        """What was found, with the silence that goes on *now*."""
        known = list(self._found)
        if self._counts(now):
            known.append(Stretch(self._sounded, now - self._sounded))
        return known

    def _note(self, now: float) -> None:
        if self._counts(now):
            self._found.append(Stretch(self._sounded, now - self._sounded))
            del self._found[: -self._most]

    def _counts(self, now: float) -> bool:
        silent = now - self._sounded
        return silent > _FRAME / 2 and silent >= self._least


def _dbov(power: float) -> float:
    return max(10 * math.log10(power / _FULL_SCALE**2), NOTHING) if power > 0 else NOTHING


def _windows(samples: array[int], rate: int) -> Iterator[array[int]]:
    count, step = round(_WINDOW * rate), round(_STEP * rate)
    return (samples[first : first + count] for first in range(0, len(samples) - count + 1, step))


def _tone_power(window: array[int], hertz: float, rate: int) -> float:
    """The power of the tone of *hertz* in *window*, in squares of samples; 0 where it is none."""
    power = _power(window, hertz, rate)
    if _dbov(power) < SILENCE:
        return 0.0
    hann = _hann(len(window))
    weighted = list(map(mul, window, hann))
    everything = sum(map(mul, weighted, weighted)) / sum(map(mul, hann, hann))
    if power < _SHARE * everything:
        return 0.0
    aside = max(_power(window, hertz + aside, rate) for aside in (-_ASIDE, _ASIDE))
    return power if aside < power else 0.0


def _power(window: array[int], hertz: float, rate: int) -> float:
    """How much there is at *hertz* in *window*, in squares of samples."""
    cosine, sine = _bin(hertz, rate, len(window))
    real: float = sum(map(mul, window, cosine))
    imaginary: float = sum(map(mul, window, sine))
    return 2.0 * (real * real + imaginary * imaginary)


def _spectrum(values: Sequence[complex]) -> list[complex]:
    """The Fourier transform of *values*, a power of 2 of them (Cooley and Tukey)."""
    count = len(values)
    if count == 1:
        return list(values)
    even, odd = _spectrum(values[0::2]), _spectrum(values[1::2])
    turned = [cmath.exp(-2j * math.pi * place / count) * each for place, each in enumerate(odd)]
    return [*map(add, even, turned), *map(sub, even, turned)]


@lru_cache(maxsize=32)
def _bin(hertz: float, rate: int, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What a window of *count* samples is multiplied by; the window of Hann is in it."""
    hann = _hann(count)
    scale, turn = 1 / sum(hann), 2 * math.pi * hertz / rate
    return (
        tuple(scale * weight * math.cos(turn * place) for place, weight in enumerate(hann)),
        tuple(scale * weight * math.sin(turn * place) for place, weight in enumerate(hann)),
    )


@lru_cache(maxsize=4)
def _hann(count: int) -> tuple[float, ...]:
    return tuple(0.5 - 0.5 * math.cos(2 * math.pi * (place + 0.5) / count) for place in range(count))
