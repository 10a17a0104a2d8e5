"""A line's REGISTERs: one at a target, and what its answer changes (R8, R10-R13, R15)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from phone_emulator.events import Attempt, Outcome, RegistrationChanged, RegistrationState, Target, Wait
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.exchange import Draft, Watch
from phone_emulator.redundancy import Hop, hops, moves_on, refresh_delay, wait_for
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.headers import delta_seconds
from phone_emulator.sip.message import Response
from phone_emulator.world.faults import as_reason

from .binding import Binding
from .lease import Grant, Lease, Place, contacts_of, granted, granted_gruu, host_of, own_lease, place_of
from .servers import Servers

MIN_LEASE = 10
"""Seconds; a server that grants less cannot make the phone register without end (0 is no registration)."""
TAKES_ONE_ONLY = frozenset({400, 500})
"""What registrars say that know no REGISTER with several Contacts: they are asked again with the new one."""
EVERYTHING = "*"
"""The Contact that removes every binding of the account."""


class Requests:
    """The REGISTERs of one line.

    Args:
        seat: of the line.
        servers: where it registers.
        on_registered: called whenever a binding is.
    """

    def __init__(self, seat: Seat, servers: Servers, on_registered: Callable[[], None]) -> None:
        self._seat = seat
        self._servers = servers
        self._context = seat.context
        self._on_registered = on_registered

    @property
    def _now(self) -> float:
        return self._context.world.now()

    def draft(self, binding: Binding, expires: int | None = None) -> Draft:
        """A REGISTER of *binding* for *expires* seconds; None: as many as it asks for."""
        identity = self._context.identity(self._seat.account, binding.server)
        asked = binding.asks if expires is None else expires
        request = identity.register(
            binding.call_id, binding.tag, binding.take_cseq(), asked, contact="<sip:0.0.0.0>"
        )
        return Draft(identity, request, count=binding.take_cseq)

    # -- registering ---------------------------------------------------------------------------------------

    async def register(self, binding: Binding, draft: Draft, attempt: Attempt) -> bool:
        """REGISTER *binding* at ``attempt.target``; fills in the attempt's outcome.

        Where a REGISTER goes there already, its outcome is shared; one to elsewhere is waited for (R13).
        """
        arrived = self._now
        joined = await binding.turns.at(attempt.target)
        if joined is not None:
            attempt.outcome, attempt.status, attempt.ended = joined.outcome, joined.status, self._now
            attempt.detail = f"{joined.detail} (of the REGISTER that was under way there)"
            return joined.outcome is Outcome.ANSWERED
        with binding.turns.taken(attempt):
            if self._now > arrived:
                attempt.started = self._now
            if binding.must_clear and not await self._clear(binding, draft, attempt):
                return False
            return await self._ask(binding, draft, attempt)

    async def first(self, hop: Hop, attempt: Attempt) -> Attempt:
        """REGISTER the binding of *hop* as *attempt* says, before another request goes there (R9).

        Returns:
            *attempt*, or the one that was under way at its target, with the outcome.
        """
        binding = self._servers.bindings[hop.server]
        joined = await binding.turns.at(attempt.target)
        if joined is not None:
            return joined
        attempt.started = self._now
        with self._servers.attempting(attempt, None):
            if why := self._servers.rests.why(attempt.target, self._now):
                attempt.outcome, attempt.detail, attempt.ended = Outcome.SKIPPED, why, self._now
            elif await self.register(binding, self.draft(binding), attempt):
                self.change(binding, RegistrationState.REGISTERED, granted_reason(attempt))
        return attempt

    async def _ask(self, binding: Binding, draft: Draft, attempt: Attempt) -> bool:
        if draft.request.cseq.number < binding.cseq:
            draft.next_cseq()  # another REGISTER of this binding left meanwhile: a call's own (R9), a probe
        watch = Watch(sent=lambda: self._servers.progressed(attempt, None))
        found: tuple[Response, Flow] | None = None
        draft.beside = lambda contact: binding.others_at(attempt.target, contact, self._now)
        try:
            found = await self._seat.exchange.run(attempt, draft, watch)
            if found is not None and found[0].status in TAKES_ONE_ONLY and draft.removes:
                draft.beside = lambda contact: ()
                draft.next_cseq()
                attempt.outcome = attempt.status = attempt.ended = None
                found = await self._seat.exchange.run(attempt, draft, watch)
        finally:
            asked = delta_seconds(draft.request.headers.get("Expires")) or 0
            if found is None and attempt.sent:
                cut = attempt.outcome in (None, Outcome.CANCELLED)
                if cut or attempt.outcome is Outcome.NO_RESPONSE:
                    binding.unheard(attempt.target, draft.shown, self._now + asked, cut=cut)
        if found is None:
            return False
        response, flow = found
        self._servers.rests.answered(attempt, response, self._now)
        if asked > binding.server.expires:
            binding.least = asked  # a 423 has named it
        if response.status >= 300:
            return False
        place = place_of(attempt.target)
        grant = granted(response, draft.shown, asked, binding.strangers.get(place, ()))
        if grant.seconds == 0:
            attempt.outcome = Outcome.REJECTED
            attempt.detail = (
                f"answered {response.status} {response.reason}, but it grants no time (expires=0)"
            )
            binding.removed(attempt.target, (draft.shown, *draft.removes))
            return False
        survived = self._seat.exchange.registered_over(binding.call_id) is flow
        self._hold(binding, draft.shown, attempt.target, grant, asked)
        binding.removed(attempt.target, draft.removes)
        binding.reach.renewed(survived=survived, closed=draft.reconnects)
        self._seat.exchange.keep_open(binding.call_id, flow)
        self._seat.exchange.service_routes.learn(flow.remote, response)
        self._context.gruus[self._gruu_key(binding)] = granted_gruu(response, draft.shown)
        return True

    def _hold(self, binding: Binding, own: str, target: Target, grant: Grant, asked: int) -> None:
        """The registrar *target* holds the binding now."""
        now = self._now
        lease = max(grant.seconds, MIN_LEASE)
        overlap = self._seat.account.register_expires_overlap
        self._leave(binding)
        binding.target, binding.own, binding.registered_at = target, own, now
        binding.refresh_at = now + refresh_delay(lease, overlap, guessed=grant.guessed)
        binding.expires_at = max(now + lease, binding.refresh_at)
        binding.next_at = binding.refresh_at
        until = max(binding.expires_at, now + asked) if grant.guessed else binding.expires_at
        binding.held(target, own, until, now)

    def late(self, response: Response, flow: Flow) -> str:
        """Take a 200 to a REGISTER that was given up: its registrar holds a lease all the same (R12).

        Returns:
            What that means, for people; empty where it is no such response.
        """
        bindings = self._servers.bindings
        binding = next((each for each in bindings if each.call_id == response.call_id), None)
        if binding is None or response.cseq.method != "REGISTER" or not 200 <= response.status < 300:
            return ""
        place = flow.remote, flow.transport
        asked = (attempt.target for attempt in reversed(bindings.attempts))
        target = next((each for each in asked if place_of(each) == place), None)
        own = self._context.identity(self._seat.account, binding.server).binding(flow.local, flow.transport)
        lease = own_lease(response, own)
        if target is None or not lease:
            return ""
        binding.unheard(target, own, self._now + lease, cut=True)
        return f"too late: this server was given up before, and holds the registration for {lease} s"

    async def _clear(self, binding: Binding, draft: Draft, attempt: Attempt) -> bool:
        """Remove what an earlier life of the phone left at the server (R11, ``unregister_on_reboot``).

        A target that does not respond to it is not asked again: *attempt* gets its outcome.
        """
        why = "unregister_on_reboot = 1: bindings of before the reboot are removed first"
        own = Attempt(1, "REGISTER", attempt.target, attempt.wait, why, self._now)
        clearing = self.draft(binding, 0)
        clearing.contact = EVERYTHING
        with self._servers.attempting(own, None):
            found = await self._seat.exchange.run(own, clearing)
            if found is not None:
                self._servers.rests.answered(own, found[0], self._now)
        draft.next_cseq()
        if moves_on(own):
            attempt.outcome, attempt.status, attempt.ended = own.outcome, own.status, own.ended
            attempt.detail = own.detail
            return False
        binding.must_clear = False
        attempt.started = self._now
        return True

    # -- removing ------------------------------------------------------------------------------------------

    async def remove(self, binding: Binding, why: str) -> None:
        """Remove *binding* wherever a registrar holds it, at all of them at once (R12); *why*, for people.

        Each is asked once: what does not answer keeps its lease.
        """
        await binding.turns.free()
        leases = [lease for lease in binding.live_leases(self._now) if not lease.asked]
        if not leases:
            binding.expires_at = binding.next_at = None
            self.forget(binding)
            if binding.state in (RegistrationState.REGISTERING, RegistrationState.REGISTERED):
                self.change(binding, RegistrationState.UNREGISTERED, why)
            return
        shares = _by_registrar(leases)
        where = ", ".join(str(held[0].target) for held in shares)
        self.change(binding, RegistrationState.UNREGISTERING, f"REGISTER with Expires: 0 to {where}")
        told = f"cut short: no answer from {where}"
        try:
            with binding.turns.taken(None):
                work = (self._remove(binding, held, "the line is stopped") for held in shares)
                ends = await asyncio.gather(*work, return_exceptions=True)
            told = "; ".join(as_reason(end) if isinstance(end, Exception) else str(end) for end in ends)
        finally:
            self.forget(binding)
            binding.expires_at = binding.next_at = None
            self.change(binding, RegistrationState.UNREGISTERED, told)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def remove_old(self, binding: Binding) -> None:
        """Remove what registrars that answer hold of *binding* at addresses that the phone has no more.

        The registrar that *binding* is registered at has dropped it with the same REGISTER.
        """
        await binding.turns.free()
        answering = {place_of(known.target) for known in self._servers.record.targets if known.works}
        leases = [
            lease
            for lease in binding.live_leases(self._now)
            if host_of(lease.contact) not in self._context.hosts and place_of(lease.target) in answering
        ]
        if leases:
            with binding.turns.taken(None):
                reason = "the phone's address of before: it is there no more"
                work = (self._remove(binding, held, reason) for held in _by_registrar(leases))
                await asyncio.gather(*work)
            for lease in leases:
                binding.ask_again(lease)

    async def _remove(self, binding: Binding, leases: Sequence[Lease], reason: str) -> str:
        """Ask one registrar for the end of *leases*, for *reason*; how that went, for people."""
        target = leases[0].target
        if not any(lease.sure for lease in leases):
            reason += ": a REGISTER was under way, and may have been granted"
        elif target != binding.target:
            reason += ": its lease was left there"
        for lease in leases:
            binding.asked(lease)
        attempt = Attempt(1, "REGISTER", target, self._wait(binding, leases), reason, self._now)
        draft = self.draft(binding, 0)
        draft.contact = ", ".join(lease.contact for lease in leases)
        with self._servers.attempting(attempt, None):
            found = await self._seat.exchange.run(attempt, draft)
        if attempt.outcome is not Outcome.ANSWERED or found is None:
            return f"not de-registered at {target}: {attempt.detail}"
        binding.removed(target, [lease.contact for lease in leases])
        binding.strangers[place_of(target)] = contacts_of(found[0])
        return f"de-registered: {attempt.detail}"

    def _wait(self, binding: Binding, leases: Sequence[Lease]) -> Wait:
        """How long the answer to a removal is waited for.

        Nobody who stops a phone waits 64*T1 for a dead server: R2's shorter wait is enough, over TCP too. One
        that has never answered is asked twice.
        """
        failover = next(hop for hop in hops(self._seat.account) if hop.server == binding.number).failover
        if not any(lease.sure for lease in leases):
            failover = replace(failover, retry_counts=min(1, failover.retry_counts or 1))
        timers = self._context.config.timers
        wait = wait_for("REGISTER", failover, timers, leases[0].target.transport, last=False)
        if wait.connect is None:
            return wait
        return replace(wait, seconds=wait.connect, why=wait.connect_why)

    # -- what is known of it -------------------------------------------------------------------------------

    def lost(self, binding: Binding, route: Sequence[Attempt]) -> None:
        """No REGISTER of the cycle *route* succeeded at the server of *binding*: it is registered no more."""
        self.forget(binding)
        binding.expires_at = None
        tried = [attempt for attempt in route if attempt.target.server == binding.number]
        if tried:
            last = tried[-1]
            self.change(binding, RegistrationState.FAILED, f"{last.target.role}: {last.detail}")

    def lapse(self, binding: Binding) -> None:
        """Another server took over: *binding* is not refreshed any more (R4)."""
        if binding.live:
            self.forget(binding)
            binding.next_at = None
            reason = "left to expire: server 1 is the working server again"
            self.change(binding, RegistrationState.UNREGISTERED, reason)

    def forget(self, binding: Binding) -> None:
        """What came with *binding* is gone with it: what the registrar gave, and its connection."""
        self._leave(binding)
        binding.reach.forgotten()

    def _leave(self, binding: Binding) -> None:
        self._seat.exchange.keep_open(binding.call_id, None)
        if binding.target is not None:
            self._seat.exchange.service_routes.forget(binding.target.remote)
        self._context.gruus.pop(self._gruu_key(binding), None)
        binding.target = binding.refresh_at = None

    def _gruu_key(self, binding: Binding) -> tuple[int, int]:
        return self._seat.number, binding.server.number

    def change(self, binding: Binding, state: RegistrationState, reason: str) -> None:
        """Tell how *binding* stands."""
        binding.state, binding.reason = state, reason
        if state is RegistrationState.REGISTERED:
            self._on_registered()
        self._context.bus.tell(
            RegistrationChanged(
                at=self._now,
                line=self._seat.number,
                server=binding.number,
                state=state,
                target=binding.target,
                expires_at=binding.expires_at,
                next_at=binding.next_at,
                reason=reason,
                unreachable=binding.reach.unreachable,
            )
        )


def granted_reason(attempt: Attempt) -> str:
    """Why a binding is registered, for people: *attempt* has succeeded."""
    return (
        f"registered at {attempt.target}: {attempt.why}"
        if attempt.n > 1
        else f"registered at {attempt.target}"
    )


def _by_registrar(leases: Iterable[Lease]) -> list[list[Lease]]:
    """*leases*, those of each registrar together."""
    shares: dict[Place, list[Lease]] = {}
    for lease in leases:
        shares.setdefault(place_of(lease.target), []).append(lease)
    return list(shares.values())
