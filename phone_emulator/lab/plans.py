"""Where a lab's servers stand: at the files' own addresses, or moved to loopback."""

from __future__ import annotations

import dataclasses
import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from phone_emulator.config import Loaded, load_text
from phone_emulator.config.model import PhoneConfig
from phone_emulator.dns import configured_servers
from phone_emulator.events import Address, Transport
from phone_emulator.lab.behaviour import CalleeBehaviour
from phone_emulator.lab.lab import Place, Plan, free_address, last_number, relocate
from phone_emulator.lab.zone import Zone, parse_zone
from phone_emulator.scarcity import is_scarce, numbered
from phone_emulator.world import reasons
from phone_emulator.world.base import WorldError

SIMULATED_DNS = "192.0.2.53"
SIMULATED_PHONE = "192.168.1.21"
DEFAULT_PORT = 5060
"""Of the phone, where its files name none."""
SIMULATED_CALLEE = "192.0.2.100"
"""Addresses that no file uses: RFC 5737 keeps them for documentation."""
LOOPBACK_DNS_PORT = 5300
"""Not 53, which needs privileges, nor 5353, which mDNS holds on many desktops."""
SINGLE = "127.0.0.1"
SINGLE_PHONE_PORT = 5062
ALL_TRANSPORTS = (Transport.UDP, Transport.TCP, Transport.TLS)

EXAMPLE_DOMAIN = "yealink.pbx.com"
EXAMPLE_PLACES = tuple(
    Place(name=name, address=address, transports=ALL_TRANSPORTS)
    for name, address in (
        ("primary", "192.168.1.13"),
        ("secondary", "192.168.1.14"),
        ("fallback", "192.168.1.15"),
    )
)
"""The guide's example: two servers behind a domain, and the fallback server."""
EXAMPLE_ZONE = f"""\
{EXAMPLE_DOMAIN}. 300 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.{EXAMPLE_DOMAIN}.
{EXAMPLE_DOMAIN}. 300 IN NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp.{EXAMPLE_DOMAIN}.
{EXAMPLE_DOMAIN}. 300 IN NAPTR 30 10 "s" "SIPS+D2T" "" _sips._tcp.{EXAMPLE_DOMAIN}.
_sip._udp.{EXAMPLE_DOMAIN}. 300 IN SRV 1 10 5060 srv1.{EXAMPLE_DOMAIN}.
_sip._udp.{EXAMPLE_DOMAIN}. 300 IN SRV 2 10 5060 srv2.{EXAMPLE_DOMAIN}.
_sip._tcp.{EXAMPLE_DOMAIN}. 300 IN SRV 1 10 5060 srv1.{EXAMPLE_DOMAIN}.
_sip._tcp.{EXAMPLE_DOMAIN}. 300 IN SRV 2 10 5060 srv2.{EXAMPLE_DOMAIN}.
_sips._tcp.{EXAMPLE_DOMAIN}. 300 IN SRV 1 10 5061 srv1.{EXAMPLE_DOMAIN}.
_sips._tcp.{EXAMPLE_DOMAIN}. 300 IN SRV 2 10 5061 srv2.{EXAMPLE_DOMAIN}.
{EXAMPLE_DOMAIN}. 300 IN A 192.168.1.13
{EXAMPLE_DOMAIN}. 300 IN A 192.168.1.14
srv1.{EXAMPLE_DOMAIN}. 300 IN A 192.168.1.13
srv2.{EXAMPLE_DOMAIN}. 300 IN A 192.168.1.14
"""
EXAMPLE_CFG = f"""\
#!version:1.0.0.1
account.1.enable = 1
account.1.label = 1001
account.1.display_name = Alice
account.1.user_name = 1001
account.1.auth_name = 1001
account.1.password = lab-secret
account.1.sip_server.1.address = {EXAMPLE_DOMAIN}
account.1.sip_server.1.port = 0
account.1.sip_server.1.transport_type = 3
account.1.sip_server.2.address = 192.168.1.15
account.1.sip_server.2.port = 5060
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A plan, and the configuration of the phone that fits it."""

    plan: Plan
    config: PhoneConfig


def example_config(overrides: Sequence[str] = ()) -> PhoneConfig:
    """The guide's example phone, which the embedded lab is for."""
    return example(overrides).config


def example(overrides: Sequence[str] = ()) -> Loaded:
    """As `example_config`, with what was odd about *overrides*."""
    return load_text(EXAMPLE_CFG, "the embedded lab's phone", overrides)


def example_zone() -> Zone:
    """The guide's example zone."""
    return parse_zone(EXAMPLE_ZONE, file="the embedded lab's zone")


