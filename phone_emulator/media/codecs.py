"""The codecs of the phone: their configuration names, what SDP says of them (RFC 3551), and who speaks them.

This table decides what is offered, what an answer takes, and what `check` says of the codecs in a cfg file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from . import opus
from .coder import Maker
from .g711 import PCMA, PCMU
from .g722 import G722

SHORTEST, LONGEST = 10, 60
"""Milliseconds of sound in a packet that is sent (``account.X.ptime``), whatever the far end asks for."""


class Offer(StrEnum):
    """Which of the codecs that a cfg file enables are offered (``--offer``)."""

    SPOKEN = "spoken"
    """Those that can be spoken here."""
    DECLARED = "declared"
    """All of them, as the real phone does: the far end may choose one that nobody here can speak."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec as ``account.X.codec.NAME`` knows it."""

    name: str
    title: str
    """As people call it."""
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
    maker: Maker | None = None
    """Makes one end of a stream; None where nothing here can."""
    missing: Callable[[], str] = str
    """What that needs and this machine has not, for people; empty for nothing."""
    rate: int = 8000
    """Samples a second of the sound that it carries, which need not be ``clock``."""
    packets: tuple[int, ...] = ()
    """How many milliseconds of sound one packet can hold, ascending; empty for any number."""

    @property
    def dynamic(self) -> bool:
        """Whether the payload type is agreed for each session."""
        return self.payload >= 96

    @property
    def coder(self) -> Maker | None:
        """Makes one end of a stream; None where the codec cannot be spoken here."""
        return None if self.missing() else self.maker

    @property
    def rtpmap(self) -> str:
        """The text after the payload type in ``a=rtpmap``."""
        return f"{self.encoding}/{self.clock}" + (f"/{self.channels}" if self.channels > 1 else "")

    def ptime(self, wanted: int, most: int | None = None) -> int:
        """Milliseconds of sound in each packet that is sent, SHORTEST to LONGEST.

        Args:
            wanted: as many, or as near below as the codec has it.
            most: never more (``a=maxptime``, RFC 4566 section 6); None: nobody says so.
        """
        held = min(max(min(wanted, LONGEST if most is None else most), SHORTEST), LONGEST)
        return max((each for each in self.packets if each <= held), default=held)


CODECS = {
    codec.name: codec
    for codec in (
        Codec("pcmu", "PCMU", "PCMU", 8000, 0, maker=lambda terms: PCMU),
        Codec("pcma", "PCMA", "PCMA", 8000, 8, maker=lambda terms: PCMA),
        Codec("g722", "G.722", "G722", 8000, 9, maker=lambda terms: G722(), rate=16000),
        Codec("g729", "G.729", "G729", 8000, 18, fmtp="annexb=no"),
        Codec("g723_53", "G.723.1 at 5.3 kbit/s", "G723", 8000, 4, fmtp="bitrate=5.3"),
        Codec("g723_63", "G.723.1 at 6.3 kbit/s", "G723", 8000, 4, fmtp="bitrate=6.3"),
        Codec("g726_32", "G.726-32", "G726-32", 8000, 102),
        Codec("g726_16", "G.726-16", "G726-16", 8000, 103),
        Codec("g726_24", "G.726-24", "G726-24", 8000, 104),
        Codec("g726_40", "G.726-40", "G726-40", 8000, 105),
        Codec("ilbc", "iLBC", "iLBC", 8000, 106, fmtp="mode=30"),
        Codec("ilbc_13_33kbps", "iLBC at 13.33 kbit/s", "iLBC", 8000, 106, fmtp="mode=30", strict=True),
        Codec("ilbc_15_2kbps", "iLBC at 15.2 kbit/s", "iLBC", 8000, 106, fmtp="mode=20", strict=True),
        Codec(
            "opus",
            "Opus",
            "opus",
            opus.CLOCK,
            107,
            channels=2,
            fmtp=opus.fmtp(),
            maker=opus.Opus,
            missing=opus.missing,
            rate=opus.RATE,
            packets=opus.PACKETS,
        ),
        Codec(
            "g722_1_24kpbs", "G.722.1 at 24 kbit/s", "G7221", 16000, 121, fmtp="bitrate=24000", strict=True
        ),
        Codec(
            "g722_1c_24kpbs", "G.722.1C at 24 kbit/s", "G7221", 32000, 122, fmtp="bitrate=24000", strict=True
        ),
        Codec(
            "g722_1c_32kpbs", "G.722.1C at 32 kbit/s", "G7221", 32000, 123, fmtp="bitrate=32000", strict=True
        ),
        Codec(
            "g722_1c_48kpbs", "G.722.1C at 48 kbit/s", "G7221", 32000, 124, fmtp="bitrate=48000", strict=True
        ),
    )
}
"""Configuration name in lower case -> codec."""

STATIC_RTPMAPS = {codec.payload: codec.rtpmap for codec in CODECS.values() if not codec.dynamic}
"""Payload type -> rtpmap, for offers that leave it out."""


def codecs_called(names: Iterable[str]) -> list[Codec]:
    """The codecs with these configuration *names*, in their order; unknown ones are left out."""
    return [CODECS[name.lower()] for name in names if name.lower() in CODECS]


def spoken(names: Iterable[str]) -> list[str]:
    """Those of the codecs *names* that can be spoken here, in their order."""
    return [codec.name for codec in codecs_called(names) if codec.coder is not None]


def unspoken_titles(names: Iterable[str]) -> list[str]:
    """What people call those of the codecs *names* that cannot be spoken here, in their order."""
    return [codec.title for codec in codecs_called(names) if codec.coder is None]


def told_of_unspoken(names: Iterable[str], offer: Offer = Offer.SPOKEN) -> str:
    """What becomes of the codecs *names*, as far as they cannot be spoken here; empty where all can."""
    unspoken = [codec for codec in codecs_called(names) if codec.coder is None]
    if not unspoken:
        return ""
    are, they = ("is", "it is") if len(unspoken) == 1 else ("are", "they are")
    if offer is Offer.DECLARED:
        return f"{_named(unspoken)} {are} offered and cannot be spoken here (--offer declared)"
    return f"{_named(unspoken)} {are} enabled and cannot be spoken here: {they} not offered"


def told_of_none(names: Sequence[str]) -> str:
    """Why a phone that enables the codecs *names*, none of which can be spoken here, has nothing to offer."""
    can = f"there is nothing to offer; {', '.join(spoken(CODECS))} can be spoken"
    if not names:
        return f"no codec is enabled: {can}"
    enabled = _named(codecs_called(names))
    return f"no enabled codec can be spoken here ({enabled}): {can}; --offer declared offers what is enabled"


def _named(unspoken: Iterable[Codec]) -> str:
    """What people call them, and what they lack."""
    lacks = ((codec.title, codec.missing()) for codec in unspoken)
    return ", ".join(f"{title} ({lack})" if lack else title for title, lack in lacks)
