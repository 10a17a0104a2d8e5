"""The phone: its lines, its calls, its wire."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import ChainMap, deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from phone_emulator.config.model import PhoneConfig
from phone_emulator.dns import Resolver, dns_servers, locate_sent_by
from phone_emulator.events import Address, Bus, CodecsNotSpoken, Transport
from phone_emulator.media.codecs import Offer, told_of_unspoken, unspoken_titles
from phone_emulator.media.crypto import OptionalSrtp
from phone_emulator.redundancy import Silence
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.sip.headers import key_of
from phone_emulator.sip.message import MessageError
from phone_emulator.sip.timers import Timers
from phone_emulator.sip.transport import DATAGRAM_LIMIT
from phone_emulator.world.base import THE_PHONE, PortInUse, World
from phone_emulator.world.tasks import OnFault, Tasks

from .calls.call import Call, CallError, Handler
from .calls.floor import Floor
from .calls.incoming import IncomingCall
from .calls.outgoing import OutgoingCall
from .calls.states import UP
from .dialling.number import asked_by, at_address, dialled, why_undialable
from .dialogs import Dialogs
from .line import Line
from .mobility import Mobility
from .presence.notifier import Notifier
from .reception import in_dialog
from .reception.entrance import Entrance
from .reception.uas_core import UasCore
from .transfer import conferring
from .transfer.referral import Referrals
from .wire.addresses import own_addresses
from .wire.certificates import Certificates, trust_of
from .wire.context import Context
from .wire.identity import Device
from .wire.known import Network

LAST_WORDS = 8
"""Times T1: how long a phone that stops waits for the answers to its BYEs and CANCELs."""
STOPPED = "the phone was stopped"
"""Why what goes on at the end is cut short, for people."""
HISTORY = 200
"""Calls that the history keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneOptions:
    """What the user says beside the cfg files."""

    local_address: str = ""
    """The phone's IP address, or one of each IP version by a comma; empty lets the routes decide."""
    local_port: int | None = None
    """The SIP port, 0 for any; None takes ``sip.listen_port``, else the firmware's own."""
    silence: Silence = Silence.AUTO
    reaction: float = 0.0
    """Seconds that the phone takes to act on an answer before it moves on to the next server."""
    offer: Offer = Offer.SPOKEN
    """Whether codecs are offered that nobody here can speak."""
    optional_srtp: OptionalSrtp = OptionalSrtp.ONE_LINE
    """How encryption is offered that need not be (``account.X.srtp_encryption``)."""
    listens: bool = False
    """Whether what calls say and hear is kept, ten minutes of each; sound then flows in virtual time, too."""
    device: Device = field(default_factory=Device)
    nameservers: tuple[Address, ...] = ()
    """``--dns``: instead of the DNS servers that the cfg or the machine names."""
    ca_pem: str | None = None
    """Trusted CAs in PEM; None trusts the machine's own."""
    certificates: Certificates = field(default_factory=Certificates)
    """What the phone's own files add to those, and its own certificate."""
    large_requests_over_tcp: bool = True
    """Whether a request of more than 1,300 bytes leaves UDP for TCP (RFC 3261 section 18.1.1)."""
    known: tuple[Network, ...] = ()
    """``--known``: IP networks that count among the servers of every line."""
    any_user: bool = False
    """Whether calls to any number ring, at the line of the server that they come from (the lab's callee)."""

    @property
    def first_address(self) -> str:
        """The first address of ``local_address``; empty for none."""
        return self.local_address.partition(",")[0]


