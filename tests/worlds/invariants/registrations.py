"""What holds of registrations and of the failback."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from phone_emulator.config.model import FailbackMode, FailoverConfig
from phone_emulator.events import (
    Address,
    AttemptEnded,
    AttemptStarted,
    CallChanged,
    CallState,
    Outcome,
    RegistrationChanged,
    RegistrationState,
    Target,
)
from phone_emulator.redundancy import hops
from phone_emulator.redundancy.servers import successive
from phone_emulator.sip.headers import after_address, delta_seconds, parameter
from phone_emulator.sip.message import Request, Response
from tests.worlds.invariants.common import ALONE, ANSWERS, INSTANT, answered_something, is_failback
from tests.worlds.recording import Recording

STOPPED = "the line is stopped"
"""How the reason of a removal begins that is the binding's end."""
REMOVED = (STOPPED, "the phone's address of before")
"""The same of any removal."""
REFRESHING = 600.0
"""Seconds; a refresh that slow or silent servers delay may go on when the lease is over."""


def one_binding_a_server(recording: Recording) -> Iterator[str]:
    """A server holds one Contact of the phone for each transport; a successive line has one binding."""
    for moment in recording.bindings:
        for server, users in moment.by_server.items():
            for user, contacts in users.items():
                transports = Counter(_transport(contact) for contact in contacts)
                if max(transports.values()) > 1:
                    yield f"at {moment.at:g} s {server} holds {contacts} of {user}"
        # A call that fails over with register_on_enable registers where it goes (R9), whatever R4 says.
        keyed = any(hop.failover.register_on_enable for hop in hops(recording.account))
        for line, servers in moment.by_phone.items():
            if len(servers) > 1 and successive(recording.account) and not keyed:
                yield f"at {moment.at:g} s line {line}, successive, is registered at servers {list(servers)}"
            for number, expires_at in servers.items():
                if expires_at is None or expires_at < moment.at - REFRESHING:
                    yield f"at {moment.at:g} s the binding at server {number} has lapsed at {expires_at} s"


def _transport(contact: str) -> str:
    return contact.partition("transport=")[2].lower() or "udp"


def told_bindings(recording: Recording) -> Iterator[str]:
    """A registered line has a target and a lease that lasts; every state has a reason."""
    for event in recording.events:
        if not isinstance(event, RegistrationChanged):
            continue
        registered = event.state is RegistrationState.REGISTERED
        if registered and (event.target is None or event.expires_at is None or event.expires_at <= event.at):
            yield f"at {event.at:g} s registered at {event.target} until {event.expires_at}"
        if not event.reason:
            yield f"at {event.at:g} s {event.state} without a reason"


def nothing_after_unregister(recording: Recording) -> Iterator[str]:
    """A line that was unregistered sends no REGISTER."""
    for seen in recording.messages:
        late = seen.place >= recording.rest and seen.sent and seen.request is not None
        if late and seen.message.cseq.method == "REGISTER":
            yield f"REGISTER to {seen.remote} at {seen.at:g} s"


def registers_count_up(recording: Recording) -> Iterator[str]:
    """Each new REGISTER of one Call-ID at one target has a higher CSeq (RFC 3261 section 10.2)."""
    highest: dict[tuple[str, Address], int] = {}
    known: set[str] = set()
    for seen in recording.messages:
        if not seen.sent or seen.request is None or seen.request.method != "REGISTER":
            continue
        if seen.branch in known:
            continue
        known.add(seen.branch)
        key, number = (seen.request.call_id, seen.remote), seen.request.cseq.number
        if number <= highest.get(key, 0):
            yield f"REGISTER {number} to {seen.remote} at {seen.at:g} s after {highest[key]}"
        highest[key] = number


def one_register_at_a_time(recording: Recording) -> Iterator[str]:
    """No REGISTER of a binding leaves while another one of it is under way; the removals at the end may."""
    over: dict[tuple[int, int], float] = {}
    for attempt in recording.registrations:
        if not attempt.sends or attempt.why.startswith(REMOVED):
            continue
        binding = attempt.line, attempt.target.server
        if attempt.sends[0] < over.get(binding, 0.0) - INSTANT:
            yield f"REGISTER to {attempt.target} at {attempt.sends[0]:g} s beside another one"
        over[binding] = max(over.get(binding, 0.0), attempt.ended or attempt.sends[-1])


def leases_are_given_back(recording: Recording) -> Iterator[str]:
    """Whoever holds a lease when the line is unregistered was asked to forget it."""
    if recording.reboots or not recording.rest:
        return  # a phone that restarts knows nothing of its earlier life
    end = recording.rested_at
    asked: dict[str, Request] = {}
    held: dict[tuple[str, Address], float] = {}
    ended: dict[tuple[str, Address], int] = {}
    for seen in recording.messages:
        request, message = seen.request, seen.message
        if message.cseq.method != "REGISTER":
            continue
        if seen.sent and request is not None:
            asked[seen.branch] = request
            if request.headers.get("Expires") == "0":
                held.pop((request.call_id, seen.remote), None)
                ended[request.call_id, seen.remote] = request.cseq.number
        elif isinstance(message, Response) and message.status == 200 and seen.branch in asked:
            own = (asked[seen.branch].headers.values("Contact") or [""])[0]
            found = [value for value in message.headers.values("Contact") if value.startswith(own)]
            lease = delta_seconds(parameter(after_address(found[0]), "expires")) if found else None
            # An answer that comes late, to a REGISTER of before the removal, grants nothing.
            if lease and message.cseq.number > ended.get((message.call_id, seen.remote), 0):
                held[message.call_id, seen.remote] = seen.at + lease
    # Where no connection can be made nothing leaves; it was tried.
    tried = {each.target.remote for each in recording.registrations if each.why.startswith(REMOVED)}
    for (_, remote), until in held.items():
        if until > end and remote not in tried:
            yield f"{remote} holds a lease until {until:g} s and was not asked to forget it by {end:g} s"


