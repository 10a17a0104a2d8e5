"""The embedded servers for somebody's cfg files: one at every target that the files and the zone lead to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import PhoneConfig
from phone_emulator.dns import Resolver
from phone_emulator.events import Address, Bus, Target, Transport
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.lab import DEFAULT_TRANSPORTS, Place
from phone_emulator.lab.nameserver import NameServer
from phone_emulator.lab.plans import ALL_TRANSPORTS, SIMULATED_DNS
from phone_emulator.lab.zone import Zone, parse_zone
from phone_emulator.redundancy import hops
from phone_emulator.world import SimulatedWorld

from .targets import HopTargets, targets_of_lines

CALLEE = "callee"
"""Whom ``--down callee=busy`` is about."""


@dataclass(frozen=True, slots=True)
class Places:
    """The servers, and the names that they go by."""

    places: tuple[Place, ...]
    names: dict[str, str]
    """The name of a place, by each role that it has: one server can be primary and fallback."""
    callee: CalleeBehaviour = CalleeBehaviour.ANSWER

    def down(self, wishes: Iterable[tuple[str, str]]) -> Places:
        """The same with behaviours, each (role, behaviour); raises click.BadParameter."""
        callee = self.callee
        places = {place.name: place for place in self.places}
        for role, wish in wishes:
            try:
                if role == CALLEE:
                    callee = CalleeBehaviour.parse(wish)
                    continue
                behaviour = Behaviour.parse(wish)
            except ValueError as error:
                raise click.BadParameter(f"{role}: {error}", param_hint="'--down'") from None
            if role not in self.names:
                known = ", ".join([*self.names, CALLEE])
                raise click.BadParameter(f"there is no server {role!r} here: {known}", param_hint="'--down'")
            name = self.names[role]
            if wrong := behaviour.why_not(places[name].transports):
                raise click.BadParameter(f"{role}: {wrong}", param_hint="'--down'")
            places[name] = dataclasses.replace(places[name], behaviour=behaviour)
        return Places(tuple(places.values()), self.names, callee)


def places_of(config: PhoneConfig, zone: Zone, *, every_transport: bool = False) -> Places:
    """A server at every target of *config*, found as the phone finds it, with *zone* as the DNS.

    Roles of the first line are plain names; another line's servers are ``line-2-primary`` and so on, unless
    they are the same.

    Args:
        config: of the phone.
        zone: what the name server says.
        every_transport: whether servers speak all transports, also those that the files do not ask for.
    """
    places: list[Place] = []
    names: dict[str, str] = {}
    for found in _ask(config, zone):
        first_line = found.account.index == config.lines[0].index
        for target in found.targets:
            role = target.role if first_line else f"line-{found.account.index}-{target.role}"
            place = _place(places, target, role, every_transport)
            names[role] = place.name
    return Places(tuple(places), names)


def _place(places: list[Place], target: Target, role: str, every_transport: bool) -> Place:
    """The place of *target* among *places*, added or extended as needed."""
    tls = target.transport is Transport.TLS
    for position, place in enumerate(places):
        if place.address != target.address:
            continue
        serves_tls = Transport.TLS in place.transports
        if (place.tls_port == target.port and serves_tls) if tls else place.port == target.port:
            return place
        if tls and not serves_tls:
            places[position] = dataclasses.replace(place, transports=ALL_TRANSPORTS, tls_port=target.port)
            return places[position]
    if tls:
        port = 5060 if target.port != 5060 else 5061
        place = Place(
            name=role, address=target.address, port=port, tls_port=target.port, transports=ALL_TRANSPORTS
        )
    else:
        transports = ALL_TRANSPORTS if every_transport else DEFAULT_TRANSPORTS
        tls_port = 5061 if target.port == 5060 else min(target.port + 1, 65535)
        place = Place(
            name=role, address=target.address, port=target.port, tls_port=tls_port, transports=transports
        )
    places.append(place)
    return place


def _ask(config: PhoneConfig, zone: Zone) -> Sequence[HopTargets]:
    """Look every server up in a simulated world that has nothing but the name server."""
    address = Address(SIMULATED_DNS, 53)
    world = SimulatedWorld(nameservers=[address])

    async def ask() -> list[HopTargets]:
        nameserver = NameServer(world, address, zone)
        await nameserver.start()
        try:
            return await targets_of_lines(config, Resolver(world, [address], config.dns, bus=Bus()))
        finally:
            await nameserver.stop()

    return world.run(ask())


def guide_zone(config: PhoneConfig) -> Zone:
    """A zone in the manner of the guide's example: two servers behind each name that *config* has."""
    servers = [hop.host for account in config.lines for hop in hops(account)]
    taken = {host for host in servers if is_ip(host)}
    free = (f"192.168.1.{last}" for last in range(13, 250) if f"192.168.1.{last}" not in taken)
    names = dict.fromkeys(host.rstrip(".").lower() for host in servers if not is_ip(host))
    text = "".join(_guide_records(name, next(free), next(free)) for name in names)
    return parse_zone(text, file="the lab's zone")


def _guide_records(name: str, primary: str, secondary: str) -> str:
    lines = []
    for order, (service, prefix, port) in enumerate(
        (("SIP+D2U", "_sip._udp", 5060), ("SIP+D2T", "_sip._tcp", 5060), ("SIPS+D2T", "_sips._tcp", 5061)), 1
    ):
        lines.append(f'{name}. 300 IN NAPTR {order}0 10 "s" "{service}" "" {prefix}.{name}.')
        lines.append(f"{prefix}.{name}. 300 IN SRV 1 10 {port} srv1.{name}.")
        lines.append(f"{prefix}.{name}. 300 IN SRV 2 10 {port} srv2.{name}.")
    for address, server in ((primary, "srv1"), (secondary, "srv2")):
        lines.append(f"{server}.{name}. 300 IN A {address}")
        lines.append(f"{name}. 300 IN A {address}")
    return "\n".join(lines) + "\n"
