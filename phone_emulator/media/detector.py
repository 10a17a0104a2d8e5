"""Finds DTMF digits in the sound itself, within the limits of ITU-T Q.24, and none in speech.

Theory of operation: a window of 16 ms goes along the sound by 8 ms. In each the eight frequencies of Q.23 are
measured (one bin of a Fourier transform each, under a Hann window). A window shows a digit where the
strongest of either group are loud enough, about as loud as each other, and next to all that there is: speech
has more than two frequencies. Three windows of one digit and of one level that follow each other are the
digit: a tone of 40 ms has three, one of 23 ms has two. By how much the phases advance from window to window
tells how far either tone is from its nominal frequency. A digit is over after three windows without it, so
that a break of 10 ms does not make it two.

The limits of Q.24 (its table A.1, with the widest of the administrations' for what has to be taken):

| taken | not taken |
| 1.5 % and 2 Hz off | 3.5 % off |
| 40 ms and longer | 23 ms and shorter |
| pauses of 30 ms and longer part digits | breaks of 10 ms and shorter do not |
| -25 dBm0 each and louder; here from -40 | -55 dBm0 |
| the upper tone 4 dB louder to 8 dB quieter | |
"""

from __future__ import annotations

import cmath
import math
from array import array
from collections import deque
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

from .tones import DTMF, FULL_SCALE_DBM0, RATE

LOST = 60
"""Milliseconds of sound that may be lost within a digit; more of it, and another one may have begun."""

_WINDOW, _STEP = 128, 64
"""Samples."""
_NEEDED = 3
"""Windows of a digit."""
_OVER = 3
"""Windows without it that end it."""
_KEPT = 8
"""Windows of a tone that are compared."""
_STEADY = 0.81
"""The power of a window within a digit, compared to the strongest: one that is half outside has less."""
_PURE, _LIKELY = 0.91, 0.7
"""The part of all power that both tones have; the smaller one where nobody knows yet how far off they are."""
_LOWEST = -40.0
"""dBm0 of either tone."""
_UPPER, _LOWER = 10**0.6, 10**1.0
"""How many times as strong the upper tone may be as the lower one, and the other way round: 6 dB, 10 dB."""
_OFF = 0.024
"""How far from its nominal frequency a tone may be."""

_HANN = tuple(0.5 - 0.5 * math.cos(2 * math.pi * (n + 0.5) / _WINDOW) for n in range(_WINDOW))
_SUM, _SQUARES = sum(_HANN), sum(map(mul, _HANN, _HANN))
_LEAST = (32767 * 10 ** ((_LOWEST - FULL_SCALE_DBM0) / 20)) ** 2 / 2
"""The power of the quietest tone that counts."""


class _Bin(NamedTuple):
    """One of the eight frequencies."""

    hertz: int
    cosine: tuple[float, ...]
    sine: tuple[float, ...]

    def of(self, windowed: Sequence[float]) -> complex:
        """How much of it there is, and its phase where the window begins."""
        return complex(sum(map(mul, windowed, self.cosine)), -sum(map(mul, windowed, self.sine)))


def _bin(hertz: int) -> _Bin:
    turns = [2 * math.pi * hertz / RATE * n for n in range(_WINDOW)]
    return _Bin(hertz, tuple(map(math.cos, turns)), tuple(map(math.sin, turns)))


_ROWS, _COLUMNS = (tuple(map(_bin, sorted({pair[group] for pair in DTMF.values()}))) for group in (0, 1))
_KEYS = {pair: digit for digit, pair in DTMF.items()}


class _Seen(NamedTuple):
    """A window that shows a digit."""

    digit: str
    all: float
    """The power of all that there is, in squares of samples."""
    power: float
    """That of both tones."""
    row: complex
    """The bin of the lower tone."""
    column: complex
    """That of the upper one."""
    follows: bool
    """Whether it follows the window before: nothing was lost between them."""


