"""IP addresses in text: which are well formed, which of them can talk to each other."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from phone_emulator.events import Address

BROADCAST = "255.255.255.255"


@lru_cache(maxsize=4096)
def canonical(host: str) -> str:
    """*host* in its usual spelling (``fd00:0::21`` becomes ``fd00::21``); ValueError if it is no IP."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(f"{host!r} is not an IP address") from None


def is_ipv6(host: str) -> bool:
    """Whether *host*, an IP address, is an IPv6 one."""
    return ":" in host


@lru_cache(maxsize=4096)
def is_any(host: str) -> bool:
    """Whether *host* is the unspecified address: any address of the machine."""
    return ipaddress.ip_address(canonical(host)).is_unspecified


@lru_cache(maxsize=4096)
def is_unicast(host: str) -> bool:
    """Whether *host* is the IP address of one host: no name, and neither multicast, broadcast nor any."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or host == BROADCAST)


@lru_cache(maxsize=4096)
def unsendable(local: str, remote: Address) -> str:
    """Why nothing can be sent from the address *local* to *remote*, whatever the network; empty if it can."""
    try:
        canonical(remote.host)
    except ValueError as error:
        return str(error)
    if is_ipv6(local) != is_ipv6(remote.host):
        return f"{remote.host} cannot be reached from {local}: one is IPv4, the other IPv6"
    if not 0 < remote.port < 65536:
        return f"{remote.port} is not a port number"
    return ""
