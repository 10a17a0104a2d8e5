"""The colours: dark and quiet, so that only what needs an eye has a colour."""

from __future__ import annotations

from textual.theme import Theme

QUIET = Theme(
    name="quiet",
    primary="#7aa8d8",
    secondary="#8fb5a6",
    accent="#d8b56a",
    success="#86c491",
    warning="#e0b668",
    error="#e08484",
    foreground="#d3dae2",
    background="#11161c",
    surface="#161c24",
    panel="#1e2630",
    dark=True,
    variables={
        "border": "#313d4a",
        "border-blurred": "#313d4a",
        "block-cursor-background": "#2a3a4c",
        "block-cursor-foreground": "#e8edf3",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1e2630",
        "block-cursor-blurred-foreground": "#d3dae2",
        "block-cursor-blurred-text-style": "none",
        "input-cursor-background": "#d3dae2",
        "scrollbar": "#2a3440",
        "scrollbar-background": "#161c24",
        "scrollbar-hover": "#3a4756",
        "scrollbar-active": "#4a5a6c",
    },
)

GOOD, BAD, WAITING, DIM, STRONG, LINK = (
    "$success",
    "$error",
    "$warning",
    "$foreground 55%",
    "bold $foreground",
    "$primary",
)
"""Styles of text by meaning."""
