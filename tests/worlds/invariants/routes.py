"""What holds of every route: which targets, in which order, how long, and why it ended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from phone_emulator.events import Attempt, Outcome
from phone_emulator.phone import CallResult
from phone_emulator.redundancy import Hop, hops
from phone_emulator.redundancy.registration import LONGEST_REST
from phone_emulator.redundancy.servers import successive
from tests.worlds.invariants.common import (
    ANSWERS,
    INSTANT,
    WITHOUT_ADDRESS,
    Route,
    answered_something,
    is_failback,
    near,
    routes,
)
from tests.worlds.oracle import Place, Rank, ranked
from tests.worlds.recording import Recording
from tests.worlds.world import Domain


def told(recording: Recording) -> Iterator[str]:
    """Each attempt begins and ends once, with one outcome that does not change and a sentence for it."""
    started = Counter(id(event.attempt) for _, event in recording.started)
    ended = Counter(id(event.attempt) for _, event in recording.ended)
    for attempt, outcome, detail in recording.told:
        if attempt.outcome is not outcome or attempt.detail != detail:
            yield f"{attempt.target} was told as {outcome} ({detail}), is now {attempt.outcome}"
    for route in routes(recording):
        if [each.n for each in route.attempts] != list(range(1, len(route.attempts) + 1)):
            yield f"{route.name}: numbered {[each.n for each in route.attempts]}"
        for each in route.attempts:
            if (started[id(each)], ended[id(each)]) != (1, 1) and not _cut_short(recording, each):
                yield (
                    f"{route.name}: {each.target} ({each.outcome}) was told to begin "
                    f"{started[id(each)]} times, to end {ended[id(each)]} times"
                )
            if _cut_short(recording, each):
                continue
            if each.outcome is None or not each.detail or not each.why:
                yield f"{route.name}: {each.target} is not explained: {each}"
            if each.ended is None or each.ended < each.started - INSTANT:
                yield f"{route.name}: {each.target} ended at {each.ended}, started at {each.started}"


def _cut_short(recording: Recording, attempt: Attempt) -> bool:
    """Whether a registration was begun anew, or the phone stopped, in the middle of its attempt."""
    return attempt.method == "REGISTER" and id(attempt) not in recording.end_of


def no_target_twice(recording: Recording) -> Iterator[str]:
    """No target is in a route twice."""
    for route in routes(recording):
        count = Counter((each.target.server, *_place(each)) for each in route.attempts)
        yield from (f"{route.name}: {target} {times} times" for target, times in count.items() if times > 1)


def ends_at_an_answer(recording: Recording) -> Iterator[str]:
    """After an answer, a provisional response or a hang-up no further target is tried.

    A REGISTER that is refused may move on: to the next server (R6), and where it was the way back (F5).
    """
    account = recording.account
    errors_move_on = successive(account) and account.redundancy_with_reg_fail
    for route in routes(recording):
        for each, following in pairwise(route.attempts):
            if not answered_something(each):
                continue
            refused = route.method == "REGISTER" and each.outcome is Outcome.REJECTED
            if refused and errors_move_on and following.target.server != each.target.server:
                continue
            if refused and is_failback(each):
                continue  # the line stays where it is (F5)
            yield f"{route.name}: {each.target} {each.outcome} {each.status}, then {following.target}"


def redundant_addresses(recording: Recording) -> Iterator[str]:
    """A target is passed over exactly where its address failed before in the route, or asked for time."""
    skips = recording.config.skip_redundant_failover_addr
    for route in routes(recording):
        failed: set[str] = set()
        for each in route.attempts:
            again = each.target.address in failed
            if _rests(each):
                if not any(_asks_for_rest(other, each) for other in recording.registrations):
                    yield f"{route.name}: {each.target} is passed over, and has not asked for time"
            elif each.detail.startswith("only_signal_with_registered"):
                continue
            elif (each.outcome is Outcome.SKIPPED) != (skips and again):
                yield f"{route.name}: {each.target} {each.outcome}, failed before: {sorted(failed)}"
            if each.outcome is Outcome.SKIPPED and (each.sent or each.sends):
                yield f"{route.name}: {each.target} was passed over, and something was sent"
            # One that has asked for time was not asked: its address may be, over another transport (D5).
            if not answered_something(each) and not _rests(each) and each.target.address:
                failed.add(each.target.address)


def _rests(attempt: Attempt) -> bool:
    return attempt.outcome is Outcome.SKIPPED and "asked for time (Retry-After)" in attempt.detail


def _asks_for_rest(attempt: Attempt, later: Attempt) -> bool:
    """Whether *attempt* was answered by a 503 with Retry-After that is in force when *later* begins."""
    if attempt.status != 503 or "(Retry-After" not in attempt.detail or attempt.ended is None:
        return False
    here = (attempt.target.remote, attempt.target.transport) == (later.target.remote, later.target.transport)
    return here and attempt.ended <= later.started < attempt.ended + LONGEST_REST


def nobody_left_out(recording: Recording) -> Iterator[str]:
    """A call that failed at every server tried every target of every server."""
    for call in recording.outgoing:
        if call.result is not CallResult.FAILED or not call.route or answered_something(call.route[-1]):
            continue
        if call.reason.startswith(WITHOUT_ADDRESS):
            continue
        for hop in hops(recording.account):
            own = [each for each in call.route if each.target.server == hop.server]
            if not own:
                if not _may_leave_out(hop):
                    yield f"call to {call.remote}: server {hop.server} is not in the route"
                continue
            if recording.world.has_step("dns"):
                continue
            expected = ranked(recording.world, hop)
            got = {_place(each) for each in own}
            if not expected and [each.outcome for each in own] != [Outcome.UNRESOLVED]:
                yield f"call to {call.remote}: server {hop.server} has no target, tried {sorted(got)}"
            if expected and got != set(expected) and not _may_leave_out(hop):
                yield f"call to {call.remote}: server {hop.server} is {sorted(expected)}, tried {sorted(got)}"


def _may_leave_out(hop: Hop) -> bool:
    failover = hop.failover
    return failover.only_signal_with_registered and failover.register_on_enable and failover.failback_mode > 0


def servers_in_order(recording: Recording) -> Iterator[str]:
    """Server 1 before server 2, but server 2 first while a successive line is registered there."""
    both_ways = successive(recording.account)
    for route in routes(recording):
        servers = list(dict.fromkeys(each.target.server for each in route.attempts))
        changes = sum(one.target.server != other.target.server for one, other in pairwise(route.attempts))
        if changes > 1 or (servers != sorted(servers) and not both_ways):
            yield f"{route.name}: servers {[each.target.server for each in route.attempts]}"


def targets_in_order(recording: Recording) -> Iterator[str]:
    """Within a server DNS's order; with a failback mode the one in use may go before the others."""
    if recording.world.has_step("dns"):
        return
    lists = {hop.server: ranked(recording.world, hop) for hop in hops(recording.account)}
    modes = {hop.server: int(hop.failover.failback_mode) for hop in hops(recording.account)}
    for route in routes(recording):
        for server, expected in lists.items():
            own = [each for each in route.attempts if each.target.server == server]
            if not own or own[0].outcome is Outcome.UNRESOLVED:
                continue
            if any(_place(each) not in expected for each in own):
                yield f"{route.name}: {[str(each.target) for each in own]}, of {sorted(expected)}"
                continue
            ranks = [expected[_place(each)] for each in own]
            rest = ranks if modes[server] == 0 else ranks[1:]
            if rest != sorted(rest):
                yield f"{route.name}: {[str(each.target) for each in own]} with ranks {ranks}"
            roles = [each.target.role for each in own]
            first = "primary" if server == 1 else "fallback"
            if modes[server] == 0 and roles[0] != first:
                yield f"{route.name}: begins with {roles[0]} in mode 0"


