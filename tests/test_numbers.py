from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.numbers import MAX_UINT32, at_most, number

NO_NUMBERS = (
    *("", " ", "x", "1x", "-1", "+1", " 1", "1 ", "1_000", "1.0", "1e3", "0x1", "1\n"),
    *("²", "１", "٣", "1²", "1٣", "½", "Ⅷ", "一"),
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number(text: str) -> None:
    assert number(text, 10) is None
    assert at_most(text, 10) is None


@pytest.mark.parametrize(
    ("text", "largest", "found", "clamped"),
    [
        ("0", 0, 0, 0),
        ("1", 0, None, 0),
        ("70", 255, 70, 70),
        ("256", 255, None, 255),
        ("007", 7, 7, 7),
        ("4294967295", MAX_UINT32, MAX_UINT32, MAX_UINT32),
        ("4294967296", MAX_UINT32, None, MAX_UINT32),
        ("0" * 5000, 255, 0, 0),
        ("0" * 5000 + "255", 255, 255, 255),
        ("9" * 5000, 2**64 - 1, None, 2**64 - 1),
    ],
)
def test_limits(text: str, largest: int, found: int | None, clamped: int) -> None:
    assert number(text, largest) == found
    assert at_most(text, largest) == clamped


@given(st.text(st.characters(categories=["Nd", "No", "Nl"]) | st.sampled_from(" _+-.0"), max_size=25))
def test_nothing_raises(text: str) -> None:
    found = at_most(text, MAX_UINT32)
    assert (found is None) is not (bool(text) and set(text) <= set("0123456789"))


@given(st.integers(0, MAX_UINT32))
def test_what_is_written_reads_back(value: int) -> None:
    assert number(str(value), MAX_UINT32) == value