def simulated(
    config: PhoneConfig,
    places: Sequence[Place],
    zone: Zone,
    callee: CalleeBehaviour = CalleeBehaviour.ANSWER,
    phone_host: str = "",
) -> Stage:
    """A lab for the simulated world: everything at the address that the files name."""
    taken = {place.address for place in places}
    named = tuple(configured_servers(config.dns))
    phone = phone_host or free_address(SIMULATED_PHONE, taken)
    plan = Plan(
        places=tuple(places),
        zone=zone,
        nameservers=named or (Address(free_address(SIMULATED_DNS, taken), 53),),
        phone=Address(phone, config.listen_port or DEFAULT_PORT),
        callee=Address(free_address(SIMULATED_CALLEE, taken), 5060),
        callee_behaviour=callee,
    )
    return Stage(plan, config)


def loopback(
    config: PhoneConfig,
    places: Sequence[Place],
    zone: Zone,
    callee: CalleeBehaviour = CalleeBehaviour.ANSWER,
    phone_host: str = "",
    single: bool | None = None,
) -> Stage:
    """A lab on loopback: 192.168.1.13 becomes 127.0.0.13, and so on, in the files' meaning too.

    Args:
        config: of the phone; literal server addresses in it are moved.
        places: the servers at the files' own addresses.
        zone: its address records (and, on a single address, its SRV ports) are moved.
        callee: what called users do.
        phone_host: the phone's own address; the servers take its network.
        single: whether there is only 127.0.0.1; None finds out.

    Raises:
        WorldError: *phone_host* is no address of 127.0.0.0/8.
    """
    if phone_host and not phone_host.startswith("127."):
        raise WorldError(f"the lab is on IPv4 loopback: {phone_host} is no address such as 127.0.0.21")
    if single is None:
        single = not _has_loopback_net()
    if single:
        return _on_one_address(config, places, zone, callee)
    network = (phone_host or "127.0.0.21").rsplit(".", 1)[0]
    own = phone_host or f"{network}.21"
    taken = {own, f"{network}.53", f"{network}.100", f"{network}.1", f"{network}.0", f"{network}.255"}
    hosts: dict[str, str] = {}
    for place in places:
        if place.address not in hosts:
            hosts[place.address] = free_address(f"{network}.{last_number(place.address)}", taken)
            taken.add(hosts[place.address])
    moved = tuple(dataclasses.replace(place, address=hosts[place.address]) for place in places)
    ports = {server.address: server.port for account in config.accounts for server in account.servers}
    ports |= {proxy.address: proxy.port for account in config.accounts for proxy in account.proxies}
    plan = Plan(
        places=moved,
        zone=zone.map_addresses(hosts),
        nameservers=(Address(f"{network}.53", LOOPBACK_DNS_PORT),),
        phone=Address(own, config.listen_port or DEFAULT_PORT),
        callee=Address(f"{network}.100", 5060),
        callee_behaviour=callee,
    )
    return Stage(
        plan, relocate(config, {old: Address(new, ports.get(old, 5060)) for old, new in hosts.items()})
    )


def _on_one_address(
    config: PhoneConfig, places: Sequence[Place], zone: Zone, callee: CalleeBehaviour
) -> Stage:
    """Everything at 127.0.0.1, told apart by ports, which SRV records give."""
    moved: list[Place] = []
    services: dict[Address, Address] = {}
    for position, place in enumerate(places):
        port = 5070 + 10 * position
        services[Address(place.address, place.port)] = Address(SINGLE, port)
        services[Address(place.address, place.tls_port)] = Address(SINGLE, port + 1)
        moved.append(dataclasses.replace(place, address=SINGLE, port=port, tls_port=port + 1))
    literal = {place.address: Address(SINGLE, new.port) for place, new in zip(places, moved, strict=True)}
    # One address stands for three machines here: D5 would pass over all but the first.
    own = dataclasses.replace(relocate(config, literal), skip_redundant_failover_addr=False)
    plan = Plan(
        places=tuple(moved),
        zone=zone.map_services(services),
        nameservers=(Address(SINGLE, LOOPBACK_DNS_PORT),),
        phone=Address(SINGLE, SINGLE_PHONE_PORT),
        callee=Address(SINGLE, 5064),
        callee_behaviour=callee,
        phone_port=SINGLE_PHONE_PORT,
    )
    return Stage(plan, own)


def _has_loopback_net() -> bool:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.13", 0))
    except OSError as error:
        if is_scarce(error) and error.errno != errno.EADDRNOTAVAIL:
            why = f"cannot look for the addresses of loopback: {reasons.in_words(error)}"
            raise numbered(WorldError(why), error) from None
        return False
    return True
