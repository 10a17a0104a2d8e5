"""The simulated world's network: hosts by IP address, and datagrams between them.

A datagram to an address that nobody owns vanishes; one to a host without a socket on that port draws an ICMP
port unreachable. Everything is delivered by the event loop, never from within `send`, and in the order of
sending unless a host reorders. All dice are the world's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from phone_emulator.events import Address

from . import reasons
from .address import canonical, is_any, is_ipv6, unsendable
from .base import Accept, DatagramReceiver, PortInUse, SendFailed, TlsServer, WorldError
from .chance import Chance

LARGEST_DATAGRAM = 65507
"""Bytes of payload (RFC 768 over IPv4)."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What befalls datagrams on one way."""

    loss: float = 0.0
    """The probability that one gets lost."""
    duplicate: float = 0.0
    """The probability that one comes twice."""
    reorder: float = 0.0
    """The probability that one is late by REORDER_DELAY."""
    delay: float = 0.0
    """Seconds that each takes longer."""


QUOTED = 520
"""Bytes of a datagram that an ICMP error quotes (RFC 1812 section 4.3.2.3: 576 with all headers)."""

REORDER_DELAY = 0.05
"""Seconds by which a reordered datagram comes later, so that those sent in the meantime overtake it."""

_EPHEMERAL = range(49152, 65536)


class HostListener(Protocol):
    """A listening socket, as its host knows it."""

    accept: Accept
    tls: TlsServer | None
    dscp: int


class HostStream(Protocol):
    """One end of a connection, as its host knows it."""

    dscp: int

    @property
    def local(self) -> Address:
        """This end."""

    @property
    def remote(self) -> Address:
        """The other end."""

    def close(self) -> None:
        """Close in order."""

    def resume(self) -> None:
        """The host can be reached again: send what waits."""


class Host:
    """One IP address of the network and its switches, which may be set while the simulation runs.

    ``latency`` (seconds, one way), ``loss``, ``duplicate`` and ``reorder`` (probabilities, of datagrams: TCP
    mends them itself) hold for what leaves the host and what comes to it; None takes the network's.
    """

    def __init__(self, network: Network, address: str) -> None:
        self.network = network
        self.address = address
        self.latency: float | None = None
        self.loss: float | None = None
        self.duplicate: float | None = None
        self.reorder: float | None = None
        self.udp: dict[int, SimulatedDatagramSocket] = {}
        self.listeners: dict[int, HostListener] = {}
        self.streams: set[HostStream] = set()
        self._up = True
        self._there = True
        self._reachable = True
        self._next_port = {"udp": _EPHEMERAL.start, "tcp": _EPHEMERAL.start}

    @property
    def up(self) -> bool:
        """False: packets vanish both ways; connects hang, open streams fall silent until it is up again."""
        return self._up and self._there

    @up.setter
    def up(self, up: bool) -> None:
        self._up = up
        self._resume_streams()

    @property
    def there(self) -> bool:
        """False: no machine has the address. As where it is not `up`, and its own sockets cannot send."""
        return self._there

    @there.setter
    def there(self, there: bool) -> None:
        self._there = there
        self._resume_streams()

    @property
    def reachable(self) -> bool:
        """False: what is sent to the host draws an ICMP host unreachable, and connecting fails likewise."""
        return self._reachable

    @reachable.setter
    def reachable(self, reachable: bool) -> None:
        self._reachable = reachable
        self._resume_streams()

    def _resume_streams(self) -> None:
        if self.up and self._reachable:
            for stream in sorted(self.streams, key=lambda stream: (stream.local, stream.remote)):
                stream.resume()

    def free_port(self, protocol: str) -> int:
        """The next ephemeral port of *protocol* (``udp``, ``tcp``); raises WorldError when none is left."""
        taken = self.udp if protocol == "udp" else self.listeners
        for _ in _EPHEMERAL:
            port = self._next_port[protocol]
            self._next_port[protocol] = port + 1 if port + 1 in _EPHEMERAL else _EPHEMERAL.start
            if port not in taken:
                return port
        raise WorldError(reasons.no_port(self.address, protocol))

    def __repr__(self) -> str:
        return f"<Host {self.address}{'' if self.up else ' down'}{'' if self._reachable else ' unreachable'}>"


