"""A receiver's counts: RFC 3550 section 6.4.1, appendices A.1, A.3 and A.8; RFC 3611's bursts."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media import rtp
from phone_emulator.media.losses import LossPattern
from phone_emulator.media.reception import MOST_STREAMS, ReceptionStatistics


def _packet(sequence: int, timestamp: int | None = None, ssrc: int = 7) -> rtp.Packet:
    stamp = sequence * 160 if timestamp is None else timestamp
    return rtp.Packet(0, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc, bytes(160))


def _received(sequences: Iterable[int]) -> ReceptionStatistics:
    reception = ReceptionStatistics()
    for n, sequence in enumerate(sequences):
        reception.receive(_packet(sequence), n * 0.02, 8000)
    return reception


def _block(reception: ReceptionStatistics) -> tuple[int, int, int]:
    assert reception.stream is not None
    block = reception.stream.report()
    return block.fraction_lost, block.lost, block.highest


def test_loss_is_counted_across_the_wrap_of_sequence_numbers() -> None:
    reception = _received((65533, 65534, 65536, 65539))  # 65535, 65537 and 65538 are missing
    assert (reception.packets, reception.octets, reception.lost) == (4, 640, 3)
    assert _block(reception)[2] == 65539


def test_packets_out_of_order_are_not_lost() -> None:
    reception = _received((10, 12, 11, 13))
    assert (reception.lost, reception.misordered, reception.duplicated) == (0, 1, 0)


def test_a_packet_below_the_first_is_not_lost_either() -> None:
    reception = _received((0, 65535 - 65536, 1))
    assert (reception.lost, reception.expected, reception.misordered) == (0, 3, 1)


def test_what_comes_twice_is_heard_once_and_hides_no_loss() -> None:
    """Appendix A.3: in RTCP's own number it makes up for a lost one."""
    reception = ReceptionStatistics()
    fresh = [reception.receive(_packet(n), 0.0, 8000) for n in (1, 2, 2, 4, 1)]
    assert fresh == [True, True, False, True, False]
    assert (reception.packets, reception.duplicated, reception.lost) == (5, 2, 1)
    assert _block(reception)[1] == -1


def test_another_source_begins_anew_and_keeps_the_losses() -> None:
    reception = ReceptionStatistics()
    for packet in (_packet(1), _packet(3), _packet(40000, ssrc=8), _packet(2), _packet(40001, ssrc=8)):
        assert reception.receive(packet, 0.0, 8000)
    assert (reception.packets, reception.lost, reception.misordered) == (5, 0, 1)
    assert reception.stream is not None
    assert reception.stream.ssrc == 8


def test_sources_that_are_forgotten_keep_their_counts() -> None:
    reception = ReceptionStatistics()
    for ssrc in range(3 * MOST_STREAMS):
        for sequence in (1, 1, 3):
            reception.receive(_packet(sequence, ssrc=ssrc), 0.0, 8000)
    assert (reception.lost, reception.duplicated) == (3 * MOST_STREAMS, 3 * MOST_STREAMS)
    assert reception.expected == 9 * MOST_STREAMS


