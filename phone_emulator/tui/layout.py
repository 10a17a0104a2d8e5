"""How the panes share the screen, by its size."""

from __future__ import annotations

LAYOUTS = (
    (170, 45, "large"),
    (110, 32, "medium"),
)
"""Columns and lines that a layout needs; below the smallest, one pane at a time."""


def layout_of(width: int, height: int) -> str:
    """``compact``, ``medium`` or ``large``."""
    return next((name for columns, lines, name in LAYOUTS if width >= columns and height >= lines), "compact")
