"""From names to targets: NAPTR, SRV and address records (RFC 3263), cache and static records."""

from .locate import Located, Unresolved, locate, locate_sent_by
from .resolver import ResolveFailed, Resolver, configured_servers, dns_servers

__all__ = [
    "Located",
    "ResolveFailed",
    "Resolver",
    "Unresolved",
    "configured_servers",
    "dns_servers",
    "locate",
    "locate_sent_by",
]
