"""Whose certificate it is: the names in it against the configured domain (RFC 5922).

The domain is the one in the cfg file, also where NAPTR and SRV records led to a host of another name: whoever
can change DNS must not be able to pass for the domain.
"""

from __future__ import annotations

from typing import Any

from . import reasons
from .address import canonical

SIP = "sip:"


def fault(names: tuple[str, ...], wanted: str) -> str:
    """Why a certificate with *names* is not one for *wanted*, a domain or an IP address; empty if it is.

    *names* as `names_of` gives them. Wildcards match nothing (RFC 5922 section 7.2), and the reason says so.
    """
    asked = _comparable(wanted)
    held = [name for name in names if not name.lower().startswith("sips:")]
    if any(_comparable(name[len(SIP) :] if name.lower().startswith(SIP) else name) == asked for name in held):
        return ""
    why = reasons.wrong_name(tuple(held), wanted)
    if any(name[:2] == "*." and asked.partition(".")[2] == name[2:].lower() for name in held):
        why += ": a wildcard names no SIP domain (RFC 5922)"
    return why


def names_of(certificate: dict[str, Any]) -> tuple[str, ...]:
    """The names in *certificate*, as Python's `getpeercert` gives it (RFC 5922 section 7.1).

    SIP URIs without a user (``sip:example.com``) of the subjectAltName, domains only where there is no such
    URI, and IP addresses; the common name only where there is no subjectAltName.
    """
    found = [(kind, str(value)) for kind, value in certificate.get("subjectAltName", ())]
    uris = [
        value for kind, value in found if kind == "URI" and value.lower().startswith(SIP) and "@" not in value
    ]
    domains = [value for kind, value in found if kind == "DNS" and not uris]
    addresses = [value for kind, value in found if kind == "IP Address"]
    subject = [pair for part in certificate.get("subject", ()) for pair in part if not found]
    return (*uris, *domains, *addresses, *(str(value) for key, value in subject if key == "commonName"))


def _comparable(name: str) -> str:
    """*name*, a domain or an IP address, in the spelling that others of the same meaning have too."""
    host = name.partition(";")[0].strip().rstrip(".")
    try:
        return canonical(host.strip("[]"))
    except ValueError:
        pass
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host.lower()
