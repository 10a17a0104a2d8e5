"""Foretells Python's seeded generator (MT19937) from 624 of its numbers, as any stranger can."""

from __future__ import annotations

import random
from collections.abc import Sequence

NEEDED = 624
"""How many successive 32 bit numbers give the whole state away."""


def foretold(numbers: Sequence[int]) -> random.Random:
    """A generator that goes on where the one that gave *numbers*, `NEEDED` of 32 bits each, stands."""
    assert len(numbers) == NEEDED
    heir = random.Random()
    heir.setstate((3, (*(_untempered(number) for number in numbers), NEEDED), None))
    return heir


def _untempered(word: int) -> int:
    word = _right(word, 18)
    word = _left(word, 15, 0xEFC60000)
    word = _left(word, 7, 0x9D2C5680)
    return _right(word, 11)


def _right(word: int, shift: int) -> int:
    found = word
    for _ in range(32 // shift):
        found = word ^ (found >> shift)
    return found


def _left(word: int, shift: int, mask: int) -> int:
    found = word
    for _ in range(32 // shift):
        found = word ^ (found << shift & mask)
    return found & 0xFFFFFFFF
