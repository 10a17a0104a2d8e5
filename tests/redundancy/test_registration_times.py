"""When the next REGISTER is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.config.model import AccountConfig
from phone_emulator.redundancy import refresh_delay, rest_after, retry_delay


@pytest.mark.parametrize(
    ("lease", "overlap", "delay"),
    [
        (3600, -1, 3540),
        (121, -1, 61),
        (120, -1, 60),
        (60, -1, 30),
        (3600, 0, 3540),
        (3600, 100, 3500),
        (60, 10, 50),
        (60, 59, 1),
        (60, 60, 30),  # an overlap as long as the lease cannot be kept
        (60, 300, 30),
    ],
)
def test_refresh_before_expiry(lease: int, overlap: int, delay: float) -> None:
    # rule R8
    assert refresh_delay(lease, overlap) == delay


@given(st.floats(1, 2**31), st.integers(-1, 2**31))
def test_a_refresh_is_always_after_now_and_before_expiry(lease: float, overlap: int) -> None:
    # rule R8
    assert 0 < refresh_delay(lease, overlap) < lease


@pytest.mark.parametrize("interval", [0, 1, 30, 1800])
def test_the_plain_interval(interval: int) -> None:
    # rule R7
    account = AccountConfig(index=1, reg_fail_retry_interval=interval)
    assert [retry_delay(account, failures, 0.7) for failures in (1, 2, 50)] == [interval] * 3


@pytest.mark.parametrize(
    ("failures", "low", "high"), [(1, 10, 20), (2, 20, 40), (3, 40, 80), (4, 50, 100), (400, 50, 100)]
)
def test_back_off(failures: int, low: float, high: float) -> None:
    """W = min(max_time, min_time * 2^failures); between W/2 and W."""
    # rule R7
    account = AccountConfig(index=1, reg_failed_retry_min_time=10, reg_failed_retry_max_time=100)
    assert retry_delay(account, failures, 0.0) == low
    assert retry_delay(account, failures, 0.5) == (low + high) / 2
    assert retry_delay(account, failures, 1.0) == high


@pytest.mark.parametrize(
    ("retry_after", "rest"), [(None, 0), (0, 0), (1, 1), (599, 599), (600, 600), (601, 600), (86400, 600)]
)
def test_how_long_a_registrar_that_asks_for_time_is_left_alone(retry_after: int | None, rest: float) -> None:
    # rule R7
    assert rest_after(retry_after) == rest
