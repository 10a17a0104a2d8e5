"""How the sound of a call fared, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SentNumbers:
    """What this end has sent, and what the far end says of it in RTCP."""

    packets: int
    octets: int
    """Of payload, as in RTCP's reports."""
    lost: int | None = None
    """Packets that the far end has missed; None where it has not said."""
    jitter: float | None = None
    """Seconds, as the far end has it; None where it has not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardNumbers:
    """What has come from the far end."""

    packets: int
    """All that came."""
    octets: int
    """Of their payload."""
    expected: int
    """Packets that must have been sent."""
    lost: int
    """Those of them that have not come."""
    late: int
    """Those that came too late for the jitter buffer."""
    duplicated: int
    """Packets that had come already."""
    out_of_order: int
    """Packets that came behind one that was sent after them, and were heard all the same."""
    jitter: float
    """Seconds (RFC 3550 section 6.4.1)."""
    longest_silence: float
    """The longest time in which nothing was to be heard though it should have been, in seconds."""
    silent_since: float | None
    """When that began, in seconds of the world, as it was heard; None where there was none."""

    @property
    def lost_share(self) -> float:
        """Of the packets that must have been sent, those that have not come: 0..1."""
        return self.lost / self.expected if self.expected else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaNumbers:
    """How the sound of a call fared, both ways, until now."""

    codec: str
    """The configuration name of what was spoken last; empty for nothing."""
    ptime: float
    """Seconds of sound in a packet of the far end."""
    sent: SentNumbers
    heard: HeardNumbers
    round_trip: float | None = None
    """Seconds there and back, as RTCP tells; None where the far end has sent none."""
    delay: float = 0.0
    """Seconds from mouth to ear that the E-model was given: half a round trip, a packet, the buffer."""
    r_factor: float | None = None
    """The E-model's rating; None where nothing was heard, or nothing is published of the codec."""
    mos: float | None = None
    """The mean opinion score of a conversation, 1..4.5, on the same scale."""
    scale: str = ""
    """``nb`` (ITU-T G.107) or ``wb`` (G.107.1); empty where nothing is rated."""