class Detector:
    """Hears one stream of sound at 8 kHz."""

    def __init__(self) -> None:
        self._samples = array("h")
        """What the next window begins with."""
        self._whole = True
        """Whether the next window follows the last one."""
        self._run: deque[_Seen] = deque(maxlen=_KEPT)
        """Windows of one digit, one after the other."""
        self._digit = ""
        """What is pressed, as far as it was told; empty for none."""
        self._without = 0
        """Windows without it."""
        self._lost = 0
        """Milliseconds that were lost since the last window."""

    def feed(self, samples: array[int]) -> str:
        """The digits that are heard for the first time within *samples*: mostly none, hardly ever two."""
        known = self._samples + samples
        found, place = "", 0
        while place + _WINDOW <= len(known):
            found += self._window(known[place : place + _WINDOW])
            place += _STEP
        self._samples = known[place:]
        return found

    def lose(self, milliseconds: int) -> None:
        """That much sound has not come: nobody knows whether the digit went on meanwhile."""
        self._lost += milliseconds
        self._samples = array("h")
        self._whole = False
        if self._lost > LOST:
            self._run.clear()
            self._digit, self._without = "", 0

    def _window(self, samples: array[int]) -> str:
        """The digit that *samples* make certain; empty for none."""
        seen, self._whole, self._lost = _seen(samples, self._whole), True, 0
        if seen is None or seen.digit != self._digit:
            self._without += 1
            if self._without >= _OVER:
                self._digit = ""
        else:
            self._without = 0
        if seen is None:
            self._run.clear()
            return ""
        if self._run and self._run[-1].digit != seen.digit:
            self._run.clear()
        self._run.append(seen)
        if seen.digit == self._digit or not _certain(self._run):
            return ""
        self._digit, self._without = seen.digit, 0
        return seen.digit


def _seen(samples: array[int], follows: bool) -> _Seen | None:
    windowed = list(map(mul, samples, _HANN))
    power = sum(map(mul, windowed, windowed)) / _SQUARES
    if power < 2 * _LEAST:
        return None
    row, low = _strongest(_ROWS, windowed)
    lower = _power(low)
    if lower < max(_LEAST, power * _LIKELY / (1 + _UPPER)):
        return None
    column, high = _strongest(_COLUMNS, windowed)
    upper = _power(high)
    if upper < _LEAST or lower + upper < power * _LIKELY:
        return None
    if upper > lower * _UPPER or lower > upper * _LOWER:
        return None
    return _Seen(_KEYS[row, column], power, lower + upper, low, high, follows)


def _strongest(group: tuple[_Bin, ...], windowed: Sequence[float]) -> tuple[int, complex]:
    """Of the frequencies of *group* the strongest: Hz, and its bin."""
    return max(((each.hertz, each.of(windowed)) for each in group), key=lambda each: abs(each[1]))


def _power(found: complex) -> float:
    """The power of the tone of which that is found at its frequency, in squares of samples."""
    return 2 * (abs(found) / _SUM) ** 2


def _certain(run: Sequence[_Seen]) -> bool:
    """Whether enough windows of *run* are of one level, and nothing but two tones at their frequencies."""
    least = _STEADY * max(each.power for each in run)
    steady = [each for each in run if each.power >= least]
    if len(steady) < _NEEDED:
        return False
    pairs = [
        (one, other)
        for one, other in zip(run, list(run)[1:], strict=False)
        if other.follows and min(one.power, other.power) >= least
    ]
    if not pairs:
        return False
    row, column = DTMF[steady[0].digit]
    row_off = sum(_hertz_off(one.row, other.row, row) for one, other in pairs) / len(pairs)
    column_off = sum(_hertz_off(one.column, other.column, column) for one, other in pairs) / len(pairs)
    if abs(row_off) > _OFF * row or abs(column_off) > _OFF * column:
        return False
    lower, upper = 1 / _seen_of(row_off), 1 / _seen_of(column_off)
    parts = [(lower * _power(each.row) + upper * _power(each.column)) / each.all for each in steady]
    return sum(parts) >= _PURE * len(parts)


def _seen_of(hertz: float) -> float:
    """The part of a tone's power that the bin *hertz* away from it has: the spectrum of the Hann window."""
    bins = hertz * _WINDOW / RATE
    if abs(bins) < 1e-6:
        return 1.0
    return (math.sin(math.pi * bins) / (math.pi * bins * (1 - bins * bins))) ** 2


def _hertz_off(one: complex, other: complex, hertz: int) -> float:
    """By how much the tone is above *hertz* whose phase went from *one* to *other* in a step."""
    nominal = cmath.exp(-2j * math.pi * hertz * _STEP / RATE)
    return cmath.phase(other * one.conjugate() * nominal) * RATE / (2 * math.pi * _STEP)
