"""What FFmpeg makes of sounds in G.722.

The ITU's own vectors were not at hand. FFmpeg's coder is of another make than the package ``G722``, and
passes them by its own account. Where PyAV is installed (it is in no lock: 35 MB), ``python -m
tests.media.g722_reference`` prints DIGESTS anew.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

RATE, FRAME = 16000, 320
DIGESTS = {
    "noise": (
        "c803ce21b8b53c9f4014bf656761c2c1fabaec7862f2b3598da8c6e105e65ce4",
        "314208d216e65aa07cde9b0c297b49f7c17362eb3672191b1ffa8ce33c219ac6",
    ),
    "as loud as can be": (
        "cdd07e2efaf8827c37a0911da241613d3d1db26e367368c9fe727a3349f19776",
        "294097d2317d5eb5cc1118444a4a567ef389f71506451fc109e3680c7ba108d1",
    ),
    "hardly there": (
        "bf36ac6c1c516070c3460e1481ecb9d01d161bdde520510013036a39d70e4192",
        "91c327be7eb3664bad5a91fefe6e1e599e91b3f30103ec20e826142142804db1",
    ),
    "low": (
        "91c1b7c3ab23ef3c669ef3788bf2d9e2fd4a2f09e475e980e161f758a4194dd7",
        "eeb30529c35ebab4395c2ceab70a841ffe004dae180045dc236e1bf216ce8c50",
    ),
    "in the upper band": (
        "3e02ec42d7fd3da204e7479f922b7e0847eecc9df3805f4fa35eb327cda5b3ad",
        "1d0991c68cb3e99bb9ee42643392ef701f599bf50cdec2ca191b695271538baf",
    ),
    "both bands": (
        "68526e4fabc53e759e358eedcdd6597e3334f1e329930cc081f0ded571534c0a",
        "32c22e5181c8e37f11daf1c37ddf064d5ea8db9ef7792030b5dca185e490126f",
    ),
    "on and off": (
        "75f629c7400af0bda96ca27797e49cd81cca92dadd4c796ff9d6b388b6b8f730",
        "f5c079ce3ea8246c5dd4132c098c20e7939f1c21079ebf313320d87c7fabb11b",
    ),
}
"""By sound: SHA-256 of its octets, and of the samples (little-endian) that these come to, by PyAV 18.1.0."""


def noise(count: int, shift: int = 0, seed: int = 1) -> array[int]:
    """Samples of a linear congruential generator, 2 ** -*shift* of the whole range."""
    state, found = seed, array("h")
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        found.append(((state >> 16) - 32768) >> shift)
    return found


def triangle(period: int, count: int, height: int = 12000) -> Iterator[int]:
    """A triangular wave, in whole numbers, which every machine counts alike."""
    return (abs(at % period * 4 * height // period - 2 * height) - height for at in range(count))


SOUNDS = {
    "noise": noise(RATE, 1),
    "as loud as can be": noise(RATE, 0, 7),
    "hardly there": noise(RATE, 11),
    "low": array("h", triangle(36, RATE)),
    "in the upper band": array("h", triangle(3, RATE)),
    "both bands": array("h", map(sum, zip(triangle(36, RATE), triangle(3, RATE, 9000), strict=True))),
    "on and off": array("h", [each * (at // 1600 % 2) for at, each in enumerate(triangle(40, RATE, 30000))]),
}


def pieces(samples: array[int]) -> Iterator[array[int]]:
    """By packets of 20 ms."""
    return (samples[place : place + FRAME] for place in range(0, len(samples), FRAME))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Print DIGESTS."""
    import av  # type: ignore[import-not-found,unused-ignore]

    for name, samples in SOUNDS.items():
        encoder, decoder = (_context(av, mode) for mode in "wr")
        packets = []
        for piece in pieces(samples):
            frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece))
            frame.planes[0].update(piece.tobytes())
            frame.sample_rate = RATE
            packets += [bytes(packet) for packet in encoder.encode(frame)]
        octets = b"".join(packets)
        heard = b"".join(
            bytes(frame.planes[0])[: 2 * frame.samples]
            for packet in packets
            for frame in decoder.decode(av.Packet(packet))
        )
        assert (len(octets), len(heard)) == (RATE // 2, 2 * RATE)
        print(f'    "{name}": (\n        "{digest(octets)}",\n        "{digest(heard)}",\n    ),')


def _context(av: Any, mode: str) -> Any:
    context = av.CodecContext.create("g722", mode)
    context.sample_rate, context.layout = RATE, "mono"
    if mode == "w":
        context.format, context.time_base = "s16", Fraction(1, RATE)
    return context


if __name__ == "__main__":
    main()
