"""A simulated world with name servers, for the tests of the resolver and of what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from phone_emulator.config.model import DnsConfig
from phone_emulator.dns import Resolver
from phone_emulator.events import Address, Bus, DnsAnswered, Event
from phone_emulator.lab.nameserver import NameServer
from phone_emulator.lab.zone import parse_zone
from phone_emulator.world import SimulatedWorld

FIRST, SECOND = Address("192.168.1.53", 53), Address("192.168.1.54", 53)


class Lab:
    """A simulated world, a resolver in it, and what the resolver told."""

    def __init__(self) -> None:
        self.world = SimulatedWorld(seed=1)
        self.bus = Bus()
        self.told: list[DnsAnswered] = []
        self.bus.subscribe(self._hear)

    def _hear(self, event: Event) -> None:
        assert isinstance(event, DnsAnswered)
        self.told.append(event)

    async def serve(self, zone: str, address: Address = FIRST) -> NameServer:
        """Start a name server with *zone*, in master-file form."""
        server = NameServer(self.world, address, parse_zone(zone))
        await server.start()
        return server

    def resolver(
        self, servers: Sequence[Address] = (FIRST,), config: DnsConfig | None = None, source_host: str = ""
    ) -> Resolver:
        """A resolver that asks *servers*."""
        return Resolver(self.world, servers, config or DnsConfig(), bus=self.bus, source_host=source_host)

    def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run *main* in the world; afterwards no socket of the phone's may be open."""
        self.world.run(main())
        phone = self.world.network.host("192.168.1.21")
        assert not phone.udp
        assert not phone.streams

    @property
    def asked(self) -> list[str]:
        """What was asked of servers (not of the cache, not of static records): ``A srv1.pbx.com``."""
        return [f"{event.rdtype} {event.name}" for event in self.told if "/" in event.source]


@pytest.fixture
def lab() -> Lab:
    return Lab()
