from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("250ms", 0.25),
        ("5s", 5.0),
        ("10m", 600.0),
        ("1h", 3600.0),
        ("1.5 s", 1.5),
        (7, 7.0),
        (0.5, 0.5),
        ("3", 3.0),
    ],
)
def test_reads_what_people_write(written: str | float, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "wrong", ["", "soon", "-5s", "5d", "1:30", "5 5", "inf", "nan", "1e9", True, "9000h", "٣s"]
)
def test_says_what_it_expected(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration|longer than a year"):
        parse_duration(wrong)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.25, "250ms"), (5.0, "5s"), (90.0, "90s"), (600.0, "10m"), (3600.0, "1h"), (0.0, "0s")],
)
def test_writes_the_shortest(seconds: float, written: str) -> None:
    assert format_duration(seconds) == written


@given(st.integers(0, 10**7))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