class Network:
    """All hosts, and what holds for each that says nothing else.

    ``latency``: seconds one way; ``loss``, ``duplicate``, ``reorder``: probabilities.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, dice: Chance, phone: tuple[str, str]) -> None:
        self.loop = loop
        self.random = dice
        self.latency = 0.0
        self.loss = 0.0
        self.duplicate = 0.0
        self.reorder = 0.0
        self.phone = (canonical(phone[0]), canonical(phone[1]))
        self.hosts: dict[str, Host] = {}
        self._ways: dict[tuple[Host, Host], Disturbance] = {}
        self._last_arrival: dict[tuple[Host, Host], float] = {}
        for address in self.phone:
            self.add_host(address)

    def add_host(self, address: str) -> Host:
        """The host at *address*, an IP address, added if it is new; raises WorldError."""
        try:
            address = canonical(address)
        except ValueError as error:
            raise WorldError(str(error)) from None
        return self.hosts.get(address) or self.hosts.setdefault(address, Host(self, address))

    def host(self, address: str) -> Host:
        """The host at *address*; raises LookupError if there is none."""
        host = self.find(address)
        if host is None:
            raise LookupError(f"no host {address} in this network; it has {', '.join(self.hosts)}")
        return host

    def find(self, address: str) -> Host | None:
        """The host at *address*, an IP address, if there is one."""
        return self.hosts.get(canonical(address))

    def local_host(self, address: str, ipv6: bool) -> Host:
        """The host that *address* binds to; the phone's if it is empty or unspecified. Raises WorldError."""
        if not address:
            return self.host(self.phone[ipv6])
        try:
            host = self.host(self.phone[is_ipv6(address)]) if is_any(address) else self.add_host(address)
        except ValueError as error:
            raise WorldError(str(error)) from None
        if not host.there:
            raise WorldError(reasons.no_such_address(host.address))
        return host

    def readdress(self, before: str, after: str) -> None:
        """The machine that has the IP address *before* has *after* instead; empty for none, either way.

        Adds the hosts; raises WorldError for what is no IP address. What was open at *before* falls silent.
        """
        if before:
            self.add_host(before).there = False
        if after:
            host = self.add_host(after)
            host.there = True
            version = is_ipv6(host.address)
            self.phone = (self.phone[0], host.address) if version else (host.address, self.phone[1])

    def open_udp(self, local: Address, receiver: DatagramReceiver, dscp: int = 0) -> SimulatedDatagramSocket:
        """Bind a socket; adds the host. Raises WorldError."""
        host = self.local_host(local.host, is_ipv6(local.host))
        port = local.port or host.free_port("udp")
        bound = Address(host.address, port)
        if port in host.udp:
            raise PortInUse(reasons.in_use(bound, "udp"))
        host.udp[port] = SimulatedDatagramSocket(self, host, bound, receiver, dscp)
        return host.udp[port]

    def latency_between(self, one: Host, other: Host) -> float:
        """Seconds one way: the sum of what the two hosts say, else the network's."""
        said = [host.latency for host in {one, other} if host.latency is not None]
        return sum(said) if said else self.latency

    def disturb(self, source: str, target: str, disturbance: Disturbance | None) -> None:
        """From now on *disturbance* is what befalls datagrams from *source* to *target*, and not back.

        It takes the place of what the hosts and the network say, but for their latency; None gives that back.
        Adds the hosts; raises WorldError for what is no IP address.
        """
        way = self.add_host(source), self.add_host(target)
        if disturbance is None:
            self._ways.pop(way, None)
        else:
            self._ways[way] = disturbance

    def chance(self, what: str, one: Host, other: Host) -> bool:
        """Throw the dice for *what* (``loss``, ``duplicate``, ``reorder``) on the way from *one* to *other*.

        What cannot happen throws none, so that a seeded run stays as it was until something is switched on.
        """
        way = self._ways.get((one, other))
        says = (one, other) if way is None else (way,)
        said = [getattr(each, what) for each in says if getattr(each, what) is not None]
        return any(chance > 0 and self.random.random() < chance for chance in said or [getattr(self, what)])

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> None:
        """Have the loop call *callback* at *when*: in this instant's next round if that is now."""
        if when > self.loop.time():
            self.loop.call_at(when, callback, *args)
        else:
            self.loop.call_soon(callback, *args)

    def send_datagram(self, data: bytes, sender: SimulatedDatagramSocket, remote: Address) -> None:
        """Put *data* on its way from *sender* to *remote*."""
        source, target = sender.host, self.find(remote.host)
        if target is None or not source.up:
            return
        if self.chance("loss", source, target):
            return
        copies = 2 if self.chance("duplicate", source, target) else 1
        way = self._ways.get((source, target))
        latency = self.latency_between(source, target) + (way.delay if way is not None else 0.0)
        for _ in range(copies):
            arrival = self.loop.time() + latency
            if self.chance("reorder", source, target):
                arrival += REORDER_DELAY
            else:
                arrival = max(arrival, self._last_arrival.get((source, target), 0.0))
                self._last_arrival[source, target] = arrival
            self.call_at(arrival, self._arrive, data, sender, target, remote)

    def _arrive(self, data: bytes, sender: SimulatedDatagramSocket, target: Host, remote: Address) -> None:
        if not target.up:
            return
        receiver = target.udp.get(remote.port)
        if target.reachable and receiver is not None:
            receiver.hear(data, sender.local)
            return
        reason = reasons.ICMP_PORT_UNREACHABLE if target.reachable else reasons.ICMP_HOST_UNREACHABLE
        back = self.loop.time() + self.latency_between(target, sender.host)
        self.call_at(back, sender.hear_failure, data, remote, reason)


