"""How much of a frequency there is in sound."""

from __future__ import annotations

import cmath
import math
from array import array
from collections.abc import Sequence

from phone_emulator.media.sound import Sound


def tone(rate: int, hertz: float, seconds: float, amplitude: float = 8000.0) -> Sound:
    """A sine of *hertz*, at *rate*."""
    turn = 2 * math.pi * hertz / rate
    return Sound(
        rate, array("h", (round(amplitude * math.sin(turn * n)) for n in range(round(rate * seconds))))
    )


def amplitude(sound: Sound, hertz: float) -> float:
    """The amplitude of *hertz* in *sound*, under a Hann window: one bin of a Fourier transform."""
    count = len(sound.samples)
    turn = 2j * math.pi * hertz / sound.rate
    window = [1 - math.cos(2 * math.pi * (n + 0.5) / count) for n in range(count)]
    parts = zip(sound.samples, window, strict=True)
    return 2 / count * abs(sum(s * w * cmath.exp(-turn * n) for n, (s, w) in enumerate(parts)))


def loudest(sound: Sound, hertz: Sequence[float] = range(100, 1000, 20)) -> float:
    """The one of the frequencies *hertz* that *sound* has most of."""
    return max(hertz, key=lambda each: amplitude(sound, each))


def decibels(one: float, other: float) -> float:
    """How much louder the amplitude *one* is than *other*, in dB."""
    return 20 * math.log10(max(one, 1e-9) / max(other, 1e-9))
