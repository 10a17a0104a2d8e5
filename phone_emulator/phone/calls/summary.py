"""What is kept of a call's sound when it is over, for the report on its quality (RFC 6035)."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.events import Address
from phone_emulator.events.numbers import MediaNumbers
from phone_emulator.media.codecs import CODECS
from phone_emulator.media.negotiation import Agreed
from phone_emulator.media.quality import Scale
from phone_emulator.phone.wire.quality_report import MediaEnd, SessionDescription, StreamQuality

from .audio import Audio

NOWHERE = Address("0.0.0.0", 0)
"""What stands for an address that is not agreed."""
MODELS = {Scale.NARROW: "G.107", Scale.WIDE: "G.107.1"}


@dataclass(frozen=True, slots=True)
class SoundSummary:
    """How the sound of a call was at both ends."""

    local: MediaEnd
    remote: MediaEnd
    heard: StreamQuality
    told: StreamQuality | None
    """None where the far end has told nothing."""


def summarized(audio: Audio, agreed: Agreed | None, *, vad: bool) -> SoundSummary | None:
    """The sum of *audio*, which is still open; None where no sound has flowed.

    Args:
        audio: an RTP session.
        agreed: what was agreed on last, if anything is.
        vad: whether this end sends no silence.
    """
    numbers = audio.numbers
    if not numbers.flowed:
        return None
    stream = audio.hearing.reception.stream
    ssrc = 0 if stream is None else stream.ssrc
    return SoundSummary(
        MediaEnd(audio.local, audio.source.ssrc),
        MediaEnd(NOWHERE if agreed is None else Address(agreed.host, agreed.port), ssrc),
        _heard(audio, ssrc, numbers, _described(numbers, agreed, vad=vad)),
        _told(audio, numbers.sent.packets, numbers.sent.lost, numbers.sent.jitter),
    )


def _described(numbers: MediaNumbers, agreed: Agreed | None, *, vad: bool) -> SessionDescription | None:
    if agreed is None:
        return None
    codec = CODECS.get(numbers.codec, agreed.codec)
    own = (number for number, each in agreed.heard.items() if each.name == codec.name)
    return SessionDescription(
        payload_type=next(own, codec.payload),
        encoding=codec.encoding,
        rate=codec.rate,
        packets_per_second=round(1 / numbers.ptime),
        silence_suppressed=vad,
    )


def _heard(
    audio: Audio, ssrc: int, numbers: MediaNumbers, described: SessionDescription | None
) -> StreamQuality:
    heard = numbers.heard
    if not heard.packets:
        return StreamQuality(description=described, round_trip=numbers.round_trip)
    return StreamQuality(
        lost=heard.lost_share,
        discarded=heard.late / max(heard.expected, 1),
        jitter=heard.jitter,
        round_trip=numbers.round_trip,
        metrics=audio.metrics(ssrc),
        algorithm=MODELS[Scale(numbers.scale)] if numbers.scale else "",
        description=described,
    )


def _told(audio: Audio, sent: int, lost: int | None, jitter: float | None) -> StreamQuality | None:
    metrics = audio.metrics_told
    if metrics is not None:
        return StreamQuality(
            lost=metrics.loss_rate / 256,
            discarded=metrics.discard_rate / 256,
            jitter=jitter,
            round_trip=metrics.round_trip_delay / 1000 or None,
            metrics=metrics,
        )
    return None if lost is None else StreamQuality(lost=lost / max(sent, 1), jitter=jitter)
