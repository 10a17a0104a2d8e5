"""The servers of a line, as places to send to."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.config.model import (
    AccountConfig,
    FailoverConfig,
    RedundancyType,
    ServerConfig,
    TransportType,
)
from phone_emulator.events import Transport


@dataclass(frozen=True, slots=True)
class Hop:
    """Where the requests for one SIP server go: the server itself, or the outbound proxy before it (O1)."""

    server: int
    """1 or 2."""
    host: str
    """The name or address that is looked up."""
    port: int
    transport_type: TransportType
    failover: FailoverConfig
    identity: ServerConfig
    """The SIP server that Request-URI, From and To name."""
    proxy: bool = False
    """Whether this is an outbound proxy."""

    @property
    def transport(self) -> Transport:
        """Over which it is asked where no record says another (D1)."""
        return self.transport_type.transport

    @property
    def keys(self) -> str:
        """What its cfg keys begin with, below ``account.X``: ``sip_server.1``."""
        return f"{'outbound_proxy' if self.proxy else 'sip_server'}.{self.server}"

    def keys_of(self, *names: str) -> tuple[str, ...]:
        """The keys *names* of its own; a proxy's, and then the server's that it takes them from (O2)."""
        prefixes = (self.keys, f"sip_server.{self.identity.number}") if self.proxy else (self.keys,)
        return tuple(f"{prefix}.{name}" for prefix in prefixes for name in names)


def hops(account: AccountConfig) -> tuple[Hop, ...]:
    """The hops of *account*, in order of their number (C12: one is enough; O1: proxies instead)."""
    servers = {server.number: server for server in account.servers}
    if not servers:
        return ()
    first = next(iter(servers.values()))
    if account.outbound_proxy_enable and account.proxies:
        identities = (servers.get(proxy.number, first) for proxy in account.proxies)
        return tuple(
            Hop(
                proxy.number,
                proxy.address,
                proxy.port,
                identity.transport_type,
                proxy.failover,
                identity,
                proxy=True,
            )
            for proxy, identity in zip(account.proxies, identities, strict=True)
        )
    return tuple(
        Hop(server.number, server.address, server.port, server.transport_type, server.failover, server)
        for server in account.servers
    )


def successive(account: AccountConfig) -> bool:
    """Whether only one server is registered at a time (R4; always so between two outbound proxies, O3)."""
    through_proxies = account.outbound_proxy_enable and len(account.proxies) > 1
    return through_proxies or account.redundancy_type is RedundancyType.SUCCESSIVE


def server_order(account: AccountConfig, registered_server: int | None) -> tuple[Hop, ...]:
    """The hops in the order in which a new call tries them.

    Server 1 first, then server 2 (C1), but server 2 first while it holds the only registration of a
    successive line (R5).

    Args:
        account: the line.
        registered_server: the server of the line's working registration, or None.
    """
    found = hops(account)
    if successive(account) and registered_server == 2:
        return tuple(sorted(found, key=lambda hop: hop.server != 2))
    return found
