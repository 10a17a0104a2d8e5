"""The numbers of one end's sound, and what an extended report makes of them (RFC 3611 section 4.7)."""

from __future__ import annotations

import pytest

from phone_emulator.events.numbers import MediaNumbers, SentNumbers
from phone_emulator.media.numbers import all_losses, measured, voip_metrics
from phone_emulator.media.playout import Buffer, Playout
from phone_emulator.media.reception import ReceptionStatistics
from phone_emulator.media.rtp import Packet
from phone_emulator.media.xr import UNAVAILABLE, VoipMetrics

SENT = SentNumbers(packets=500, octets=80000)


class End:
    """What hears 500 packets, 20 ms each, but for some."""

    def __init__(self, *, lost: range = range(0), late: range = range(0), ssrcs: int = 1) -> None:
        self.reception, self.playout = ReceptionStatistics(), Playout(Buffer(adaptive=False))
        self.playout.expect(0.0)
        for n in range(500):
            if n in lost:
                continue
            packet = Packet(0, n, n * 160, n * ssrcs // 500, bytes(160))
            arrived = n * 0.02 + (0.3 if n in late else 0.0)
            assert self.reception.receive(packet, arrived, 8000)
            if not self.playout.takes(packet, arrived, 8000):
                self.reception.discard(packet)

    def measured(self, codec: str = "pcmu", round_trip: float | None = None) -> MediaNumbers:
        return measured(codec, self.reception, self.playout, 10.0, SENT, round_trip)

    def metrics(self, codec: str = "pcmu", round_trip: float | None = None) -> VoipMetrics:
        pattern = all_losses(self.reception)
        return voip_metrics(9, self.measured(codec, round_trip), pattern, self.playout)


def test_a_good_call() -> None:
    numbers = End().measured(round_trip=0.04)
    assert (numbers.heard.packets, numbers.heard.octets, numbers.heard.lost_share) == (500, 80000, 0.0)
    assert (numbers.heard.longest_silence, numbers.heard.silent_since) == (0.0, None)
    assert numbers.delay == pytest.approx(0.02 + 0.02 + 0.12)
    assert numbers.r_factor == pytest.approx(92.9, abs=0.1)
    assert (numbers.scale, numbers.sent) == ("nb", SENT)


def test_half_a_second_lost() -> None:
    numbers = End(lost=range(100, 125)).measured()
    assert (numbers.heard.lost, numbers.heard.expected, numbers.heard.lost_share) == (25, 500, 0.05)
    assert numbers.heard.longest_silence == pytest.approx(0.5)
    assert numbers.heard.silent_since == pytest.approx(2.12)


def test_what_is_late_harms_as_much_as_what_is_lost() -> None:
    late, lost = End(late=range(50, 450, 20)).measured(), End(lost=range(50, 450, 20)).measured()
    assert (late.heard.late, late.heard.lost, lost.heard.lost) == (20, 0, 20)
    assert late.r_factor == pytest.approx(lost.r_factor)


def test_bursts_harm_more_than_single_losses() -> None:
    single, burst = End(lost=range(50, 450, 20)).measured(), End(lost=range(100, 120)).measured()
    assert single.heard.lost == burst.heard.lost
    assert single.mos is not None
    assert burst.mos is not None
    assert burst.mos < single.mos - 0.5


@pytest.mark.parametrize("codec", ["", "opus"])
def test_a_codec_of_which_nothing_is_published_has_no_rating(codec: str) -> None:
    numbers = End().measured(codec)
    assert (numbers.r_factor, numbers.mos, numbers.scale) == (None, None, "")


def test_nothing_is_said_of_what_was_never_heard() -> None:
    end = End(lost=range(500))
    numbers = end.measured()
    assert (numbers.r_factor, numbers.mos, numbers.heard.expected) == (None, None, 0)
    assert numbers.heard.longest_silence == 10.0
    metrics = end.metrics()
    assert (metrics.r_factor, metrics.mos_cq, metrics.loss_rate) == (UNAVAILABLE, UNAVAILABLE, 0)


def test_the_metrics_of_an_extended_report() -> None:
    metrics = End(lost=range(100, 110), late=range(300, 305)).metrics(round_trip=0.08)
    assert (metrics.loss_rate, metrics.discard_rate) == (5, 2)
    assert (metrics.burst_duration, metrics.gap_duration) == (150, 2920)
    assert metrics.burst_density == 255
    assert (metrics.round_trip_delay, metrics.end_system_delay) == (80, 140)
    assert (metrics.nominal_delay, metrics.maximum_delay, metrics.absolute_maximum) == (120, 120, 120)
    assert (metrics.gmin, metrics.configuration) == (16, 0b01_10_0000)
    assert 10 <= metrics.mos_cq <= 45


def test_the_rating_of_wide_band_is_told_on_the_scale_of_a_hundred() -> None:
    """RFC 3611 section 4.7.5."""
    metrics = End().metrics("g722")
    assert (metrics.r_factor, metrics.mos_cq) == (90, 43)


def test_losses_of_sources_that_have_ended_count() -> None:
    end = End(lost=range(100, 110), ssrcs=3)
    assert (all_losses(end.reception).missing, all_losses(end.reception).heard) == (10, 490)
