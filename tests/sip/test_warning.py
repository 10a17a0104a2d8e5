"""Warning headers (RFC 3261 section 20.43)."""

from __future__ import annotations

import pytest

from phone_emulator.sip.warning import warning


@pytest.mark.parametrize(
    ("text", "agent", "code", "value"),
    [
        ("no common codec", "192.168.1.21", 305, '305 192.168.1.21 "no common codec"'),
        ("x", "fd00::21", 399, '399 [fd00::21] "x"'),
        (
            'a "word", a \\ and a \r\n line: ü',
            "pbx.test",
            399,
            '399 pbx.test "a ?word?, a ? and a ?? line: ?"',
        ),
    ],
)
def test_what_it_says(text: str, agent: str, code: int, value: str) -> None:
    assert warning(text, agent, code) == ("Warning", value)
