"""G.722 bit by bit against FFmpeg's, whose results are kept (`tests.media.g722_reference` says how)."""

from __future__ import annotations

import sys
from array import array

import pytest

from phone_emulator.media.g722 import G722

from .g722_reference import DIGESTS, RATE, SOUNDS, digest, pieces


@pytest.mark.parametrize("name", SOUNDS)
def test_octets_and_samples_are_those_of_another_coder(name: str) -> None:
    one, other = G722(), G722()
    packets = [one.encode(piece) for piece in pieces(SOUNDS[name])]
    heard = array("h")
    for packet in packets:
        heard.extend(other.decode(packet))
    assert len(heard) == RATE
    if sys.byteorder == "big":
        heard.byteswap()
    assert (digest(b"".join(packets)), digest(heard.tobytes())) == DIGESTS[name]


def test_packets_of_any_length_come_to_the_same() -> None:
    whole, parts = G722(), G722()
    samples = SOUNDS["both bands"][:4800]
    octets = whole.encode(samples)
    assert b"".join(parts.encode(samples[at : at + 160]) for at in range(0, 4800, 160)) == octets