def test_a_leap_is_a_new_start_once_it_goes_on_and_a_stray_otherwise() -> None:
    """Appendix A.1: two packets in order show that the source has begun anew."""
    reception = ReceptionStatistics()
    assert [reception.receive(_packet(n), 0.0, 8000) for n in (1, 2, 30000, 3, 30000, 30001, 30002)] == [
        True,
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert (reception.packets, reception.expected, reception.lost) == (7, 5, 0)


def test_the_largest_dropout_is_loss_and_the_next_larger_is_a_leap() -> None:
    """Appendix A.1: MAX_DROPOUT 3000, MAX_MISORDER 100."""
    assert _received((0, 2999)).lost == 2998
    assert _received((0, 3000)).lost == 0
    reception = _received((1000, 901, 899))
    assert (reception.misordered, reception.expected) == (1, 100)


def test_steady_packets_have_no_jitter_and_a_late_one_has_a_sixteenth() -> None:
    """Appendix A.8."""
    reception = ReceptionStatistics()
    for n in range(10):
        reception.receive(_packet(n), n * 0.02, 8000)
    assert reception.jitter == pytest.approx(0.0, abs=1e-12)
    reception.receive(_packet(10), 10 * 0.02 + 0.016, 8000)
    assert reception.jitter == pytest.approx(0.001)
    assert reception.stream is not None
    assert reception.stream.report().jitter == 8


def test_jitter_is_measured_on_the_clock_of_the_codec() -> None:
    reception = ReceptionStatistics()
    for n in range(10):
        reception.receive(_packet(n, timestamp=n * 960), n * 0.02, 48000)
    assert reception.jitter == pytest.approx(0.0, abs=1e-12)


def test_another_clock_in_the_same_stream_makes_no_jitter() -> None:
    """RFC 7160."""
    reception = ReceptionStatistics()
    for n in range(10):
        reception.receive(_packet(n), n * 0.02, 8000)
    for n in range(10, 20):
        reception.receive(_packet(n, timestamp=7 + n * 960), n * 0.02, 48000)
    assert reception.jitter == pytest.approx(0.0, abs=1e-12)
    reception.receive(_packet(20, timestamp=7 + 20 * 960), 20 * 0.02 + 0.016)
    assert reception.jitter == pytest.approx(0.001)
    assert reception.stream is not None
    assert (reception.lost, reception.stream.report().jitter) == (0, 48)


def test_packets_of_one_event_share_a_timestamp_and_make_no_jitter() -> None:
    reception = ReceptionStatistics()
    for n in range(20):
        reception.receive(_packet(n, timestamp=n // 10 * 1600), n * 0.02, 8000)
    assert reception.jitter == pytest.approx(0.0, abs=1e-12)


def test_a_report_tells_the_fraction_since_the_one_before() -> None:
    """Section 6.4.1, appendix A.3."""
    reception = _received((0, 1, 3))
    assert _block(reception) == (64, 1, 3)
    for n in (4, 5, 6, 7):
        reception.receive(_packet(n), 0.0, 8000)
    assert _block(reception) == (0, 1, 7)
    assert _block(reception) == (0, 1, 7)


def test_a_report_tells_since_when_it_knows_the_senders_clock() -> None:
    reception = _received((0,))
    assert reception.stream is not None
    block = reception.stream.report(last_sr=0x12345678, delay=1.5)
    assert (block.last_sr, block.delay) == (0x12345678, 98304)
    assert reception.stream.report(delay=1.5).delay == 0


@given(st.lists(st.booleans(), max_size=600), st.integers(0, 65535), st.randoms())
def test_what_is_lost_is_what_did_not_come(came: list[bool], first: int, chance: random.Random) -> None:
    """However the packets are swapped within the window, and whichever of them come twice."""
    kept = [first] + [first + 1 + n for n, there in enumerate(came) if there]
    order = sorted(kept + chance.sample(kept, len(kept) // 4), key=lambda n: n + chance.uniform(0, 20))
    reception = _received(order)
    low, high = min(kept), max(kept)
    assert reception.lost == high - low + 1 - len(kept)
    assert reception.duplicated == len(kept) // 4
    pattern = next(reception.patterns)
    assert (pattern.heard, pattern.missing) == (len(kept), reception.lost)


@given(
    st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 0xFFFFFFFF), st.integers(0, 6)), max_size=200)
)
def test_any_packets_leave_numbers_that_make_sense(packets: list[tuple[int, int, int]]) -> None:
    reception = ReceptionStatistics()
    for n, (sequence, timestamp, ssrc) in enumerate(packets):
        packet = rtp.Packet(0, sequence, timestamp, ssrc)
        if reception.receive(packet, n * 0.02, 8000):
            reception.discard(packet)
        assert reception.stream is not None
        reception.stream.report()
    assert 0 <= reception.lost < reception.expected or not packets
    assert reception.packets <= len(packets)
    for pattern in reception.patterns:
        assert pattern.heard == 0


# -- how losses are spread -----------------------------------------------------------------------------------


def _pattern(text: str) -> LossPattern:
    pattern = LossPattern()
    for letter in text:
        pattern.add(heard=letter == ".")
    return pattern


def test_late_packets_count_among_the_missing() -> None:
    reception = ReceptionStatistics()
    for n in range(200):
        packet = _packet(n)
        assert reception.receive(packet, n * 0.02, 8000)
        if n % 50 == 7:
            reception.discard(packet)
    pattern = next(reception.patterns)
    assert (pattern.heard, pattern.missing, pattern.runs, reception.late) == (196, 4, 4, 4)
    assert pattern.share == pytest.approx(0.02)


def test_single_losses_are_no_bursts() -> None:
    """RFC 3611 section 4.7.2: with at least Gmin packets between them they are of a gap."""
    pattern = _pattern(("." * 49 + "x") * 10)
    assert pattern.burst_ratio == 1.0
    assert pattern.gap_density == pytest.approx(9 / (10 * 49 + 9))


def test_losses_in_a_row_are_a_burst() -> None:
    pattern = _pattern("." * 100 + "xxx.xx.x" + "." * 100 + "x" * 8 + "." * 100)
    assert pattern.runs == 4
    assert pattern.burst_ratio == pytest.approx(14 / 4 * (1 - 14 / 316))
    assert pattern.burst_packets == pytest.approx(8)
    assert pattern.burst_density > 0.8
    assert pattern.gap_density == 0.0


def test_a_stream_without_losses_is_one_gap() -> None:
    pattern = _pattern("." * 300)
    assert (pattern.burst_density, pattern.gap_density, pattern.burst_packets) == (0.0, 0.0, 0.0)
    assert pattern.gap_packets == 300


def test_chance_losses_have_a_burst_ratio_near_one() -> None:
    """ITU-T G.107 clause 7.5."""
    chance = random.Random(7)
    ratio = _pattern("".join("x" if chance.random() < 0.1 else "." for _ in range(50_000))).burst_ratio
    assert ratio == pytest.approx(1.0, abs=0.03)
