"""A SIP server of the lab: registrar and stateless proxy, with behaviours to choose from while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from phone_emulator.events import Address, Bus, MessageIgnored, ServerChanged, Transport
from phone_emulator.lab.behaviour import METHODS, Behaviour, BehaviourKind
from phone_emulator.lab.challenger import Challenger
from phone_emulator.lab.element import Element, Outgoing
from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.flow import Flow, Unroutable
from phone_emulator.lab.proxy import Proxy
from phone_emulator.lab.registrar import Binding, Registrar
from phone_emulator.lab.site import Site
from phone_emulator.lab.transports import Transports
from phone_emulator.sip.message import Message, MessageError, Request
from phone_emulator.sip.parser import parse
from phone_emulator.sip.refusal import refusal
from phone_emulator.world.base import TlsServer, World
from phone_emulator.world.tasks import Tasks

MAX_DELAYED = 10_000
"""Messages that one server may hold back at a time."""
OVERTAKEN = 0.05
"""Seconds by which a reordered datagram is late."""


class SipServer:
    """One server at one address; see :mod:`phone_emulator.lab.element` for what it does with messages.

    *address*: a literal IP address and the port of UDP and TCP. *tls_port*: where TLS listens; by default
    ``address.port``, or one more where another transport listens there. *tls*: the certificate; may be left
    out in the simulated world. *domain*, *names*: the domain names, and further addresses, it answers for.
    *accounts*: user -> password. *callee*: who answers every number that is not registered (UDP); None for
    nobody. *realm*: of the digest challenges; by default *domain*. *max_expires*, *min_expires*: the leases
    granted, in seconds.
    """

    def __init__(
        self,
        world: World,
        name: str,
        address: Address,
        *,
        transports: Sequence[Transport] = (Transport.UDP, Transport.TCP),
        tls: TlsServer | None = None,
        tls_port: int | None = None,
        domain: str,
        names: Collection[str] = (),
        accounts: Mapping[str, str],
        callee: Address | None = None,
        behaviour: Behaviour | None = None,
        bus: Bus | None = None,
        realm: str | None = None,
        max_expires: int = 3600,
        min_expires: int = 0,
        max_connections: int = 1000,
    ) -> None:
        if Transport.TLS in transports and tls is None:
            if not world.virtual:
                raise ValueError(
                    f"server {name}: TLS needs a certificate (phone_emulator.lab.certificates makes one)"
                )
            tls = TlsServer(names=(domain, *names, address.host), ca_pem="lab")
        self.name = name
        self.address = address
        self.received: Counter[str] = Counter()
        """Requests read, by method, retransmissions included; ``other`` counts unknown methods."""
        self._world = world
        self._tasks = Tasks(world, f"the server {name}")
        self._bus = bus
        self._behaviour = behaviour or Behaviour()
        self._running = False
        self._delayed = 0
        self._site = Site(address.host, (domain, *names))
        self._transports = Transports(
            world,
            address.host,
            _ports(address.port, transports, tls_port),
            tls,
            self._hear,
            self._ignore,
            max_connections,
        )
        fingerprint = Fingerprint(world.unguessable.randbytes(16))
        self._registrar = Registrar(accounts, max_expires=max_expires, min_expires=min_expires)
        challenger = Challenger(realm or domain, accounts, fingerprint)
        proxy = Proxy(
            self._site, self._registrar, challenger, fingerprint, callee, self._transports.connected
        )
        self._element = Element(self._site, accounts, self._registrar, challenger, fingerprint, proxy)

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves now."""
        return self._behaviour

    @property
    def bindings(self) -> dict[str, tuple[Binding, ...]]:
        """What the registrar holds: user -> live bindings, the latest last."""
        return self._registrar.bindings(self._world.now())

    @property
    def ports(self) -> dict[Transport, int]:
        """The port of each transport, once started."""
        return dict(self._site.ports)

    async def start(self) -> None:
        """Open the sockets, and close them again where the behaviour is ``refuse``; raises WorldError."""
        self._running = True
        # Opened in any case: the address must exist, and be free, for its ports to refuse.
        self._site.ports = await self._transports.open()
        if self._behaviour.kind is BehaviourKind.REFUSE:
            self._transports.close(reset=True)

    async def stop(self) -> None:
        """Close everything; bindings stay, held-back messages are lost. May be called more than once."""
        self._running = False
        self._transports.close(reset=False)

    async def behave(self, behaviour: Behaviour) -> None:
        """Behave differently from now on; raises WorldError where closed sockets cannot be opened again."""
        refused = self._behaviour.kind is BehaviourKind.REFUSE
        refuses = behaviour.kind is BehaviourKind.REFUSE
        self._behaviour = behaviour
        if self._running and refuses and not refused:
            self._transports.close(reset=True)
        elif self._running and refused and not refuses:
            self._site.ports = await self._transports.open()
        if self._bus is not None:
            self._bus.tell(ServerChanged(at=self._world.now(), server=self.name, behaviour=str(behaviour)))

    def _hear(self, data: bytes, source: Flow) -> None:
        try:
            message = parse(data)
            method = message.cseq.method
            own = self._behaviour.for_method(method)
        except MessageError as error:
            self._refuse(data, source, error)
            return
        for late in self._passages(own, source):
            self._after(late, partial(self._take, message, data, source), data, source)

    def _take(self, message: Message, data: bytes, source: Flow) -> None:
        """Do with *message* what the server does with it now."""
        method = message.cseq.method
        if isinstance(message, Request):
            self.received[method if method in METHODS else "other"] += 1
        try:
            outgoing = self._element.receive(message, source, self._behaviour, self._world.now())
        except MessageError as error:
            self._refuse(data, source, error)
            return
        except Unroutable as error:
            self._ignore(data, source, str(error))
            return
        if outgoing:
            delay = self._behaviour.for_method(method).delay
            self._after(delay, partial(self._send, outgoing), data, source)

    def _after(self, seconds: float, act: Callable[[], None], data: bytes, source: Flow) -> None:
        """Call *act* in *seconds*, at once for 0; *data* and *source*: what it is about."""
        if seconds <= 0:
            act()
        elif self._delayed >= MAX_DELAYED:
            self._ignore(data, source, f"{MAX_DELAYED} messages are being held back already")
        else:
            self._delayed += 1
            due = self._world.now() + seconds
            self._tasks.call_at(due, lambda: self._act_late(act), "a message that was held back")

    def _act_late(self, act: Callable[[], None]) -> None:
        self._delayed -= 1
        act()

    def _send(self, outgoing: list[Outgoing]) -> None:
        for message, flow in outgoing:
            data = message.to_bytes()
            send = partial(
                self._transports.send,
                data,
                flow,
                dial=isinstance(message, Request),
                failed=partial(self._undelivered, message, flow),
            )
            for late in self._passages(self._behaviour.for_method(message.cseq.method), flow):
                self._after(late, send, data, flow)

    def _undelivered(self, message: Message, flow: Flow, reason: str) -> None:
        self._ignore(message.to_bytes(), flow, f"could not be sent on: {reason}")
        if isinstance(message, Request):
            self._send(self._element.undeliverable(message))

    def _passages(self, behaviour: Behaviour, flow: Flow) -> list[float]:
        """How late, in seconds, each copy of a message passes: none where it is a datagram and gets lost.

        What cannot happen throws no dice, so that a seeded run stays as it was.
        """
        if flow.transport is not Transport.UDP:
            return [0.0]

        def happens(share: float) -> bool:
            return share > 0 and self._world.random.random() < share

        if happens(behaviour.loss):
            return []
        copies = 2 if happens(behaviour.duplicate) else 1
        return [OVERTAKEN if happens(behaviour.reorder) else 0.0 for _ in range(copies)]

    def _refuse(self, data: bytes, source: Flow, error: MessageError) -> None:
        """Tell what is wrong with what cannot be understood; refuse a request of which enough can."""
        response = refusal(data, error) if self._behaviour.answers else None
        self._ignore(data, source, str(error), None if response is None else response.status)
        if response is not None:
            failed = partial(self._undelivered, response, source)
            self._transports.send(response.to_bytes(), source, dial=False, failed=failed)

    def _ignore(self, data: bytes, source: Flow, reason: str, status: int | None = None) -> None:
        if self._bus is not None:
            self._bus.tell(
                MessageIgnored(
                    at=self._world.now(),
                    remote=source.remote,
                    transport=source.transport,
                    reason=f"server {self.name}: {reason}",
                    data=data,
                    status=status,
                )
            )


def _ports(port: int, transports: Sequence[Transport], tls_port: int | None) -> dict[Transport, int]:
    """The port of each transport."""
    ports = dict.fromkeys(transports, port)
    if Transport.TLS in ports:
        beside = 1 if len(ports) > 1 and port else 0
        ports[Transport.TLS] = port + beside if tls_port is None else tls_port
    return ports
