"""The words of DNS that a phone needs: questions, records, answers. No I/O, and no DNS library.

Names are text without the final dot, the root being ``.``; they compare by :func:`key_of`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum


class RdType(StrEnum):
    """The record types that a phone asks for."""

    A = "A"
    AAAA = "AAAA"
    SRV = "SRV"
    NAPTR = "NAPTR"


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """A (RFC 1035 section 3.4.1) or AAAA (RFC 3596)."""

    address: str


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """SRV (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class NaptrRecord:
    """NAPTR (RFC 3403 section 4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


Record = AddressRecord | SrvRecord | NaptrRecord


@dataclass(frozen=True, slots=True)
class RecordSet:
    """The records of one name and type."""

    name: str
    rdtype: RdType
    records: tuple[Record, ...]
    ttl: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a name has, of one type; never empty."""

    name: str
    """The name that was asked for, before any CNAME."""
    rdtype: RdType
    records: tuple[Record, ...]
    ttl: float
    """Seconds that the records still live; the shortest along a CNAME chain."""
    source: str
    """``192.168.1.53:53/udp``, ``cache`` or ``static``."""
    additional: tuple[RecordSet, ...] = ()
    """What the server volunteered about the names that the records lead to."""
    unheard: str = ""
    """Why no DNS server said anything, where that is why static records were used; for people."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses in answer order; empty for types other than A and AAAA."""
        return tuple(record.address for record in self.records if isinstance(record, AddressRecord))

    def __str__(self) -> str:
        return "1 record" if len(self.records) == 1 else f"{len(self.records)} records"


@dataclass(frozen=True, slots=True)
class NoRecords:
    """The name does not exist (NXDOMAIN), or has no record of the type (NODATA)."""

    name: str
    rdtype: RdType
    exists: bool
    ttl: float
    """Seconds that this may be remembered (RFC 2308); 0 where no SOA came along."""
    source: str

    def __str__(self) -> str:
        return f"no {self.rdtype} record" if self.exists else "no such name"


Result = Answer | NoRecords


def key_of(name: str) -> str:
    """*name* in the form by which names compare: lower case, without the final dot."""
    return name.rstrip(".").lower() or "."


def literal_address(host: str) -> str | None:
    """*host* as a plain IP address if it is one (``192.168.1.13``, ``2001:db8::1``, ``[2001:db8::1]``)."""
    text = host.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if ":" not in text:
            return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
