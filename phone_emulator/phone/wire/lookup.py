"""From a hop of a line to its targets: DNS with the keys of the account (D1-D4, D6, D7)."""

from __future__ import annotations

from collections.abc import Sequence

from phone_emulator.config.model import AccountConfig
from phone_emulator.dns import Resolver, locate
from phone_emulator.events import Target
from phone_emulator.redundancy import Hop


async def targets_of(
    resolver: Resolver, account: AccountConfig, hop: Hop, *, sources: Sequence[str] = ()
) -> list[Target]:
    """The targets of *hop*, primary first; raises Unresolved.

    Args:
        resolver: of the phone.
        account: of the line, for its DNS keys and its own static records.
        hop: a server, an outbound proxy, or the next hop of a dialog.
        sources: the phone's own addresses: they tell which IP versions it has.
    """
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
        sources=sources,
    )
    return located.targets