LOOKUP = 30.0
"""Seconds that a lookup takes at most, of three names whose servers are silent (D8)."""


def as_dns_says(recording: Recording) -> Iterator[str]:
    """A route is a list that DNS has given, in its order, no longer ago than the records live (D6)."""
    world = recording.world
    if not world.zones:
        return
    names = {hop.server: hop for hop in hops(recording.account) if hop.host == world.domains[0].name}
    lists = _lists(recording)
    for route in routes(recording):
        for server, hop in names.items():
            own = [each for each in route.attempts if each.target.server == server]
            if not own or own[0].outcome is Outcome.UNRESOLVED:
                continue
            began = own[0].started
            given = [
                ranked(replace(world, domains=(domain,)), hop)
                for domain, since, until in lists
                if since <= began and began - LOOKUP <= until + domain.ttl
            ]
            if not any(_is_along(own, each, moved=hop.failover.failback_mode > 0) for each in given):
                yield f"{route.name} at {began:g} s: {[str(each.target) for each in own]}, of {given}"


def _lists(recording: Recording) -> list[tuple[Domain, float, float]]:
    """What DNS has said, since when and until when."""
    world = recording.world
    moments = zip(world.steps, recording.bindings, strict=True)
    changed = [each.at for step, each in moments if "zone" in step.get("dns", {})]
    times = [0.0, *changed, math.inf]
    return list(zip([*world.domains, *world.zones], times[:-1], times[1:], strict=True))


