"""What strangers wrote, fit for people's eyes: nothing in it steers a terminal, a page or how it is read.

Control characters (C0, C1), bidirectional and zero-width ones, every blank but the common one, what is no
character, and more marks on one character than any script puts there are written out: ``\\x1b``, ``\\u202e``.
All else stays as it is.
It stands beside the layers, as `numbers` does: even the lowest of them, config, tells people what files say.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

MOST_MARKS = 4
"""Combining marks in a row that are shown: two or three is what scripts need."""
_UNSEEN = frozenset(
    chr(code)
    for first, last in (
        *((0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800)),
        *((0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF)),
    )
    for code in range(first, last + 1)
)
"""What counts as printable, and is not seen: fillers, joiners, variation selectors, a blank of Braille."""
_MARKS = frozenset({"Mn", "Me"})
_ODD_IN_JSON = re.compile(r"[\x7f-\U0010ffff]")


def clean(text: str, most: int | None = None) -> str:
    """*text* for one line, cut after *most* characters."""
    shown = text if most is None else text[: most + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = _written_out(shown)
    return shown if most is None or len(shown) <= most else f"{shown[: most - 1]}…"


def brief(text: str, most: int = 60) -> str:
    """What is quoted of *text* in a sentence."""
    return clean(text, most)


def clean_lines(text: str) -> str:
    """*text* of several lines, whose ends are ``\\n``."""
    return "\n".join(map(clean, text.split("\n")))


def clean_json(value: Any, **how: Any) -> str:
    """*value* as JSON, in which what `clean` writes out is escaped; *how* goes to `json.dumps`."""
    text = json.dumps(value, ensure_ascii=False, **how)
    return text if text.isascii() and "\x7f" not in text else _ODD_IN_JSON.sub(_in_json, text)


def _written_out(text: str) -> str:
    shown = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in _MARKS else 0
        kept = marks <= MOST_MARKS and _is_seen(char)
        shown.append(char if kept else _escape(char))
    return "".join(shown)


def _is_seen(char: str) -> bool:
    """Whether *char* is a character that people see, and that steers nothing."""
    return char.isprintable() and char not in _UNSEEN


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_json(match: re.Match[str]) -> str:
    char = match[0]
    if _is_seen(char):
        return char
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]
