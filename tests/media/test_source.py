"""The numbers of a source, and whether a packet with its SSRC is its own (RFC 3550 section 8.2)."""

from __future__ import annotations

import pytest

from phone_emulator.media.rtp import Packet
from phone_emulator.media.source import Source

CLOCK = 8000


def sent(count: int, sequence: int = 65500, offset: int = 0xFFFFF000) -> tuple[Source, list[Packet]]:
    """A source after *count* packets, 20 ms each, and these."""
    source, packets = Source(7, sequence, offset), []
    for n in range(count):
        packets.append(Packet(0, source.sequence, source.timestamp(n * 0.02, CLOCK), 7, bytes(160)))
        source.sent(packets[-1])
    return source, packets


def test_what_left_is_counted() -> None:
    source, _ = sent(100)
    assert (source.packets, source.octets, source.sequence) == (100, 16000, 64)


def test_what_comes_back_within_a_while_is_its_own() -> None:
    source, packets = sent(900)
    assert all(source.loops(packet, 18.0, CLOCK) for packet in packets)
    assert source.loops(packets[-1], 30.0, CLOCK)


@pytest.mark.parametrize(("sequence", "timestamp"), [(30000, 0), (0, 1 << 31), (63, 0x12345678)])
def test_other_numbers_are_another_sources(sequence: int, timestamp: int) -> None:
    source, _ = sent(100)
    assert not source.loops(Packet(0, sequence, timestamp, 7), 2.0, CLOCK)
