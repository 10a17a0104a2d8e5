"""The phone: its lines, its calls, its wire."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phone_emulator.config.model import PhoneConfig
from phone_emulator.dns import Resolver, dns_servers, locate_sent_by
from phone_emulator.events import Address, Bus, Transport
from phone_emulator.redundancy import Silence
from phone_emulator.sip.dialog import Dialog
from phone_emulator.sip.endpoint import Endpoint
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.sip.timers import Timers
from phone_emulator.sip.transport import DATAGRAM_LIMIT
from phone_emulator.world.base import World
from phone_emulator.world.tasks import OnFault, Tasks

from .addresses import own_addresses
from .call import Call, CallError
from .certificates import Certificates, trust_of
from .context import Context
from .dialling import why_undialable
from .identity import Device
from .incoming import IncomingCall
from .line import DialogUser, Line
from .outgoing import OutgoingCall
from .reception import Reception, unsupported

if TYPE_CHECKING:
    from .identity import Identity

LAST_WORDS = 8
"""Times T1: how long a phone that stops waits for the answers to its BYEs and CANCELs."""
LATE_ANSWERS = 180.0
"""Seconds that an abandoned INVITE may still be answered: proxies let it ring so long (timer C, RFC 3261)."""
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
    device: Device = field(default_factory=Device)
    nameservers: tuple[Address, ...] = ()
    """``--dns``: instead of the DNS servers that the cfg or the machine names."""
    ca_pem: str | None = None
    """Trusted CAs in PEM; None trusts the machine's own."""
    certificates: Certificates = field(default_factory=Certificates)
    """What the phone's own files add to those, and its own certificate."""
    large_requests_over_tcp: bool = True
    """Whether a request of more than 1,300 bytes leaves UDP for TCP (RFC 3261 section 18.1.1)."""
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
        self.history: deque[Call] = deque(maxlen=HISTORY)
        """Calls that have ended, newest last, each with its route."""
        self.reception = Reception(self)
        """Answers what comes in outside of dialogs."""
        self._context: Context | None = None
        self._dialogs: dict[tuple[str, str, str], DialogUser] = {}
        self._abandoned: dict[tuple[str, str], tuple[Request, Identity, Line]] = {}
        self._tasks = Tasks(world, "the phone")
        self._numbers = itertools.count(1)

    # -- life ----------------------------------------------------------------------------------------------

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
            on_request=self._on_request,
            on_ack=self._on_ack,
            on_stray=self._on_stray,
            locate=self._locate,
        )
        await endpoint.open()
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
            host=host,
            other_host=other_host,
            endpoint=endpoint,
            resolver=Resolver(self.world, nameservers, config.dns, bus=self.bus, source_host=host),
            trust=trust_of(config, options.ca_pem, options.certificates),
            next_rtp_port=config.min_rtp_port + options.device.style.skipped_rtp_ports,
            sessions=options.device.style.first_session,
        )
        self.lines = {account.index: Line(self._context, account, self) for account in config.lines}

    async def stop(self, *, unregister: bool = True) -> None:
        """End every call, de-register every live binding unless told not to (R12), close the sockets."""
        context = self._context
        if context is None:
            return
        try:
            if unregister:
                await self._end_calls()
            notifier = self.reception.notifier
            watched = notifier.stop(tell=unregister)
            await self._all([("ending what watches it", watched, lambda error: notifier.cancel())])
            await self._all([_stopped(line, unregister=unregister) for line in self.lines.values()])
            calls = (*self.calls, *self.history)
            await self._all([(f"the end of {call.id}", call.abandon(), call.fault) for call in calls])
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

    async def _end_calls(self) -> None:
        """Hang up everywhere; a server that is slow to answer a BYE or a CANCEL is waited for a little."""
        calls = tuple(self.calls)
        for call in calls:
            self.spawn(call.hang_up(), f"hanging up {call.id}", call.fault)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS * self.config.timers.t1):
                for call in calls:
                    await call.over()

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

    def dial(
        self,
        number: str,
        line: int | None = None,
        call_id: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> OutgoingCall:
        """Call *number* from *line* (None: the first one); raises CallError.

        *headers*: what the INVITE carries beside its usual ones.
        """
        if wrong := why_undialable(number):
            raise CallError(wrong)
        chosen = self.line(line)
        server = chosen.account.servers[0]
        identity = self.context.identity(chosen.account, server)
        call = OutgoingCall(chosen, call_id or self.new_call_id(), number, identity, headers)
        with call.tasks.guarded("dialling"):
            self._add(call)
            call.start()
        return call

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

    def confirm(self, user: DialogUser, dialog: Dialog) -> None:
        """In-dialog requests of *dialog* belong to *user*."""
        self._dialogs[dialog.key] = user

    def release(self, dialog: Dialog) -> None:
        """*dialog* is over."""
        self._dialogs.pop(dialog.key, None)

    def ended(self, call: Call) -> None:
        """*call* is over."""
        if call in self.calls:
            self.calls.remove(call)
            self.history.append(call)
        for key in [key for key, known in self._dialogs.items() if known is call]:
            del self._dialogs[key]

    def abandoned(self, invite: Request, identity: Identity, line: Line) -> None:
        """No answer came to *invite* in time: a late one is owed its ACK, a 2xx BYE too, for a while (C8)."""
        key = (invite.call_id, invite.branch or "")
        self._abandoned[key] = (invite, identity, line)

        async def forget() -> None:
            await asyncio.sleep(max(LATE_ANSWERS, 64 * self.config.timers.t1))
            self._abandoned.pop(key, None)

        self.spawn(forget(), f"late answers to {invite.uri}")

    def _add(self, call: Call) -> None:
        self.calls.append(call)
        call.line.calls.append(call)

    def spawn(
        self, work: Coroutine[Any, Any, None], name: str, on_fault: OnFault | None = None
    ) -> asyncio.Task[None]:
        """Run *work* beside everything else; it ends with the phone at the latest."""
        return self._tasks.spawn(work, name, on_fault=on_fault)

    # -- what comes in -------------------------------------------------------------------------------------

    def _on_request(self, server: ServerTransaction) -> None:
        request = server.request
        _ = request.request_uri  # raises: 416 for a scheme that is not known here, 400 for no URI
        user = self._dialogs.get((request.call_id, request.to_tag or "", request.from_tag or ""))
        if isinstance(user, Call):
            user.receive(server)
            return
        refusal = unsupported(request, self.reception.line_called(request))
        if refusal is not None:
            self.reception.answer(server, refusal)
        elif user is not None:
            user.receive(server)
        else:
            self.reception.receive(server)

    def _on_ack(self, ack: Request, flow: Flow) -> str | None:
        call = self._dialogs.get((ack.call_id, ack.to_tag or "", ack.from_tag or ""))
        if call is None:
            return "no such call is known here"
        call.acknowledged(ack)
        return None

    def _on_stray(self, response: Response, flow: Flow) -> str | None:
        """A response without a transaction: a late final one is acknowledged, a 2xx ended too (C8)."""
        known = self._abandoned.get((response.call_id, response.branch or ""))
        if known is None or response.cseq.method != "INVITE":
            return "it answers no request that still waits for an answer"
        if response.status < 200:
            return "too late: this server was given up before"
        invite, identity, line = known
        if response.status >= 300:
            self.context.endpoint.clients.acknowledge(invite, response, flow)
        else:
            self.spawn(line.end_late_answer(invite, identity, response, flow), "BYE to a late answer")
        return None

    async def _locate(self, host: str, port: int | None, transport: Transport) -> Sequence[Address]:
        context = self.context
        return await locate_sent_by(context.resolver, host, port, transport, sources=context.hosts)

    # -- before the start ----------------------------------------------------------------------------------

    def _sip_port(self) -> int:
        """Where SIP is awaited: as the user says, else ``sip.listen_port``, else as the firmware does."""
        said = (self.options.local_port, self.config.listen_port)
        return next((port for port in said if port is not None), self.options.device.style.listen_port)


def _stopped(line: Line, *, unregister: bool) -> tuple[str, Coroutine[Any, Any, None], OnFault]:
    """The work that stops *line*, and what is left to do where it raises."""
    registrar = line.registrar
    work = registrar.unregister() if unregister else registrar.abandon()
    return f"stopping line {line.number}", work, lambda error: registrar.cancel()
