"""Which address of a name is tried first where the phone has IPv4 and IPv6 (RFC 6724 section 6).

Of its ten rules those that a phone can tell by the addresses alone: unusable ones go last (1); those come
first whose scope (2) and label (5) are those of the phone's own, which have a higher precedence (6) or a
smaller scope (8); else they stay as the answer has them (10).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

_POLICY = tuple(
    (ipaddress.IPv6Network(prefix), precedence, label)
    for prefix, precedence, label in (
        ("::1/128", 50, 0),
        ("::ffff:0:0/96", 35, 4),
        ("::/96", 1, 3),
        ("2001::/32", 5, 5),
        ("2002::/16", 30, 2),
        ("3ffe::/16", 1, 12),
        ("fec0::/10", 1, 11),
        ("fc00::/7", 3, 13),
        ("::/0", 40, 1),
    )
)
"""RFC 6724 section 2.1, the longest prefixes first: precedence and label."""
_LINK, _SITE, _GLOBAL = 2, 5, 14
"""Scopes (RFC 4291 section 2.7, RFC 6724 section 3.2)."""


def preferred(addresses: Iterable[str], sources: Sequence[str]) -> list[str]:
    """*addresses* in the order in which a phone with the addresses *sources* tries them; all in text."""
    own = {":" in source: source for source in reversed(sources)}
    return sorted(addresses, key=lambda address: _rank(address, own.get(":" in address)))


def _rank(address: str, source: str | None) -> tuple[int, ...]:
    if source is None:
        return (1,)
    (scope, precedence, label), (own_scope, _, own_label) = _facts(address), _facts(source)
    return 0, int(scope != own_scope), int(label != own_label), -precedence, scope


@lru_cache(maxsize=1024)
def _facts(text: str) -> tuple[int, int, int]:
    """Scope, precedence and label of an address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        near = address.is_loopback or address.is_link_local
        scope = _LINK if near else _GLOBAL
        address = ipaddress.IPv6Address(f"::ffff:{address}")
    elif address.is_loopback or address.is_link_local:
        scope = _LINK
    else:
        scope = _SITE if address.is_site_local else _GLOBAL
    return next((scope, precedence, label) for net, precedence, label in _POLICY if address in net)
