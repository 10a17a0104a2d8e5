"""The codecs of the phone: their configuration names and what SDP says of them (RFC 3551)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec as ``account.X.codec.NAME`` knows it."""

    name: str
    encoding: str
    """The encoding name of ``a=rtpmap``."""
    clock: int
    """RTP clock in Hz, as signalled; G.722 says 8000 (RFC 3551 section 4.5.2)."""
    payload: int
    """Static payload type, or the dynamic one that is offered where it is free."""
    channels: int = 1
    fmtp: str = ""
    """The ``a=fmtp`` that the phone writes; empty for none."""
    strict: bool = False
    """Whether an offer must have this very ``fmtp``: it tells bit rates of one encoding apart."""

    @property
    def dynamic(self) -> bool:
        """Whether the payload type is agreed for each session."""
        return self.payload >= 96

    @property
    def rtpmap(self) -> str:
        """The text after the payload type in ``a=rtpmap``."""
        return f"{self.encoding}/{self.clock}" + (f"/{self.channels}" if self.channels > 1 else "")


OPUS_FMTP = (
    "sprop-maxcapturerate=16000; maxaveragebitrate=20000; maxplaybackrate=48000; useylrtx=1; useinbandfec=1"
)

CODECS = {
    codec.name: codec
    for codec in (
        Codec("pcmu", "PCMU", 8000, 0),
        Codec("pcma", "PCMA", 8000, 8),
        Codec("g722", "G722", 8000, 9),
        Codec("g729", "G729", 8000, 18, fmtp="annexb=no"),
        Codec("g723_53", "G723", 8000, 4, fmtp="bitrate=5.3"),
        Codec("g723_63", "G723", 8000, 4, fmtp="bitrate=6.3"),
        Codec("g726_32", "G726-32", 8000, 102),
        Codec("g726_16", "G726-16", 8000, 103),
        Codec("g726_24", "G726-24", 8000, 104),
        Codec("g726_40", "G726-40", 8000, 105),
        Codec("ilbc", "iLBC", 8000, 106, fmtp="mode=30"),
        Codec("ilbc_13_33kbps", "iLBC", 8000, 106, fmtp="mode=30", strict=True),
        Codec("ilbc_15_2kbps", "iLBC", 8000, 106, fmtp="mode=20", strict=True),
        Codec("opus", "opus", 48000, 107, channels=2, fmtp=OPUS_FMTP),
        Codec("g722_1_24kpbs", "G7221", 16000, 121, fmtp="bitrate=24000", strict=True),
        Codec("g722_1c_24kpbs", "G7221", 32000, 122, fmtp="bitrate=24000", strict=True),
        Codec("g722_1c_32kpbs", "G7221", 32000, 123, fmtp="bitrate=32000", strict=True),
        Codec("g722_1c_48kpbs", "G7221", 32000, 124, fmtp="bitrate=48000", strict=True),
    )
}
"""Configuration name in lower case -> codec."""

STATIC_RTPMAPS = {codec.payload: codec.rtpmap for codec in CODECS.values() if not codec.dynamic}
"""Payload type -> rtpmap, for offers that leave it out."""
