"""The words in which a route is told: targets, attempts, outcomes.

An *attempt* is one try of one request at one target; a *route* is all attempts of one call, in order.
The JSON of attempts is fixed by the interface of the program (``docs/guide.md``, "JSON").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Transport(StrEnum):
    """A SIP transport (RFC 3261 section 18)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself, so that SIP must not."""
        return self is not Transport.UDP

    @property
    def default_port(self) -> int:
        """5061 for TLS, else 5060 (RFC 3261 section 19.1.2)."""
        return 5061 if self is Transport.TLS else 5060


class Outcome(StrEnum):
    """How an attempt ended."""

    ANSWERED = "answered"
    """A 2xx."""
    REJECTED = "rejected"
    """Any other final answer that ends the search; ``status`` tells which."""
    UNAVAILABLE = "unavailable"
    """503."""
    NO_RESPONSE = "no-response"
    """Silence until the wait was over."""
    ICMP = "icmp"
    CONNECT_FAILED = "connect-failed"
    TLS_FAILED = "tls-failed"
    SEND_FAILED = "send-failed"
    UNRESOLVED = "unresolved"
    """The server's name gave no target."""
    SKIPPED = "skipped"
    """Passed over; ``detail`` tells why."""
    CANCELLED = "cancelled"
    """The user hung up, or the attempt was cut short; ``detail`` tells by what."""


class Source(StrEnum):
    """Where a target's address came from."""

    DNS = "dns"
    STATIC = "static"
    LITERAL = "literal"


class Address(NamedTuple):
    """An IP address in text and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


DIRECT = 0
"""The number of no server: what was dialled is called directly, reports go straight to their collector."""


@dataclass(frozen=True, slots=True)
class Target:
    """One (address, port, transport) that a request can be sent to."""

    server: int
    """1, the working server, or 2, the fallback server; 0 (`DIRECT`) for none of them."""
    role: str
    """``primary``, ``secondary``, ``target-3`` … of server 1; ``fallback``, ``fallback-2`` … of server 2;
    ``direct`` where an address was dialled, and of the collector of reports."""
    host: str
    """The server's address as configured; the name that TLS certificates are checked against."""
    address: str
    """IP address in text; empty where the name gave none."""
    port: int
    transport: Transport
    source: Source
    ttl: float | None = None
    """Seconds that the address record lives; None for literal addresses."""

    @property
    def remote(self) -> Address:
        """Where the bytes go."""
        return Address(self.address, self.port)

    def as_json(self) -> dict[str, Any]:
        """The target as the program prints it, within an attempt, a route or a line's health."""
        return {
            "server": self.server,
            "role": self.role,
            "host": self.host,
            "address": self.address or None,
            "port": self.port,
            "transport": str(self.transport),
        }

    def __str__(self) -> str:
        if not self.address:
            return f"{self.role} {self.host}"
        return f"{self.role} {self.remote}/{self.transport}"


def role_name(server: int, position: int) -> str:
    """The role of the target at *position* (from 0) in the list of *server* (1, 2 or `DIRECT`)."""
    if server == DIRECT:
        return "direct"
    if server == 1:
        return ("primary", "secondary")[position] if position < 2 else f"target-{position + 1}"
    return "fallback" if position == 0 else f"fallback-{position + 1}"


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a silent target is waited for, and why."""

    seconds: float
    """From the moment the request has left (UDP: for the first time)."""
    why: str
    """For people, after "no response": ``within 64*T1 = 32.0 s``."""
    connect: float | None = None
    """Seconds a connection may take to come up; None over UDP."""
    connect_why: str = ""


@dataclass(slots=True)
class Attempt:
    """One try of one request at one target; filled in while it goes on."""

    n: int
    """Place in the route, from 1."""
    method: str
    target: Target
    wait: Wait
    why: str
    """Why this target now, in one sentence for people."""
    started: float
    """Seconds since the world began."""
    ended: float | None = None
    sent: int = 0
    """How many times the request left, retransmissions included."""
    outcome: Outcome | None = None
    status: int | None = None
    """The SIP status that ended the attempt, or the last provisional one while it goes on."""
    detail: str = ""
    """Why it ended as it did, in one sentence for people."""
    give_up_at: float | None = None
    """When a silent target is given up; None as soon as it has answered anything."""
    sends: list[float] = field(default_factory=list)
    """When the request left, each time."""
    remark: str = ""
    """What else is worth telling of its way: that it went over TCP for its size. Part of ``detail``, too."""
    answered_by: Address | None = None
    """Where its answer came from, where that is not the target; None where it is, or nobody has answered."""
    line: int = 0
    """Whose REGISTER it is: X of ``account.X``; 0 for an attempt of a call, which has its line itself."""
    unregistered: bool = False
    """Whether the REGISTER that goes first (R9) has failed: its own request never left."""

    def as_json(self) -> dict[str, Any]:
        """The attempt as the program prints it; a REGISTER names its line."""
        return {
            **({"line": self.line} if self.line else {}),
            "n": self.n,
            "method": self.method,
            **self.target.as_json(),
            "started": round(self.started, 6),
            "ended": None if self.ended is None else round(self.ended, 6),
            "sent": self.sent,
            "outcome": None if self.outcome is None else str(self.outcome),
            "status": self.status,
            "detail": self.detail,
            **({} if self.answered_by is None else {"answered_by": str(self.answered_by)}),
        }
