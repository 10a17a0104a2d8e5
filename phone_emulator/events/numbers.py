"""How the sound of a call fared, in numbers, and the words in which people are told."""

from __future__ import annotations

from dataclasses import dataclass

NOTICED = 0.2
"""Seconds of silence that people are told of: shorter ones are a pause between two words."""


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

    @property
    def flowed(self) -> bool:
        """Whether any sound was sent or heard."""
        return bool(self.sent.packets or self.heard.packets)

    @property
    def came(self) -> str:
        """``1498 heard``."""
        return f"{self.heard.packets} heard" if self.heard.packets else "nothing heard"

    @property
    def harmed(self) -> list[str]:
        """What was not heard as it should have been: ``2 lost (0.1 %)``, ``3 late``, ``silent for 4.1 s``."""
        heard, words = self.heard, []
        if heard.lost:
            words.append(f"{heard.lost} lost ({100 * heard.lost_share:.1f} %)")
        if heard.late:
            words.append(f"{heard.late} late")
        if heard.packets and heard.longest_silence >= NOTICED:
            words.append(f"silent for {heard.longest_silence:.1f} s")
        return words

    @property
    def timed(self) -> list[str]:
        """``jitter 1.2 ms`` and ``round trip 8 ms``, where they are known."""
        jitter = [f"jitter {self.heard.jitter * 1000:.1f} ms"] if self.heard.packets else []
        there = [] if self.round_trip is None else [f"round trip {self.round_trip * 1000:.0f} ms"]
        return jitter + there

    @property
    def rated(self) -> str:
        """``MOS 4.3 (R 91)``, or ``MOS 4.4 (R 107 wb)``; empty where nothing is rated."""
        if self.mos is None or self.r_factor is None:
            return ""
        wide = " wb" if self.scale == "wb" else ""
        return f"MOS {self.mos:.1f} (R {self.r_factor:.0f}{wide})"

    def spoken_in(self, codec: str) -> str:
        """``G722 20 ms``: the *codec* that was agreed, and how long the far end's packets are."""
        return f"{codec} {self.ptime * 1000:.0f} ms" if self.heard.packets else codec


def in_words(codec: str, numbers: MediaNumbers, *, encrypted: bool) -> str:
    """The *numbers* of a call's sound in one line, for people; *codec* is the one that was agreed."""
    agreed = [numbers.spoken_in(codec), "SRTP" if encrypted else "", f"{numbers.sent.packets} sent"]
    words = [*agreed, numbers.came, *numbers.harmed, *numbers.timed, numbers.rated]
    return f"sound: {', '.join(filter(None, words))}"
