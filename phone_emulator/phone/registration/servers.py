"""A line's servers: where they are, how a request walks along them, and what is remembered of that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import FailbackMode
from phone_emulator.dns import Unresolved
from phone_emulator.events import (
    DIRECT,
    Address,
    Attempt,
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    Outcome,
    Target,
    Transport,
)
from phone_emulator.phone.seat import LiveCall, Seat
from phone_emulator.phone.wire.exchange import FINAL
from phone_emulator.redundancy import (
    Failback,
    Hop,
    Locate,
    Ordered,
    Try,
    Walk,
    foretold,
    hops,
    moves_on,
    server_order,
)
from phone_emulator.world.address import canonical
from phone_emulator.world.faults import as_reason

from .binding import Bindings
from .health import HealthRecord
from .rests import Rests

Send = Callable[[Try], Awaitable[None]]


def but_unregistered(detail: str) -> str:
    """*detail* of a REGISTER that was answered with an error, where another target is tried all the same."""
    return detail.replace(FINAL, "an answer, but no registration")


class Servers:
    """The servers of one line.

    Args:
        seat: of the line.
        bindings: where it is registered.
    """

    def __init__(self, seat: Seat, bindings: Bindings) -> None:
        self._seat = seat
        self.bindings = bindings
        self.failbacks = {hop.server: Failback(hop.failover) for hop in hops(seat.account)}
        self.record = HealthRecord()
        self.rests = Rests()
        self._lists: dict[int, list[Target]] = {}

    def targets(self, server: int) -> Sequence[Target]:
        """The targets of server 1 or 2 as DNS gave them last, primary first; none before the first lookup."""
        return self._lists.get(server, ())

    async def locate(self, hop: Hop) -> list[Target]:
        """The targets of *hop*, primary first; raises Unresolved (D1-D4)."""
        targets = await self._seat.locate(hop)
        if hop.server != DIRECT:
            self._lists[hop.server] = targets
            self.failbacks[hop.server].located(targets, self._seat.now)
            self._seat.known.note(hop.host, (target.address for target in targets))
        return targets

    async def locate_all(self) -> None:
        """Look up each server that was not yet, once: somebody may be one of them."""
        for hop in hops(self._seat.account):
            if hop.host in self._seat.known.unlocated:
                with contextlib.suppress(Unresolved):
                    await self.locate(hop)
        self._seat.known.unlocated.clear()

    def left(self, host: str) -> str:
        """Which target at the IP address *host* is not the one in use, for people; empty where none is (R17).

        What it sends is served all the same: ``only_signal_with_registered`` is about what the phone sends.
        """
        current = [failback.current for failback in self.failbacks.values()]
        used = {target.address for target in (*self.bindings.targets, *current) if target is not None}
        if not used or host in used:
            return ""
        listed = [target for targets in self._lists.values() for target in targets]
        asked = [known.target for known in self.record.targets]  # DNS may name them no more
        found = next((target for target in [*listed, *asked] if target.address == host), None)
        return "" if found is None else f"through {found}, which is not a server in use"

    def are_at(self, host: str, port: int | None) -> bool:
        """Whether one of them is at the IP address *host* and *port*; None for whichever it has."""
        account = self._seat.account
        configured = [(each.address, each.port) for each in account.servers]
        configured += [(each.address, each.port) for each in account.proxies]
        literal = [
            Address(canonical(address), port or Transport.UDP.default_port)
            for address, port in configured
            if is_ip(address)
        ]
        asked = (known.target.remote for known in self.record.targets)
        listed = (target.remote for targets in self._lists.values() for target in targets)
        return any(at.host == host and port in (None, at.port) for at in (*literal, *asked, *listed))

    def walk(
        self,
        method: str,
        over: Sequence[Hop] | None = None,
        *,
        call: LiveCall | None = None,
        errors_move_on: bool = False,
    ) -> Walk:
        """A walk for a new out-of-dialog request.

        Args:
            method: of the request.
            over: the hops in order; None for those of a call.
            call: whose request it is; None for a registration.
            errors_move_on: see :class:`Walk`.
        """
        config = self._seat.context.config
        if over is None:
            over = server_order(self._seat.account, self.bindings.working_server)
        return Walk(
            method,
            over,
            config.timers,
            silence=self._seat.context.silence,
            skip_redundant=config.skip_redundant_failover_addr,
            order=partial(self._order, method, call),
            registered=lambda: self.bindings.targets,
            errors_move_on=errors_move_on,
            resting=self.rests.why if method == "REGISTER" else None,
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
        told = 0
        while (step := walk.next(self._seat.now)) is not None:
            if isinstance(step, Locate):
                asked = self._seat.now
                try:
                    walk.located(await self.locate(step.hop))
                except Unresolved as error:
                    walk.unresolved(str(error), asked, self._seat.now)
            told = self._tell_ended(walk.route, told, call)
            if isinstance(step, Try):
                told += 1
                with self.attempting(step.attempt, call):
                    await send(step)
                    walk.ended(step.attempt)
                    if step.attempt.outcome is Outcome.REJECTED and not walk.over:
                        step.attempt.detail = but_unregistered(step.attempt.detail)
                    self._remember(step.attempt, walk)
                await self._react(walk, step.attempt)
        self._tell_ended(walk.route, told, call)
        last = walk.route[-1] if walk.route else None
        if last is None or moves_on(last) or last.outcome not in (Outcome.ANSWERED, Outcome.REJECTED):
            return None
        return last

    async def _react(self, walk: Walk, attempt: Attempt) -> None:
        """Take the time that the phone needs to act on the answer to *attempt* (``--reaction``)."""
        reaction, answered = self._seat.context.reaction, (attempt.status or 0) >= 300
        if reaction and answered and any(each.outcome is None for each in self.to_come(walk)):
            await asyncio.sleep(reaction)

    def to_come(self, walk: Walk) -> list[Attempt]:
        """What *walk* has still to try, and whom it will pass over, as far as is known; see `foretold`."""
        return foretold(walk, lambda hop: self.targets(hop.server), self._seat.now)

    @contextlib.contextmanager
    def attempting(self, attempt: Attempt, call: str | None) -> Iterator[None]:
        """Tell that *attempt* begins, and how it ends: what is done within fills that in, or raises."""
        try:
            self.began(attempt, call)
            yield
        except Exception as error:
            if attempt.outcome is None:
                self._cut(attempt, as_reason(error))
            raise
        except asyncio.CancelledError as error:
            # A hang-up before anything has left ends the attempt by cancelling its walk, and has said so.
            if attempt.outcome is None:
                self._cut(attempt, f"cut short: {error.args[0] if error.args else 'the phone was stopped'}")
            raise
        finally:
            if attempt.outcome is not None:
                self.finished(attempt, call)

    def _cut(self, attempt: Attempt, detail: str) -> None:
        attempt.outcome, attempt.detail, attempt.ended = Outcome.CANCELLED, detail, self._seat.now

    # -- events --------------------------------------------------------------------------------------------

    def progressed(self, attempt: Attempt, call: str | None) -> None:
        """Tell that *attempt* goes on: a request left, or a provisional response came."""
        self._seat.tell(
            AttemptProgressed(at=self._seat.now, line=self._seat.number, call=call, attempt=attempt)
        )

    def began(self, attempt: Attempt, call: str | None) -> None:
        """Tell that *attempt* begins."""
        if attempt.method == "REGISTER":
            self.bindings.began(attempt)
        now = self._seat.now
        self._seat.tell(AttemptStarted(at=now, line=self._seat.number, call=call, attempt=attempt))

    def finished(self, attempt: Attempt, call: str | None) -> None:
        """Tell, and remember for the line's health, how *attempt* ended."""
        if attempt.target.server != DIRECT:
            self.record.note(attempt)
        now = self._seat.now
        self._seat.tell(AttemptEnded(at=now, line=self._seat.number, call=call, attempt=attempt))

    def _tell_ended(self, route: list[Attempt], told: int, call: str | None) -> int:
        """Tell the attempts from *told* on that were over before they began: unresolved or skipped ones."""
        while told < len(route) and route[told].outcome is not None:
            self.began(route[told], call)
            self.finished(route[told], call)
            told += 1
        return told

    # -- failback ------------------------------------------------------------------------------------------

    def _order(self, method: str, call: LiveCall | None, hop: Hop, targets: Sequence[Target]) -> Ordered:
        if hop.server == DIRECT:
            reported = method == "PUBLISH"
            why = "reports go there" if reported else "an address was dialled: it is called directly"
            return Ordered(list(targets), why)
        failback = self.failbacks[hop.server]
        now = self._seat.now
        ordered, current, returning = failback.order(targets, now, idle=self._seat.idle(call))
        only = method != "REGISTER" and self._only_registered(hop)
        registered = self._registered(ordered)
        which = (
            "the registered server only" if registered else "the line is registered at none of its targets"
        )
        left_out = f"only_signal_with_registered = 1: {which}"
        if returning:
            first, *others = ordered
            why = f"{first.role} again: the failback of mode {int(failback.mode)} is due"
            others = [target for target in others if target in registered or not only]
            return Ordered([first, *others], why, returning=True, left_out=left_out)
        if (dropped := failback.dropped(targets)) is not None:
            why = f"{ordered[0].role} first: DNS names {dropped}, in use since the failover, no more"
            return Ordered(ordered, why)
        if current is None:
            return Ordered(ordered)
        if not only:
            mode = f"failback_mode = {int(failback.mode)}"
            return Ordered(ordered, f"{current.role} first: it is the one in use since the failover ({mode})")
        return Ordered(registered, left_out)

    def _registered(self, targets: Sequence[Target]) -> list[Target]:
        """Those of *targets* where the line is registered."""
        remotes = {target.remote for target in self.bindings.targets}
        return [target for target in targets if target.remote in remotes]

    def _only_registered(self, hop: Hop) -> bool:
        """Whether ``only_signal_with_registered`` is in effect for *hop* (R9)."""
        failover = hop.failover
        remembers = failover.failback_mode is not FailbackMode.NEW_REQUESTS
        return failover.only_signal_with_registered and failover.register_on_enable and remembers

    def may_signal(self, target: Target | None) -> bool:
        """Whether a dialog that was set up at *target* may still be signalled there (R9)."""
        if target is None:
            return True
        hop = next((hop for hop in hops(self._seat.account) if hop.server == target.server), None)
        if hop is None or not self._only_registered(hop):
            return True
        failed_over = self.failbacks[hop.server].current is not None
        return not failed_over or target.remote in {each.remote for each in self.bindings.targets}

    def _remember(self, attempt: Attempt, walk: Walk) -> None:
        """Let the failback know which target answered (F4), and that returning has failed (F5)."""
        server, now = attempt.target.server, self._seat.now
        failback = self.failbacks.get(server)
        if failback is None:
            return
        if moves_on(attempt) or walk.refused_back(attempt):
            if walk.returns(attempt):
                failback.failed_back(now)
        elif attempt.outcome in (Outcome.ANSWERED, Outcome.REJECTED):
            failback.worked(attempt.target, self._lists.get(server, []), now)
