"""From a server's name to its targets, in order: RFC 3263 as these phones do it (rules D1 to D4)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from phone_emulator.config.model import DnsCacheType, TransportType
from phone_emulator.events import Address, Source, Target, Transport

from .order import (
    SERVICES,
    AddressOnly,
    Literal,
    ServerAddresses,
    first_step,
    in_order,
    naptr_order,
    srv_names,
    srv_order,
    targets_of,
)
from .records import Answer, NaptrRecord, NoRecords, RdType, SrvRecord, key_of, literal_address
from .resolver import ResolveFailed, Resolver, shown_source

VERSIONS = ((False, RdType.A), (True, RdType.AAAA))
"""By whether it is IPv6, in the order in which they are asked for."""
MAX_NAPTR_DEPTH = 5
"""How many NAPTR records with an empty flag are followed in a row (D2)."""
MAX_LOOKUPS = 32
"""How many lookups one server may cost: far more than honest zones need, and a bound for hostile ones."""


class Unresolved(Exception):
    """The server's name gave no target; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where a server is."""

    targets: list[Target]
    """Never empty; the first is the primary (server 1) or the fallback (server 2)."""
    detail: str
    """How they were found, for people."""


async def locate(
    resolver: Resolver,
    *,
    server: int,
    host: str,
    port: int,
    transport_type: TransportType,
    naptr_build: bool = False,
    dns_cache_type: DnsCacheType = DnsCacheType.TTL,
    static_cache_pri: bool = False,
    account: int | None = None,
    sources: Sequence[str] = (),
) -> Located:
    """The targets of *server* (1 or 2) at *host* (a name or an IP address) and *port* (0: let DNS find it).

    *account* is the X whose own static records count besides those for all; *sources* are the phone's own
    addresses: where it has IPv6, AAAA records count, and where that is all it has, they alone do; none stand
    for IPv4. Raises Unresolved.
    """
    step = first_step(host, port, transport_type)
    if isinstance(step, Literal):
        literal = ServerAddresses((step.address,), step.port, step.transport, Source.LITERAL, None)
        return Located(targets_of(server, host, [literal]), f"{host} is an address")
    if not host.strip():
        raise Unresolved(f"server {server} has no address")
    search = _Search(resolver, dns_cache_type, static_cache_pri, account, sources)
    if isinstance(step, AddressOnly):
        servers = await search.addresses(host, step.port, step.transport)
        search.path.append(step.why)
    else:
        servers = await search.everything(host, naptr_build)
    targets = targets_of(server, host, servers)
    if not targets:
        raise Unresolved(search.why_nothing())
    return Located(targets, "; ".join(search.path))


async def locate_sent_by(
    resolver: Resolver, host: str, port: int | None, transport: Transport, *, sources: Sequence[str] = ()
) -> list[Address]:
    """Where the sent-by of a Via leads, *host* and maybe *port*, over *transport* (RFC 3263 section 5).

    *sources*: the phone's own addresses, as `locate` takes them. Empty where it leads nowhere.
    """
    address = literal_address(host)
    if address is not None:
        return [Address(address, port or transport.default_port)]
    search = _Search(resolver, DnsCacheType.TTL, False, None, sources)
    servers: list[ServerAddresses] = []
    if port is None:
        [name] = [name for name, other in srv_names(host, naptr_build=True) if other is transport]
        answer = await search.ask(name, RdType.SRV)
        if answer is not None:
            servers = await search.behind_srv(answer, transport)
    servers = servers or await search.addresses(host, port or transport.default_port, transport)
    return [Address(address, each.port) for each in servers for address in each.addresses]


