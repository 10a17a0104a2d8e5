"""What every world promises: a clock, sockets, chance.

Code above this layer is plain ``asyncio``: tasks, futures and ``asyncio.sleep`` work in both worlds, because
the simulated world runs an event loop whose clock is virtual. Only sockets, the clock's zero and randomness
come from the world itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from phone_emulator.events import Address, Transport
from phone_emulator.scarcity import MachineRefused

from .chance import Chance
from .faults import Faults


class WorldError(MachineRefused):
    """The machine would not: a port in use, no such local address."""


class PortInUse(WorldError):
    """Somebody else has the port."""

    whose = ""
    """Who wanted it: `THE_PHONE`, `THE_LAB`; empty while nobody has said so."""


THE_PHONE, THE_LAB = "the phone", "the lab"


class ConnectFailed(OSError):
    """A TCP connection could not be made; the text says why (``connection refused``)."""


class TlsFailed(OSError):
    """The TLS handshake failed; the text says why (``certificate is for a.example, not b.example``)."""


class SendFailed(OSError):
    """The bytes could not be sent; the text says why (``network is unreachable``)."""


class TimerHandle(Protocol):
    """A callback that is due later."""

    def cancel(self) -> None:
        """Forget the callback. May be called more than once."""


class DatagramReceiver(Protocol):
    """Who is told what a UDP socket hears."""

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """*data* came from *remote*."""

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """A datagram to *remote* drew an ICMP error; *reason* names it (``ICMP port unreachable``).

        *data* is as much of the datagram as the error quotes. A router may quote nothing of it; Linux quotes
        half a kilobyte over IPv4, twice that over IPv6.
        """


@runtime_checkable
class BatchReceiver(DatagramReceiver, Protocol):
    """One that takes together what came together, where a socket has it so.

    A processor does the same step for many faster than all steps for one after the other.
    """

    def datagrams_received(self, came: Sequence[tuple[bytes, Address]]) -> None:
        """These came in this order."""


class DatagramSocket(Protocol):
    """A bound, unconnected UDP socket."""

    @property
    def local(self) -> Address:
        """The address it is bound to, with the real port where 0 was asked for."""

    def send(self, data: bytes, remote: Address) -> None:
        """Send *data*; raises SendFailed when the machine refuses at once."""

    def close(self) -> None:
        """Close; nothing is delivered afterwards. May be called more than once."""


class StreamReceiver(Protocol):
    """Who is told what a connection hears."""

    def data_received(self, data: bytes) -> None:
        """The next bytes."""

    def connection_lost(self, reason: str) -> None:
        """The connection ended, told once; *reason* is empty for an orderly end by either side."""


class Stream(Protocol):
    """An open TCP or TLS connection."""

    @property
    def local(self) -> Address:
        """This end."""

    @property
    def remote(self) -> Address:
        """The other end."""

    @property
    def transport(self) -> Transport:
        """TCP or TLS."""

    @property
    def unsent(self) -> int:
        """Bytes that wait until the peer takes them."""

    def send(self, data: bytes) -> None:
        """Queue *data*; raises SendFailed when the connection is closed or the peer reads no more."""

    def close(self) -> None:
        """Close in order. May be called more than once."""

    def abort(self) -> None:
        """Reset the connection at once. May be called more than once."""


class Listener(Protocol):
    """A listening TCP or TLS socket."""

    @property
    def local(self) -> Address:
        """The address it is bound to, with the real port where 0 was asked for."""

    def close(self) -> None:
        """Stop listening; connections that are open stay. May be called more than once."""


Accept = Callable[[Stream], StreamReceiver]
"""Called with each new incoming connection; returns who is told what it hears."""


@dataclass(frozen=True, slots=True)
class TlsClient:
    """How to open a TLS connection."""

    server_name: str
    """SNI and the name that the certificate must carry: the configured domain, not the address it led to."""
    verify: bool = True
    """Whether the certificate is checked (``static.security.trust_certificates``)."""
    ca_pem: str | None = None
    """Trusted CAs in PEM; None trusts the machine's own."""
    machine_cas: bool = False
    """Whether the machine's own CAs are trusted besides those of ``ca_pem``."""
    check_name: bool = True
    """Whether the certificate must carry ``server_name`` (``static.security.cn_validation``)."""
    identity_pem: str = field(default="", repr=False)
    """Our own certificate with its chain, and its key, for servers that ask for one; empty for none."""


UNKNOWN_CA = "a CA that nobody knows"
"""In the simulated world: the CA that no client trusts."""


@dataclass(frozen=True, slots=True)
class TlsServer:
    """How to accept TLS connections."""

    names: tuple[str, ...]
    """The names that the certificate carries."""
    certificate_pem: str = ""
    key_pem: str = field(default="", repr=False)
    ca_pem: str = ""
    """The CA that signed it; in the simulated world a client trusts it whose own CAs hold this text."""
    client_ca_pem: str = ""
    """CAs, in PEM, one of which must have signed the certificate that a client shows; empty asks for none.

    In the simulated world the client's `identity_pem` must hold this text.
    """
    expired: bool = False
    """In the simulated world: whether the certificate has expired. A real one says so itself."""


class World(Protocol):
    """A clock, sockets, two sources of chance."""

    random: Chance
    """Of what may be known: orders, pauses, losses. Seeded by the user's ``--seed``."""

    unguessable: Chance
    """Of what keeps strangers out: the system's; `random` in a simulated world and with ``--seed``."""

    virtual: bool
    """Whether time is virtual."""

    faults: Faults
    """Where is told what raises in this world and should not."""

    def now(self) -> float:
        """Seconds since the world began."""

    @property
    def began(self) -> float:
        """When that was by the wall clock, in seconds since 1970: for what is told, never for timers."""

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call *callback* when the clock shows *when* (seconds since the world began)."""

    def local_address_for(self, remote: str) -> str:
        """The local IP address from which *remote* (an IP address) is reached; raises WorldError."""

    def has_address(self, host: str) -> bool:
        """Whether *host*, an IP address, is one of the machine's own now; the unspecified ones always are."""

    def watch_addresses(self, look: Callable[[], None]) -> TimerHandle:
        """Call *look* whenever the machine's addresses, or its routes, may have changed, until cancelled.

        Nothing need have: *look* asks `has_address` and `local_address_for`.
        """

    def nameservers(self) -> list[Address]:
        """The DNS servers of the machine, used where the cfg names none; may be empty."""

    async def open_udp(self, local: Address, receiver: DatagramReceiver, *, dscp: int = 0) -> DatagramSocket:
        """Bind a UDP socket; raises WorldError.

        *dscp*, 0..63, here and below: how what is sent is marked for the routers on its way (RFC 2474). A
        machine that will not mark sends unmarked.
        """

    async def connect(
        self,
        remote: Address,
        receiver: StreamReceiver,
        *,
        local_host: str = "",
        tls: TlsClient | None = None,
        dscp: int = 0,
    ) -> Stream:
        """Open a connection; raises ConnectFailed, TlsFailed. The caller bounds the wait."""

    async def listen(
        self, local: Address, accept: Accept, *, tls: TlsServer | None = None, dscp: int = 0
    ) -> Listener:
        """Listen for connections; raises WorldError."""
