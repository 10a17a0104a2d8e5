"""When reports leave: RFC 3550 sections 6.2 and 6.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media.rtcp_timing import LEAST, ReportTimer

COMPENSATION = 1.21828


def test_the_interval_is_five_seconds_half_to_one_and_a_half_times_compensated() -> None:
    """Section 6.3.1, step 6."""
    timer = ReportTimer()
    timer.sent(0)
    for chance, share in ((0.0, 0.5), (0.5, 1.0), (1.0, 1.5)):
        assert timer.interval(chance, 2) == pytest.approx(5 * share / COMPENSATION)


def test_the_first_report_comes_after_half_of_it() -> None:
    """Section 6.2."""
    timer = ReportTimer()
    timer.begin(100)
    assert timer.due(0.5, 0) == pytest.approx(100 + 2.5 / COMPENSATION)
    timer.sent(102)
    assert timer.due(0.5, 0) == pytest.approx(102 + 5 / COMPENSATION)


@given(st.floats(0, 1), st.integers(0, 2), st.lists(st.integers(8, 1500), max_size=30))
def test_reports_take_no_more_than_their_share(chance: float, senders: int, sizes: list[int]) -> None:
    """Section 6.2: 5 % of the session's bandwidth, whatever is sent."""
    timer = ReportTimer()
    timer.sent(0)
    for octets in sizes:
        timer.passed(octets)
    least = LEAST * 0.5 / COMPENSATION
    assert timer.interval(chance, senders) >= least - 1e-9


def test_large_reports_come_less_often() -> None:
    """Section 6.3.3: the average size counts, with UDP and IP."""
    timer = ReportTimer(bandwidth=100.0)
    timer.sent(0)
    for _ in range(400):
        timer.passed(972)
    assert timer.interval(0.5, 2) == pytest.approx(2 * 1000 / 100 / COMPENSATION, rel=1e-3)


def test_whoever_only_receives_leaves_the_senders_their_quarter() -> None:
    """Section 6.3.1, step 1."""
    timer = ReportTimer(bandwidth=10.0)
    timer.sent(0)
    assert timer.interval(0.5, 1) == pytest.approx(256 / 10 / COMPENSATION)
    assert timer.interval(0.5, 0) == pytest.approx(256 / 7.5 / COMPENSATION)
