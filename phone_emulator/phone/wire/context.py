"""What every part of one phone shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phone_emulator.config.model import AccountConfig, PhoneConfig, ServerConfig
from phone_emulator.dns import Resolver
from phone_emulator.events import Bus
from phone_emulator.media.codecs import Offer, spoken
from phone_emulator.media.crypto import OptionalSrtp
from phone_emulator.redundancy import Silence
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.world.base import World

from .certificates import Trust
from .identity import Device, Identity
from .known import Network

MOST_CALLED = 100
"""Addresses that were dialled and are remembered."""


@dataclass(slots=True, kw_only=True)
class Context:
    """One phone's world, configuration and wire."""

    world: World
    bus: Bus
    config: PhoneConfig
    device: Device
    silence: Silence
    reaction: float
    """Seconds that the phone takes to act on an answer before it moves on."""
    offer: Offer
    optional_srtp: OptionalSrtp
    """How encryption is offered that need not be."""
    listens: bool = False
    """Whether what calls say and hear is kept (`PhoneOptions`)."""
    host: str
    """The phone's own IP address; the first one where it has two."""
    other_host: str = ""
    """Its address of the other IP version; empty for none."""
    endpoint: Endpoint
    resolver: Resolver
    trust: Trust
    """How TLS servers are met."""
    known: Sequence[Network] = ()
    """Whose word counts beside that of each line's servers (``--known``)."""
    next_rtp_port: int
    sessions: int
    """The number that the next SDP session takes, as the phone counts them since it booted."""
    moves: int = 0
    """How often its address has changed."""
    absent: str = ""
    """Why it has none now, for people; empty where it has."""

    gruus: dict[tuple[int, int], str] = field(default_factory=dict)
    """The GRUU of each account at each of its servers that has given one (RFC 5627)."""

    called: dict[str, None] = field(default_factory=dict)
    """The IP addresses that the user has dialled lately: what goes there is the user's wish."""

    def dialled(self, host: str) -> None:
        """The user calls the IP address *host*."""
        self.called[host] = None
        if len(self.called) > MOST_CALLED:
            del self.called[next(iter(self.called))]

    @property
    def sound_flows(self) -> bool:
        """Whether calls send sound all the time, as a real phone's do.

        In virtual time only where somebody listens, or a capture has it: fifty packets a second would be most
        of the work.
        """
        return self.listens or not self.world.virtual or self.bus.tap is not None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The phone's own addresses."""
        return (self.host, self.other_host) if self.other_host else (self.host,)

    def host_for(self, remote: str) -> str:
        """The phone's own address of the IP version of *remote*; the first one where it has none such."""
        return self.other_host if self.other_host and (":" in remote) is not (":" in self.host) else self.host

    def identity(self, account: AccountConfig, server: ServerConfig) -> Identity:
        """How the line of *account* names itself towards *server*."""
        return Identity(
            account,
            server,
            self.device.user_agent(self.config, account),
            self.device.mac,
            self.config.use_23_as_pound,
            self.device.style,
            self.gruus.get((account.index, server.number), ""),
        )

    def codecs(self, account: AccountConfig) -> list[str]:
        """The names of the codecs that the line of *account* offers and takes, the preferred first."""
        names = [codec.name for codec in account.codecs]
        return names if self.offer is Offer.DECLARED else spoken(names)

    def take_rtp_port(self) -> int:
        """The next even RTP port of the configured range."""
        port = self.next_rtp_port
        self.next_rtp_port += 2
        if self.next_rtp_port > self.config.max_rtp_port:
            self.next_rtp_port = self.config.min_rtp_port
        return port

    def take_session_id(self) -> int:
        """The next SDP session id."""
        taken = self.sessions
        self.sessions += 1
        return taken
