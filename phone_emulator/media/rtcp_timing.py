"""When an end of a call sends RTCP (RFC 3550 sections 6.2 and 6.3)."""

from __future__ import annotations

LEAST = 5.0
"""Seconds between two reports, on the average (Tmin)."""
MEMBERS = 2
"""Who takes part in a call, whether it has been heard of or not."""
BANDWIDTH = 500.0
"""Octets a second for RTCP: 5 % of 80 kbit/s, which G.711 takes with its headers (section 6.2)."""
_RECEIVERS_SHARE = 0.75
_COMPENSATION = 1.21828
"""e - 3/2: what timer reconsideration would lose (section 6.3.1)."""
_FIRST_SIZE = 128.0
"""Octets that a first report is thought to have, with those of UDP and IP."""
UDP_IP = 28


class ReportTimer:
    """Says when the next report is due; reads no clock.

    Args:
        bandwidth: for RTCP, in octets a second.
    """

    def __init__(self, bandwidth: float = BANDWIDTH) -> None:
        self._bandwidth = bandwidth
        self._size = _FIRST_SIZE
        self._initial = True
        self._last = 0.0

    def passed(self, octets: int) -> None:
        """A compound of *octets* was sent or received (section 6.3.3)."""
        self._size += (octets + UDP_IP - self._size) / 16

    def begin(self, now: float) -> None:
        """The session begins at *now*, in seconds; the first report comes after half an interval."""
        self._last, self._initial = now, True

    def sent(self, now: float) -> None:
        """A report left at *now*."""
        self._last, self._initial = now, False

    def due(self, chance: float, senders: int) -> float:
        """When the next report is due; asked again at that time it may say later (reconsideration, 6.3.6).

        Args:
            chance: 0..1, drawn anew each time.
            senders: how many of the two have sent since the report before the last.
        """
        return self._last + self.interval(chance, senders)

    def interval(self, chance: float, senders: int) -> float:
        """Seconds from one report to the next: half to one and a half times what is computed (6.3.1).

        Of two members one sender is more than a quarter, so that all share alike; without any, the share of
        senders is left free.
        """
        bandwidth = self._bandwidth if senders else self._bandwidth * _RECEIVERS_SHARE
        computed = max(MEMBERS * self._size / bandwidth, LEAST / 2 if self._initial else LEAST)
        return computed * (0.5 + chance) / _COMPENSATION
