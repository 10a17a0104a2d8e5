"""Requests that are too large for UDP go over TCP (RFC 3261 section 18.1.1): the way there, and back.

A datagram that is larger than the path carries at once is cut to pieces by IP, and whoever loses one piece
loses all: firewalls do. Where the peer takes no TCP, the request goes over UDP after all.
"""

from __future__ import annotations

from phone_emulator.events import Address, Transport
from phone_emulator.world.base import ConnectFailed, World

from .flow import Flow
from .transport import TransportLayer

TCP_PATIENCE = 4
"""Times T1: how long a request waits for the TCP connection before it goes over UDP."""
NO_TCP_FOR = 300.0
"""Seconds during which large requests to a place that took no TCP go over UDP at once."""
MAX_PLACES = 1000
"""Places that are remembered for that."""


class Detours:
    """The ways around UDP of one endpoint.

    Args:
        world: its clock.
        transports: makes the connections.
        patience: seconds that a connection may take.
    """

    def __init__(self, world: World, transports: TransportLayer, patience: float) -> None:
        self._world = world
        self._transports = transports
        self._patience = patience
        self._no_tcp: dict[Address, tuple[float, str]] = {}
        """Until when no TCP is tried there, and why."""

    async def find(self, flow: Flow, size: int) -> tuple[Flow, str]:
        """The flow for a request of *size* bytes that was meant for *flow*, over UDP, and why, for people."""
        until, why = self._no_tcp.get(flow.remote, (0.0, ""))
        if until <= self._world.now():
            try:
                way = await self._transports.flow(Transport.TCP, flow.remote, within=self._patience)
            except (TimeoutError, ConnectFailed) as error:
                return self.back(flow, size, str(error) or f"no connection within {self._patience:.1f} s")
            return way, f"over TCP: its {size} bytes are too many for UDP"
        return _datagrams(flow, size, why)

    def back(self, flow: Flow, size: int, why: str) -> tuple[Flow, str]:
        """The same where TCP has failed, for the reason *why*."""
        if len(self._no_tcp) >= MAX_PLACES and flow.remote not in self._no_tcp:
            self._no_tcp.pop(next(iter(self._no_tcp)))
        self._no_tcp[flow.remote] = self._world.now() + NO_TCP_FOR, why
        return _datagrams(flow, size, why)


def _datagrams(flow: Flow, size: int, why: str) -> tuple[Flow, str]:
    way = Flow(Transport.UDP, flow.local, flow.remote, any_size=True)
    return way, f"over UDP with its {size} bytes, since TCP failed: {why}"
