"""Numbers as other people write them: on the wire, in files, on the command line.

``1*DIGIT`` and nothing else. What `int` takes besides (``+1``, ``1_000``, blanks, digits of other scripts)
is no number here, nor is ``²``, which `str.isdigit` takes for a digit; and however many digits come, nothing
is raised.
It stands beside the layers, as `durations` does: even the lowest of them, config, reads numbers.
"""

from __future__ import annotations

MAX_DIGITS = 20
"""Digits that are looked at, leading zeros aside: limits are smaller than ``10**MAX_DIGITS``."""
MAX_UINT32 = 2**32 - 1
"""The largest CSeq, RSeq and delta-seconds (RFC 3261 sections 8.1.1.5 and 20.19)."""


def number(text: str, largest: int) -> int | None:
    """The number that *text* is; None where it is none, or more than *largest*."""
    found = at_most(text, largest + 1)
    return None if found is None or found > largest else found


def at_most(text: str, largest: int) -> int | None:
    """The number that *text* is, *largest* where it is more; None where it is none."""
    if not (text.isdigit() and text.isascii()):
        return None
    if len(text) > MAX_DIGITS:
        text = text.lstrip("0")
        if len(text) > MAX_DIGITS:
            return largest
    found = int(text or "0")
    return found if found < largest else largest
