"""In which order records are used: the rules D1 to D4 without any asking."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from phone_emulator.config.model import TransportType
from phone_emulator.events import Source, Target, Transport, role_name

from .preference import preferred
from .records import NaptrRecord, SrvRecord, key_of, literal_address

SERVICES = {"SIP+D2U": Transport.UDP, "SIP+D2T": Transport.TCP, "SIPS+D2T": Transport.TLS}
"""The NAPTR services of RFC 3263 section 4.1 that the phone speaks."""

SRV_LABELS = {Transport.UDP: "_sip._udp", Transport.TCP: "_sip._tcp", Transport.TLS: "_sips._tcp"}
"""Where the SRV records of a transport are (RFC 3263 section 4.1), in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class Literal:
    """The address is given: nothing is asked."""

    address: str
    transport: Transport
    port: int


@dataclass(frozen=True, slots=True)
class AddressOnly:
    """Only the address is asked for; port and transport are known."""

    transport: Transport
    port: int
    why: str
    """For people: why no SRV or NAPTR is asked for."""


@dataclass(frozen=True, slots=True)
class Everything:
    """NAPTR, then SRV, then the address."""


def first_step(host: str, port: int, transport_type: TransportType) -> Literal | AddressOnly | Everything:
    """What a server's address, port (0: none) and transport_type say to ask for: the table of rule D1."""
    transport = transport_type.transport
    address = literal_address(host)
    if address is not None:
        return Literal(address, transport, port or transport.default_port)
    if port:
        return AddressOnly(
            transport, port, f"port = {port} is configured: neither NAPTR nor SRV is asked for"
        )
    if transport_type is TransportType.DNS_NAPTR:
        return Everything()
    why = f"transport_type = {int(transport_type)} asks for neither NAPTR nor SRV"
    return AddressOnly(transport, transport.default_port, why)


def naptr_order(records: Iterable[NaptrRecord]) -> list[NaptrRecord]:
    """The records that a SIP phone can follow, best first: lowest order, then lowest preference (D2).

    Where both are equal: UDP, TCP, TLS, then by name, so that the order of the answer never matters.
    """
    ranks = {service: rank for rank, service in enumerate(SERVICES)}
    usable = {record for record in records if _can_follow(record)}
    return sorted(
        usable,
        key=lambda record: (
            record.order,
            record.preference,
            ranks.get(record.service.upper(), len(ranks)),
            key_of(record.replacement),
            record.replacement,
            record.flags.lower(),
            record.service,
            record.regexp,
            record.flags,
        ),
    )


def _can_follow(record: NaptrRecord) -> bool:
    if key_of(record.replacement) == ".":
        return False
    service = record.service.upper()
    match record.flags.lower():
        case "s" | "a":
            return service in SERVICES
        case "":
            return service in SERVICES or not service
    return False


def srv_names(domain: str, naptr_build: bool) -> list[tuple[str, Transport]]:
    """Where to look for SRV records of a *domain* without NAPTR records (D3), in order."""
    labels = list(SRV_LABELS.items())
    return [(f"{label}.{domain}", transport) for transport, label in (labels if naptr_build else labels[:1])]


def srv_order(records: Iterable[SrvRecord], seed: int) -> list[SrvRecord]:
    """Lower priority first; in one priority the higher weight first; equal weights shuffled by *seed* (D4).

    The shuffle depends on nothing but the seed and the record: one phone keeps one order, whatever the order
    of the answer, and phones with different seeds share the load. ``.`` as target means that the service is
    not offered (RFC 2782): such records are left out.
    """
    offered = {record for record in records if key_of(record.target) != "."}
    return sorted(
        offered,
        key=lambda record: (
            record.priority,
            -record.weight,
            _share(record, seed),
            record.port,
            record.target,
        ),
    )


def _share(record: SrvRecord, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {key_of(record.target)} {record.port}".encode()).digest()


@dataclass(frozen=True, slots=True)
class ServerAddresses:
    """The addresses behind one SRV target, or behind the server's name itself."""

    addresses: tuple[str, ...]
    """In answer order."""
    port: int
    transport: Transport
    source: Source
    ttl: float | None
    """Seconds; None for literal addresses."""


def in_order(servers: Sequence[ServerAddresses], sources: Sequence[str]) -> list[ServerAddresses]:
    """The addresses of *servers*, each by itself, as a phone with the addresses *sources* tries them."""
    whose = {address: each for each in servers for address in each.addresses}
    return [replace(whose[address], addresses=(address,)) for address in preferred(whose, sources)]


def targets_of(server: int, host: str, servers: Sequence[ServerAddresses]) -> list[Target]:
    """The targets of *server* (1 or 2), each (address, port, transport) once, with their roles."""
    found: dict[tuple[str, int, Transport], Target] = {}
    for each in servers:
        for address in each.addresses:
            found.setdefault(
                (address, each.port, each.transport),
                Target(
                    server=server,
                    role=role_name(server, len(found)),
                    host=host,
                    address=address,
                    port=each.port,
                    transport=each.transport,
                    source=each.source,
                    ttl=each.ttl,
                ),
            )
    return list(found.values())