def registered_first(recording: Recording) -> Iterator[str]:
    """With register_on_enable an INVITE to a further target goes where a REGISTER has succeeded."""
    keyed = {hop.server for hop in hops(recording.account) if hop.failover.register_on_enable}
    good: set[Address] = set()
    first = {invite.branch: invite for invite in recording.first_invites}
    for seen in recording.messages:
        message = seen.message
        if isinstance(message, Response) and message.status == 200 and message.cseq.method == "REGISTER":
            good.add(seen.remote)
        if seen.sent and seen.branch in first and first[seen.branch] is seen:
            attempt = recording.attempt(seen)
            if attempt.target.server in keyed and attempt.n > 1 and seen.remote not in good:
                yield f"INVITE to {attempt.target} at {seen.at:g} s without a REGISTER there"


@dataclass
class _Memory:
    """What F1 to F5 let a phone know of one server."""

    failover: FailoverConfig
    current: Target | None = None
    due_at: float = math.inf
    renewed: bool = False
    """Whether a registration cycle has begun since the switch (mode 2)."""
    looked_up: float = 0.0
    ttl: float | None = None
    """Of its address records, from then on."""

    def answered(self, target: Target, now: float) -> None:
        if self.failover.failback_mode is FailbackMode.NEW_REQUESTS:
            return
        if target.role in ("primary", "fallback"):
            self.current = None
        elif self.current is None or self.current.remote != target.remote:
            self.current = target
            self.wait(now)

    def wait(self, now: float) -> None:
        """The wait for the primary begins at *now*: with a switch, and with a way back that has failed."""
        self.renewed, self.due_at = False, math.inf
        if self.failover.failback_mode is FailbackMode.DURATION and self.failover.failback_timeout:
            self.due_at = now + self.failover.failback_timeout
        if self.failover.failback_mode is FailbackMode.DNS_TTL and self.ttl is not None:
            end = self.looked_up + self.ttl  # one that has run out meanwhile counts from now
            self.due_at = end if end > now else now + self.ttl


def failback(recording: Recording) -> Iterator[str]:
    """The target in use goes first; the primary does again when the mode says so and the line is idle."""
    world = recording.world
    signalled_only = any(hop.failover.only_signal_with_registered for hop in hops(recording.account))
    if world.has_step("dns") or signalled_only or recording.reboots:
        return
    memories = {hop.server: _Memory(hop.failover) for hop in hops(recording.account)}
    live: set[str] = set()
    returning: set[tuple[str | None, int]] = set()
    begun: dict[str | None, set[int]] = {}
    for event in recording.events:
        if isinstance(event, CallChanged):
            over = event.state in (CallState.ENDING, CallState.ENDED)
            (live.discard if over else live.add)(event.call)
        elif isinstance(event, AttemptStarted) and not event.attempt.why.startswith(ALONE):
            server, target = event.attempt.target.server, event.attempt.target
            walk = event.call or f"REGISTER {server}"
            if event.attempt.n == 1:
                begun[walk] = set()
            if server in begun.setdefault(walk, set()) or event.attempt.outcome is Outcome.UNRESOLVED:
                continue
            begun[walk].add(server)
            memory = memories[server]
            memory.looked_up, memory.ttl = event.at, target.ttl
            first = target.role in ("primary", "fallback")
            due = event.at >= memory.due_at - INSTANT and not (live - {event.call or ""})
            in_use = memory.current is not None and memory.current.remote == target.remote
            returning.discard((walk, server))
            if first and memory.current is not None:
                returning.add((walk, server))
            if memory.failover.failback_mode is FailbackMode.REGISTRATION:
                if event.call is None:
                    memory.renewed = True
                ok = first if memory.current is None else in_use or (first and memory.renewed)
            else:
                ok = first if memory.current is None or due else in_use
            if not ok:
                yield (
                    f"at {event.at:g} s {event.attempt.method} goes to {target} first, in use: "
                    f"{memory.current}, failback due at {memory.due_at:g} s, live calls {sorted(live)}"
                )
        elif isinstance(event, AttemptEnded) and not event.attempt.why.startswith(ALONE):
            attempt, server = event.attempt, event.attempt.target.server
            walk = event.call or f"REGISTER {server}"
            refused = event.call is None and attempt.outcome is Outcome.REJECTED and is_failback(attempt)
            if refused or (not answered_something(attempt) and attempt.outcome is not Outcome.SKIPPED):
                if (walk, server) in returning and memories[server].current is not None:
                    memories[server].wait(event.at)  # the one in use stays (F5)
                returning.discard((walk, server))
            elif attempt.outcome in ANSWERS:
                memories[server].answered(attempt.target, event.at)
