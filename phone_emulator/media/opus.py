"""Opus (RFC 6716, in RTP RFC 7587) by the system's libopus, where that is and the extra ``opus``.

What is said and heard here has 16 kHz: a band of 8 kHz, which Opus calls wide. Its timestamps count 48 kHz
whatever it carries.
"""

from __future__ import annotations

import warnings
import weakref
from array import array
from functools import cache
from typing import Any

from phone_emulator.numbers import number

from .coder import UNSAID, Terms

RATE = 16000
"""Samples a second."""
CLOCK = 48000
PACKETS = (10, 20, 40, 60)
"""Milliseconds that libopus puts in one packet; shorter ones carry no more than CELT."""
BIT_RATE = 20000
"""What a Yealink asks for, and what is sent where the far end asks for no less."""
LEAST_BIT_RATE = 6000
"""RFC 7587 section 6.1."""
LOSS = 5
"""Per cent of loss that is reckoned with where the far end can mend it (``useinbandfec``)."""
COMPLEXITY = 5
"""Of 10: half the work of libopus's own choice (9)."""
_LONGEST = 120 * RATE // 1000
"""Samples in the longest packet (RFC 6716 section 3.2.5)."""
CAPTURED = {"opus-nb": 8000, "opus-mb": 12000}
"""``account.X.codec.opus.para`` -> samples a second of what is said; RATE for those that ask for more."""


@cache
def missing() -> str:
    """What Opus would need and is not there, for people; empty where it can be spoken."""
    try:
        _library()
    except ImportError:
        return "the extra opus is not installed: pip install 'phone-emulator[opus]'"
    except Exception:  # opuslib raises nothing narrower
        return "the system has no libopus"
    return ""


def fmtp(para: str = "opus-wb") -> str:
    """What the phone says of its Opus (RFC 7587 section 6.1), with ``account.X.codec.opus.para``."""
    captured = CAPTURED.get(para, RATE)
    return (
        f"sprop-maxcapturerate={captured}; maxaveragebitrate={BIT_RATE}; maxplaybackrate=48000;"
        " useylrtx=1; useinbandfec=1"
    )


class Opus:
    """One end of a stream.

    Args:
        terms: what both ends have said of it; the far end's wishes are met.
    """

    def __init__(self, terms: Terms = UNSAID) -> None:
        self._far, self._own = _parameters(terms.far), _parameters(terms.own)
        self._encoder = self._decoder = None

    def encode(self, samples: array[int]) -> bytes:
        """The packet of 16-bit *samples* at 16 kHz: one of PACKETS long."""
        opuslib = _library()
        if self._encoder is None:
            self._encoder = self._new_encoder(opuslib)
        packet: bytes = opuslib.api.encoder.encode(
            self._encoder, samples.tobytes(), len(samples), 2 * len(samples)
        )
        return packet

    def decode(self, octets: bytes) -> array[int]:
        """The 16-bit samples of the packet *octets*, at 16 kHz; none of what is no packet."""
        opuslib = _library()
        if self._decoder is None:
            self._decoder = state = opuslib.api.decoder.create_state(RATE, 1)
            weakref.finalize(self, opuslib.api.decoder.destroy, state)
        if not octets:
            return array("h")
        try:
            found = opuslib.api.decoder.decode(self._decoder, octets, len(octets), _LONGEST, False, 1)
        except opuslib.OpusError:
            return array("h")
        return array("h", found)

    def silence(self, count: int) -> bytes:
        """The packet of *count* samples of silence."""
        return self.encode(array("h", bytes(2 * count)))

    def _new_encoder(self, opuslib: Any) -> Any:
        api, ctl = opuslib.api.encoder, opuslib.api.ctl
        state = api.create_state(RATE, 1, opuslib.APPLICATION_VOIP)
        weakref.finalize(self, api.destroy, state)
        asked = self._far.get("maxaveragebitrate", BIT_RATE)
        played = min(self._far.get("maxplaybackrate", RATE), self._own.get("sprop-maxcapturerate", RATE))
        fec = self._far.get("useinbandfec") == 1
        for what, value in (
            (ctl.set_bitrate, max(min(asked, BIT_RATE), LEAST_BIT_RATE)),
            (ctl.set_max_bandwidth, _band(opuslib, played)),
            (ctl.set_complexity, COMPLEXITY),
            (ctl.set_vbr, int(self._far.get("cbr") != 1)),
            (ctl.set_inband_fec, int(fec)),
            (ctl.set_packet_loss_perc, LOSS if fec else 0),
        ):
            api.encoder_ctl(state, what, value)
        return state


def _band(opuslib: Any, rate: int) -> int:
    """libopus's name of what sound of *rate* samples a second has room for."""
    if rate >= RATE:
        return int(opuslib.BANDWIDTH_WIDEBAND)
    return int(opuslib.BANDWIDTH_MEDIUMBAND if rate >= 12000 else opuslib.BANDWIDTH_NARROWBAND)


def _parameters(text: str) -> dict[str, int]:
    """The numbers of an ``a=fmtp``; what is none is left out."""
    pairs = (part.partition("=") for part in text.split(";"))
    found = {name.strip().lower(): number(value.strip(), 1 << 31) for name, _, value in pairs}
    return {name: value for name, value in found.items() if value is not None}


@cache
def _library() -> Any:
    """opuslib, which raises ImportError where it is not installed, and something where libopus is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its source is older than some warnings of Python
        import opuslib
        import opuslib.api.ctl
        import opuslib.api.decoder
        import opuslib.api.encoder
    # Else what stands in place of C's ellipsis goes astray on some machines (ctypes, "variadic functions").
    control = opuslib.api.encoder.libopus_ctl
    control.argtypes = (opuslib.api.encoder.EncoderPointer, opuslib.api.ctypes.c_int)
    return opuslib
