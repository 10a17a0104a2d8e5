"""Where messages go and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.events import Address, Transport
from phone_emulator.world.base import Stream, TlsClient

from .allowance import Allowance


@dataclass(slots=True, eq=False)
class Flow:
    """Where messages go and where they come from: a remote address over a transport."""

    transport: Transport
    local: Address
    """As it stands in Via and Contact."""
    remote: Address
    stream: Stream | None = None
    """The connection; None over UDP."""
    lost: bool = False
    """Whether the connection has ended."""
    opened: float = 0.0
    """When the connection came up."""
    used: float = 0.0
    """When something last came or went over the connection."""
    registrations: frozenset[str] = frozenset()
    """Call-IDs of the registrations that are reached over the connection: it stays open without use."""
    any_size: bool = False
    """Whether requests go over UDP here however large they are, since TCP was tried in vain."""
    tls: TlsClient | None = None
    """How the certificate was checked, of a connection that this end made over TLS."""
    allowance: Allowance | None = None
    """What may be sent there unproven: where a datagram came from; None where that is no question."""

    def prove(self, now: float) -> None:
        """Whoever is there has sent back what only this end could tell them."""
        if self.allowance is not None:
            self.allowance.prove(now)

    def via(self, branch: str, *, rport: bool = False) -> str:
        """The value of the Via header for a request on this flow (section 18.1.1)."""
        suffix = ";rport" if rport else ""
        return f"SIP/2.0/{self.transport.upper()} {self.local};branch={branch}{suffix}"
