"""What every part of one phone shares."""

from __future__ import annotations

from dataclasses import dataclass

from phone_emulator.config.model import AccountConfig, PhoneConfig, ServerConfig
from phone_emulator.dns import Resolver
from phone_emulator.events import Bus
from phone_emulator.redundancy import Silence
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.world.base import World

from .identity import Device, Identity


@dataclass(slots=True, kw_only=True)
class Context:
    """One phone's world, configuration and wire."""

    world: World
    bus: Bus
    config: PhoneConfig
    device: Device
    silence: Silence
    host: str
    """The phone's own IP address."""
    endpoint: Endpoint
    resolver: Resolver
    ca_pem: str | None
    """CAs that TLS servers are checked against; None for the machine's own."""
    next_rtp_port: int
    sessions: int = 20000
    """The number that the next SDP session takes, as the phone counts them since it booted."""

    def identity(self, account: AccountConfig, server: ServerConfig) -> Identity:
        """How the line of *account* names itself towards *server*."""
        return Identity(
            account,
            server,
            self.device.user_agent(self.config, account),
            self.device.mac,
            self.config.use_23_as_pound,
        )

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
