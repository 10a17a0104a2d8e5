"""Whose word counts: the line's servers, and whoever they have named in a dialog (docs/decisions/trust.md).

Addresses only, never ports: a NAT changes those, and servers send from others than they listen at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import AccountConfig
from phone_emulator.events import Transport
from phone_emulator.sip import values
from phone_emulator.sip.dialog import Dialog
from phone_emulator.world.address import canonical

MOST = 1000
"""Addresses of servers that are remembered; the oldest are forgotten first."""
MOST_IN_DIALOG = 50
"""The same for what one dialog has heard from, and for whom it was named."""

Network = IPv4Network | IPv6Network
Locate = Callable[[str], Awaitable[Iterable[str]]]


class KnownServers:
    """The IP addresses of one line's servers and outbound proxies: those that DNS gave, and literal ones.

    Args:
        account: ``account.X.*``.
        others: what the user counts among them (``--known``): the pool of an SBC.
    """

    def __init__(self, account: AccountConfig, others: Sequence[Network] = ()) -> None:
        configured = [each.address for each in account.servers]
        if account.outbound_proxy_enable:
            configured += [each.address for each in account.proxies]
        self._literal = frozenset(canonical(address) for address in configured if is_ip(address))
        self._others = others
        self._given: dict[str, None] = {}
        self.unlocated = {address for address in configured if address and not is_ip(address)}
        """The names that were not looked up yet."""

    def note(self, name: str, hosts: Iterable[str]) -> None:
        """DNS has given *hosts*, IP addresses, for *name*."""
        self.unlocated.discard(name)
        for host in hosts:
            self._given.pop(host, None)
            self._given[host] = None
        while len(self._given) > MOST:
            del self._given[next(iter(self._given))]

    def __contains__(self, host: object) -> bool:
        if host in self._given or host in self._literal:
            return True
        if not self._others or not isinstance(host, str) or not is_ip(host):
            return False
        address = ip_address(host)
        return any(address in network for network in self._others)


class Sources:
    """Where the messages of one dialog may come from, and where its requests may go.

    *Known in the dialog* is where an accepted message of it came from, and whom a line's server has named in
    one, or who was named so: as the remote target or in the route set. Nobody else's word counts in it.

    Args:
        servers: of the line.
        locate: looks up the IP addresses of a name; none where it has none.
    """

    def __init__(self, servers: KnownServers, locate: Locate) -> None:
        self._servers = servers
        self._locate = locate
        self._heard: dict[str, None] = {}
        self._named: dict[str, None] = {}
        """IP addresses and names, in lower case."""
        self._unresolved: dict[str, None] = {}
        """Those names whose addresses were not looked up yet."""
        self.founded = True
        """Whether its first message came from one of the line's servers, or went to who was to get it."""
        self.proven = False
        """Whether the far end has sent back what only this end could tell it."""
        self._reached: dict[str, None] = {}
        """The IP addresses that something of the dialog was sent to."""
        self.takes_connections = False
        """Whether the phone's own Contact in the dialog asks for TCP or TLS."""

    def begin(self, host: str) -> None:
        """The dialog's first message has come from the IP address *host*, or has gone there."""
        self.founded = self.vouches(host)
        self.reached(host)

    def reached(self, host: str) -> None:
        """Something of the dialog, its tag with it, goes to the IP address *host*."""
        _remember(self._reached, host)

    def prove(self, host: str) -> bool:
        """A request with this end's tag came from the IP address *host*, which is known in the dialog.

        Returns:
            Whether *host* itself has proven to be there: nobody else could have been sent the tag.
        """
        self.proven = True
        return host in self._reached

    def dialled(self, host: str) -> None:
        """The user has called the IP address *host*."""
        self._name(host)

    def vouches(self, host: str) -> bool:
        """Whether *host* is a server of the line, or was named by one."""
        host = canonical(host) if is_ip(host) else host.lower()
        return host in self._servers or host in self._named

    def admits(self, host: str, transport: Transport = Transport.UDP) -> bool:
        """Whether a request within the dialog counts that came from the IP address *host* over *transport*.

        A host makes its connections from whichever of its addresses leads here: where the phone asks for one,
        who knows the dialog's tags may make it.
        """
        if transport.reliable and self.takes_connections:
            return True
        return host in self._heard or self.vouches(host)

    def heard(self, host: str, dialog: Dialog | None = None) -> None:
        """A message that came from the IP address *host* was accepted; it has left *dialog* behind."""
        _remember(self._heard, host)
        if dialog is not None and self.vouches(host):
            for uri in (dialog.remote_target, *dialog.route_uris):
                for each in _hosts_of(uri):
                    self._name(each)

    def may_have_sound(self, host: str) -> bool:
        """Whether sound may be sent to the IP address *host*, as the far end wants it to be."""
        return self.founded or self.admits(host)

    def resolved(self, name: str, hosts: Iterable[str]) -> None:
        """*name* was looked up: it is at *hosts*, IP addresses."""
        self._unresolved.pop(name.lower(), None)
        if name.lower() in self._named:
            for host in hosts:
                self._name(host)

    @property
    def unresolved(self) -> bool:
        """Whether it names somebody whose addresses were not looked up yet."""
        return bool(self._unresolved)

    async def look_up(self) -> None:
        """Look up every name that was not yet."""
        for name in tuple(self._unresolved):
            self.resolved(name, await self._locate(name))

    def _name(self, host: str) -> None:
        host = host.lower()
        if host in self._named:
            return
        self._named[host] = None
        if not is_ip(host):
            self._unresolved[host] = None
        if len(self._named) > MOST_IN_DIALOG:
            forgotten = next(iter(self._named))
            del self._named[forgotten]
            self._unresolved.pop(forgotten, None)


def _remember(hosts: dict[str, None], host: str) -> None:
    """Add *host* to the last of *hosts*."""
    if host not in hosts:
        hosts[host] = None
        if len(hosts) > MOST_IN_DIALOG:
            del hosts[next(iter(hosts))]


def _hosts_of(uri: str) -> list[str]:
    """The host of a SIP URI, and its ``maddr``; none of what is no such URI."""
    try:
        found = values.uri(uri)
    except ValueError:
        return []
    hosts = [host.strip("[]") for host in (found.host, found.parameters.get("maddr") or "") if host]
    return [canonical(host) if is_ip(host) else host for host in hosts]
