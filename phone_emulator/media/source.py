"""The numbers of what one end sends (RFC 3550 section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from .rtp import Packet, elapsed

_LOOP = 1000
"""Packets that are on their way back at most."""
_LOOP_SECONDS = 20


@dataclass(slots=True)
class Source:
    """A source of RTP; its numbers begin at random, which nobody can foretell."""

    ssrc: int
    sequence: int
    """Of the next packet."""
    offset: int
    """The timestamp of the world's second 0."""
    clock: int = 8000
    """Ticks of timestamps a second, until now."""
    packets: int = 0
    """Sent so far."""
    octets: int = 0
    """Of their payload."""

    def timestamp(self, at: float, clock: int) -> int:
        """Of what is sent at *at*, in seconds of the world, at *clock* ticks a second.

        With another clock than before it goes on from where it was (RFC 7160).
        """
        if clock != self.clock:
            self.offset += round(at * self.clock) - round(at * clock)
            self.clock = clock
        return (self.offset + round(at * clock)) & 0xFFFFFFFF

    def sent(self, packet: Packet) -> None:
        """*packet* has left."""
        self.sequence = (packet.sequence + 1) & 0xFFFF
        self.packets += 1
        self.octets += len(packet.payload)

    def loops(self, packet: Packet, now: float, clock: int) -> bool:
        """Whether *packet*, which has this source's SSRC, is one that it sent and that comes back.

        Else another source has chosen the same number, and its other numbers differ (RFC 3550 section 8.2).
        """
        behind = (self.sequence - packet.sequence) & 0xFFFF
        before = elapsed(self.timestamp(now, clock), packet.timestamp)
        return behind <= _LOOP and abs(before) <= _LOOP_SECONDS * clock