@dataclass(slots=True)
class _Search:
    """One search: how to ask, what was asked, what was missed."""

    resolver: Resolver
    cache_type: DnsCacheType
    static_first: bool
    account: int | None
    sources: Sequence[str]
    """The phone's own addresses."""
    path: list[str] = field(default_factory=list)
    """The steps that led to the targets."""
    misses: list[str] = field(default_factory=list)
    """Why the last step gave nothing."""
    dead_ends: list[str] = field(default_factory=list)
    """Why records that were there led nowhere: tells more than that other records are not there."""
    lookups: int = 0
    deaf: str = ""
    """Why no DNS server answers: asking them for another type would only make the caller wait once more."""

    async def everything(self, host: str, naptr_build: bool) -> list[ServerAddresses]:
        """NAPTR, then SRV, then the address of *host*; SRV records, once found, decide (RFC 2782)."""
        servers = await self.by_naptr(host, MAX_NAPTR_DEPTH, {key_of(host)})
        if servers:
            return servers
        found = False
        for name, transport in srv_names(host, naptr_build):
            answer = await self.ask(name, RdType.SRV)
            if answer is None:
                continue
            found = True
            servers = await self.behind_srv(answer, transport)
            if servers:
                return servers
        if found:
            return []
        self.misses.clear()
        transport = Transport.UDP
        servers = await self.addresses(host, transport.default_port, transport)
        self.path.append(f"{host} has neither NAPTR nor SRV records")
        return servers

    async def by_naptr(self, name: str, depth: int, seen: set[str]) -> list[ServerAddresses]:
        """What the best NAPTR record of *name* leads to; the next best only where that is nothing at all."""
        answer = await self.ask(name, RdType.NAPTR)
        if answer is None:
            return []
        records = [record for record in answer.records if isinstance(record, NaptrRecord)]
        for record in naptr_order(records):
            self.misses.clear()
            replacement = record.replacement
            step = f"NAPTR {record.service or 'of ' + name} -> {replacement}"
            self.path.append(step)
            servers: list[ServerAddresses] = []
            match record.flags.lower():
                case "s":
                    found = await self.ask(replacement, RdType.SRV)
                    if found is not None:
                        servers = await self.behind_srv(found, SERVICES[record.service.upper()])
                case "a":
                    transport = SERVICES[record.service.upper()]
                    servers = await self.addresses(replacement, transport.default_port, transport)
                case _ if depth > 0 and key_of(replacement) not in seen:
                    seen.add(key_of(replacement))
                    servers = await self.by_naptr(replacement, depth - 1, seen)
                case _:
                    self.misses.append(f"{name}: its NAPTR records lead in a circle, or too far")
            if servers:
                return servers
            self.path.remove(step)
            self.dead_ends += self.misses
        return []

    async def behind_srv(self, answer: Answer, transport: Transport) -> list[ServerAddresses]:
        """The addresses of the SRV records' targets, in order; a target without address is left out."""
        self.misses.clear()
        records = [record for record in answer.records if isinstance(record, SrvRecord)]
        ordered = srv_order(records, self.resolver.shuffle_seed)
        if not ordered:
            self.dead_ends.append(
                f"{answer.name}: the service is not offered ({shown_source(answer.source)})"
            )
            return []
        found = await asyncio.gather(
            *(
                self.addresses(record.target, record.port or transport.default_port, transport)
                for record in ordered
            )
        )
        servers = [each for some in found for each in some]
        if servers:
            self.path.append(f"SRV {answer.name}")
        else:
            self.dead_ends += self.misses
        return servers

    async def addresses(self, name: str, port: int, transport: Transport) -> list[ServerAddresses]:
        """The addresses of *name*, of the IP versions that the phone has."""
        versions = {":" in source for source in self.sources} or {False}
        servers = []
        for rdtype in [rdtype for ipv6, rdtype in VERSIONS if ipv6 in versions]:
            answer = await self.ask(name, rdtype)
            if answer is not None:
                source = Source.STATIC if answer.source == "static" else Source.DNS
                servers.append(ServerAddresses(answer.addresses, port, transport, source, answer.ttl))
        return in_order(servers, self.sources) if len(versions) > 1 else servers

    async def ask(self, name: str, rdtype: RdType) -> Answer | None:
        """The records, or None where there are none; why is then among the misses."""
        if self.lookups >= MAX_LOOKUPS:
            self.misses.append(f"{name}: not asked for, after {MAX_LOOKUPS} lookups for one server")
            return None
        self.lookups += 1
        try:
            result = await self.resolver.query(
                name,
                rdtype,
                cache_type=self.cache_type,
                static_first=self.static_first,
                offline=bool(self.deaf),
                account=self.account,
            )
        except ResolveFailed as failure:
            self.misses.append(str(failure))
            if not failure.heard:
                self.deaf = self.deaf or str(failure)
            return None
        if isinstance(result, NoRecords):
            self.misses.append(f"{name}: {result} ({shown_source(result.source)})")
            return None
        self.deaf = self.deaf or result.unheard
        return result

    def why_nothing(self) -> str:
        """Why there are no targets, for people."""
        reasons = self.dead_ends or ([self.deaf] if self.deaf else self.misses)
        return "; ".join(dict.fromkeys(reasons))
