"""Whose RTP counts in a call (``features.rtp_symmetric.enable``, ``sip.trust_ctrl``).

RTP proves nothing of its sender (RFC 3550 section 9): whoever finds the port can speak, and press digits. So
who was heard first is heard until another address is agreed, which then takes the place of any other.
"""

from __future__ import annotations

from enum import IntEnum

from phone_emulator.events import Address

SILENCE = 2.0
"""Seconds for which a port has to be silent until another one of the same host takes its place: a NAT that
has bound the stream anew, an end that has started again."""


class Symmetric(IntEnum):
    """``features.rtp_symmetric.enable``: what is rejected."""

    OFF = 0
    ADDRESS = 1
    """What comes from another IP address than the negotiated one."""
    PORT = 2
    """What comes from another port than the negotiated one."""
    BOTH = 3


class Senders:
    """Tells whose packets count.

    Args:
        symmetric: what is rejected anyway.
        negotiated_only: whether only the negotiated address counts, at any port (``sip.trust_ctrl = 1``).
    """

    def __init__(self, symmetric: Symmetric = Symmetric.OFF, *, negotiated_only: bool = False) -> None:
        self._symmetric = symmetric
        self._address = negotiated_only or symmetric in (Symmetric.ADDRESS, Symmetric.BOTH)
        self._port = symmetric in (Symmetric.PORT, Symmetric.BOTH)
        self._negotiated: Address | None = None
        self._latched: Address | None = None
        self._latched_at = 0.0

    def negotiated(self, address: Address) -> None:
        """The far end says that its sound comes from *address*; another than before is waited for anew.

        So is the first one, unless it is that host who is heard already: nobody knew yet who that was.
        """
        before, latched = self._negotiated, self._latched
        early = before is None and latched is not None and latched.host == address.host
        if address != before and not early:
            self._latched = None
        self._negotiated = address

    def would_admit(self, source: Address, now: float) -> bool:
        """Whether a packet would count that came from *source* at *now*, in seconds of the world."""
        return source == self._latched or self._may_take_over(source, now)

    def admits(self, source: Address, now: float) -> bool:
        """The same of a packet that is heard: whoever sent it is heard from then on."""
        if not self.would_admit(source, now):
            return False
        self._latched, self._latched_at = source, now
        return True

    def reports(self, source: Address) -> bool:
        """Whether RTCP counts that came from *source*: from the host whose sound does, at any port."""
        agreed = self._negotiated
        if self._address and (agreed is None or source.host != agreed.host):
            return False
        known = self._latched or agreed
        return known is not None and source.host == known.host

    def _may_take_over(self, source: Address, now: float) -> bool:
        agreed, latched = self._negotiated, self._latched
        if self._rejected(source):
            return False
        if latched is None or source == agreed:
            return True
        if source.host == latched.host:
            return now - self._latched_at >= SILENCE
        return agreed is not None and source.host == agreed.host

    def _rejected(self, source: Address) -> str:
        """The setting that rejects packets of *source*; empty for none."""
        agreed, key = self._negotiated, f"features.rtp_symmetric.enable = {self._symmetric}"
        if self._address and (agreed is None or source.host != agreed.host):
            return "sip.trust_ctrl = 1" if self._symmetric in (Symmetric.OFF, Symmetric.PORT) else key
        if self._port and (agreed is None or source.port != agreed.port):
            return key
        return ""

    def why_not(self, source: Address) -> str:
        """Why packets of *source* do not count, for people."""
        if setting := self._rejected(source):
            agreed = "no address is agreed" if self._negotiated is None else f"{self._negotiated} is agreed"
            return f"{agreed} ({setting})"
        return f"the far end's comes from {self._latched}"
