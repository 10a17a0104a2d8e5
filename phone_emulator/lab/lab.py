"""The lab: SIP servers, a name server and someone to call, in one process.

The same lab stands in the simulated world, at the addresses that the files name, and on loopback, where each
server gets an address of its own (or, where the machine has only 127.0.0.1, ports of its own).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.events import Address, Bus, Event, ServerChanged, Transport
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.callee import Callee
from phone_emulator.lab.certificates import Authority
from phone_emulator.lab.nameserver import NameServer
from phone_emulator.lab.server import MakeCertificate, SipServer
from phone_emulator.lab.zone import Zone
from phone_emulator.numbers import number
from phone_emulator.phone import OutgoingCall, Phone, PhoneOptions
from phone_emulator.sip.values import HOST_PORT
from phone_emulator.world.base import THE_LAB, PortInUse, TlsServer, World, WorldError

DEFAULT_TRANSPORTS = (Transport.UDP, Transport.TCP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one SIP server of the lab is, and how it behaves at first."""

    name: str
    """``primary``, ``secondary``, ``fallback``, or what the scenario calls it."""
    address: str
    port: int = 5060
    tls_port: int = 5061
    transports: tuple[Transport, ...] = DEFAULT_TRANSPORTS
    behaviour: Behaviour = field(default_factory=Behaviour)
    names: tuple[str, ...] = ()
    """What its TLS certificate names, besides its address and the domains that the lab serves."""

    def port_for(self, transport: Transport) -> int:
        """The port on which *transport* is served."""
        return self.tls_port if transport is Transport.TLS else self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a lab is made of."""

    places: tuple[Place, ...]
    zone: Zone
    nameservers: tuple[Address, ...]
    phone: Address
    """The phone's own address, and the port it has by default."""
    callee: Address
    callee_behaviour: CalleeBehaviour = CalleeBehaviour.ANSWER
    phone_port: int | None = None
    """The phone's port where it shares its address with the lab; None leaves it to the phone."""

    def placed(self, host: str, *, virtual: bool) -> str:
        """Where the phone is at the address *host* of a file, in virtual time or on loopback.

        Raises WorldError where somebody else of the lab is there, or the machine has one address only.
        """
        others = {place.address for place in self.places}
        others |= {self.callee.host, *(nameserver.host for nameserver in self.nameservers)}
        if virtual:
            if host in others:
                raise WorldError(f"somebody else is at {host}")
            return host
        if self.phone_port is not None:
            raise WorldError(f"the phone cannot move: of loopback this machine has {self.phone.host} only")
        return free_address(f"{self.phone.host.rpartition('.')[0]}.{last_number(host)}", others)


def last_number(address: str) -> int:
    """The last number of *address*, an IPv4 address: what its host is known by on loopback."""
    last = number(address.rsplit(".", 1)[-1], 254) or 0
    return last if last > 1 else 30


def free_address(wish: str, taken: Collection[str]) -> str:
    """*wish*, or the next address after it that is not taken."""
    network, last = wish.rsplit(".", 1)
    for step in range(254):
        candidate = f"{network}.{(int(last) - 1 + step) % 254 + 1}"
        if candidate not in taken:
            return candidate
    raise ValueError(f"no address is free beside {wish}")


