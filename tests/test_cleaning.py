"""What strangers wrote, fit for people's eyes."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.cleaning import MOST_MARKS, clean, clean_json, clean_lines

NAMES = ["Jürgen Groß", "山田太郎", "이영희", "عبد الله", "नमस्ते", "☎ 1002", "e\u0301\u0323"]

STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_script_stay(name: str) -> None:
    assert clean(name) == name
    assert json.loads(clean_json(name)) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nWarning: b", r"a\x0d\x0aWarning: b"),
        ("\x9b31m\x7f\x00", r"\x9b31m\x7f\x00"),
        ("abc\u202efdp.exe", r"abc\u202efdp.exe"),
        ("\u2066\u200b\u2060\ufeff\u200f\u00ad", r"\u2066\u200b\u2060\ufeff\u200f\xad"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("a\u3000b\xa0c", r"a\u3000b\xa0c"),
        ("\udc80\ufffe\ue000", r"\udc80\ufffe\ue000"),
        ("\x7f", r"\x7f"),
        ("\U000e0041", r"\U000e0041"),
        ("Z" + "\u0317" * 6, "Z" + "\u0317" * MOST_MARKS + r"\u0317" * 2),
    ],
)
def test_what_would_steer_is_written_out(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert json.loads(clean_json(text)) == text
    assert clean_json(text).isprintable()


UNSEEN = (
    *"\u3164\u115f\u1160\uffa0\u2800\u034f\ufe0f\U000e0100\u17b4\u180b\u180e",  # fillers, selectors, blanks
    *"\u200b\u2060\u061c\xad\x85\u2028\ufeff\ud800\u200f\u2066\u206a\ufff9\u2061\U000e0041\U0001d173",
)


@pytest.mark.parametrize("char", UNSEEN, ids=lambda char: f"{ord(char):04x}")
def test_what_is_not_seen_is_written_out(char: str) -> None:
    text = f"a{char}b"
    assert clean(text) == text.encode("unicode_escape").decode()
    assert char not in clean_json(text)
    assert json.loads(clean_json(text)) == text


def test_long_texts_may_be_cut() -> None:
    assert clean("abcdef", 6) == "abcdef"
    assert clean("abcdefg", 6) == "abcde…"
    assert clean("\x1b" * 1_000_000, 6) == "\\x1b\\…"


def test_lines() -> None:
    assert clean_lines("a\r\n\tb\n\nc") == "a\\x0d\n\\x09b\n\nc"


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_that_steers_is_left(text: str) -> None:
    for shown in (clean(text), clean(text, 20), clean_json(text)):
        assert not any(
            unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in shown
        )
        shown.encode()
    assert clean(clean(text)) == clean(text)
    assert json.loads(clean_json(text)) == text
