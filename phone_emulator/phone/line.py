"""A line: where its servers are, and how a request finds its way along them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from phone_emulator.config.model import AccountConfig, FailbackMode
from phone_emulator.dns import Unresolved
from phone_emulator.events import (
    Attempt,
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    CallState,
    MessagesWaiting,
    Outcome,
    Target,
)
from phone_emulator.redundancy import Failback, Hop, Locate, Try, Walk, hops, moves_on, server_order
from phone_emulator.sip.dialog import Dialog, dialog_of_response
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import MessageError, Request, Response
from phone_emulator.sip.server import ServerTransaction
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import OnFault

from .channel import Channel
from .context import Context
from .exchange import Exchange
from .health import HealthRecord, LineHealth, NextRegister
from .identity import Identity
from .keepalive import KeepAlive
from .lookup import targets_of
from .mwi import read_summary
from .registrar import Registrar
from .subscriptions import Subscriptions

if TYPE_CHECKING:
    from .call import Call
    from .outgoing import OutgoingCall
    from .referral import Referral

Send = Callable[[Try], Awaitable[None]]
UNWANTED = 100
"""Dialogs whose late answers are remembered, so that each is ended once."""


class DialogUser(Protocol):
    """Who a dialog belongs to: a call or a subscription."""

    def receive(self, server: ServerTransaction) -> None:
        """A request came in within the dialog."""

    def acknowledged(self, ack: Request) -> None:
        """An ACK to a 2xx came in within the dialog."""


class Desk(Protocol):
    """Who keeps the calls of every line: the phone."""

    def confirm(self, user: DialogUser, dialog: Dialog) -> None:
        """In-dialog requests of *dialog* belong to *user*."""

    def release(self, dialog: Dialog) -> None:
        """*dialog* is over."""

    def ended(self, call: Call) -> None:
        """*call* is over."""

    def abandoned(self, invite: Request, identity: Identity, line: Line) -> None:
        """No answer came to *invite* in time (C8)."""

    def dial(
        self, number: str, line: int, call_id: str | None = None, *, headers: Sequence[tuple[str, str]] = ()
    ) -> OutgoingCall:
        """Call *number* from *line*."""

    def spawn(
        self, work: Coroutine[Any, Any, None], name: str, on_fault: OnFault | None = None
    ) -> asyncio.Task[None]:
        """Run *work* beside everything else; it ends with the phone at the latest."""


class Line:
    """One enabled account.

    Args:
        context: the phone.
        account: ``account.X.*``.
        desk: keeps the calls of every line.
    """

    def __init__(self, context: Context, account: AccountConfig, desk: Desk) -> None:
        self._desk = desk
        self.context = context
        self.account = account
        self.exchange = Exchange(context.endpoint, context.config, account, context.trust)
        self.calls: list[Call] = []
        """Live calls, oldest first."""
        self.referrals: list[Referral] = []
        """What others have asked the line to call, while they are told how that goes."""
        self.failbacks = {hop.server: Failback(hop.failover) for hop in hops(account)}
        self.registrar = Registrar(self)
        self.subscriptions = Subscriptions(self)
        self.keepalive = KeepAlive(self)
        self.mailbox: MessagesWaiting | None = None
        """What was told last of voice mail; None before."""
        self.record = HealthRecord()
        self._failing_back: set[int] = set()
        self._lists: dict[int, list[Target]] = {}
        self._unwanted: deque[tuple[str, str, str]] = deque(maxlen=UNWANTED)
        """Dialogs that were ended as soon as they were up."""

    @property
    def number(self) -> int:
        """X of ``account.X``."""
        return self.account.index

    @property
    def idle(self) -> bool:
        """Whether there is no ringing, dialling, active or held call."""
        return self._idle_beside(None)

    def _idle_beside(self, own: Call | None) -> bool:
        """Whether there is none beside *own*, the call whose request asks."""
        over = (CallState.ENDING, CallState.ENDED)
        return all(call is own or call.state in over for call in self.calls)

    def health(self) -> LineHealth:
        """How the line stands: which targets work, where it is registered, what it will try next."""
        planned = [
            NextRegister(number, binding.next_at, binding.reason)
            for number, binding in self.registrar.bindings.items()
            if binding.next_at is not None
        ]
        registered = tuple(self.registrar.registered_targets)
        return LineHealth(
            self.number,
            registered,
            registered_nowhere=self.registrar.started and not registered,
            targets=self.record.targets,
            next=tuple(sorted(planned, key=lambda plan: plan.at)),
        )

    def targets(self, server: int) -> Sequence[Target]:
        """The targets of server 1 or 2 as DNS gave them last, primary first; none before the first lookup."""
        return self._lists.get(server, ())

    async def locate(self, hop: Hop) -> list[Target]:
        """The targets of *hop*, primary first; raises Unresolved (D1-D4)."""
        targets = await self.locate_elsewhere(hop)
        self._lists[hop.server] = targets
        return targets

    async def locate_elsewhere(self, hop: Hop) -> list[Target]:
        """The same for a hop that is none of the line's own servers: the next hop of a dialog."""
        context = self.context
        return await targets_of(context.resolver, self.account, hop, sources=context.hosts)

    def knows(self, host: str) -> bool:
        """Whether *host* is the address of one of the line's servers (``sip.trust_ctrl``)."""
        asked = (known.target.address for known in self.record.targets)
        listed = (target.address for targets in self._lists.values() for target in targets)
        return host in {*asked, *listed}

    def walk(
        self,
        method: str,
        over: Sequence[Hop] | None = None,
        *,
        call: Call | None = None,
        errors_move_on: bool = False,
    ) -> Walk:
        """A walk for a new out-of-dialog request.

        Args:
            method: of the request.
            over: the hops in order; None for those of a call.
            call: whose request it is; None for a registration.
            errors_move_on: see :class:`Walk`.
        """
        config = self.context.config
        if over is None:
            over = server_order(self.account, self.registrar.working_server)
        return Walk(
            method,
            over,
            config.timers,
            silence=self.context.silence,
            skip_redundant=config.skip_redundant_failover_addr,
            order=partial(self._order, method, call),
            registered=self.registrar.registered_targets,
            errors_move_on=errors_move_on,
        )

    async def follow(self, walk: Walk, send: Send, *, call: str | None = None) -> Attempt | None:
        """Walk the walk: look names up, hand each attempt to *send*, tell what happens.

        Args:
            walk: not yet begun.
            send: sends the request and fills in the attempt's outcome.
            call: id of the call, or None for a registration.

        Returns:
            The attempt that ended the search with an answer, or None when every server is exhausted.
        """
        world = self.context.world
        told = 0
        while (step := walk.next(world.now())) is not None:
            if isinstance(step, Locate):
                asked = world.now()
                try:
                    walk.located(await self.locate(step.hop))
                except Unresolved as error:
                    walk.unresolved(str(error), asked, world.now())
            told = self._tell_ended(walk.route, told, call)
            if isinstance(step, Try):
                told += 1
                with self.attempting(step.attempt, call):
                    await send(step)
                    walk.ended(step.attempt)
                    self._remember(step.attempt)
        self._tell_ended(walk.route, told, call)
        last = walk.route[-1] if walk.route else None
        return last if last is not None and last.outcome in (Outcome.ANSWERED, Outcome.REJECTED) else None

    @contextlib.contextmanager
    def attempting(self, attempt: Attempt, call: str | None) -> Iterator[None]:
        """Tell that *attempt* begins, and how it ends: what is done within fills that in, or raises."""
        try:
            self.began(attempt, call)
            yield
        except Exception as error:
            if attempt.outcome is None:
                attempt.outcome, attempt.detail = Outcome.CANCELLED, as_reason(error)
                attempt.ended = self.context.world.now()
            raise
        finally:
            # A hang-up before anything has left ends the attempt by cancelling its walk.
            if attempt.outcome is not None:
                self.finished(attempt, call)

    # -- what its calls report -----------------------------------------------------------------------------

    def confirm(self, user: DialogUser, dialog: Dialog) -> None:
        """In-dialog requests of *dialog* belong to *user*."""
        self._desk.confirm(user, dialog)

    def release(self, dialog: Dialog) -> None:
        """*dialog* is over."""
        self._desk.release(dialog)

    def dial(self, number: str, headers: Sequence[tuple[str, str]] = ()) -> OutgoingCall:
        """Call *number* as if the user had dialled it; its INVITE carries *headers* too. Raises CallError."""
        return self._desk.dial(number, self.number, headers=headers)

    def spawn(
        self, work: Coroutine[Any, Any, None], name: str, on_fault: OnFault | None = None
    ) -> asyncio.Task[None]:
        """Run *work* beside everything else; it ends with the phone at the latest."""
        return self._desk.spawn(work, name, on_fault)

    def registered_at(self, target: Target) -> None:
        """Server 1 accepted a REGISTER at *target*."""
        self.subscriptions.registered_at(target)

    def message_summary(self, body: bytes) -> None:
        """A NOTIFY told about voice mail, asked for or not."""
        summary = read_summary(body, self.number, self.context.world.now())
        if summary is not None:
            self.mailbox = summary
            self.context.bus.tell(summary)

    def call_ended(self, call: Call) -> None:
        """*call* is over."""
        if call in self.calls:
            self.calls.remove(call)
        self._desk.ended(call)

    def abandoned(self, invite: Request, identity: Identity) -> None:
        """No answer came to *invite* in time (C8)."""
        self._desk.abandoned(invite, identity, self)

    async def end_late_answer(
        self, invite: Request, identity: Identity, response: Response, flow: Flow
    ) -> None:
        """ACK and BYE a 2xx that came after its target was given up (C8)."""
        try:
            dialog = dialog_of_response(invite, response)
        except MessageError:
            return
        channel = Channel(self, identity)
        channel.flow = flow
        await self.acknowledge_and_bye(channel, dialog)

    async def acknowledge_and_bye(self, channel: Channel, dialog: Dialog) -> None:
        """End a dialog that nobody wants, as soon as it is up (RFC 3261 section 13.2.2.4).

        Each 2xx that asks for it again draws an ACK again, and no further BYE.
        """
        flow = await channel.way(dialog)
        if flow is None:
            return
        channel.acknowledge(dialog, flow)
        if dialog.key not in self._unwanted:
            self._unwanted.append(dialog.key)
            await channel.converse(dialog, "BYE")

    # -- events --------------------------------------------------------------------------------------------

    def progressed(self, attempt: Attempt, call: str | None) -> None:
        """Tell that *attempt* goes on: a request left, or a provisional response came."""
        self.context.bus.tell(
            AttemptProgressed(at=self.context.world.now(), line=self.number, call=call, attempt=attempt)
        )

    def began(self, attempt: Attempt, call: str | None) -> None:
        """Tell that *attempt* begins."""
        if attempt.method == "REGISTER":
            self.registrar.began(attempt)
        now = self.context.world.now()
        self.context.bus.tell(AttemptStarted(at=now, line=self.number, call=call, attempt=attempt))

    def finished(self, attempt: Attempt, call: str | None) -> None:
        """Tell, and remember for the line's health, how *attempt* ended."""
        self.record.note(attempt)
        now = self.context.world.now()
        self.context.bus.tell(AttemptEnded(at=now, line=self.number, call=call, attempt=attempt))

    def _tell_ended(self, route: list[Attempt], told: int, call: str | None) -> int:
        """Tell the attempts from *told* on that were over before they began: unresolved or skipped ones."""
        while told < len(route) and route[told].outcome is not None:
            self.began(route[told], call)
            self.finished(route[told], call)
            told += 1
        return told

    # -- failback ------------------------------------------------------------------------------------------

    def _order(
        self, method: str, call: Call | None, hop: Hop, targets: Sequence[Target]
    ) -> tuple[list[Target], str]:
        failback = self.failbacks[hop.server]
        now = self.context.world.now()
        ordered, current, returning = failback.order(targets, now, idle=self._idle_beside(call))
        if returning:
            self._failing_back.add(hop.server)
            return ordered, f"{ordered[0].role} again: the failback of mode {int(failback.mode)} is due"
        if current is not None:
            if method != "REGISTER" and self._only_registered(hop):
                remotes = {target.remote for target in self.registrar.registered_targets}
                only = [target for target in ordered if target.remote in remotes]
                if not only:
                    return (
                        only,
                        "only_signal_with_registered = 1: the line is registered at none of its targets",
                    )
                return only, "only_signal_with_registered = 1: the registered server only"
            mode = f"failback_mode = {int(failback.mode)}"
            return ordered, f"{current.role} first: it is the one in use since the failover ({mode})"
        return ordered, ""

    def _only_registered(self, hop: Hop) -> bool:
        """Whether ``only_signal_with_registered`` is in effect for *hop* (R9)."""
        failover = hop.failover
        remembers = failover.failback_mode is not FailbackMode.NEW_REQUESTS
        return failover.only_signal_with_registered and failover.register_on_enable and remembers

    def may_signal(self, target: Target | None) -> bool:
        """Whether a dialog that was set up at *target* may still be signalled there (R9)."""
        hop = next(
            (hop for hop in hops(self.account) if target is not None and hop.server == target.server), None
        )
        if target is None or hop is None or not self._only_registered(hop):
            return True
        failed_over = self.failbacks[hop.server].current is not None
        return not failed_over or target.remote in {each.remote for each in self.registrar.registered_targets}

    def _remember(self, attempt: Attempt) -> None:
        """Let the failback know which target answered (F4), and that returning has failed (F5)."""
        server, now = attempt.target.server, self.context.world.now()
        failback = self.failbacks.get(server)
        if failback is None:
            return
        if attempt.outcome in (Outcome.ANSWERED, Outcome.REJECTED):
            failback.worked(attempt.target, self._lists.get(server, []), now)
        elif server in self._failing_back and moves_on(attempt):
            failback.failed_back(now)
        self._failing_back.discard(server)
