"""A phone of pbx.test, with a zone that each test writes and a server at every address in it.

Servers and targets are named by the end of their address: ``.11`` is 192.168.1.11, ``::11`` is fd00::11, and
``.11:5070`` is a second server on the same machine.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from textwrap import dedent

from phone_emulator.config import load_text
from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import Address, Attempt, Bus, DnsAnswered, Event, Transport
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.lab.lab import Lab, Place
from phone_emulator.lab.zone import Zone, parse_zone
from phone_emulator.phone import Phone
from phone_emulator.world import SimulatedWorld

DOMAIN = "pbx.test"
CFG = f"""\
account.1.enable = 1
account.1.user_name = 1001
account.1.password = guide-Example-7
account.1.sip_server.1.address = {DOMAIN}
account.1.sip_server.1.port = 0
account.1.sip_server.1.transport_type = 3
"""
NETWORKS = {4: "192.168.1.", 6: "fd00::"}
OWN = {4: "192.168.1.21", 6: "fd00::21"}
EVERY_TRANSPORT = (Transport.UDP, Transport.TCP, Transport.TLS)
_HOST = re.compile(r"\s(A|AAAA)\s+(\S+)\s*$", re.MULTILINE)
_SRV_PORT = re.compile(r"\sSRV\s+\d+\s+\d+\s+(\d+)\s")


@cache
def zone_of(records: str) -> Zone:
    """The zone pbx.test with *records* in master-file form; a TTL that none states is an hour."""
    lines = "\n".join(line.strip() for line in dedent(records).strip().splitlines())
    return parse_zone(f"$ORIGIN {DOMAIN}.\n$TTL 3600\n{lines}\n")


@cache
def config_of(overrides: tuple[str, ...]) -> PhoneConfig:
    """The phone, with cfg keys changed: each ``KEY=VALUE``."""
    return load_text(CFG, overrides=overrides).config


def short(address: str, port: int = 0) -> str:
    """``.11`` or ``::11``, with a port that is no default one."""
    name = f"::{address.rpartition('::')[2]}" if ":" in address else f".{address.rpartition('.')[2]}"
    return name if port in (0, 5060, 5061) else f"{name}:{port}"


def shown(attempt: Attempt) -> str:
    """``primary .11/udp no-response``, or ``rejected 404``."""
    target = attempt.target
    place = f" {short(target.address, target.port)}/{target.transport}" if target.address else ""
    status = f" {attempt.status}" if attempt.outcome == "rejected" else ""
    return f"{target.role}{place} {attempt.outcome}{status}"


def ladder(text: str) -> list[str]:
    """The lines of *text*, however they are aligned."""
    return [" ".join(line.split()) for line in text.strip().splitlines()]


@dataclass(slots=True)
class Site:
    """What a story plays on."""

    world: SimulatedWorld
    lab: Lab
    phone: Phone
    events: list[Event]

    async def dial(self) -> list[str]:
        """Call, wait for the result, hang up; the route."""
        call = self.phone.dial("1002")
        await call.settled()
        await call.hang_up()
        return [shown(attempt) for attempt in call.route]

    async def register(self) -> list[str]:
        """Register line 1 until the end of its first cycle; the route."""
        await self.phone.register()
        return [shown(attempt) for attempt in self.phone.line(1).bindings.attempts]

    async def behave(self, name: str, behaviour: object) -> None:
        """The server *name* behaves like that from now on."""
        await self.lab.behave(name, Behaviour.parse(behaviour))

    def asked(self) -> list[str]:
        """What was looked up since the last time, and who told: ``A a.pbx.test: cache``."""
        found = [
            f"{event.rdtype} {event.name}: {event.source}"
            for event in self.events
            if isinstance(event, DnsAnswered)
        ]
        self.events.clear()
        return found


Story = Callable[[Site], Awaitable[None]]


def play(
    story: Story,
    records: str,
    settings: Mapping[str, object] | None = None,
    *,
    down: Mapping[str, object] | None = None,
    version: int = 4,
    nameservers: Sequence[str] | None = None,
    ca_pem: str | None = None,
) -> None:
    """Play *story* with a phone whose server 1 is pbx.test, with port 0 and transport_type 3.

    Args:
        story: what happens.
        records: of the zone.
        settings: cfg keys over that.
        down: how servers behave at first; ``absent`` is a machine that is not there at all.
        version: of IP, that the phone's own address has.
        nameservers: the DNS servers of the machine; None for the lab's own.
        ca_pem: what the phone trusts; None for the lab's own CA.
    """
    config = config_of(tuple(f"{key}={value}" for key, value in (settings or {}).items()))
    behaviours = dict(down or {})
    places = [
        Place(
            name=short(address, port),
            address=address,
            port=port,
            tls_port=5061 if port == 5060 else port + 1,
            transports=EVERY_TRANSPORT,
            behaviour=Behaviour.parse(behaviour),
        )
        for address, port in servers_in(records)
        if (behaviour := behaviours.pop(short(address, port), "ok")) != "absent"
    ]
    assert not behaviours, f"no such servers: {behaviours}"
    made = plans.simulated(config, places, zone_of(records), phone_host=OWN[version])
    callee = Address(NETWORKS[version] + "100", 5060)
    plan = dataclasses.replace(made.plan, callee=callee)
    machine = plan.nameservers if nameservers is None else [Address(host, 53) for host in nameservers]
    world = SimulatedWorld(1, machine)
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)
    lab = Lab(world, plan, config, bus)
    options = lab.phone_options(Phone(config, world).options)
    options = dataclasses.replace(options, nameservers=(), ca_pem=ca_pem or options.ca_pem)
    phone = Phone(config, world, bus, options)

    async def main() -> None:
        await lab.start()
        await phone.start()
        await story(Site(world, lab, phone, events))
        await phone.stop(unregister=False)
        await lab.stop()

    world.run(main())


def servers_in(records: str) -> list[tuple[str, int]]:
    """Every address in *records*, and again for each port of an SRV record beside 5060 and 5061."""
    hosts = dict.fromkeys(address for _, address in _HOST.findall(records))
    others = {int(port) for port in _SRV_PORT.findall(records)} - {0, 5060, 5061}
    return [(host, port) for host in hosts for port in (5060, *sorted(others))]
