"""Where each packet of a voice stands in a mix, on the clock of the world.

Theory of operation: the first packet is heard DELAY after it comes, and each other one as much later as its
timestamp says, so that order and gaps are as they were spoken. One that would be heard before it came, or FAR
too late, shows that the sender's clock or the network has shifted: it is heard as a first one, and the stream
goes on from there. One that is too late and was overtaken is not heard at all.

Whether a packet is in time for the jitter buffer says `playout.py`. The depth of that moves a little with
each packet; a voice that did so would click.
"""

from __future__ import annotations

from .rtp import Packet, ahead, elapsed

DELAY = 0.060
"""Seconds by which packets may be late and are still heard in their place."""
FAR = 0.3
"""Seconds from now beyond which nothing is heard: no jitter buffer of a phone holds more."""


class Alignment:
    """One end's streams, one after the other."""

    def __init__(self) -> None:
        self._stream: tuple[int, int] | None = None
        """SSRC, and ticks of its timestamps a second."""
        self._highest = 0
        """Sequence number of the newest packet."""
        self._timestamp, self._at = 0, 0.0
        """A timestamp, and when it is heard."""

    def time_of(self, packet: Packet, clock: int, now: float) -> float | None:
        """When *packet*, which comes at *now*, is heard, in seconds of the world; None for never.

        Its timestamps count *clock* a second.
        """
        step = ahead(packet.sequence, self._highest)
        goes_on = self._stream == (packet.ssrc, clock)
        at = self._at + elapsed(packet.timestamp, self._timestamp) / clock
        if not (goes_on and now <= at <= now + FAR):
            if goes_on and step <= 0 and at < now:
                return None
            self._stream, step, at = (packet.ssrc, clock), 1, now + DELAY
        if step > 0:
            self._highest, self._timestamp, self._at = packet.sequence, packet.timestamp, at
        return at
