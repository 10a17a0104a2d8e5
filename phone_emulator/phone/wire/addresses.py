"""The phone's own addresses: one, or one of each IP version."""

from __future__ import annotations

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import Address
from phone_emulator.world.base import World, WorldError

ANYWHERE = {False: "192.0.2.1", True: "2001:db8::1"}
"""Addresses whose route tells the phone's own, where no server's does; by whether they are IPv6."""
IPV4, IPV6, BOTH = 0, 1, 2
"""Values of ``static.network.ip_address_mode``."""


def own_addresses(
    config: PhoneConfig, world: World, given: str, nameservers: list[Address]
) -> tuple[str, str]:
    """The phone's address, and that of the other IP version (empty for none); raises WorldError.

    Args:
        config: its servers, and ``static.network.ip_address_mode``.
        world: knows the routes.
        given: what the user says, by commas; empty lets the routes decide.
        nameservers: of the phone; the next to ask for a route where no server has an address of its own.
    """
    if given:
        hosts = [host.strip() for host in given.split(",")]
        if len(hosts) > 2 or len({":" in host for host in hosts}) < len(hosts):
            raise WorldError(f"{given}: a phone has one IPv4 and one IPv6 address at most")
        return hosts[0], "".join(hosts[1:])
    literals = [server.address for account in config.lines for server in account.servers]
    known = [*filter(is_ip, literals), *(address.host for address in nameservers)]
    if config.ip_address_mode is None:
        return world.local_address_for([*known, ANYWHERE[False]][0]), ""
    if config.ip_address_mode != BOTH:
        return _own(world, known, ipv6=config.ip_address_mode == IPV6), ""
    found, problem = [], ""
    for ipv6 in (False, True):
        try:
            found.append(_own(world, known, ipv6=ipv6))
        except WorldError as error:
            problem = problem or str(error)
    if not found:
        raise WorldError(problem)
    return found[0], "".join(found[1:])


def _own(world: World, known: list[str], *, ipv6: bool) -> str:
    reference = next((host for host in known if (":" in host) is ipv6), ANYWHERE[ipv6])
    return world.local_address_for(reference)
