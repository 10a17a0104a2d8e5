"""What is heard, on the clock of the world: order, gaps, and senders whose clocks jump."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media.judgement import Stretch
from phone_emulator.media.recording import FAR, Recording
from phone_emulator.media.rtp import Packet

COUNT = 160


def packet(number: int, *, ssrc: int = 1, timestamp: int | None = None) -> Packet:
    """The packet *number* of a stream, each 20 ms; its numbers wrap soon."""
    stamp = number * COUNT if timestamp is None else timestamp
    return Packet(0, 65530 + number & 0xFFFF, 2**32 - 500 + stamp & 0xFFFFFFFF, ssrc)


def loud(value: int) -> array[int]:
    return array("h", [value] * COUNT)


def heard(recording: Recording, start: float, end: float) -> list[int]:
    """The first sample of each 20 ms."""
    return list(recording.between(start, end).samples[::COUNT])


def played(order: Sequence[tuple[int, float]], **how: int) -> Recording:
    """What becomes of the packets (number, when it comes), each of samples of 1000 and its number."""
    recording = Recording(8000, 10.0, 600)
    for number, at in order:
        recording.hear(packet(number, **how), loud(1000 + number), at)
    return recording


def test_packets_are_heard_when_they_come() -> None:
    recording = played([(0, 10.1), (1, 10.12), (2, 10.14)])
    assert heard(recording, 10.1, 10.16) == [1000, 1001, 1002]
    assert heard(recording, 10.0, 10.2) == [0] * 5 + [1000, 1001, 1002] + [0] * 2


@given(st.permutations(range(8)), st.lists(st.integers(0, 30), min_size=8, max_size=8))
def test_jitter_and_disorder_change_nothing(order: list[int], late: list[int]) -> None:
    """After the first packet, which says when the stream is heard."""
    recording = played([(0, 10.0), *((1 + n, 10.18 + late[n] / 1000) for n in order)])
    assert heard(recording, 10.0, 10.18) == [1000 + n for n in range(9)]


def test_what_is_lost_is_silent() -> None:
    recording = played([(0, 10.0), (1, 10.02), (4, 10.08)])
    assert heard(recording, 10.0, 10.1) == [1000, 1001, 0, 0, 1004]


def test_a_gap_is_as_long_as_it_is() -> None:
    recording = played([(0, 10.0), (205, 14.1)])
    assert recording.silences(14.12) == [pytest.approx(Stretch(10.02, 4.08))]


def test_a_sender_whose_timestamps_stood_still_is_heard_when_it_speaks() -> None:
    recording = played([(0, 10.0), (1, 14.0), (2, 14.02)])
    assert heard(recording, 14.0, 14.04) == [1001, 1002]
    assert recording.silences(14.04) == [pytest.approx(Stretch(10.02, 3.98))]


def test_a_sender_whose_timestamps_jump_is_heard_when_it_speaks() -> None:
    recording = Recording(8000, 0.0, 600)
    recording.hear(packet(0), loud(1), 0.0)
    recording.hear(packet(1, timestamp=1_000_000), loud(2), 0.02)
    assert heard(recording, 0.0, 0.04) == [1, 2]


def test_another_source_is_heard_when_it_comes() -> None:
    recording = Recording(8000, 0.0, 600)
    recording.hear(packet(0), loud(1), 0.0)
    recording.hear(packet(900, ssrc=2), loud(2), 1.0)
    assert heard(recording, 1.0, 1.02) == [2]


def test_a_straggler_is_left_out() -> None:
    recording = played([(0, 10.0), (2, 10.04), (1, 10.02 + FAR + 0.1), (3, 10.06)])
    assert heard(recording, 10.0, 10.08) == [1000, 0, 1002, 1003]
    assert not any(recording.between(10.08, 11.0).samples)


def test_the_last_seconds_are_kept_and_every_silence_is_told() -> None:
    recording = Recording(8000, 0.0, 1.0)
    for number in range(1000):
        if not 100 <= number < 150:
            recording.hear(packet(number), loud(1000), number * 0.02)
    assert len(recording._samples) <= 1.25 * 8000 + COUNT
    assert set(heard(recording, 19.0, 20.0)) == {1000}
    assert recording.between(0.0, 20.0).seconds <= 1.27
    assert recording.silences(20.0) == [pytest.approx(Stretch(2.0, 1.0))]


def test_a_silence_longer_than_what_is_kept() -> None:
    recording = Recording(8000, 0.0, 1.0)
    recording.hear(packet(0), loud(1), 0.0)
    recording.hear(packet(1_000_000), loud(2), 20_000.0)
    assert heard(recording, 20_000.0, 20_000.04) == [2, 0]
    assert len(recording._samples) == COUNT
