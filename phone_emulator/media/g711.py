"""G.711: PCMU and PCMA, one octet a sample at 8 kHz, from and to linear 16-bit samples, by tables."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

_ULAW_BIAS = 33
_ULAW_LARGEST = 8158
"""The largest magnitude of G.711's 14-bit samples that is not clipped."""


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
    table = _ulaw_encoder()
    return bytes([table[sample >> 2] for sample in samples])


def decode_ulaw(octets: bytes) -> array[int]:
    """16-bit samples of PCMU."""
    return _decode(octets, _ulaw_decoder())


def encode_alaw(samples: array[int]) -> bytes:
    """PCMA of 16-bit *samples*."""
    table = _alaw_encoder()
    return bytes([table[sample >> 3] for sample in samples])


def decode_alaw(octets: bytes) -> array[int]:
    """16-bit samples of PCMA."""
    return _decode(octets, _alaw_decoder())


def _decode(octets: bytes, table: array[int]) -> array[int]:
    return array("h", [table[octet] for octet in octets])


@cache
def _ulaw_encoder() -> list[int]:
    """The octet of each 14-bit sample; negative ones from the end, as Python indexes."""
    positive = []
    for magnitude in range(8192):
        biased = min(magnitude, _ULAW_LARGEST) + _ULAW_BIAS
        segment = biased.bit_length() - 6
        positive.append(0xFF ^ (segment << 4 | biased >> segment + 1 & 0x0F))
    return positive + [octet & 0x7F for octet in reversed(positive)]


@cache
def _ulaw_decoder() -> array[int]:
    values = []
    for octet in range(256):
        bits = octet ^ 0xFF
        magnitude = ((2 * (bits & 0x0F) + _ULAW_BIAS << (bits >> 4 & 7)) - _ULAW_BIAS) * 4
        values.append(-magnitude if bits & 0x80 else magnitude)
    return array("h", values)


@cache
def _alaw_encoder() -> list[int]:
    """The octet of each 13-bit sample; negative ones from the end, as Python indexes."""
    positive = []
    for magnitude in range(4096):
        segment = max(magnitude.bit_length() - 5, 0)
        step = magnitude >> max(segment, 1) & 0x0F
        positive.append(0xD5 ^ (segment << 4 | step))
    return positive + [octet ^ 0x80 for octet in reversed(positive)]


@cache
def _alaw_decoder() -> array[int]:
    values = []
    for octet in range(256):
        bits = octet ^ 0xD5
        segment, step = bits >> 4 & 7, 2 * (bits & 0x0F) + 1
        magnitude = (step if segment == 0 else step + 32 << segment - 1) * 8
        values.append(-magnitude if bits & 0x80 else magnitude)
    return array("h", values)


PCMU = Law(encode_ulaw, decode_ulaw, 0xFF)
PCMA = Law(encode_alaw, decode_alaw, 0xD5)
