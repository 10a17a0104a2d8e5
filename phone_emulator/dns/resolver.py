"""The resolver: one name and type to its records, by cache, DNS servers and static records (D6, D7, D8)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phone_emulator.config.model import DnsCacheType, DnsConfig
from phone_emulator.events import Address, Bus, DnsAnswered
from phone_emulator.world.base import World
from phone_emulator.world.tasks import Tasks

from .cache import Cache
from .exchange import Manner, ServerFailed, ask
from .message import MAX_CHAIN, MAX_TTL, NoName, Question, Reply
from .records import Answer, NoRecords, RdType, Result, key_of, literal_address
from .static import StaticRecords

DNS_PORT = 53


class ResolveFailed(Exception):
    """Nobody could say what the name has; the text says why, for people."""

    def __init__(self, reason: str, *, heard: bool) -> None:
        super().__init__(reason)
        self.heard = heard
        """Whether any DNS server gave any answer at all."""


@dataclass(slots=True)
class _Lookup:
    """A lookup that is under way, and how many wait for it."""

    task: asyncio.Task[Result | ResolveFailed]
    waiting: int = 0
    moved: bool = False
    """Whether the phone has moved meanwhile: who waits asks anew."""


class Resolver:
    """Looks names up for one phone.

    *servers* are asked in order, each ``1 + retry_times`` times. *source_host* is the local IP address to ask
    from; empty leaves it to the machine.
    """

    def __init__(
        self,
        world: World,
        servers: Sequence[Address],
        config: DnsConfig,
        *,
        bus: Bus,
        source_host: str = "",
    ) -> None:
        self.shuffle_seed = world.random.getrandbits(64)
        """Drawn once: records that share the load keep their order for the life of the phone (D4)."""
        self._world = world
        self._servers = _literal(servers)
        self._manner = Manner(
            timeout=config.query_timeout,
            tries=1 + config.retry_times,
            tcp=config.tcp,
            source_host=source_host,
        )
        self._static = StaticRecords(config.static_records)
        self._bus = bus
        self._cache = Cache()
        self._tasks = Tasks(world, "the resolver")
        self._lookups: dict[tuple[str, RdType], _Lookup] = {}

    async def query(
        self,
        name: str,
        rdtype: RdType,
        *,
        cache_type: DnsCacheType = DnsCacheType.TTL,
        static_first: bool = False,
        offline: bool = False,
        account: int | None = None,
    ) -> Result:
        """What *name* has of type *rdtype*.

        *static_first* is ``account.X.static_cache_pri``, *account* whose static records count; *offline* asks
        no server, for callers who have just seen that none answers. Raises ResolveFailed.
        """
        static = self._static.find(name, rdtype, account)
        if static is not None and static_first:
            return self._told(static)
        try:
            result = await self._ask_dns(name, rdtype, cache_type, offline)
        except ResolveFailed as failure:
            if static is None:
                raise
            return self._told(static if failure.heard else replace(static, unheard=str(failure)))
        if isinstance(result, NoRecords) and static is not None:
            return self._told(static)
        return result

    def next_expiry(self) -> float | None:
        """When the next remembered answer runs out, in seconds of the world; None where there is none."""
        return self._cache.next_expiry(self._world.now())

    def move(self, servers: Sequence[Address], source_host: str) -> None:
        """Ask these *servers* from now on, from *source_host*; other servers may have other answers."""
        asked = _literal(servers)
        if asked != self._servers:
            self.forget()
        self._servers, self._manner = asked, replace(self._manner, source_host=source_host)
        for lookup in self._lookups.values():  # no answer finds those that are under way
            lookup.moved = True
            lookup.task.cancel()
        self._lookups.clear()

    def forget(self) -> None:
        """Empty the cache, as a reboot does."""
        self._cache.clear()

    async def _ask_dns(self, name: str, rdtype: RdType, cache_type: DnsCacheType, offline: bool) -> Result:
        if cache_type is not DnsCacheType.NONE:
            known = self._cache.get(name, rdtype, self._world.now())
            if known is not None:
                return self._told(known)
        if not self._servers:
            raise ResolveFailed(f"{name}: no DNS server to ask, and no static record", heard=False)
        if offline:
            raise ResolveFailed(f"{name}: no DNS server answers, and no static record", heard=False)
        result = await self._shared_lookup(name, rdtype)
        if isinstance(result, ResolveFailed):
            raise ResolveFailed(str(result), heard=result.heard)
        if cache_type is not DnsCacheType.NONE:
            self._cache.put(result, self._world.now())
        if cache_type is DnsCacheType.TTL_AND_ADDITIONAL and isinstance(result, Answer):
            self._cache.put_additional(result.additional, self._world.now(), result.source)
        return result

    async def _shared_lookup(self, name: str, rdtype: RdType) -> Result | ResolveFailed:
        """Whoever asks the same while a lookup is under way waits for that one.

        The lookup ends early only when all who wait for it have given up.
        """
        key = (key_of(name), rdtype)
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = _Lookup(self._tasks.spawn(self._lookup(name, rdtype), f"the lookup of {rdtype} {name}"))
            self._lookups[key] = lookup
        lookup.waiting += 1
        try:
            return await asyncio.shield(lookup.task)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not lookup.moved or task is None or task.cancelling():
                raise
            return await self._shared_lookup(name, rdtype)
        finally:
            lookup.waiting -= 1
            if not lookup.waiting or lookup.task.done():
                lookup.task.cancel()
                if self._lookups.get(key) is lookup:
                    del self._lookups[key]

    async def _lookup(self, name: str, rdtype: RdType) -> Result | ResolveFailed:
        """Ask the servers, and ask on where CNAMEs lead out of an answer.

        A failure is returned, not raised: every one who waits gets an exception of their own.
        """
        ttl: float = MAX_TTL
        current = name
        seen = {key_of(name)}
        try:
            while len(seen) <= MAX_CHAIN:
                reply, source = await self._ask_servers(current, rdtype)
                ttl = min(ttl, reply.ttl)
                if reply.records:
                    return Answer(name, rdtype, reply.records, ttl, source, reply.additional)
                if reply.rcode == "NXDOMAIN" or reply.negative_ttl or reply.alias is None:
                    exists = reply.rcode != "NXDOMAIN"
                    return NoRecords(name, rdtype, exists, min(ttl, reply.negative_ttl), source)
                current = reply.alias
                if key_of(current) in seen:
                    break
                seen.add(key_of(current))
        except ResolveFailed as failure:
            return failure
        except NoName as error:
            return ResolveFailed(f"{name}: {error}", heard=True)
        return ResolveFailed(f"{name}: its CNAMEs lead in a circle, or too far ({source})", heard=True)

    async def _ask_servers(self, name: str, rdtype: RdType) -> tuple[Reply, str]:
        failures = []
        heard = False
        for server in self._servers:
            question = Question(self._world.unguessable.getrandbits(16), name, rdtype)
            try:
                reply, transport = await ask(self._world, server, question, self._manner)
            except ServerFailed as failure:
                source, reason = f"{server}/{'tcp' if self._manner.tcp else 'udp'}", str(failure)
            else:
                source, heard = f"{server}/{transport}", True
                if reply.looped:
                    reason = "the CNAMEs in the answer lead in a circle, or too far"
                elif reply.referral:
                    reason = "only named other servers to ask"
                elif reply.rcode in ("NOERROR", "NXDOMAIN"):
                    self._tell(name, rdtype, source, _answer_text(reply, rdtype))
                    return reply, source
                else:
                    reason = reply.rcode
            self._tell(name, rdtype, source, reason)
            failures.append(f"{reason} ({shown_source(source)})")
        raise ResolveFailed(f"{name}: {'; '.join(failures)}", heard=heard)

    def _told(self, result: Result) -> Result:
        self._tell(result.name, result.rdtype, result.source, str(result))
        return result

    def _tell(self, name: str, rdtype: RdType, source: str, answer: str) -> None:
        self._bus.tell(
            DnsAnswered(at=self._world.now(), name=name, rdtype=str(rdtype), source=source, answer=answer)
        )


def _literal(servers: Sequence[Address]) -> list[Address]:
    """*servers* with their IP addresses in the usual spelling."""
    return [Address(literal_address(host) or host, port) for host, port in servers]


def _answer_text(reply: Reply, rdtype: RdType) -> str:
    if reply.records:
        count = len(reply.records)
        return "1 record" if count == 1 else f"{count} records"
    if reply.rcode == "NXDOMAIN":
        return "no such name"
    return f"no {rdtype} record" if reply.alias is None else f"an alias of {reply.alias}"


def shown_source(source: str) -> str:
    """*source* as a sentence names it: ``192.168.1.53`` for ``192.168.1.53:53/udp``."""
    return source.partition("/")[0].removesuffix(f":{DNS_PORT}")


def dns_servers(config: DnsConfig, world: World) -> list[Address]:
    """The DNS servers to ask: the cfg's, else the machine's own."""
    return configured_servers(config) or world.nameservers()


def configured_servers(config: DnsConfig) -> list[Address]:
    """The DNS servers that the cfg names (``static.network.primary_dns``, ``secondary_dns``)."""
    given = (text.strip() for text in (config.primary, config.secondary))
    return [Address(literal_address(text) or text, DNS_PORT) for text in given if text]
