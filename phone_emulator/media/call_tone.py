"""A tone that tells a person how a call stands: its frequencies and cadence, as ``voice.tone.*`` writes them.

``440+480/2000,0/4000`` is two frequencies at once for two seconds, then four of silence, over and over. What
has ``!`` in front is played once; where all parts have it, silence follows. ``0`` alone is no tone.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from itertools import accumulate

from phone_emulator.numbers import number

from .tones import RATE, silence, sine

LEVEL = -16.0
"""dBm0 of each frequency: two at once are as loud as speech."""
LOWEST, HIGHEST = 200, 7000
"""Hz."""
MOST_FREQUENCIES, MOST_PARTS, LONGEST = 4, 8, 30_000
"""At once; in a tone; milliseconds of a part."""
_PART = re.compile(r"(!?)\s*([0-9+]+)(?:/([0-9]+))?").fullmatch


class ToneError(ValueError):
    """No tone; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a tone, in which nothing changes."""

    frequencies: tuple[int, ...]
    """Hz, all at once; none: silence."""
    milliseconds: int
    """How long it lasts; 0: for ever."""


@dataclass(frozen=True, slots=True)
class CallTone:
    """What is played once, and what is played over and over behind it."""

    once: tuple[Part, ...] = ()
    repeated: tuple[Part, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing of it is heard."""
        return not any(part.frequencies for part in (*self.once, *self.repeated))

    def at(self, millisecond: int) -> tuple[Part, int, int]:
        """The part that is heard then, for how long it has been, and for how long it still will be.

        Nothing changes within the last: 0 is for ever.
        """
        for part, end in zip(self.once, accumulate(part.milliseconds for part in self.once), strict=True):
            if millisecond < end or not part.milliseconds:
                gone = millisecond - (end - part.milliseconds)
                return part, gone, max(end - millisecond, 0)
        millisecond -= sum(part.milliseconds for part in self.once)
        turn = sum(part.milliseconds for part in self.repeated)
        if not self.repeated:
            return Part((), 0), millisecond, 0
        within = millisecond % turn if all(part.milliseconds for part in self.repeated) else millisecond
        for part in self.repeated:
            if within < part.milliseconds or not part.milliseconds:
                return part, within, max(part.milliseconds - within, 0)
            within -= part.milliseconds
        raise AssertionError("every millisecond of a turn is in one of its parts")

    def samples(self, start: int, milliseconds: int, *, rate: int = RATE) -> array[int]:
        """So much of it from the millisecond *start* on, at *rate* samples a second, a multiple of 1000."""
        samples, place, end = array("h"), start, start + milliseconds
        while place < end:
            part, gone, left = self.at(place)
            length = min(left or end - place, end - place)
            samples.extend(
                sine(part.frequencies, length, LEVEL, rate=rate, start=gone)
                if part.frequencies
                else silence(length, rate=rate)
            )
            place += length
        return samples


def parse(text: str) -> CallTone:
    """The tone that *text* writes; raises ToneError."""
    if text.strip() == "0":
        return CallTone()
    words = text.split(",")
    if len(words) > MOST_PARTS:
        raise ToneError(f"expected {MOST_PARTS} parts at most")
    once, repeated = list[Part](), list[Part]()
    for word in words:
        match = _PART(word.strip())
        if match is None:
            raise ToneError("expected parts of frequencies and milliseconds: 440+480/2000,0/4000")
        (once if match[1] else repeated).append(Part(_frequencies(match[2]), _milliseconds(match[3])))
    endless = [part for part in (*once, *repeated) if not part.milliseconds]
    if endless and (len(words) > 1 or once):
        raise ToneError("expected the milliseconds of each part")
    return CallTone(tuple(once), tuple(repeated))


def is_tone(text: str) -> bool:
    """Whether *text* writes a tone."""
    try:
        parse(text)
    except ToneError:
        return False
    return True


def _frequencies(text: str) -> tuple[int, ...]:
    found = [number(word, HIGHEST) for word in text.split("+")]
    if found == [0]:
        return ()
    if len(found) > MOST_FREQUENCIES or any(each is None or each < LOWEST for each in found):
        raise ToneError(f"expected 1 to {MOST_FREQUENCIES} frequencies of {LOWEST} to {HIGHEST} Hz, or 0")
    return tuple(each for each in found if each is not None)


def _milliseconds(text: str | None) -> int:
    """0 where nothing is said: for ever."""
    if text is None:
        return 0
    found = number(text, LONGEST)
    if not found:
        raise ToneError(f"expected 1 to {LONGEST} milliseconds")
    return found
