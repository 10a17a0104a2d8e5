"""The site of a server: its address and names, and how it writes itself into Via, Record-Route, Contact."""

from __future__ import annotations

from collections.abc import Iterable

from sipmessage import URI

from phone_emulator.config.catalogue import is_ip
from phone_emulator.events import Transport
from phone_emulator.lab.flow import Flow, bare, bracketed


class Site:
    """What a server calls itself.

    ``ports`` holds the port of each transport it speaks; it may be filled after the sockets are open.
    """

    def __init__(self, host: str, names: Iterable[str]) -> None:
        self.host = bare(host)
        self.names = frozenset(bare(name) for name in names)
        self.ports: dict[Transport, int] = {}

    def owns(self, uri: URI) -> bool:
        """Whether *uri* is this server: one of its names at any port, its address at one of its ports."""
        host = bare(uri.host)
        if host in self.names and not is_ip(host):
            return True
        # An address may be shared with other servers, the callee and the phone: then the port tells.
        mine = host == self.host or host in self.names
        return mine and (uri.port is None or uri.port in self.ports.values())

    def is_at(self, host: str, port: int | None, transport: Transport) -> bool:
        """Whether *host* and *port* are what this server writes into its own Vias."""
        return bare(host) == self.host and (port or transport.default_port) == self.ports.get(transport)

    def via(self, transport: Transport, branch: str) -> str:
        """The server's own Via."""
        return f"SIP/2.0/{transport.upper()} {self._host_port(transport)};branch={branch}"

    def record_route(self, flow: Flow) -> str:
        """The own Record-Route towards *flow*; over TCP and TLS the connection's token is its user part."""
        user = f"{flow.token}@" if flow.transport.reliable else ""
        return f"<sip:{user}{self._host_port(flow.transport)}{_parameter(flow.transport)};lr>"

    def contact(self, transport: Transport, user: str = "") -> str:
        """The server's own Contact, for *user* where one is named."""
        at = f"{user}@" if user else ""
        return f"<sip:{at}{self._host_port(transport)}{_parameter(transport)}>"

    def _host_port(self, transport: Transport) -> str:
        return f"{bracketed(self.host)}:{self.ports[transport]}"


def _parameter(transport: Transport) -> str:
    return "" if transport is Transport.UDP else f";transport={transport}"
