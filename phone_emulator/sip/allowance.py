"""What may be sent to an address that has not shown that somebody is there who wants it.

Where a datagram says it came from anybody can write into it: what is sent back may hit somebody who has asked
for nothing, and must not be worth an attacker's while. So, as QUIC has it (RFC 9000 section 8.1), an address
gets less than three times the bytes that came from it until it has sent back a To tag, a branch or a nonce of
this end, which it can only know by having received it.
"""

from __future__ import annotations

from collections.abc import Callable

Known = Callable[[str], bool]
"""Whether an IP address is that of one of this end's servers, which may be sent anything."""
FACTOR = 3
"""Bytes out for each byte in."""
PROOF_LASTS = 600.0
"""Seconds that what an address has proven counts for what it sends anew; a call that is up counts on it."""
MOST = 1000
"""Hosts whose bytes are counted; where there are more, all begin anew, at nothing."""


class Allowance:
    """What one host has sent, and may be sent."""

    __slots__ = ("_left", "fresh_until", "proven", "told")

    def __init__(self, now: float) -> None:
        self._left = 0
        self.proven = False
        self.told = False
        """Whether anybody was told that something was not sent."""
        self.fresh_until = now + PROOF_LASTS
        """When what comes from the host has to prove itself anew, in seconds of the world."""

    def received(self, size: int) -> None:
        """*size* bytes came from there."""
        self._left += FACTOR * size

    def spend(self, size: int) -> bool:
        """Whether *size* more bytes may go there; they count as sent."""
        if self.proven:
            return True
        if size >= self._left:
            return False
        self._left -= size
        return True

    def prove(self, now: float) -> None:
        """It has shown that it is there."""
        self.proven, self.fresh_until = True, now + PROOF_LASTS


class Allowances:
    """Those of each host that datagrams came from lately."""

    def __init__(self) -> None:
        self._by_host: dict[str, Allowance] = {}

    def of(self, host: str, now: float) -> Allowance:
        """That of *host*, an IP address."""
        allowance = self._by_host.get(host)
        if allowance is None or now >= allowance.fresh_until:
            if len(self._by_host) >= MOST:
                self._by_host.clear()
            allowance = self._by_host[host] = Allowance(now)
        return allowance

    def find(self, host: str) -> Allowance | None:
        """That of *host* where something came from there lately."""
        return self._by_host.get(host)

    def clear(self) -> None:
        """Forget all."""
        self._by_host.clear()