def _is_along(attempts: Sequence[Attempt], given: Mapping[Place, Rank], *, moved: bool) -> bool:
    """Whether *attempts* go along the list *given*; *moved*: the one in use may go before the others."""
    places = [_place(each) for each in attempts if each.outcome is not Outcome.SKIPPED]
    if not all(place in given for place in places):
        return False
    ranks = [given[place] for place in places[1 if moved else 0 :]]
    return ranks == sorted(ranks)


def waits(recording: Recording) -> Iterator[str]:
    """How long a silent target is waited for is what the keys say."""
    if recording.world.has_step("dns"):
        return
    timers = recording.config.timers
    full = 64 * timers.t1
    by_server = {hop.server: hop for hop in hops(recording.account)}
    for route in routes(recording):
        for each in route.attempts:
            if each.outcome is Outcome.UNRESOLVED:
                continue
            hop = by_server[each.target.server]
            own = [other for other in route.attempts if other.target.server == hop.server]
            last = len(ranked(recording.world, hop)) == own.index(each) + 1
            if _may_leave_out(hop):
                continue
            expected = full if last else _keyed_wait(route, hop, timers.t1, timers.t2)
            bound = each.wait.connect if each.target.transport.reliable else each.wait.seconds
            if bound is None or not near(bound, expected):
                yield f"{route.name}: {each.target} is waited for {bound} s, expected {expected} s"
            if each.target.transport.reliable and not near(each.wait.seconds, full):
                yield f"{route.name}: {each.target} is waited for {each.wait.seconds} s once connected"


def _keyed_wait(route: Route, hop: Hop, t1: float, t2: float) -> float:
    failover = hop.failover
    count = failover.retry_counts
    if route.method == "INVITE":
        count = failover.invite_retry_counts if failover.invite_retry_counts is not None else count
    elif count is None:
        count = 3
    if count is None:
        return 64 * t1
    return min(sum(_intervals(route.method, t1, t2, count + 1)), 64 * t1)


def _intervals(method: str, t1: float, t2: float, count: int) -> list[float]:
    doubled = [t1 * 2**power for power in range(count)]
    return doubled if method == "INVITE" else [min(each, t2) for each in doubled]


def silence(recording: Recording) -> Iterator[str]:
    """A silent target is given up exactly when its wait is over, its sends are T1, 2*T1, … apart."""
    timers = recording.config.timers
    for route in routes(recording):
        for each in route.attempts:
            if each.outcome is not Outcome.NO_RESPONSE or each.status is not None or each.ended is None:
                continue
            if not each.sends:
                continue  # what went before it, a REGISTER of its own, had no answer
            first = each.ended - each.wait.seconds
            last_branch = [at - first for at in each.sends if at >= first - INSTANT]
            while len(last_branch) > 1 and near(last_branch[1], 0.0):
                del last_branch[0]  # before a challenge or a redirection that came in no time
            expected = [0.0]
            if not each.target.transport.reliable:
                for interval in _intervals(route.method, timers.t1, timers.t2, 40):
                    if expected[-1] + interval >= each.wait.seconds - INSTANT:
                        break
                    expected.append(expected[-1] + interval)
            if len(last_branch) != len(expected) or not all(map(near, last_branch, expected)):
                yield f"{route.name}: {each.target} sent at {last_branch}, expected {expected}"


def results(recording: Recording) -> Iterator[str]:
    """A call's result is what its route says."""
    for call in recording.outgoing:
        last = call.route[-1] if call.route else None
        outcome = last.outcome if last is not None else None
        name = f"call to {call.remote}: {call.result} ({call.reason}) after {outcome}"
        if call.result is None:
            yield name
        elif call.result is CallResult.ANSWERED:
            if outcome is not Outcome.ANSWERED or last is None or call.via != last.target.role:
                yield name
        elif call.result is CallResult.REJECTED:
            if outcome is not Outcome.REJECTED or last is None or call.status != last.status:
                yield name
        elif call.result is CallResult.FAILED and call.reason.startswith(WITHOUT_ADDRESS):
            if outcome not in (Outcome.SEND_FAILED, None):
                yield name
        elif call.result is CallResult.FAILED:
            # The REGISTER that goes first may be refused or cut short (R9, R16): no answer to the call.
            own = last is None or not last.detail.startswith("REGISTER first")
            if own and outcome in (*ANSWERS, Outcome.CANCELLED, None):
                yield name
            for each in call.route:
                if answered_something(call.route[-1]):
                    break
                if each.outcome is not Outcome.SKIPPED and each.detail not in call.reason:
                    yield f"{name}: does not tell {each.detail!r}"
        if not call.reason:
            yield f"{name}: no reason"


def _place(attempt: Attempt) -> Place:
    target = attempt.target
    return target.address, target.port, str(target.transport)
