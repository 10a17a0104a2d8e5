"""G.711: PCMU and PCMA, one octet a sample at 8 kHz, from and to linear 16-bit samples.

The standard library's ``audioop`` does it in C; from Python 3.13 on that is the package ``audioop-lts``. It
keeps to G.711's tables, but for PCMU of negative samples: it rounds their 16 bits down to 14, which takes 508
of them, those less than a step before a decision value, into the interval behind it. The ITU's own code takes
the ones' complement of what is negative (G.191), and so does this.
"""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Callable
from typing import NamedTuple

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # 3.11 and 3.12 tell that it will leave the library
    import audioop

_WIDTH = 2
"""Octets of a linear sample."""
_COMPLEMENT = bytes(0xFF if high & 0x80 else 0 for high in range(256))
"""By a sample's high octet: what each of its octets is XORed with."""
_SIGN = bytes(0x7F if high & 0x80 else 0xFF for high in range(256))
"""By a sample's high octet: which bits of its PCMU count, the sign being 0 for negative ones."""
_HIGH = 1 if array("h", [1]).tobytes()[0] else 0
"""Where the high octet of a sample is on this machine."""


class Law(NamedTuple):
    """One of G.711's two laws; nothing in it belongs to one stream only."""

    encode: Callable[[array[int]], bytes]
    decode: Callable[[bytes], array[int]]
    zero: int
    """The octet of a sample of 0."""

    def silence(self, count: int) -> bytes:
        """The octets of *count* samples of silence."""
        return bytes([self.zero]) * count


def encode_ulaw(samples: array[int]) -> bytes:
    """PCMU of 16-bit *samples*."""
    linear = samples.tobytes()
    high = linear[_HIGH::_WIDTH]
    complement = bytearray(len(linear))
    complement[::_WIDTH] = complement[1::_WIDTH] = high.translate(_COMPLEMENT)
    positive = audioop.lin2ulaw(_combined(int.__xor__, linear, complement), _WIDTH)
    return _combined(int.__and__, positive, high.translate(_SIGN))


def decode_ulaw(octets: bytes) -> array[int]:
    """16-bit samples of PCMU."""
    return array("h", audioop.ulaw2lin(octets, _WIDTH))


def encode_alaw(samples: array[int]) -> bytes:
    """PCMA of 16-bit *samples*."""
    return audioop.lin2alaw(samples, _WIDTH)


def decode_alaw(octets: bytes) -> array[int]:
    """16-bit samples of PCMA."""
    return array("h", audioop.alaw2lin(octets, _WIDTH))


def _combined(how: Callable[[int, int], int], one: bytes, other: bytes | bytearray) -> bytes:
    """All bits of *one* and *other* at once, which are equally long."""
    return how(int.from_bytes(one, "little"), int.from_bytes(other, "little")).to_bytes(len(one), "little")


PCMU = Law(encode_ulaw, decode_ulaw, 0xFF)
PCMA = Law(encode_alaw, decode_alaw, 0xD5)
