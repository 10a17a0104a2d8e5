"""A SIP server of the lab: registrar and stateless proxy, with behaviours to choose from while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from phone_emulator.events import Address, Bus, MessageIgnored, ServerChanged, Transport
from phone_emulator.lab.behaviour import METHODS, Behaviour, BehaviourKind
from phone_emulator.lab.certificates import simulated_fault
from phone_emulator.lab.challenger import Challenger
from phone_emulator.lab.element import Element, Outgoing
from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.flow import Flow, Unroutable
from phone_emulator.lab.meter import Meter
from phone_emulator.lab.passage import passages
from phone_emulator.lab.proxy import Proxy
from phone_emulator.lab.registrar import Binding, Registrar
from phone_emulator.lab.site import Site
from phone_emulator.lab.transports import Transports
from phone_emulator.lab.vocabulary import BadCertificate
from phone_emulator.sip.message import Message, MessageError, Request
from phone_emulator.sip.parser import parse
from phone_emulator.sip.refusal import refusal
from phone_emulator.world.base import TlsServer, World
from phone_emulator.world.tasks import Tasks

MAX_DELAYED = 10_000
"""Messages that one server may hold back at a time."""
MakeCertificate = Callable[[BadCertificate], TlsServer]


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
        bad_tls: MakeCertificate | None = None,
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
        self._tls, self._bad_tls = tls, bad_tls
        self._callee = callee
        self._running = False
        self._delayed = 0
        self._spoken = frozenset(transports)
        self._site = Site(address.host, (domain, *names))
        self._transports = Transports(
            world,
            address.host,
            _ports(address.port, transports, tls_port),
            self._hear,
            self._ignore,
            lambda: self.behaviour.pongs,
            max_connections,
        )
        fingerprint = Fingerprint(world.unguessable.randbytes(16))
        self._meter = Meter(Behaviour(), fingerprint)
        self._meter.change(behaviour or Behaviour())
        self._registrar = Registrar(accounts, max_expires=max_expires, min_expires=min_expires)
        challenger = Challenger(realm or domain, accounts, fingerprint)
        proxy = Proxy(
            self._site, self._registrar, challenger, fingerprint, callee, self._transports.connected
        )
        self._element = Element(self._site, accounts, self._registrar, challenger, fingerprint, proxy)

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves now; a count in it is what is left of it."""
        return self._meter.behaviour

    @property
    def bindings(self) -> dict[str, tuple[Binding, ...]]:
        """What the registrar holds: user -> live bindings, the latest last."""
        return self._registrar.bindings(self._world.now())

    @property
    def ports(self) -> dict[Transport, int]:
        """The port of each transport, once started."""
        return dict(self._site.ports)

    async def start(self) -> None:
        """Open the sockets, and close them again where the behaviour is ``refuse``.

        Raises WorldError; ValueError where the behaviour means nothing here.
        """
        self._check(self.behaviour)
        self._running = True
        self._transports.tls = self._certificate(self.behaviour)
        self._transports.close_after(self.behaviour.close_after)
        # Opened in any case: the address must exist, and be free, for its ports to refuse.
        self._site.ports = await self._transports.open()
        if self.behaviour.kind is BehaviourKind.REFUSE:
            self._transports.close(reset=True)

    async def stop(self) -> None:
        """Close everything; bindings stay, held-back messages are lost. May be called more than once."""
        self._running = False
        self._transports.close(reset=False)

    async def behave(self, behaviour: Behaviour) -> None:
        """Behave differently from now on.

        Raises WorldError where closed sockets cannot be opened again; ValueError where that means nothing of
        a server with these transports.
        """
        self._check(behaviour)
        before = self.behaviour
        self._meter.change(behaviour)
        await self._become(before)

    def _check(self, behaviour: Behaviour) -> None:
        if wrong := behaviour.why_not(self._spoken):
            raise ValueError(f"server {self.name}: {wrong}")

    async def _become(self, before: Behaviour) -> None:
        """Do with the sockets what the behaviour now asks for, which was *before*; tell of it."""
        behaviour = self.behaviour
        refused, refuses = (each.kind is BehaviourKind.REFUSE for each in (before, behaviour))
        if self._running:
            self._transports.tls = self._certificate(behaviour)
            self._transports.close_after(behaviour.close_after)
            if refuses and not refused:
                self._transports.close(reset=True)
            elif refused and not refuses:
                self._site.ports = await self._transports.open()
            elif before.certificate is not behaviour.certificate:
                await self._transports.open_again(Transport.TLS)
        if self._bus is not None:
            self._bus.tell(ServerChanged(at=self._world.now(), server=self.name, behaviour=str(behaviour)))

    def _certificate(self, behaviour: Behaviour) -> TlsServer | None:
        """What is shown over TLS."""
        if self._tls is None or behaviour.certificate is None:
            return self._tls
        if self._bad_tls is None:
            return simulated_fault(self._tls, behaviour.certificate)
        return self._bad_tls(behaviour.certificate)

    def _hear(self, data: bytes, source: Flow) -> None:
        try:
            message = parse(data)
            method = message.cseq.method
            own = self.behaviour.for_method(method)
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
        before, now = self.behaviour, self._world.now()
        try:
            behaviour, wait = self._meter.judge(message, now)
        except MessageError as error:
            self._refuse(data, source, error)
            return
        self._after(wait, partial(self._answer, message, data, source, behaviour), data, source)
        if before.counts and not self.behaviour.counts:
            due = now + behaviour.for_method(method).delay
            self._tasks.call_at(due, partial(self._turn_back, before, self.behaviour), "the old behaviour")

    def _turn_back(self, before: Behaviour, behaviour: Behaviour) -> None:
        """The last request that counted was answered: go on as *behaviour* says, unless that has changed."""
        if self.behaviour is behaviour and self._running:
            self._tasks.spawn(self._become(before), "the return to the old behaviour")

    def _answer(self, message: Message, data: bytes, source: Flow, behaviour: Behaviour) -> None:
        """Do with *message* what *behaviour* says."""
        try:
            outgoing = self._element.receive(message, source, behaviour, self._world.now())
        except MessageError as error:
            self._refuse(data, source, error)
            return
        except Unroutable as error:
            self._ignore(data, source, str(error))
            return
        if outgoing:
            delay = behaviour.for_method(message.cseq.method).delay
            self._after(delay, partial(self._send, outgoing, behaviour), data, source)

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

    def _send(self, outgoing: list[Outgoing], behaviour: Behaviour) -> None:
        for message, flow in outgoing:
            own = behaviour.for_method(message.cseq.method)
            if not own.heard and not (flow.transport is Transport.UDP and flow.remote == self._callee):
                continue
            data = message.to_bytes()
            send = partial(
                self._transports.send,
                data,
                flow,
                dial=isinstance(message, Request),
                failed=partial(self._undelivered, message, flow, behaviour),
            )
            for late in self._passages(own, flow):
                self._after(late, send, data, flow)

    def _undelivered(self, message: Message, flow: Flow, behaviour: Behaviour, reason: str) -> None:
        self._ignore(message.to_bytes(), flow, f"could not be sent on: {reason}")
        if isinstance(message, Request):
            self._send(self._element.undeliverable(message), behaviour)

    def _passages(self, behaviour: Behaviour, flow: Flow) -> list[float]:
        """How late, in seconds, each copy of a message passes: none where it is a datagram and gets lost."""
        if flow.transport is not Transport.UDP:
            return [0.0]
        return passages(self._world.random, behaviour.loss, behaviour.duplicate, behaviour.reorder)

    def _refuse(self, data: bytes, source: Flow, error: MessageError) -> None:
        """Tell what is wrong with what cannot be understood; refuse a request of which enough can."""
        response = refusal(data, error) if self.behaviour.heard else None
        self._ignore(data, source, str(error), None if response is None else response.status)
        if response is not None:
            failed = partial(self._undelivered, response, source, self.behaviour)
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
