"""Where the servers of each line are, as DNS says; no SIP is sent."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.dns import Resolver, Unresolved, locate
from phone_emulator.events import Target
from phone_emulator.redundancy import Hop, hops


@dataclass(frozen=True, slots=True)
class HopTargets:
    """One server (or outbound proxy) of a line."""

    account: AccountConfig
    hop: Hop
    targets: list[Target]
    """In order; empty where the name gave none."""
    problem: str = ""
    """Why there are none, for people."""


async def targets_of_lines(
    config: PhoneConfig, resolver: Resolver, *, ipv6: bool = False
) -> list[HopTargets]:
    """The targets of every server of every enabled line."""
    found = []
    for account in config.lines:
        for hop in hops(account):
            try:
                located = await locate(
                    resolver,
                    server=hop.server,
                    host=hop.host,
                    port=hop.port,
                    transport_type=hop.transport_type,
                    naptr_build=account.naptr_build,
                    dns_cache_type=account.dns_cache_type,
                    static_cache_pri=account.static_cache_pri,
                    account=account.index,
                    ipv6=ipv6,
                )
            except Unresolved as error:
                found.append(HopTargets(account, hop, [], str(error)))
            else:
                found.append(HopTargets(account, hop, located.targets))
    return found
