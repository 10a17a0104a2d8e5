"""Lengths of time as people write them: ``250ms``, ``5s``, ``10m``, ``1h``; a plain number is seconds."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*(ms|s|m|h)?")
_LONGEST = 366 * 86400.0


def parse_duration(value: str | int | float) -> float:
    """Seconds in *value*.

    :raises ValueError: in words for people, when it is no length of time, negative or longer than a year.
    """
    text = "" if isinstance(value, bool) else str(value).strip()
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{str(value)!r} is not a duration: write 250ms, 5s, 10m, 1h or a number of seconds")
    number, unit = match.groups()
    # Whole milliseconds are divided, not multiplied: 250ms is 0.25 to the last bit.
    seconds = float(number) / 1000 if unit == "ms" else float(number) * _UNITS[unit or "s"]
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than a year")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest way to write *seconds* that :func:`parse_duration` reads back: ``90s``, ``10m``."""
    for unit in ("h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    if 0 < seconds < 1 and (seconds * 1000).is_integer():
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
