"""A line's registrations: who is registered where, refreshes, retries, the probe of server 1 (R1-R8, R12)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from typing import Protocol

from phone_emulator.events import Attempt, Outcome, RegistrationState, Target
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.exchange import Draft
from phone_emulator.redundancy import Hop, Try, hops, retry_delay, wait_for
from phone_emulator.redundancy.servers import successive
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import Response
from phone_emulator.world.faults import as_reason
from phone_emulator.world.tasks import Tasks

from .binding import Binding
from .keepalive import KeepAlive
from .lease import Lease, host_of
from .losses import Losses
from .requests import Requests, granted_reason
from .servers import Servers, but_unregistered

NOT_KEPT = "the line is not kept registered there"
AS_PROBE = "; next REGISTER as a probe"
LEAST_RETRY_DELAY = 1.0
"""Seconds; an interval of 0 means at once, but a server that refuses at once is not asked without end."""


class Follower(Protocol):
    """What goes where the line is registered: its subscriptions."""

    def registered_at(self, target: Target) -> None:
        """Server 1 accepted a REGISTER at *target*."""

    def moved(self) -> None:
        """The phone's own address has changed, and the line has registered from there."""

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
        self._requests = Requests(seat, servers, self.keepalive.start)
        self._losses = Losses(seat, servers, self._requests)
        self.followers: list[Follower] = []
        self._tasks = Tasks(seat.context.world, f"line {seat.number}")
        self._loops: list[asyncio.Task[None]] = []
        self._wanted = False
        self._left = False
        """Whether it was registered from an address that the phone has no more."""
        self._starting = asyncio.Lock()
        """Held while the loops of before are stopped and others begun."""
        self._probe_task: asyncio.Task[None] | None = None
        self._renewed = asyncio.Event()
        """A binding was renewed by another than its own loop."""
        self._successive = successive(seat.account)

    @property
    def started(self) -> bool:
        """Whether the line is to be registered."""
        return self._wanted

    def removed(self, reason: str) -> None:
        """The registrar of server 1 removed the binding by itself: make it again, at once if it lived."""
        binding = self.bindings[1]
        binding.refresh_at = max(self._context.world.now(), binding.registered_at + LEAST_RETRY_DELAY)
        binding.next_at = binding.refresh_at
        self._requests.change(binding, binding.state, reason)
        self._renewed.set()

    def connection_lost(self, flow: Flow, reason: str) -> None:
        """A connection has ended; *reason* is empty where the far end closed it in order (R14)."""
        if self.started and self._losses.take(flow, reason):
            self._renewed.set()

    async def register(self) -> None:
        """Start registering, or start anew; returns when the first cycle has ended, well or badly."""
        self._wanted = True
        await self._register("a newer registration took its place")

    async def _register(self, why: str) -> None:
        """Register anew where the line is to be registered; *why*, for people, of what is cut short."""
        async with self._starting:
            await self._stop_tasks(why)
            first_cycles = []
            if self._wanted:  # else it was unregistered meanwhile
                over = hops(self._seat.account)
                for group in [over] if self._successive else [(hop,) for hop in over]:
                    done = asyncio.Event()
                    self._loops.append(self._spawn_loop(group, done))
                    first_cycles.append(done.wait())
        await asyncio.gather(*first_cycles)

    async def leave_address(self, hosts: Collection[str], why: str) -> None:
        """The phone has the IP addresses *hosts* now, and perhaps not those that it has registered from.

        Nothing is registered from there any more. Where it has none, nothing is tried, either, and a lease
        runs out as leases do; else `renew` is to follow. *why* is for people.
        """
        gone = not hosts
        live = [each for each in self.bindings if each.live]
        if not live and not self._wanted:
            return
        if live and all(host_of(each.own) in hosts for each in live):
            return  # it is registered from an address of the other IP version
        self._left = True
        async with self._starting:
            await self._stop_tasks(why)
            now = self._context.world.now()
            for binding in self.bindings:
                lapsed = binding.live and (binding.expires_at or now) <= now
                if lapsed:
                    self._requests.forget(binding)
                    binding.expires_at = None
                self._seat.exchange.keep_open(binding.call_id, None)
                binding.next_at = binding.refresh_at = now if self._wanted and not gone else None
                if binding.live:
                    binding.reach.moved(f"{'' if gone else 'may be '}unreachable: {why}")
                    self._requests.change(binding, binding.state, why)
                elif (gone or lapsed) and self._wanted:
                    binding.reach.moved(f"unreachable: {why}" if gone else "")
                    self._requests.change(binding, RegistrationState.FAILED, why)
                if binding.live and binding.next_at is None:
                    work = self._expire(binding, why if self._wanted else NOT_KEPT)
                    self._tasks.spawn(work, f"the end of the registration at server {binding.number}")

    async def renew(self, why: str) -> None:
        """Register anew from the phone's new address, and remove what was registered from before.

        Returns when the first cycle has ended, at once where it was registered from elsewhere; *why*, for
        people.
        """
        if not self._left and self.bindings.targets:
            return
        self._left = False
        await self._register(why)
        if self._wanted:
            if self.bindings[1].live:
                for follower in self.followers:
                    follower.moved()
            await asyncio.gather(*(self._requests.remove_old(binding) for binding in self.bindings))

    async def register_first(self, step: Try) -> bool:
        """REGISTER at the target of *step* before another request goes there (R9).

        A REGISTER that fails is a failed target: the attempt gets its outcome, and False is returned.
        """
        hop, attempt = step.hop, step.attempt
        wait = wait_for(
            "REGISTER",
            hop.failover,
            self._context.config.timers,
            attempt.target.transport,
            last=step.last,
            silence=self._context.silence,
        )
        why = "register_on_enable = 1: REGISTER first"
        own = Attempt(1, "REGISTER", attempt.target, wait, why, self._context.world.now())
        # It is the line's, not the call's: who hangs up meanwhile does not take back what has left.
        work = self._tasks.spawn(self._register_first(hop, own), f"the REGISTER first at {attempt.target}")
        await asyncio.wait([work])
        done = own if work.cancelled() or work.exception() is not None else work.result()
        if done.outcome is Outcome.ANSWERED:
            return True
        attempt.outcome, attempt.status = done.outcome or Outcome.CANCELLED, done.status
        attempt.unregistered = attempt.outcome is not Outcome.CANCELLED
        attempt.ended = self._context.world.now()
        why_not = but_unregistered(done.detail) or "cut short: the line is to be registered no more"
        attempt.detail = f"REGISTER first (register_on_enable = 1): {why_not}"
        return False

    async def _register_first(self, hop: Hop, attempt: Attempt) -> Attempt:
        done = await self._requests.first(hop, attempt)
        if done.outcome is Outcome.ANSWERED:
            if hop.server == 1:
                self._registered_at(done.target)
            self._renewed.set()
            # Its server may be one that nobody keeps: the line was unregistered, or works elsewhere (R4).
            self._tasks.spawn(
                self._expire(self.bindings[hop.server]),
                f"the end of the registration at server {hop.server}",
            )
        return done

    async def unregister(self, why: str = "the line was unregistered") -> None:
        """Stop refreshing, end every subscription and remove whatever registrars hold (R12).

        *why*, for people, is told of what is cut short.
        """
        self._wanted = False
        await self._stop_tasks(why)  # first: a REGISTER that succeeds subscribes
        await self._stop_followers(unsubscribe=True)
        await asyncio.gather(*(self._requests.remove(binding, why) for binding in self.bindings))

    async def abandon(self, why: str) -> None:
        """Stop without telling the servers, as a phone that loses power; *why* as for `unregister`."""
        self._wanted = False
        await self._stop_tasks(why)
        await self._stop_followers(unsubscribe=False)

    def left(self) -> list[Lease]:
        """What registrars hold of this line now: they send calls there."""
        now = self._context.world.now()
        return [lease for binding in self.bindings for lease in binding.live_leases(now)]

    def late(self, response: Response, flow: Flow) -> str:
        """*response* belongs to no request that is under way: what it says of a REGISTER that was given up.

        Empty where it was none of this line's, or the line is to be registered no more.
        """
        return self._requests.late(response, flow) if self.started else ""

    def _registered_at(self, target: Target) -> None:
        for follower in self.followers:
            follower.registered_at(target)

    async def _stop_followers(self, *, unsubscribe: bool) -> None:
        for follower in self.followers:
            await follower.stop(unsubscribe=unsubscribe)

    def cancel(self) -> None:
        """The same without waiting for anything."""
        self._wanted = False
        self.keepalive.stop()
        self._tasks.cancel()
        for follower in self.followers:
            follower.cancel()

    async def _stop_tasks(self, why: str) -> None:
        self.keepalive.stop()
        self._loops, self._probe_task = [], None
        await self._tasks.stop(why)

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

    def given_up(self, error: Exception) -> None:
        """Registering it anew raised *error*."""
        self._given_up(hops(self._seat.account), error)

    def _given_up(self, group: Sequence[Hop], error: Exception) -> None:
        """Keeping the servers of *group* registered raised *error*: nobody does it any more."""
        for hop in group:
            binding = self.bindings[hop.server]
            binding.next_at = binding.refresh_at = None
            self._requests.change(binding, RegistrationState.FAILED, as_reason(error))
            if binding.live:
                self._tasks.spawn(
                    self._expire(binding), f"the end of the registration at server {hop.server}"
                )

    async def _expire(self, binding: Binding, why: str = NOT_KEPT) -> None:
        """Forget *binding*, which nobody renews, when its time is over; *why*, for people."""
        expires_at = binding.expires_at
        assert expires_at is not None
        await asyncio.sleep(expires_at - self._context.world.now())
        await binding.turns.free()  # a REGISTER may be under way, and renew it (R13)
        if binding.live and binding.expires_at == expires_at:
            self._requests.forget(binding)
            binding.expires_at = binding.next_at = None
            if binding.state is RegistrationState.REGISTERED:
                state = RegistrationState.UNREGISTERED if why == NOT_KEPT else RegistrationState.FAILED
                self._requests.change(binding, state, f"its lease has run out: {why}")
            else:
                self._requests.change(binding, binding.state, binding.reason)

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
                delay = max(delay, LEAST_RETRY_DELAY, self._rest(group))
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

    def _rest(self, group: Sequence[Hop]) -> float:
        """Seconds until a target of *group* may be asked for its REGISTER, where all have asked for time."""
        now = self._context.world.now()
        lists = [self._servers.targets(hop.server) for hop in group]
        if not all(lists):
            return 0.0  # a name that may resolve by then
        return self._servers.rests.over([target for found in lists for target in found], now) - now

    async def _refresh_due(self, binding: Binding) -> None:
        """Wait until *binding* has to be refreshed, also where it was renewed elsewhere meanwhile (R9)."""
        world = self._context.world
        while binding.refresh_at is not None:
            if binding.refresh_at > world.now():
                self._renewed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(binding.refresh_at - world.now()):
                        await self._renewed.wait()
            elif binding.turns.current is not None:
                await binding.turns.free()  # a call's REGISTER is under way, and may renew it (R13)
            else:
                return

    def _in_order(self, group: Sequence[Hop]) -> list[Hop]:
        """Server 1 first, but a successive line refreshes at server 2 while that is the working one (R5)."""
        working = self.bindings.working_server
        return sorted(group, key=lambda hop: hop.server != working)

    async def _cycle(self, over: Sequence[Hop]) -> Binding | None:
        """One REGISTER along the servers *over*; the binding it made or renewed, or None."""
        account = self._seat.account
        walk = self._servers.walk(
            "REGISTER", over, errors_move_on=self._successive and account.redundancy_with_reg_fail
        )
        drafts: dict[int, Draft] = {}
        granted: list[Binding] = []
        began = self._context.world.now()

        async def send(step: Try) -> None:
            binding = self.bindings[step.hop.server]
            draft = drafts.get(step.hop.server)
            if draft is None:
                draft = drafts[step.hop.server] = self._requests.draft(binding)
            if not binding.live:
                self._requests.change(
                    binding, RegistrationState.REGISTERING, f"REGISTER to {step.attempt.target}"
                )
            if await self._requests.register(binding, draft, step.attempt):
                granted.append(binding)

        await self._servers.follow(walk, send)
        for hop in over:
            binding = self.bindings[hop.server]
            if binding in granted and binding.number == 1 and binding.target is not None:
                self._registered_at(binding.target)
            if binding in granted:
                self._requests.change(binding, RegistrationState.REGISTERED, granted_reason(walk.route[-1]))
            elif binding.live and binding.registered_at > began:
                granted.append(binding)  # by a call's REGISTER, which had its turn meanwhile (R9, R13)
            elif granted and not any(attempt.target.server == hop.server for attempt in walk.route):
                self._requests.lapse(binding)
            else:
                self._requests.lost(binding, walk.route)
        return granted[0] if granted else None

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
            self._probe_task.cancel("every server has failed meanwhile")
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
            self._requests.change(first, first.state, first.reason.removesuffix(AS_PROBE) + AS_PROBE)
            await asyncio.sleep(due - world.now())
            if await self._cycle([group[0]]) is not None:
                break
        # Server 1 works again: its own loop takes over, and server 2's binding is left to expire.
        self._probe_task = None
        for task in self._loops:
            task.cancel("server 1 works again")
        self._requests.lapse(self.bindings[group[1].server])
        self._loops = [self._spawn_loop(group, asyncio.Event(), first)]

    def _set_next(self, group: Sequence[Hop], when: float) -> None:
        for hop in group:
            binding = self.bindings[hop.server]
            binding.next_at = when
            self._requests.change(binding, binding.state, binding.reason)
