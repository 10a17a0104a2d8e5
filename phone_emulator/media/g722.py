"""G.722 at 64 kbit/s: an octet for two samples at 16 kHz (ITU-T G.722, RFC 3551 section 4.5.2)."""

from __future__ import annotations

from array import array

from G722 import G722 as Reference  # noqa: N811 - a class of capitals only

RATE = 16000
"""Samples a second."""
BIT_RATE = 64000


class G722:
    """One end of a stream: both its predictors follow the sound that went before."""

    def __init__(self) -> None:
        # Its own array module, also where its NumPy part is installed.
        self._coder = Reference(RATE, BIT_RATE, use_numpy=False)

    def encode(self, samples: array[int]) -> bytes:
        """The octets of 16-bit *samples* at 16 kHz, an even number of them."""
        octets: bytes = self._coder.encode(samples)
        return octets

    def decode(self, octets: bytes) -> array[int]:
        """The 16-bit samples of *octets*, at 16 kHz."""
        samples: array[int] = self._coder.decode(octets)
        return samples

    def silence(self, count: int) -> bytes:
        """The octets of *count* samples of silence, an even number of them."""
        return self.encode(array("h", bytes(2 * count)))