class SimulatedDatagramSocket:
    """A UDP socket of a simulated host.

    :ivar dscp: how what it sends would be marked; the simulated network treats all alike
    """

    def __init__(
        self, network: Network, host: Host, local: Address, receiver: DatagramReceiver, dscp: int
    ) -> None:
        self.host = host
        self.dscp = dscp
        self._network = network
        self._local = local
        self._receiver = receiver
        self._closed = False

    @property
    def local(self) -> Address:
        """The address it is bound to."""
        return self._local

    def send(self, data: bytes, remote: Address) -> None:
        """Send *data*; raises SendFailed for an address that cannot be sent to."""
        if self._closed:
            raise SendFailed(reasons.SOCKET_CLOSED)
        if not self.host.there:
            raise SendFailed(reasons.NO_SUCH_ADDRESS)
        if why := unsendable(self._local.host, remote):
            raise SendFailed(why)
        if len(data) > LARGEST_DATAGRAM:
            raise SendFailed(reasons.TOO_LONG)
        self._network.send_datagram(bytes(data), self, remote)

    def close(self) -> None:
        """Free the port; what is under way to it then draws an ICMP port unreachable."""
        if not self._closed:
            self._closed = True
            del self.host.udp[self._local.port]

    def hear(self, data: bytes, remote: Address) -> None:
        """Called by the network: *data* has come from *remote*."""
        self._receiver.datagram_received(data, remote)

    def hear_failure(self, data: bytes, remote: Address, reason: str) -> None:
        """Called by the network: *data*, sent to *remote*, drew an ICMP error."""
        if not self._closed and self.host.up:
            self._receiver.datagram_failed(remote, reason, data[:QUOTED])