class Phone:
    """A virtual Yealink phone.

    Args:
        config: what the cfg files say.
        world: real or simulated.
        bus: is told everything that happens.
        options: what the user says beside the files.
    """

    def __init__(
        self, config: PhoneConfig, world: World, bus: Bus | None = None, options: PhoneOptions | None = None
    ) -> None:
        self.config = config
        self.world = world
        self.bus = bus or Bus()
        world.faults.tell_on(self.bus)
        self.options = options or PhoneOptions()
        self.lines: dict[int, Line] = {}
        """The enabled lines, by X of ``account.X``; filled by ``start``."""
        self.calls: list[Call] = []
        """Live calls, oldest first."""
        self._floor = Floor(self.calls, config.timers.t1, shared=self.options.any_user)
        self.history: deque[Call] = deque(maxlen=HISTORY)
        """Calls that have ended, newest last, each with its route."""
        self.notifier = Notifier(self.bus, self.calls)
        """Tells of its calls to whoever subscribes to them."""
        self.uas_core = UasCore(self, self.notifier)
        """Answers what comes in outside of dialogs."""
        self.referrals = Referrals(partial(self.dial, directly=False))
        """Makes the calls that others ask for."""
        follows: dict[str, Handler] = {"REFER": self.referrals.in_dialog}
        self._handlers = ChainMap(follows, in_dialog.HANDLERS)
        self._context: Context | None = None
        self._mobility: Mobility | None = None
        self._tasks = Tasks(world, "the phone")
        self.dialogs = Dialogs(self._tasks, config.timers.t1)
        """Who each of its dialogs belongs to."""
        self._entrance = Entrance(self, self.uas_core, self.dialogs, self.knows, self.spawn)
        self._numbers = itertools.count(1)

    # -- life ----------------------------------------------------------------------------------------------

    def after_restart(self) -> Phone:
        """This phone as it comes up again: it remembers nothing, but its calls are counted on."""
        ordered = None if self._mobility is None else self._mobility.ordered
        options = replace(self.options, local_address=",".join(ordered)) if ordered else self.options
        phone = Phone(self.config, self.world, self.bus, options)
        phone._numbers = self._numbers
        return phone

    async def start(self) -> None:
        """Open the sockets; registers nobody yet. Raises WorldError: a port in use, no such local address."""
        config, options = self.config, self.options
        servers = list(options.nameservers) or dns_servers(config.dns, self.world)
        host, other_host = own_addresses(config, self.world, options.local_address, servers)
        endpoint = Endpoint(
            self.world,
            self.bus,
            Timers(config.timers.t1, config.timers.t2, config.timers.t4),
            host=host,
            other_host=other_host,
            port=self._sip_port(),
            tls_port=config.tls_listen_port,
            datagram_limit=DATAGRAM_LIMIT if options.large_requests_over_tcp else 0,
            dscp=config.signal_dscp,
            user_agent=options.device.user_agent(config),
            on_request=self._entrance.request,
            on_ack=self._entrance.ack,
            on_stray=self._entrance.stray,
            on_lost=self._entrance.lost,
            on_unsent=self._on_unsent,
            locate=self._locate,
            known=self.knows,
        )
        try:
            await endpoint.open()
        except PortInUse as error:
            error.whose = THE_PHONE
            raise
        try:
            self._make_lines(endpoint, host, other_host, servers)
        except BaseException:
            await endpoint.close()
            self._context = None
            raise

    def _make_lines(
        self, endpoint: Endpoint, host: str, other_host: str, nameservers: Sequence[Address]
    ) -> None:
        config, options = self.config, self.options
        self._context = Context(
            world=self.world,
            bus=self.bus,
            config=config,
            device=options.device,
            silence=options.silence,
            reaction=options.reaction,
            offer=options.offer,
            optional_srtp=options.optional_srtp,
            listens=options.listens,
            host=host,
            other_host=other_host,
            endpoint=endpoint,
            resolver=Resolver(self.world, nameservers, config.dns, bus=self.bus, source_host=host),
            trust=trust_of(config, options.ca_pem, options.certificates),
            known=options.known,
            next_rtp_port=config.min_rtp_port + options.device.style.skipped_rtp_ports,
            sessions=options.device.style.first_session,
        )
        self.lines = {
            account.index: Line(self._context, account, self.dialogs, self._handlers, self)
            for account in config.lines
        }
        self._mobility = Mobility(
            self._context,
            config,
            given=options.local_address,
            nameservers=options.nameservers,
            lines=self.lines,
            calls=self.calls,
            moved=self.notifier.moved,
        )
        self._mobility.start()
        self._tell_of_codecs()

    def _tell_of_codecs(self) -> None:
        """Tell which codecs are enabled and cannot be spoken here; once, however many lines enable them."""
        told: set[tuple[str, ...]] = set()
        offer = self.options.offer
        for number, line in self.lines.items():
            names = [codec.name for codec in line.account.codecs]
            titles = tuple(unspoken_titles(names))
            if titles and titles not in told:
                told.add(titles)
                self.bus.tell(
                    CodecsNotSpoken(
                        at=self.world.now(),
                        line=number,
                        codecs=titles,
                        offered=offer is Offer.DECLARED,
                        reason=told_of_unspoken(names, offer),
                    )
                )

    async def stop(self, *, unregister: bool = True, why: str = "") -> None:
        """End every call, remove what registrars hold unless told not to (R12), close the sockets.

        Args:
            unregister: False: nobody is told, as by a power cut.
            why: for people, of what is cut short by it, where it is not the user's wish.
        """
        await self._stop(tuple(self.lines.values()) if unregister else (), why)

    async def stop_to_restart(self) -> None:
        """The same before a restart, where ``account.X.unregister_on_reboot`` says whether line X is told."""
        told = tuple(line for line in self.lines.values() if line.account.unregister_on_reboot)
        await self._stop(told, "")

    async def _stop(self, told: Sequence[Line], why: str) -> None:
        """Stop, and de-register the lines *told*; where that is none, nobody is told."""
        context = self._context
        if context is None:
            return
        try:
            if self._mobility is not None:
                await self._mobility.stop()
            if told:
                await self._end_calls(why)
            for line in self.lines.values():
                line.quality_reports.close()
            why = why or STOPPED
            watched = self.notifier.stop(tell=bool(told))
            await self._all([("ending what watches it", watched, lambda error: self.notifier.cancel())])
            lines = self.lines.values()
            await self._all([_stopped(line, why, unregister=line in told) for line in lines])
            calls = (*self.calls, *self.history)
            await self._all([(f"the end of {call.id}", call.abandon(why), call.fault) for call in calls])
            for line in self.lines.values():
                await line.seat.tasks.stop()
            await self._tasks.stop()
        finally:
            try:
                await context.endpoint.close()
            finally:
                self._context = None

    async def _all(self, works: Sequence[tuple[str, Coroutine[Any, Any, None], OnFault]]) -> None:
        """Do all *works* at once; whatever one of them raises, the phone stops."""
        tasks = [self.spawn(work, name, on_fault) for name, work, on_fault in works]
        await asyncio.gather(*tasks, return_exceptions=True)

    def left_behind(self) -> list[str]:
        """What registrars hold of its lines now, and until when, for people: they send calls there."""
        now = self.world.now()
        return [
            f"line {number} stays registered at {lease.target}, for {lease.expires_at - now:.0f} s at most"
            for number, line in self.lines.items()
            for lease in line.registrar.left()
        ]

    async def _end_calls(self, why: str) -> None:
        """Hang up everywhere; who is slow to answer a BYE, a CANCEL or a report is waited for a little."""
        calls = tuple(self.calls)
        for call in calls:
            self.spawn(call.hang_up(why), f"hanging up {call.id}", call.fault)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS * self.config.timers.t1):
                for call in calls:
                    await call.over()
                for line in self.lines.values():
                    await line.quality_reports.settled()

    @property
    def context(self) -> Context:
        """The running phone; raises CallError before ``start`` and after ``stop``."""
        if self._context is None:
            raise CallError("the phone is not running")
        return self._context

    # -- orders --------------------------------------------------------------------------------------------

    async def register(self, line: int | None = None) -> None:
        """Register *line*, or every line; returns when each first cycle has ended. Raises CallError."""
        lines = list(self.lines.values()) if line is None else [self.line(line)]
        await asyncio.gather(*(each.registrar.register() for each in lines))

    async def move(self, *hosts: str) -> None:
        """Have the phone at the IP addresses *hosts* from now on, whatever its machine has; none: at none.

        Returns when every line has registered from there, or cannot, and the calls that are up go on or have
        ended. Raises CallError before ``start`` and after ``stop``.
        """
        if self._mobility is None or self._context is None:
            raise CallError("the phone is not running")
        await self._mobility.move(hosts)

    def dial(
        self,
        number: str,
        line: int | None = None,
        call_id: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        directly: bool = True,
        beside: Call | None = None,
    ) -> OutgoingCall:
        """Call *number*, as people type it, from *line* (None: the first one); raises CallError.

        A call that talks is held, and the INVITE leaves behind that (see `Floor`).

        Args:
            number: a number, or a SIP URI.
            line: X of ``account.X``.
            call_id: how people know it; None gives it the next id.
            headers: what the INVITE carries beside its usual ones.
            directly: whether an address is called past the line's servers
                (``features.direct_ip_call_enable``).
            beside: a call that is not held for this one, since whoever asked for this one ends that.
        """
        if wrong := why_undialable(number, self.config.call_num_filter):
            raise CallError(wrong)
        number = dialled(number, self.config.call_num_filter)
        chosen = self.line(line)
        server = chosen.account.servers[0]
        identity, asked = self.context.identity(chosen.account, server), asked_by(number)
        named = {key_of(name) for name, _ in headers}
        carried = [*headers, *(each for each in asked.taken if key_of(each[0]) not in named)]
        there = at_address(asked.uri) if directly and self.config.direct_ip_call else None
        if there is not None and chosen.servers.are_at(there.host, there.port):
            there = None
        call = OutgoingCall(chosen, call_id or self.new_call_id(), asked.uri, identity, carried, there)
        call.beside = beside
        with call.tasks.guarded("dialling"):
            self._add(call)
            call.start()
        return call

    async def swap(self, to: Call | None = None) -> Call:
        """Hold the call that talks and take another one back: *to*, or the next one that is held.

        Raises CallError where there is none, or where its far end says no.
        """
        return await self.floor.swap(to)

    async def confer(self, call: Call, *others: Call) -> OutgoingCall | None:
        """Let *call* talk together with *others*, or the newest other one that is up; raises CallError.

        Returns:
            The call to the conference at a server, where that was placed (``account.X.conf_type = 2``).
        """
        up = [each for each in self.calls if each.state in UP and each is not call]
        return await conferring.confer(call, others or up[-1:], partial(self.dial, directly=False))

    async def split(self, call: Call) -> None:
        """Make calls of the conference of *call* again, all of them held; raises CallError."""
        await conferring.split(call)

    async def hang_up(self, call: Call) -> None:
        """End *call*, in any state, and all of a conference that it is in (see `conferring.leave`)."""
        await conferring.leave(call)

    def ring(self, call: IncomingCall) -> None:
        """Take *call* up and let it ring."""
        with call.tasks.guarded("ringing", expected=(MessageError,)):
            self._add(call)
            call.ring()

    def replace(self, other: Call, call: IncomingCall) -> None:
        """Take *call* up in the place of *other*."""
        with call.tasks.guarded("ringing", expected=(MessageError,)):
            self._add(call)
            call.replace(other)

    @property
    def any_user(self) -> bool:
        """Whether calls to any number ring, at the line of the server that they come from."""
        return self.options.any_user

    @property
    def floor(self) -> Floor[Call]:
        """Which of its calls talks."""
        return self._floor

    def line(self, number: int | None = None) -> Line:
        """The line *number*, or the first one; raises CallError."""
        if number is None:
            if not self.lines:
                raise CallError("no account is enabled")
            return next(iter(self.lines.values()))
        if number not in self.lines:
            known = ", ".join(str(known) for known in self.lines) or "none"
            raise CallError(f"there is no line {number}; enabled lines: {known}")
        return self.lines[number]

    def call(self, call_id: str) -> Call | None:
        """The live call with this id, or None."""
        return next((call for call in self.calls if call.id == call_id), None)

    def new_call_id(self) -> str:
        """The next id by which people know a call: ``call-1``, ``call-2``, …"""
        return f"call-{next(self._numbers)}"

    # -- what calls report ---------------------------------------------------------------------------------

    def ended(self, call: Call) -> None:
        """*call* is over."""
        if call in self.calls:
            self.calls.remove(call)
            self.history.append(call)
        self.dialogs.release_all(call)

    def _add(self, call: Call) -> None:
        self.calls.append(call)
        call.seat.calls.append(call)

    def spawn(
        self, work: Coroutine[Any, Any, None], name: str, on_fault: OnFault | None = None
    ) -> asyncio.Task[None]:
        """Run *work* beside everything else; it ends with the phone at the latest."""
        return self._tasks.spawn(work, name, on_fault=on_fault)

    # -- what the endpoint asks ----------------------------------------------------------------------------

    def knows(self, host: str) -> bool:
        """Whether the IP address *host* is that of a server of any line, or was dialled."""
        called = self._context is not None and host in self._context.called
        return called or any(host in line.seat.known for line in self.lines.values())

    def _on_unsent(self) -> None:
        if self._mobility is not None:
            self._mobility.look()

    async def _locate(self, host: str, port: int | None, transport: Transport) -> Sequence[Address]:
        context = self.context
        return await locate_sent_by(context.resolver, host, port, transport, sources=context.hosts)

    # -- before the start ----------------------------------------------------------------------------------

    def _sip_port(self) -> int:
        """Where SIP is awaited: as the user says, else ``sip.listen_port``, else as the firmware does."""
        said = (self.options.local_port, self.config.listen_port)
        return next((port for port in said if port is not None), self.options.device.style.listen_port)


def _stopped(line: Line, why: str, *, unregister: bool) -> tuple[str, Coroutine[Any, Any, None], OnFault]:
    """The work that stops *line*, and what is left to do where it raises."""
    registrar = line.registrar
    work = registrar.unregister(why) if unregister else registrar.abandon(why)
    return f"stopping line {line.number}", work, lambda error: registrar.cancel()
