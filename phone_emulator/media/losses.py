"""How the losses of a stream are spread (RFC 3611 section 4.7.2, its appendix A.2; ITU-T G.107's BurstR).

A lost packet among many that came hardly matters; several in a row do.
"""

from __future__ import annotations

from dataclasses import dataclass

GMIN = 16
"""Packets that must come one after the other for a burst of losses to be over: RFC 3611's own value."""


@dataclass(slots=True)
class LossPattern:
    """What became of each packet of a stream, in their order: heard, or not (lost, or too late).

    The fields ``c..`` are the transitions that RFC 3611 appendix A.2 counts: 1 a gap that goes on, 2 and 3
    within a burst: something came, nothing came; 4 a single loss in a gap.
    """

    heard: int = 0
    missing: int = 0
    runs: int = 0
    """How often packets went missing, those in a row as one."""
    _since: int = 0
    """Packets heard since the last missing one."""
    _lost: int = 0
    """Missing ones of the present burst, or 1 in a gap."""
    _c11: int = 0
    _c13: int = 0
    _c14: int = 0
    _c22: int = 0
    _c23: int = 0
    _c33: int = 0

    def add(self, *, heard: bool) -> None:
        """The next packet."""
        if heard:
            self.heard += 1
            self._since += 1
            return
        if self._since or not self.missing:
            self.runs += 1
        self.missing += 1
        if self._since >= GMIN:
            if self._lost == 1:
                self._c14 += 1
            else:
                self._c13 += 1
            self._lost = 1
            self._c11 += self._since
        else:
            self._lost += 1
            if self._since == 0:
                self._c33 += 1
            else:
                self._c23 += 1
                self._c22 += self._since - 1
        self._since = 0

    def add_heard(self, count: int) -> None:
        """The next *count* packets, all of which were heard."""
        self.heard += count
        self._since += count

    @property
    def share(self) -> float:
        """Of all packets, those that were not heard: 0..1."""
        total = self.heard + self.missing
        return self.missing / total if total else 0.0

    @property
    def burst_ratio(self) -> float:
        """G.107's BurstR: how long the losses last, by how long they would by chance; 1 or more."""
        if not self.runs:
            return 1.0
        return max(1.0, self.missing / self.runs * (1 - self.share))

    @property
    def burst_density(self) -> float:
        """Of the packets within bursts, those missing: 0..1."""
        if not self._c13:
            return 0.0
        within = self._c13 + self._c23 + self._c33
        to_heard = self._c23 / within
        to_missing = self._c23 / (self._c22 + self._c23) if self._c23 else 1.0
        return to_missing / (to_missing + to_heard)

    @property
    def gap_density(self) -> float:
        """Of the packets between bursts, those missing: 0..1."""
        total = self._c11 + self._c14
        return self._c14 / total if total else 0.0

    @property
    def burst_packets(self) -> float:
        """How many packets a burst takes, on the average; 0 without any."""
        if not self._c13:
            return 0.0
        return (self._c22 + 2 * self._c23 + self._c13 + self._c33) / self._c13

    @property
    def gap_packets(self) -> float:
        """How many packets lie between bursts, on the average."""
        gaps = self._c11 + self._c14 + self._c13
        return gaps / self._c13 if self._c13 else float(self.heard + self.missing)
