"""Sound from 8 to 16 kHz and back, so that any of it goes into any codec; and all of it from any rate to any.

Theory of operation of streams: one half-band low-pass serves both ways. Its even taps are 0, but for the
middle one, so doubling the rate keeps each sample and works out one between each two; halving takes the mean
of each second sample and of what its neighbours say stands in its place. Up to 3.4 kHz sound passes as it is
(within 0.05 dB); what would be mirrored from above 4.8 kHz is 50 dB down. The delay is 1.25 ms.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from operator import mul

_PAIRS = 10
"""Samples on either side of the one that is worked out."""
_BETA = 4.5
"""Of the Kaiser window."""


class ResampleError(ValueError):
    """There is no way between these rates; the text names them."""


class Resampler:
    """Turns a stream of 16-bit samples into one of another rate, piece by piece.

    Args:
        rate: of what comes, in Hz.
        wanted: of what goes, in Hz: the same, the double or the half of *rate*.

    Raises:
        ResampleError: any other rate.
    """

    def __init__(self, rate: int, wanted: int) -> None:
        ways = {rate: self._same, 2 * rate: self._doubled, rate / 2: self._halved}
        if wanted not in ways:
            raise ResampleError(f"no way from {rate} Hz to {wanted} Hz")
        self.rate, self.wanted = rate, wanted
        self._way = ways[wanted]
        looks_back = 2 * _PAIRS - 1 if wanted > rate else 2 * (2 * _PAIRS - 1)
        self._kept = array("h", bytes(2 * looks_back))
        """What went before, as far as the filter looks back."""

    def feed(self, samples: array[int]) -> array[int]:
        """The next piece; where the rate is halved, of an even number of samples."""
        return self._way(samples)

    def _same(self, samples: array[int]) -> array[int]:
        return samples

    def _doubled(self, samples: array[int]) -> array[int]:
        known = self._remember(samples)
        result = array("h", bytes(4 * len(samples)))
        result[0::2] = known[_PAIRS - 1 :][: len(samples)]
        result[1::2] = _rounded(_between(known))
        return result

    def _halved(self, samples: array[int]) -> array[int]:
        known = self._remember(samples)
        # Between two odd samples stands the even one behind the first of them.
        even = known[0::2][_PAIRS:]
        return _rounded((one + other) / 2 for one, other in zip(even, _between(known[1::2]), strict=False))

    def _remember(self, samples: array[int]) -> array[int]:
        """*samples* after what went before."""
        known = self._kept + samples
        self._kept = known[len(samples) :]
        return known


def _between(samples: array[int]) -> Iterable[float]:
    """What stands in the middle of every 2 * _PAIRS of *samples* that follow each other."""
    count = len(samples) - len(_TAPS) + 1
    windows = zip(*(samples[first : first + count] for first in range(len(_TAPS))), strict=True)
    return (sum(map(mul, _TAPS, window)) for window in windows)


def _rounded(values: Iterable[float]) -> array[int]:
    return array("h", [min(max(round(value), -32768), 32767) for value in values])


def _taps() -> tuple[float, ...]:
    """A sinc of half the band under a Kaiser window; their sum is 1."""
    half = []
    for distance in range(1, 2 * _PAIRS, 2):
        window = _bessel(_BETA * math.sqrt(1 - (distance / (2 * _PAIRS)) ** 2))
        half.append(math.sin(math.pi * distance / 2) / distance * window)
    scale = 2 * sum(half)
    return tuple(tap / scale for tap in (*reversed(half), *half))


def _bessel(argument: float) -> float:
    """The modified Bessel function of the first kind, of order 0."""
    term = total = 1.0
    for n in range(1, 30):
        term *= (argument / 2 / n) ** 2
        total += term
    return total


_LOBES = 10
"""Of the sinc on either side, where any rate becomes any other one."""
_PASSED = 0.94
"""The part of the narrower band that is kept; what is above would be mirrored."""

_STEPS = 1024
"""Places between two samples at which one can be worked out."""


def converted(samples: array[int], rate: int, wanted: int) -> array[int]:
    """All *samples* of *rate* Hz, at *wanted* Hz; what is too high for that is left out."""
    if rate == wanted or not samples:
        return samples
    common = math.gcd(rate, wanted)
    down, up = rate // common, wanted // common
    half = math.ceil(_LOBES * max(1.0, rate / wanted))
    around = array("h", bytes(2 * half))
    known = around + samples + around
    count = -(-len(samples) * up // down)
    steps = min(up, _STEPS)
    filters: dict[int, tuple[float, ...]] = {}
    result = []
    for place in range(count):
        first, phase = divmod(place * down, up)
        step = phase * steps // up
        taps = filters.get(step)
        if taps is None:
            taps = filters[step] = _sinc(step / steps, half, _PASSED * min(1.0, wanted / rate))
        result.append(sum(map(mul, taps, known[first + 1 : first + 1 + 2 * half])))
    return _rounded(result)


def _sinc(offset: float, half: int, band: float) -> tuple[float, ...]:
    """What stands *offset* samples behind the middle one of 2 * *half*, of *band* of all; their sum is 1."""
    taps = []
    for place in range(1 - half, half + 1):
        distance = place - offset
        inside = max(0.0, 1 - (distance / half) ** 2)
        turn = math.pi * band * distance
        taps.append((math.sin(turn) / turn if turn else 1.0) * _bessel(_BETA * math.sqrt(inside)))
    scale = sum(taps)
    return tuple(tap / scale for tap in taps)


_TAPS = _taps()
