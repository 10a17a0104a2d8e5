"""Sines as 16-bit samples, and the frequencies of DTMF (ITU-T Q.23)."""

from __future__ import annotations

import math
import re
from array import array

RATE = 8000
"""Samples a second, where nothing else is said."""
FULL_SCALE_DBM0 = 3.14
"""The level of the loudest sine that 16 bits hold (G.711, A-law): -3.01 dBov."""


_ROWS = {697: "123A", 770: "456B", 852: "789C", 941: "*0#D"}
_COLUMNS = (1209, 1336, 1477, 1633)
DTMF = {
    digit: (row, column)
    for row, digits in _ROWS.items()
    for digit, column in zip(digits, _COLUMNS, strict=True)
}
"""Digit -> its two frequencies, Hz (Q.23)."""


LOWEST, HIGHEST = 100, 7000
"""Hz of the tones that can be asked for; above 3400 only a wide codec carries them (G.722)."""
_HERTZ = re.compile(r"([0-9]{1,6})\s*Hz", re.IGNORECASE)


def parse_hertz(text: str) -> int:
    """The frequency that *text* says, as ``440Hz``; raises ValueError, in words for people."""
    match = _HERTZ.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a frequency: write 440Hz, say")
    if not LOWEST <= int(match[1]) <= HIGHEST:
        raise ValueError(f"{text!r} cannot be heard here: {LOWEST} to {HIGHEST} Hz")
    return int(match[1])


def sine(
    frequencies: tuple[float, ...],
    duration_ms: int,
    level: float = -10.0,
    *,
    rate: int = RATE,
    start: int = 0,
) -> array[int]:
    """Sines of the *frequencies* (Hz) added up, each at *level* dBm0 (at most 3.14 together).

    Args:
        frequencies: Hz, all at once.
        duration_ms: how much of it.
        level: dBm0 (FULL_SCALE_DBM0).
        rate: samples a second, a multiple of 1000.
        start: milliseconds that went before: each sine began with them.
    """
    amplitude = 32767 * 10 ** ((level - FULL_SCALE_DBM0) / 20)
    turns = [2 * math.pi * frequency / rate for frequency in frequencies]
    first, count = start * rate // 1000, duration_ms * rate // 1000
    loudest = 32767.0
    return array(
        "h",
        [
            round(max(-loudest, min(loudest, amplitude * sum(math.sin(turn * at) for turn in turns))))
            for at in range(first, first + count)
        ],
    )


def silence(duration_ms: int, *, rate: int = RATE) -> array[int]:
    """Samples of 0."""
    return array("h", bytes(2 * (duration_ms * rate // 1000)))
