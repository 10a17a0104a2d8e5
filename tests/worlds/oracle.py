"""Which targets a server has, told from the drawn records alone: rules D1 to D4 once more."""

from __future__ import annotations

from phone_emulator.config.catalogue import is_ip
from phone_emulator.redundancy import Hop
from tests.worlds.world import Domain, World

Place = tuple[str, int, str]
"""Address, port, transport."""
Rank = tuple[int, int]
"""Targets of a lower rank come first; those of an equal one in any order."""
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}


def ranked(world: World, hop: Hop) -> dict[Place, Rank]:
    """The targets of *hop*, each with its rank; none where the name does not resolve."""
    configured = {0: "udp", 1: "tcp", 2: "tls", 3: "udp"}[int(hop.transport_type)]
    port = hop.port or PORTS[configured]
    if is_ip(hop.host):
        return {(hop.host, port, configured): (0, 0)}
    domain = next((each for each in world.domains if each.name == hop.host), Domain(hop.host))
    if hop.port or hop.transport_type != 3:
        return _in_order(domain.own, port, configured)
    offered = [transport for transport in domain.naptr if _reachable(domain, transport)]
    build = world.setting("account.1.naptr_build") == "1"
    asked = offered or [each for each in (PORTS if build else ("udp",)) if domain.srv.get(each)]
    for transport in asked:
        found = _behind_srv(domain, transport)
        if found:
            return found
    return {} if asked else _in_order(domain.own, 5060, "udp")


def _in_order(addresses: tuple[str, ...], port: int, transport: str) -> dict[Place, Rank]:
    return {(address, port, transport): (0, place) for place, address in enumerate(addresses)}


def _reachable(domain: Domain, transport: str) -> bool:
    return bool(_behind_srv(domain, transport))


def _behind_srv(domain: Domain, transport: str) -> dict[Place, Rank]:
    found: dict[Place, Rank] = {}
    for record in domain.srv.get(transport, ()):
        rank = (record.priority, -record.weight)
        for address in domain.hosts.get(record.host, ()):
            place = (address, PORTS[transport], transport)
            found[place] = min(found.get(place, rank), rank)
    return found
