"""A flow: where a message comes from or goes to, and how Via, URI and Route say so."""

from __future__ import annotations

import re
from typing import NamedTuple

from sipmessage import URI, Via

from phone_emulator.events import Address, Transport
from phone_emulator.numbers import number
from phone_emulator.sip.source import STAMPS
from phone_emulator.world.address import canonical

_TOKEN = re.compile(r"(tcp|tls)-([0-9A-Za-z._]+)-([0-9]{1,5})")


class Unroutable(ValueError):
    """A host or port that leads nowhere; the text says which, for people."""


class Flow(NamedTuple):
    """One end of the wire; over TCP and TLS it names the open connection with that far side."""

    transport: Transport
    remote: Address

    @property
    def token(self) -> str:
        """The flow as the user part of a URI: ``tcp-192.168.1.21-49152`` (RFC 5626 section 5.2)."""
        return f"{self.transport}-{self.remote.host.replace(':', '_')}-{self.remote.port}"

    def __str__(self) -> str:
        return f"{self.remote}/{self.transport}"


def flow_of_token(token: str | None) -> Flow | None:
    """The connection that *token*, the user part of an own Route, names; None where it names none."""
    match = _TOKEN.fullmatch(token or "")
    if match is None:
        return None
    return Flow(Transport(match[1]), Address(match[2].replace("_", ":"), int(match[3])))


def bare(host: str) -> str:
    """*host* without the brackets of an IPv6 reference, in lower case, without a final dot."""
    return host.strip("[]").rstrip(".").lower()


def bracketed(host: str) -> str:
    """*host* as URIs and Vias write it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _address(host: str, port: int) -> Address:
    try:
        host = canonical(bare(host))
    except ValueError:
        raise Unroutable(f"{host} is a name, and this server asks no DNS") from None
    if not 0 < port < 65536:
        raise Unroutable(f"{port} is no port")
    return Address(host, port)


def flow_of_uri(uri: URI) -> Flow:
    """Where *uri* leads without DNS (RFC 3263 section 4); raises Unroutable for names and for ``tel:``."""
    named = uri.parameters.get("transport")
    if uri.scheme == "sips":
        transport = Transport.TLS
    elif named is None:
        transport = Transport.UDP
    else:
        try:
            transport = Transport(named.lower())
        except ValueError:
            raise Unroutable(f"transport {named} is not spoken here") from None
    return Flow(transport, _address(uri.host, uri.port or transport.default_port))


def flow_of_via(via: Via) -> Flow:
    """Where a response goes whose top Via is *via* (RFC 3261 section 18.2.2, RFC 3581); raises Unroutable."""
    try:
        transport = Transport(via.transport.lower())
    except ValueError:
        raise Unroutable(f"transport {via.transport} is not spoken here") from None
    rport = number(via.parameters.get("rport") or "", 65535)
    port = (via.port or transport.default_port) if rport is None else rport
    return Flow(transport, _address(via.parameters.get("received") or via.host, port))


def stamped(value: str, via: Via, source: Flow) -> str:
    """The Via *value* (parsed: *via*) of a request as the server keeps it: with ``received`` and ``rport``.

    Over UDP ``rport`` is filled where it was asked for (RFC 3581 section 4). Over TCP and TLS it is always
    filled, so that the response finds the connection of the request without the server remembering it.
    """
    host, port = bracketed(source.remote.host), source.remote.port
    plain = STAMPS.sub("", value)
    if source.transport.reliable or "rport" in via.parameters:
        return f"{plain};received={host};rport={port}"
    return plain if bare(via.host) == source.remote.host else f"{plain};received={host}"