class Lab:
    """A running lab.

    Args:
        world: simulated or real.
        plan: what it is made of.
        config: whose accounts the servers accept, and whose domains they serve.
        bus: is told when a server's behaviour changes.
        listens: whether what the called user says and hears is kept (`PhoneOptions`).
    """

    def __init__(
        self, world: World, plan: Plan, config: PhoneConfig, bus: Bus, *, listens: bool = False
    ) -> None:
        self.plan = plan
        self._bus = bus
        domains = served_domains(config)
        self._domain = domains[0] if domains else "lab.invalid"
        tls, bad_tls = self._certificate(world, plan, domains)
        # The servers' own bus: what they refuse is not what the phone refuses.
        servers_bus = Bus()
        servers_bus.subscribe(self._relay)
        self.servers = {
            place.name: SipServer(
                world,
                place.name,
                Address(place.address, place.port),
                transports=place.transports,
                tls=tls if Transport.TLS in place.transports else None,
                bad_tls=bad_tls,
                tls_port=place.tls_port,
                domain=self._domain,
                names=domains[1:],
                accounts=accepted_users(config.accounts),
                callee=plan.callee,
                behaviour=place.behaviour,
                bus=servers_bus,
            )
            for place in plan.places
        }
        self.nameservers = [NameServer(world, address, plan.zone) for address in plan.nameservers]
        addresses = {place.name: Address(place.address, place.port) for place in plan.places}
        self.callee = Callee(
            world, plan.callee, addresses, plan.callee_behaviour, callers=config.lines, listens=listens
        )
        self.ca_pem = tls.ca_pem if tls is not None else None
        """The CA that the servers' certificates are signed by."""

    async def start(self) -> None:
        """Start everything; raises WorldError, ValueError, and leaves nothing running then."""
        try:
            for nameserver in self.nameservers:
                await nameserver.start()
            for server in self.servers.values():
                await server.start()
            await self.callee.start()
        except BaseException as error:
            if isinstance(error, PortInUse):
                several = self.plan.phone_port is None
                error.whose = THE_LAB if several else ""  # no option moves the lab on a single address
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything."""
        await self.callee.stop()
        for server in self.servers.values():
            await server.stop()
        for nameserver in self.nameservers:
            await nameserver.stop()

    async def behave(self, name: str, behaviour: Behaviour) -> None:
        """Let the server *name* behave differently from now on; raises WorldError, ValueError."""
        await self.servers[name].behave(behaviour)

    def change_zone(self, zone: Zone) -> None:
        """Serve *zone* from now on."""
        for nameserver in self.nameservers:
            nameserver.zone = zone

    def phone_options(self, options: PhoneOptions) -> PhoneOptions:
        """*options* with what a phone needs to find its way in this lab."""
        return dataclasses.replace(
            options,
            local_address=options.local_address or self.plan.phone.host,
            local_port=self.plan.phone_port if options.local_port is None else options.local_port,
            nameservers=options.nameservers or self.plan.nameservers,
            ca_pem=options.ca_pem or self.ca_pem,
        )

    async def dns_behave(self, behaviour: str) -> None:
        """Let every name server behave differently from now on (``ok``, ``silent``, ``servfail`` …)."""
        for nameserver in self.nameservers:
            await nameserver.behave(behaviour)

    def call_phone(
        self, phone: Phone, line: int | None = None, server: str | None = None, caller: str | None = None
    ) -> OutgoingCall | None:
        """Let the callee call a line of *phone*.

        Args:
            phone: whom.
            line: which of its lines; None for the first.
            server: through which server; None for the first where the line is registered.
            caller: the number that calls; None for the callee's own.

        Returns:
            The caller's end of the call, or None where the line is registered nowhere.
        """
        user = phone.line(line).account.user
        names = [server] if server else [name for name, each in self.servers.items() if user in each.bindings]
        return self.callee.call(user, self._domain, names[0], caller) if names else None

    @staticmethod
    def _certificate(
        world: World, plan: Plan, domains: Sequence[str]
    ) -> tuple[TlsServer | None, MakeCertificate | None]:
        """The certificate of all servers, and how those are made that clients should not accept."""
        if not any(Transport.TLS in place.transports for place in plan.places):
            return None, None
        own = [name for place in plan.places for name in (place.address, *place.names)]
        names = tuple(dict.fromkeys([*domains, *own]))
        if world.virtual:
            return TlsServer(names=names, ca_pem="lab"), None
        authority = Authority()
        return authority.issue(names), lambda wrong: authority.issue_bad(names, wrong)

    def _relay(self, event: Event) -> None:
        if isinstance(event, ServerChanged):
            self._bus.tell(event)


def served_domains(config: PhoneConfig) -> list[str]:
    """Every server name of the enabled lines, and every domain that their user names name, once."""
    servers = (server.address for account in config.lines for server in account.servers)
    named = (HOST_PORT.match(account.domain) for account in config.lines)
    return list(dict.fromkeys([*servers, *(found[1] for found in named if found is not None)]))


def accepted_users(accounts: Iterable[AccountConfig]) -> dict[str, str]:
    """User and password of each account, as the digest names the user."""
    return {
        user: account.password.reveal()
        for account in accounts
        for user in {account.user, account.digest_user}
        if user
    }


def relocate(config: PhoneConfig, moved: Mapping[str, Address]) -> PhoneConfig:
    """*config* with each literal server address that is a key of *moved* replaced by its value."""
    accounts = []
    for account in config.accounts:
        servers = tuple(
            dataclasses.replace(server, address=moved[server.address].host, port=moved[server.address].port)
            if server.address in moved
            else server
            for server in account.servers
        )
        proxies = tuple(
            dataclasses.replace(proxy, address=moved[proxy.address].host, port=moved[proxy.address].port)
            if proxy.address in moved
            else proxy
            for proxy in account.proxies
        )
        accounts.append(dataclasses.replace(account, servers=servers, proxies=proxies))
    return dataclasses.replace(config, accounts=tuple(accounts))
