"""Silence that is not sent: the noise that stands for it (RFC 3389), and when a voice is silent."""

from __future__ import annotations

import math
from array import array
from functools import cache

ENCODING = "CN"
"""Of ``a=rtpmap``, at any clock."""
PAYLOAD = 13
"""The number of comfort noise at 8 kHz, with and without a word of it (RFC 3551 section 6)."""
QUIET = 104
"""The largest sample of what counts as silence: 50 dB below the loudest."""
HANG = 200
"""Milliseconds of silence before it is left out: so long are the pauses within a sentence."""
_PERIOD = 8191
"""Samples after which the noise begins again."""


class Noise:
    """Noise of the level that *payload* has; its spectrum, which may follow, is passed over (section 3).

    Nothing about it is random: a call that is played again sounds the same.
    """

    def __init__(self, payload: bytes) -> None:
        self.level = -(payload[0] & 0x7F) if payload else -127
        """dBov: 0 is the loudest square wave."""
        self._place = 0

    def samples(self, count: int) -> array[int]:
        """The next *count* samples."""
        scale = 32767 * 10 ** (self.level / 20)
        white, start = _white(), self._place
        self._place = (start + count) % _PERIOD
        return array(
            "h",
            [
                min(max(round(white[at % _PERIOD] * scale), -32768), 32767)
                for at in range(start, start + count)
            ],
        )


class Activity:
    """Whether a voice speaks (``voice.vad``), piece by piece."""

    def __init__(self) -> None:
        self._quiet = 0
        """Milliseconds for which it has been silent."""

    def speaks(self, samples: array[int], milliseconds: int) -> bool:
        """Whether the next piece, *samples* of *milliseconds*, is worth sending; no samples are silence."""
        loudest = max(max(samples), -min(samples)) if samples else 0
        self._quiet = 0 if loudest > QUIET else self._quiet + milliseconds
        return self._quiet <= HANG


@cache
def _white() -> list[float]:
    """Evenly distributed, of an effective value of 1: a linear congruential generator's upper bits."""
    state, found = 1, []
    for _ in range(_PERIOD):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        found.append((state / 0xFFFFFFFF * 2 - 1) * math.sqrt(3))
    return found
