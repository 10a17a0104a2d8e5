"""A line's registrations: who is registered where, refreshes, retries, the probe of server 1 (R1-R8, R12)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Protocol

from phone_emulator.events import (
    Attempt,
    Outcome,
    RegistrationChanged,
    RegistrationState,
    Target,
    Wait,
)
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.exchange import Draft, Watch
from phone_emulator.redundancy import Hop, Try, hops, moves_on, refresh_delay, retry_delay, wait_for
from phone_emulator.redundancy.servers import successive
from phone_emulator.sip.headers import delta_seconds
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import Tasks

from .binding import Binding, granted_gruu, granted_lease
from .keepalive import KeepAlive
from .servers import Servers

MIN_LEASE = 10
"""Seconds; a server that grants less cannot make the phone register without end (0 is no registration)."""
LEAST_RETRY_DELAY = 1.0
"""Seconds; an interval of 0 means at once, but a server that refuses at once is not asked without end."""


class Follower(Protocol):
    """What goes where the line is registered: its subscriptions."""

    def registered_at(self, target: Target) -> None:
        """Server 1 accepted a REGISTER at *target*."""

    async def stop(self, *, unsubscribe: bool) -> None:
        """The line is to be registered no more."""

    def cancel(self) -> None:
        """The same without waiting for anything."""


class Registrar:
    """Keeps one line registered.

    Args:
        seat: of the line.
        servers: where it registers.

    Concurrent lines (R3) keep server 1 and server 2 in two loops of their own; successive ones (R4) have one
    loop over both, and a probe of server 1 while server 2 is the working one.
    """

    def __init__(self, seat: Seat, servers: Servers) -> None:
        self._seat = seat
        self._servers = servers
        self._context = seat.context
        self.bindings = servers.bindings
        self.keepalive = KeepAlive(seat, servers.bindings)
        self.followers: list[Follower] = []
        self._tasks = Tasks(seat.context.world, f"line {seat.number}")
        self._loops: list[asyncio.Task[None]] = []
        self._probe_task: asyncio.Task[None] | None = None
        self._renewed = asyncio.Event()
        """A binding was renewed by another than its own loop."""
        self._successive = successive(seat.account)

    @property
    def started(self) -> bool:
        """Whether the line is to be registered."""
        return bool(self._loops)

    def removed(self, reason: str) -> None:
        """The registrar of server 1 removed the binding by itself: make it again, at once if it lived."""
        binding = self.bindings[1]
        binding.refresh_at = max(self._context.world.now(), binding.registered_at + LEAST_RETRY_DELAY)
        binding.next_at = binding.refresh_at
        self._change(binding, binding.state, reason)
        self._renewed.set()

    async def register(self) -> None:
        """Start registering, or start anew; returns when the first cycle has ended, well or badly."""
        await self._stop_tasks()
        over = hops(self._seat.account)
        groups = [over] if self._successive else [(hop,) for hop in over]
        first_cycles = []
        for group in groups:
            done = asyncio.Event()
            self._loops.append(self._spawn_loop(group, done))
            first_cycles.append(done.wait())
        await asyncio.gather(*first_cycles)

    async def register_first(self, step: Try) -> bool:
        """REGISTER at the target of *step* before another request goes there (R9).

        A REGISTER that fails is a failed target: the attempt gets its outcome, and False is returned.
        """
        hop, attempt = step.hop, step.attempt
        binding = self.bindings[hop.server]
        wait = wait_for(
            "REGISTER",
            hop.failover,
            self._context.config.timers,
            attempt.target.transport,
            last=step.last,
            silence=self._context.silence,
        )
        now = self._context.world.now()
        own = Attempt(1, "REGISTER", attempt.target, wait, "register_on_enable = 1: REGISTER first", now)
        with self._servers.attempting(own, None):
            registered = await self._register_at(binding, self._draft(binding, binding.server.expires), own)
        if registered:
            self._change(binding, RegistrationState.REGISTERED, _granted_reason(own))
            if hop.server == 1:
                self._registered_at(attempt.target)
            self._renewed.set()
            return True
        attempt.outcome, attempt.status, attempt.ended = own.outcome, own.status, own.ended
        if attempt.outcome is Outcome.REJECTED:
            attempt.outcome = Outcome.UNAVAILABLE  # the search goes on: the target is unusable, not an answer
        attempt.detail = f"REGISTER first (register_on_enable = 1): {own.detail}"
        return False

    async def unregister(self) -> None:
        """Stop refreshing, end every subscription and remove every live binding (R12)."""
        await self._stop_tasks()  # first: a REGISTER that succeeds subscribes
        await self._stop_followers(unsubscribe=True)
        live = [binding for binding in self.bindings if binding.live]
        await asyncio.gather(*(self._remove(binding) for binding in live))

    async def abandon(self) -> None:
        """Stop without telling the servers, as a phone that loses power."""
        await self._stop_tasks()
        await self._stop_followers(unsubscribe=False)

    def _registered_at(self, target: Target) -> None:
        for follower in self.followers:
            follower.registered_at(target)

    async def _stop_followers(self, *, unsubscribe: bool) -> None:
        for follower in self.followers:
            await follower.stop(unsubscribe=unsubscribe)

    def cancel(self) -> None:
        """The same without waiting for anything."""
        self.keepalive.stop()
        self._tasks.cancel()
        for follower in self.followers:
            follower.cancel()

    async def _stop_tasks(self) -> None:
        self.keepalive.stop()
        self._loops, self._probe_task = [], None
        await self._tasks.stop()

    # -- keeping registered --------------------------------------------------------------------------------

    def _spawn_loop(
        self, group: Sequence[Hop], first_cycle: asyncio.Event, held: Binding | None = None
    ) -> asyncio.Task[None]:
        """Keep the servers of *group* registered; *held* is a binding that is there already.

        *first_cycle* is set when the first cycle has ended, or nobody waits for it any longer.
        """
        task = self._tasks.spawn(
            self._keep(group, first_cycle, held),
            f"the registration at server {group[0].server}",
            on_fault=lambda error: self._given_up(group, error),
        )
        task.add_done_callback(lambda task: first_cycle.set())  # one that is stopped at once never begins
        return task

    def _given_up(self, group: Sequence[Hop], error: Exception) -> None:
        """Keeping the servers of *group* registered raised *error*: nobody does it any more."""
        for hop in group:
            binding = self.bindings[hop.server]
            binding.next_at = binding.refresh_at = None
            self._change(binding, RegistrationState.FAILED, as_reason(error))
            if binding.live:
                self._tasks.spawn(
                    self._expire(binding), f"the end of the registration at server {hop.server}"
                )

    async def _expire(self, binding: Binding) -> None:
        """Forget *binding*, which nobody renews, when its time is over."""
        expires_at = binding.expires_at
        assert expires_at is not None
        await asyncio.sleep(expires_at - self._context.world.now())
        if binding.expires_at == expires_at:
            self._forget(binding)
            binding.expires_at = None
            self._change(binding, binding.state, binding.reason)

    async def _keep(self, group: Sequence[Hop], first_cycle: asyncio.Event, held: Binding | None) -> None:
        failures = 0
        if not self.bindings.attempts:
            await asyncio.sleep(self._context.config.reg_surge_prevention)
        while True:
            registered, held = held or await self._cycle(self._in_order(group)), None
            if registered is None:
                failures += 1
                self._stop_probe()
                delay = retry_delay(self._seat.account, failures, self._context.world.random.random())
                delay = max(delay, LEAST_RETRY_DELAY)
                self._set_next(group, self._context.world.now() + delay)
                first_cycle.set()
                await asyncio.sleep(delay)
            else:
                failures = 0
                self._probe_when_fallen_back(group, registered)
                first_cycle.set()
                await self._refresh_due(registered)
            for hop in group:
                self._servers.failbacks[hop.server].renewal()

    async def _refresh_due(self, binding: Binding) -> None:
        """Wait until *binding* has to be refreshed, also where it was renewed elsewhere meanwhile (R9)."""
        world = self._context.world
        while binding.refresh_at is not None and binding.refresh_at > world.now():
            self._renewed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(binding.refresh_at - world.now()):
                    await self._renewed.wait()

    def _in_order(self, group: Sequence[Hop]) -> list[Hop]:
        """Server 1 first, but a successive line refreshes at server 2 while that is the working one (R5)."""
        working = self.bindings.working_server
        return (
            sorted(group, key=lambda hop: hop.server != working)
            if len(group) > 1 and working
            else list(group)
        )

    async def _cycle(self, over: Sequence[Hop]) -> Binding | None:
        """One REGISTER along the servers *over*; the binding it made or renewed, or None."""
        account = self._seat.account
        walk = self._servers.walk(
            "REGISTER", over, errors_move_on=self._successive and account.redundancy_with_reg_fail
        )
        drafts: dict[int, Draft] = {}
        granted: list[Binding] = []

        async def send(step: Try) -> None:
            binding = self.bindings[step.hop.server]
            draft = drafts.get(step.hop.server)
            if draft is None:
                draft = drafts[step.hop.server] = self._draft(binding, binding.server.expires)
            if not binding.live:
                self._change(binding, RegistrationState.REGISTERING, f"REGISTER to {step.attempt.target}")
            if await self._register_at(binding, draft, step.attempt):
                granted.append(binding)

        await self._servers.follow(walk, send)
        for hop in over:
            binding = self.bindings[hop.server]
            if binding in granted and binding.number == 1 and binding.target is not None:
                self._registered_at(binding.target)
            if binding in granted:
                self._change(binding, RegistrationState.REGISTERED, _granted_reason(walk.route[-1]))
            elif granted and not any(attempt.target.server == hop.server for attempt in walk.route):
                self._lapse(binding)
            else:
                self._lost(binding, walk.route, hop.server)
        return granted[0] if granted else None

    async def _register_at(self, binding: Binding, draft: Draft, attempt: Attempt) -> bool:
        if binding.must_clear and not await self._clear(binding, draft, attempt):
            return False
        if draft.request.cseq.number < binding.cseq:
            draft.next_cseq()  # another REGISTER of this binding left meanwhile: a call's own (R9), a probe
        watch = Watch(sent=lambda: self._servers.progressed(attempt, None))
        found = await self._seat.exchange.run(attempt, draft, watch)
        if found is None or found[0].status >= 300:
            return False
        now = self._context.world.now()
        response, flow = found
        asked = delta_seconds(draft.request.headers.get("Expires")) or 0
        granted = granted_lease(response, flow.local, asked)
        if granted == 0:
            attempt.outcome = Outcome.REJECTED
            attempt.detail = (
                f"answered {response.status} {response.reason}, but it grants no time (expires=0)"
            )
            return False
        lease = max(granted, MIN_LEASE)
        self._forget(binding)
        binding.target, binding.contact, binding.registered_at = attempt.target, flow.local, now
        self._seat.exchange.keep_open(binding.call_id, flow)
        self._seat.exchange.service_routes.learn(flow.remote, response)
        self._context.gruus[self._gruu_key(binding)] = granted_gruu(response, flow.local)
        binding.expires_at = now + lease
        binding.refresh_at = now + refresh_delay(lease, self._seat.account.register_expires_overlap)
        binding.next_at = binding.refresh_at
        return True

    async def _clear(self, binding: Binding, draft: Draft, attempt: Attempt) -> bool:
        """Remove what an earlier life of the phone left at the server (R11, ``unregister_on_reboot``).

        A target that does not respond to it is not asked again: *attempt* gets its outcome.
        """
        why = "unregister_on_reboot = 1: bindings of before the reboot are removed first"
        now = self._context.world.now()
        own = Attempt(1, "REGISTER", attempt.target, attempt.wait, why, now)
        clearing = self._draft(binding, 0)
        clearing.contact = "*"
        with self._servers.attempting(own, None):
            await self._seat.exchange.run(own, clearing)
        draft.next_cseq()
        if moves_on(own):
            attempt.outcome, attempt.status, attempt.ended = own.outcome, own.status, own.ended
            attempt.detail = own.detail
            return False
        binding.must_clear = False
        attempt.started = self._context.world.now()
        return True

    def _draft(self, binding: Binding, expires: int) -> Draft:
        identity = self._context.identity(self._seat.account, binding.server)
        request = identity.register(
            binding.call_id, binding.tag, binding.take_cseq(), expires, contact="<sip:0.0.0.0>"
        )
        return Draft(identity, request, count=binding.take_cseq)

    # -- successive: back to server 1 ----------------------------------------------------------------------

    def _probe_when_fallen_back(self, group: Sequence[Hop], registered: Binding) -> None:
        """While server 2 works, ask server 1 every ``account.X.fallback.timeout`` seconds (R4)."""
        fallen_back = len(group) > 1 and registered.number == 2
        if not fallen_back:
            self._stop_probe()
        elif self._probe_task is None:
            self._probe_task = self._tasks.spawn(
                self._probe(group),
                "the probe of server 1",
                on_fault=lambda error: self._given_up(group[:1], error),
            )

    def _stop_probe(self) -> None:
        if self._probe_task is not None:
            self._probe_task.cancel()
            self._probe_task = None

    async def _probe(self, group: Sequence[Hop]) -> None:
        account, world = self._seat.account, self._context.world
        through_proxies = group[0].proxy
        interval = account.outbound_proxy_fallback_interval if through_proxies else account.fallback_timeout
        if interval == 0:
            return  # outbound_proxy_fallback_interval = 0: only a failing second proxy brings back the first
        due = world.now()
        while True:
            due = max(due + interval, world.now())
            first = self.bindings[group[0].server]
            first.next_at = due
            self._change(first, first.state, f"{first.reason}; next REGISTER as a probe")
            await asyncio.sleep(due - world.now())
            if await self._cycle([group[0]]) is not None:
                break
        # Server 1 works again: its own loop takes over, and server 2's binding is left to expire.
        self._probe_task = None
        for task in self._loops:
            task.cancel()
        self._lapse(self.bindings[group[1].server])
        self._loops = [self._spawn_loop(group, asyncio.Event(), first)]

    # -- removing ------------------------------------------------------------------------------------------

    async def _remove(self, binding: Binding) -> None:
        target = binding.target
        assert target is not None
        self._change(binding, RegistrationState.UNREGISTERING, f"REGISTER with Expires: 0 to {target}")
        hop = next(hop for hop in hops(self._seat.account) if hop.server == binding.number)
        # Nobody who stops a phone waits 64*T1 for a dead server; R2's shorter wait is enough.
        wait: Wait = wait_for(
            "REGISTER", hop.failover, self._context.config.timers, target.transport, last=False
        )
        attempt = Attempt(1, "REGISTER", target, wait, "the line is stopped", self._context.world.now())
        draft = self._draft(binding, 0)
        try:
            with self._servers.attempting(attempt, None):
                await self._seat.exchange.run(attempt, draft)
        finally:
            self._forget(binding)
            binding.expires_at = binding.next_at = None
            self._change(binding, RegistrationState.UNREGISTERED, f"de-registered: {attempt.detail}")

    def _lost(self, binding: Binding, route: Sequence[Attempt], server: int) -> None:
        """No REGISTER of this cycle succeeded at *server*: the line is not registered there."""
        self._forget(binding)
        binding.expires_at = None
        tried = [attempt for attempt in route if attempt.target.server == server]
        if tried:
            last = tried[-1]
            self._change(binding, RegistrationState.FAILED, f"{last.target.role}: {last.detail}")

    def _lapse(self, binding: Binding) -> None:
        """Another server took over: this binding is not refreshed any more (R4)."""
        if binding.live:
            self._forget(binding)
            binding.next_at = None
            reason = "left to expire: server 1 is the working server again"
            self._change(binding, RegistrationState.UNREGISTERED, reason)

    def _forget(self, binding: Binding) -> None:
        """What came with the binding is gone with it: what the registrar gave, and its connection."""
        self._seat.exchange.keep_open(binding.call_id, None)
        if binding.target is not None:
            self._seat.exchange.service_routes.forget(binding.target.remote)
        self._context.gruus.pop(self._gruu_key(binding), None)
        binding.target = binding.refresh_at = None

    def _gruu_key(self, binding: Binding) -> tuple[int, int]:
        return self._seat.number, binding.server.number

    def _set_next(self, group: Sequence[Hop], when: float) -> None:
        for hop in group:
            binding = self.bindings[hop.server]
            binding.next_at = when
            self._change(binding, binding.state, binding.reason)

    def _change(self, binding: Binding, state: RegistrationState, reason: str) -> None:
        binding.state, binding.reason = state, reason
        if state is RegistrationState.REGISTERED:
            self.keepalive.start()
        self._context.bus.tell(
            RegistrationChanged(
                at=self._context.world.now(),
                line=self._seat.number,
                server=binding.number,
                state=state,
                target=binding.target,
                expires_at=binding.expires_at,
                next_at=binding.next_at,
                reason=reason,
            )
        )


def _granted_reason(attempt: Attempt) -> str:
    return (
        f"registered at {attempt.target}: {attempt.why}"
        if attempt.n > 1
        else f"registered at {attempt.target}"
    )
