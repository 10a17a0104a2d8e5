"""Bounds as people write them: ``<200ms``, ``>-30 dBov``, ``<1%``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from phone_emulator.durations import parse_duration
from phone_emulator.media.judgement import NOTHING

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_BOUND = re.compile(r"\s*([<>]=?)\s*(\S.*?)\s*")


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured."""

    example: str
    reads: Callable[[str], float]
    """The number that a text is; raises ValueError."""
    lowest: float
    highest: float
    told: Callable[[float], str]
    """A number, for people."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a number has to be."""

    sign: str
    """``<``, ``<=``, ``>`` or ``>=``."""
    limit: float
    measure: Measure

    def holds(self, value: float) -> bool:
        """Whether *value* is within it."""
        return _SIGNS[self.sign](value, self.limit)

    def __str__(self) -> str:
        return f"{self.sign}{self.measure.told(self.limit)}"


def _number(unit: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        match = re.fullmatch(rf"([-+]?[0-9]{{1,4}}(?:\.[0-9]{{1,6}})?)\s*{unit}", text, re.IGNORECASE)
        if match is None:
            raise ValueError
        return float(match[1])

    return read


LEVEL = Measure(">-30 dBov", _number("dBov"), NOTHING, 0.0, lambda value: f"{value:.1f} dBov")
LOST = Measure("<1%", _number("%"), 0.0, 100.0, lambda value: f"{value:.2f}%")
MOS = Measure(">4.0", _number(""), 1.0, 5.0, lambda value: f"{value:g}")
GAP = Measure("<200ms", parse_duration, 0.0, math.inf, lambda value: f"{1000 * value:.0f} ms")


def parse_bound(text: object, measure: Measure) -> Bound:
    """The bound that *text* is; raises ValueError, in words for people, also where it says nothing."""
    match = _BOUND.fullmatch(text) if isinstance(text, str) else None
    try:
        if match is None:
            raise ValueError
        bound = Bound(match[1], measure.reads(match[2]), measure)
    except ValueError:
        raise ValueError(f"expected a bound such as {measure.example!r}, got {text!r}") from None
    ends = bound.holds(measure.lowest), bound.holds(measure.highest)
    if all(ends):
        raise ValueError(f"{text!r} holds whatever is heard")
    if not any(ends):
        raise ValueError(f"{text!r} holds for nothing that can be heard")
    return bound
