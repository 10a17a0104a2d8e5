"""What a codec does in one stream: sound to octets and back."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple, Protocol


class Coder(Protocol):
    """One end of one stream; what a codec remembers of the stream is in it."""

    def encode(self, samples: array[int]) -> bytes:
        """The octets of 16-bit *samples*."""

    def decode(self, octets: bytes) -> array[int]:
        """The 16-bit samples of *octets*, whatever they are."""

    def silence(self, count: int) -> bytes:
        """The octets of *count* samples of silence."""


class Terms(NamedTuple):
    """What the descriptions of both ends say of a codec (``a=fmtp``)."""

    far: str = ""
    own: str = ""


UNSAID = Terms()
Maker = Callable[[Terms], Coder]
"""Makes one end of a stream."""
