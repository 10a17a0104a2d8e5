"""When each packet of a stream is heard (RFC 3550 section 6.4.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media.alignment import DELAY, FAR, Alignment
from phone_emulator.media.rtp import Packet


def packet(number: int, timestamp: int | None = None, ssrc: int = 1) -> Packet:
    """The packet *number* of a stream of 20 ms at 8 kHz."""
    at = number * 160 if timestamp is None else timestamp
    return Packet(0, number & 0xFFFF, at & 0xFFFFFFFF, ssrc, b"")


def heard(alignment: Alignment, number: int, now: float, ssrc: int = 1) -> float | None:
    found = alignment.time_of(packet(number, ssrc=ssrc), 8000, now)
    return None if found is None else round(found, 6)


@pytest.mark.parametrize("first", [0, 65_530])
def test_jitter_order_and_loss_do_not_show(first: int) -> None:
    alignment = Alignment()
    assert heard(alignment, first, 10.0) == 10.0 + DELAY
    assert heard(alignment, first + 2, 10.05) == 10.04 + DELAY
    assert heard(alignment, first + 1, 10.06) == 10.02 + DELAY
    assert heard(alignment, first + 9, 10.19) == 10.18 + DELAY
    assert heard(alignment, first + 10, 10.19) == 10.20 + DELAY


def test_a_pause_is_as_long_as_it_was() -> None:
    alignment = Alignment()
    heard(alignment, 0, 10.0)
    found = alignment.time_of(packet(1, 160 + 8000 * 60), 8000, 70.03)
    assert found == pytest.approx(70.02 + DELAY)


def test_what_comes_too_late_shifts_the_stream_unless_it_was_overtaken() -> None:
    alignment = Alignment()
    heard(alignment, 0, 10.0)
    assert heard(alignment, 2, 10.5) == 10.5 + DELAY  # the network has become slow
    assert heard(alignment, 1, 10.6) is None
    assert heard(alignment, 3, 10.52) == 10.52 + DELAY


def test_what_would_be_heard_much_later_is_heard_now() -> None:
    """A sender whose clock runs too fast, or that has jumped."""
    alignment = Alignment()
    heard(alignment, 0, 10.0)
    assert heard(alignment, 1000, 10.02) == 10.02 + DELAY
    assert heard(alignment, 1001, 10.04) == 10.04 + DELAY


def test_another_stream_or_another_clock_begins_anew() -> None:
    alignment = Alignment()
    heard(alignment, 0, 10.0)
    assert heard(alignment, 1, 10.1, ssrc=2) == 10.1 + DELAY
    assert alignment.time_of(packet(2, ssrc=2), 16000, 10.11) == pytest.approx(10.11 + DELAY)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.floats(0, 1)), max_size=50))
def test_whatever_comes_is_heard_soon_or_never(packets: list[tuple[int, int, float]]) -> None:
    alignment, now = Alignment(), 0.0
    for sequence, timestamp, later in packets:
        now += later
        at = alignment.time_of(Packet(0, sequence, timestamp, 1, b""), 8000, now)
        assert at is None or now <= at <= now + FAR
