"""The numbers of one end's sound, from what its parts have counted."""

from __future__ import annotations

from phone_emulator.events.numbers import HeardNumbers, MediaNumbers, SentNumbers

from .losses import LossPattern
from .playout import Playout
from .quality import Scale, rated
from .reception import ReceptionStatistics
from .xr import UNAVAILABLE, VoipMetrics, receiver_configuration


def heard(reception: ReceptionStatistics, playout: Playout, now: float) -> HeardNumbers:
    """What has come until *now*, in seconds of the clock that *playout* was told."""
    silence = playout.silence(now)
    return HeardNumbers(
        packets=reception.packets,
        octets=reception.octets,
        expected=reception.expected,
        lost=reception.lost,
        late=reception.late,
        duplicated=reception.duplicated,
        out_of_order=reception.misordered,
        jitter=reception.jitter,
        longest_silence=silence.seconds,
        silent_since=silence.since if silence.seconds else None,
    )


def measured(
    codec: str,
    reception: ReceptionStatistics,
    playout: Playout,
    now: float,
    sent: SentNumbers,
    round_trip: float | None,
) -> MediaNumbers:
    """All of it, rated by the E-model where it can be.

    Args:
        codec: the configuration name of what was heard last; empty for nothing.
        reception: what came.
        playout: what of it was heard.
        now: seconds of the clock that *playout* was told.
        sent: what left.
        round_trip: seconds; None where it is not known, and then counts for nothing.
    """
    delay = (round_trip or 0.0) / 2 + playout.ptime + playout.depth
    pattern = all_losses(reception)
    some = pattern.heard > 0
    quality = rated(codec, pattern.share, pattern.burst_ratio, delay) if some else None
    return MediaNumbers(
        codec=codec,
        ptime=playout.ptime,
        sent=sent,
        heard=heard(reception, playout, now),
        round_trip=round_trip,
        delay=delay,
        r_factor=None if quality is None else quality.r_factor,
        mos=None if quality is None else quality.mos,
        scale="" if quality is None else quality.scale,
    )


def all_losses(reception: ReceptionStatistics) -> LossPattern:
    """How all that was not heard is spread; bursts are those of the present stream."""
    patterns = [*reception.patterns]
    pattern = patterns[-1] if patterns else LossPattern()
    for other in patterns[:-1]:
        pattern.heard += other.heard
        pattern.missing += other.missing
        pattern.runs += other.runs
    return pattern


def voip_metrics(ssrc: int, numbers: MediaNumbers, pattern: LossPattern, playout: Playout) -> VoipMetrics:
    """What an extended report says of the stream *ssrc* (RFC 3611 section 4.7).

    Its R factor is on the scale of 0..100 whatever the codec (section 4.7.5), and the MOS that of a
    conversation; what was heard without its delay is not rated.
    """
    packet, buffer = playout.ptime * 1000, playout.buffer
    expected = max(numbers.heard.expected, 1)
    rating = numbers.r_factor
    if rating is not None and numbers.scale == Scale.WIDE:
        rating /= 1.29
    return VoipMetrics(
        ssrc,
        loss_rate=_of_256(numbers.heard.lost / expected),
        discard_rate=_of_256(numbers.heard.late / expected),
        burst_density=_of_256(pattern.burst_density),
        gap_density=_of_256(pattern.gap_density),
        burst_duration=_word(pattern.burst_packets * packet),
        gap_duration=_word(pattern.gap_packets * packet),
        round_trip_delay=_word((numbers.round_trip or 0.0) * 1000),
        end_system_delay=_word((playout.depth + playout.ptime) * 1000),
        r_factor=UNAVAILABLE if rating is None else min(round(rating), 100),
        mos_cq=UNAVAILABLE if numbers.mos is None else round(numbers.mos * 10),
        configuration=receiver_configuration(adaptive=buffer.adaptive),
        nominal_delay=_word(playout.depth * 1000),
        maximum_delay=_word(playout.depth * 1000),
        absolute_maximum=_word(buffer.deepest * 1000),
    )


def _of_256(share: float) -> int:
    return min(int(share * 256), 255)


def _word(milliseconds: float) -> int:
    return min(round(milliseconds), 0xFFFF)
