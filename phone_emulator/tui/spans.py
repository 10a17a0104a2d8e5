"""Lengths of time as the panes show them."""

from __future__ import annotations


def seconds(value: float) -> str:
    """``12.4 s``; a time that has just run out is ``0.0 s``, never negative."""
    return f"{max(value, 0.0):.1f} s"


def clock(value: float) -> str:
    """``04:09``, ``1:02:03``: minutes and seconds, with hours where there are any."""
    whole = int(max(value, 0.0))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def bar(share: float, width: int) -> tuple[str, str]:
    """A bar of *width* cells, *share* (0..1) of it full: the full part and the empty part."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "━" * full, "─" * (width - full)
