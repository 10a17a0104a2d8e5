"""From names to targets: NAPTR, SRV and address records (RFC 3263), cache and static records."""

from .locate import Located, Unresolved, locate
from .resolver import ResolveFailed, Resolver, dns_servers, server_address

__all__ = ["Located", "ResolveFailed", "Resolver", "Unresolved", "dns_servers", "locate", "server_address"]
