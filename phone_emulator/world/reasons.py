"""Why the network would not, in words; the same words in both worlds."""

from __future__ import annotations

import errno

from phone_emulator.events import Address
from phone_emulator.scarcity import shortage

REFUSED = "connection refused"
RESET = "connection reset by peer"
TIMED_OUT = "connection timed out"
HOST_UNREACHABLE = "host is unreachable"
NETWORK_UNREACHABLE = "network is unreachable"
TOO_LONG = "the datagram is too long for UDP"
STREAM_CLOSED = "the connection is closed"
SOCKET_CLOSED = "the socket is closed"
NO_SUCH_ADDRESS = "no such local address"
ABORTED = "aborted"
PEER_STALLED = "the peer reads nothing any more"

ICMP_PORT_UNREACHABLE = "ICMP port unreachable"
ICMP_HOST_UNREACHABLE = "ICMP host unreachable"

TLS_NOT_SPOKEN = "the peer does not speak TLS"
TLS_UNKNOWN_CA = "certificate is signed by an unknown authority"
TLS_EXPIRED = "certificate has expired"
TLS_SELF_SIGNED = "certificate is self-signed"
TLS_NO_CERTIFICATE = "the peer wants a certificate of ours, and we have none"
TLS_NOT_TRUSTED = "the peer does not trust our certificate: its CA is unknown there"
TLS_CLOSED = "the peer closed the connection during the TLS handshake"

_ERRNO = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.EPIPE: RESET,
    errno.ECONNABORTED: "connection aborted",
    errno.ETIMEDOUT: TIMED_OUT,
    errno.EHOSTUNREACH: HOST_UNREACHABLE,
    errno.ENETUNREACH: NETWORK_UNREACHABLE,
    errno.ENETDOWN: "network is down",
    errno.EMSGSIZE: TOO_LONG,
    errno.EADDRINUSE: "address already in use",
    errno.EADDRNOTAVAIL: NO_SUCH_ADDRESS,
    errno.EACCES: "permission denied",
    errno.EPERM: "the machine's firewall forbids it",
}

_UNREACHABLE_4 = {
    0: "ICMP network unreachable",
    1: ICMP_HOST_UNREACHABLE,
    2: "ICMP protocol unreachable",
    3: ICMP_PORT_UNREACHABLE,
    5: "ICMP source route failed",
    6: "ICMP network unknown",
    7: "ICMP host unknown",
    9: "ICMP network administratively prohibited",
    10: "ICMP host administratively prohibited",
    11: "ICMP network unreachable for this type of service",
    12: "ICMP host unreachable for this type of service",
    13: "ICMP administratively prohibited",
}
"""RFC 792 and RFC 1812 section 5.2.7.1, type 3."""

_UNREACHABLE_6 = {
    0: "ICMP network unreachable",
    1: "ICMP administratively prohibited",
    2: "ICMP beyond scope of source address",
    3: ICMP_HOST_UNREACHABLE,
    4: ICMP_PORT_UNREACHABLE,
    5: "ICMP source address failed policy",
    6: "ICMP route rejected",
}
"""RFC 4443 section 3.1, type 1."""


def in_words(error: BaseException) -> str:
    """What *error* says, for people."""
    number = getattr(error, "errno", None)
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, ConnectionResetError):
        return RESET
    if isinstance(number, int) and number in _ERRNO:
        return _ERRNO[number]
    if short := shortage(error):
        return short
    text = getattr(error, "strerror", None) or str(error)
    if not text:
        return type(error).__name__
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def icmp_in_words(version: int, kind: int, code: int) -> str:
    """The ICMP error of IP *version* (4, 6) with type *kind* and *code*; empty for one that tells no failure.

    "Fragmentation needed" and "packet too big" are such: the machine then sends smaller fragments by itself.
    """
    unreachable, table = (3, _UNREACHABLE_4) if version == 4 else (1, _UNREACHABLE_6)
    if kind == unreachable:
        if version == 4 and code == 4:
            return ""
        return table.get(code, f"ICMP destination unreachable (code {code})")
    if version == 6 and kind == 2:
        return ""
    if kind == (11 if version == 4 else 3):
        return "ICMP time exceeded"
    return f"ICMP error (type {kind}, code {code})"


def no_such_address(host: str) -> str:
    """*host* is none of the machine's addresses."""
    return f"{NO_SUCH_ADDRESS} {host}"


def cannot_bind(local: Address, protocol: str, error: BaseException) -> str:
    """Why *local* could not be bound; *protocol* is ``udp``, ``tcp`` or ``tls``."""
    if getattr(error, "errno", None) == errno.EADDRNOTAVAIL:
        return no_such_address(local.host)
    return f"cannot bind {local}/{protocol}: {in_words(error)}"


def in_use(local: Address, protocol: str, holder: str = "") -> str:
    """The same where somebody has the port: *holder*, for people; empty for nobody knows."""
    return f"cannot bind {local}/{protocol}: {_ERRNO[errno.EADDRINUSE]}{f' by {holder}' if holder else ''}"


def no_port(host: str, protocol: str) -> str:
    """The same where any port of *host* would do, and there is none."""
    return f"cannot bind {host}/{protocol}: no free port is left"


def wrong_name(names: tuple[str, ...], wanted: str) -> str:
    """The certificate carries *names* (none if they are not known) and not *wanted*."""
    if not names:
        return f"certificate is not for {wanted}"
    names = tuple(dict.fromkeys(names))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"certificate is for {shown}, not {wanted}"
