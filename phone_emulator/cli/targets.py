"""Where the servers of each line are, as DNS says; no SIP is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.dns import Resolver, Unresolved
from phone_emulator.events import Target
from phone_emulator.phone.wire.lookup import targets_of
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
    config: PhoneConfig, resolver: Resolver, *, sources: Sequence[str] = ()
) -> list[HopTargets]:
    """The targets of every server of every enabled line."""
    found = []
    for account in config.lines:
        for hop in hops(account):
            try:
                targets = await targets_of(resolver, account, hop, sources=sources)
            except Unresolved as error:
                found.append(HopTargets(account, hop, [], str(error)))
            else:
                found.append(HopTargets(account, hop, targets))
    return found
