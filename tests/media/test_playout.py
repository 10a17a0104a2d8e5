"""The jitter buffer: what is late, and how long nothing is heard (``voice.jib``)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media.playout import Buffer, Playout
from phone_emulator.media.rtp import Packet

FIXED = Buffer(adaptive=False)
WAY = 0.050
"""Seconds that the packets of these tests take at the least."""


def packet(n: int, *, ssrc: int = 7, marker: bool = False, stamp: int | None = None) -> Packet:
    return Packet(0, n & 0xFFFF, (n * 160 if stamp is None else stamp) & 0xFFFFFFFF, ssrc, marker=marker)


class Line:
    """Packets, 20 ms each, that take some time."""

    def __init__(self, buffer: Buffer) -> None:
        self.playout = Playout(buffer)
        self.now = 0.0

    def send(self, n: int, delayed: float = 0.0) -> bool:
        self.now = max(self.now, n * 0.02 + WAY + delayed)
        return self.playout.takes(packet(n), n * 0.02 + WAY + delayed, 8000)


@pytest.mark.parametrize(("delayed", "in_time"), [(0.0, True), (0.119, True), (0.121, False)])
def test_a_fixed_buffer_has_its_normal_depth(delayed: float, in_time: bool) -> None:
    line = Line(FIXED)
    assert all(line.send(n) for n in range(100))
    assert line.send(100, delayed) is in_time


def test_a_fixed_buffer_stays_as_it_is() -> None:
    line = Line(FIXED)
    assert [line.send(n, 0.2 * (n % 2)) for n in range(10)] == [True, False] * 5
    assert line.playout.depth == 0.120


def test_an_adaptive_buffer_grows_to_what_was_needed() -> None:
    line = Line(Buffer())
    assert line.send(0)
    assert not line.send(1, 0.150)
    assert line.playout.depth == pytest.approx(0.150)
    assert line.send(20, 0.145)


def test_an_adaptive_buffer_never_grows_beyond_its_maximum() -> None:
    line = Line(Buffer())
    assert [line.send(n * 50, 0.3 * (n % 2)) for n in range(6)] == [True, False] * 3
    assert line.playout.depth <= 0.240


def test_an_adaptive_buffer_shrinks_again_to_its_minimum() -> None:
    line = Line(Buffer())
    line.send(0)
    line.send(1, 0.2)
    for n in range(2, 3000):
        line.send(n)
    assert line.playout.depth == pytest.approx(0.060, abs=0.001)
    assert not line.send(3000, 0.150)


@given(st.lists(st.floats(0, 0.119), min_size=1, max_size=200))
def test_jitter_within_the_depth_is_never_late(jitter: list[float]) -> None:
    line = Line(FIXED)
    assert line.send(0)
    assert all(line.send(n, delayed) for n, delayed in enumerate(jitter, 1))


@pytest.mark.parametrize("share", [0.9999, 1.0001])
def test_clocks_that_drift_make_nothing_late(share: float) -> None:
    """100 ppm for an hour: 360 ms, which is more than the buffer holds."""
    playout = Playout(FIXED)
    assert all(playout.takes(packet(n), n * 0.02 * share, 8000) for n in range(180_000))


def test_a_way_that_becomes_longer_is_followed() -> None:
    playout = Playout(FIXED)
    assert all(playout.takes(packet(n), n * 0.02, 8000) for n in range(100))
    late = [not playout.takes(packet(n), n * 0.02 + 0.5, 8000) for n in range(100, 300)]
    assert late[:50] == [True] * 50
    assert not any(late[52:])


def test_a_way_that_becomes_shorter_is_followed_at_once() -> None:
    playout = Playout(FIXED)
    assert all(playout.takes(packet(n), n * 0.02 + 0.5, 8000) for n in range(100))
    assert all(playout.takes(packet(n), n * 0.02, 8000) for n in range(130, 300))
    assert not playout.takes(packet(300), 300 * 0.02 + 0.125, 8000)


def test_a_clock_that_stood_still_goes_on_with_the_marker() -> None:
    playout = Playout(FIXED)
    assert all(playout.takes(packet(n), n * 0.02, 8000) for n in range(100))
    assert playout.takes(packet(100, marker=True), 62.0, 8000)
    assert playout.takes(packet(101), 62.02, 8000)


def test_timestamps_wrap() -> None:
    playout = Playout(FIXED)
    assert all(playout.takes(packet(n, stamp=0xFFFFFF00 + n * 160), n * 0.02, 8000) for n in range(100))


def test_each_source_has_a_clock_of_its_own() -> None:
    playout = Playout(FIXED)
    assert playout.takes(packet(1), 1.0, 8000)
    assert playout.takes(packet(1, ssrc=8, stamp=12345), 9.0, 8000)
    assert playout.takes(packet(2, ssrc=8, stamp=12505), 9.02, 8000)


# -- silence -------------------------------------------------------------------------------------------------


def test_a_steady_stream_has_no_silence() -> None:
    line = Line(Buffer())
    line.playout.expect(WAY)
    for n in range(100):
        line.send(n, (n % 3) * 0.01)
    assert line.playout.silence(line.now).seconds == 0.0


@pytest.mark.parametrize("ptime", [10, 20, 60])
def test_what_a_packet_holds_is_learnt_from_the_timestamps(ptime: int) -> None:
    playout = Playout(FIXED)
    playout.expect(0.0)
    for n in range(50):
        playout.takes(packet(n, stamp=n * ptime * 8), n * ptime / 1000, 8000)
    assert playout.silence(49 * ptime / 1000).seconds == 0.0
    assert playout.ptime == pytest.approx(ptime / 1000)


def test_lost_packets_are_silence_as_long_as_they_were() -> None:
    line = Line(FIXED)
    line.playout.expect(WAY)
    for n in range(100):
        if n not in range(40, 45):
            line.send(n)
    silence = line.playout.silence(line.now)
    assert silence.seconds == pytest.approx(0.1)
    assert silence.since == pytest.approx(40 * 0.02 + WAY + 0.12)


def test_late_packets_are_silence_and_those_out_of_order_are_none() -> None:
    line = Line(FIXED)
    line.playout.expect(WAY)
    for n in (*range(40), 42, 41, 40, *range(43, 60)):
        line.send(n, 0.05 if n in (40, 41) else 0.0)
    for n in range(60, 100):
        line.send(n, 0.3 if n == 70 else 0.0)
    assert line.playout.silence(line.now).seconds == pytest.approx(0.02)


def test_sound_that_never_came_is_silence_since_it_was_expected() -> None:
    playout = Playout(FIXED)
    playout.expect(10.0)
    assert playout.silence(14.0) == (10.0, 4.0)


def test_a_server_that_dies_is_heard_until_the_buffer_is_empty() -> None:
    line = Line(FIXED)
    line.playout.expect(WAY)
    for n in range(50):
        line.send(n)
    last = 49 * 0.02 + WAY + 0.12 + 0.02
    silence = line.playout.silence(last + 4.1)
    assert silence == pytest.approx((last, 4.1))
    line.send(500)
    assert line.playout.silence(500 * 0.02 + 1).seconds == pytest.approx(9.0)


def test_held_times_are_no_silence() -> None:
    line = Line(FIXED)
    line.playout.expect(WAY)
    for n in range(50):
        line.send(n)
    line.playout.cease(1.2)
    line.playout.expect(61.0)
    assert line.playout.silence(61.0).seconds < 0.1
    assert line.playout.silence(62.0).seconds == pytest.approx(1.0)


def test_digits_stand_in_the_place_of_sound() -> None:
    """RFC 4733 section 2.1."""
    line = Line(FIXED)
    line.playout.expect(WAY)
    for n in range(150):
        if n in range(50, 100):
            line.playout.event(n * 0.02 + WAY)
        else:
            line.send(n)
    assert line.playout.silence(line.now).seconds == pytest.approx(0.0, abs=1e-6)


def test_silence_that_the_far_end_tells_of_is_none() -> None:
    """RFC 3389: comfort noise stands in its place until there is sound again."""
    line = Line(FIXED)
    line.playout.expect(WAY)
    for n in range(200):
        if n == 50:
            line.playout.rest(n * 0.02 + WAY)
        elif n < 50 or (n > 100 and n != 150):
            line.send(n)
    assert line.playout.silence(line.now).seconds == pytest.approx(0.02)
    line.playout.rest(line.now)
    line.playout.cease(line.now + 1)
    line.playout.expect(line.now + 2)
    assert line.playout.silence(line.now + 5).seconds == pytest.approx(3.0)


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 2), st.booleans()),
        max_size=150,
    )
)
def test_any_packets_leave_numbers_that_make_sense(packets: list[tuple[int, int, int, bool]]) -> None:
    playout = Playout()
    playout.expect(0.0)
    for n, (sequence, stamp, ssrc, marker) in enumerate(packets):
        playout.takes(Packet(0, sequence, stamp, ssrc, marker=marker), n * 0.02, 8000)
        assert 0.060 <= playout.depth <= 0.240
        assert len(playout._pending) <= 64
    silence = playout.silence(len(packets) * 0.02)
    assert 0.0 <= silence.seconds <= max(len(packets) * 0.02, 0.0) + 0.3
