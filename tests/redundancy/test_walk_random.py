"""Random worlds against what must hold of every walk."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.config.model import FailoverConfig, TimerConfig
from phone_emulator.events import Outcome, Target, Transport
from phone_emulator.redundancy import Silence, Try, Walk, moves_on
from tests.redundancy.ladder import hop, play, targets

MOVING = (
    Outcome.UNAVAILABLE,
    Outcome.NO_RESPONSE,
    Outcome.ICMP,
    Outcome.CONNECT_FAILED,
    Outcome.TLS_FAILED,
    Outcome.SEND_FAILED,
)
addresses = st.lists(st.sampled_from([f".{last}" for last in range(13, 19)]), max_size=6)
transports = st.sampled_from(Transport)
outcome = st.one_of(
    st.sampled_from([*MOVING, *MOVING, Outcome.CANCELLED]), st.sampled_from([200, 403, 404, 486, 500, 603])
)
failover = st.builds(
    FailoverConfig,
    retry_counts=st.none() | st.integers(0, 20),
    invite_retry_counts=st.none() | st.integers(1, 10),
    register_on_enable=st.booleans(),
)
timers = st.builds(TimerConfig, t1=st.sampled_from([0.5, 1.0, 10.0]), t2=st.sampled_from([2.0, 4.0, 40.0]))


@st.composite
def worlds(
    draw: st.DrawFn,
) -> tuple[Walk, dict[int, list[Target]], list[Outcome | int], bool, TimerConfig, bool]:
    servers = draw(st.sampled_from([(1,), (2,), (1, 2), (2, 1)]))
    where = {n: targets(n, *draw(addresses), transport=draw(transports)) for n in servers}
    where = {n: found for n, found in where.items() if found}  # an empty one does not resolve
    count = sum(map(len, where.values()))
    outcomes = draw(st.lists(outcome, min_size=count, max_size=count))
    skip, errors = draw(st.booleans()), draw(st.booleans())
    drawn_timers = draw(timers)
    walk = Walk(
        draw(st.sampled_from(["INVITE", "REGISTER"])),
        [hop(n, draw(failover)) for n in servers],
        drawn_timers,
        silence=draw(st.sampled_from(Silence)),
        skip_redundant=skip,
        errors_move_on=errors,
    )
    return walk, where, outcomes, skip, drawn_timers, errors


@given(worlds())
def test_every_walk(
    world: tuple[Walk, dict[int, list[Target]], list[Outcome | int], bool, TimerConfig, bool],
) -> None:
    # rule C1
    # rule C2
    # rule C3
    # rule C5
    # rule D5
    walk, where, outcomes, skip, used, errors_move_on = world
    hops = list(walk._hops)
    played = play(walk, outcomes, where)
    route = played.route
    assert walk.next(played.now) is None, "a walk that is over stays over"
    assert [attempt.n for attempt in route] == list(range(1, len(route) + 1))

    # Every target is in the route at most once, servers and targets in their order, none left out.
    listed: list[Target | None] = []
    for each in hops:
        listed += list(where.get(each.server, [])) or [None]
    seen = [None if attempt.outcome is Outcome.UNRESOLVED else attempt.target for attempt in route]
    if errors_move_on and any(attempt.outcome is Outcome.REJECTED for attempt in route):
        left = iter(listed)
        assert all(any(target == other for other in left) for target in seen), "not in order"
    else:
        assert seen == listed[: len(seen)]

    # It ends at the first outcome that does not move on, and only there, or when nobody is left.
    def goes_on(position: int) -> bool:
        attempt = route[position]
        return moves_on(attempt) or (errors_move_on and attempt.outcome is Outcome.REJECTED)

    assert all(goes_on(position) for position in range(len(route) - 1))
    if goes_on(len(route) - 1) and not errors_move_on:
        assert len(seen) == len(listed)

    # Skipped: exactly where the address failed before, and the key says so; nothing is sent there.
    failed: set[str] = set()
    tried = {step.attempt.n for step in played.steps if isinstance(step, Try)}
    for attempt in route:
        again = attempt.target.address in failed
        assert (attempt.outcome is Outcome.SKIPPED) == (skip and again)
        assert (attempt.n in tried) == (attempt.outcome not in (Outcome.SKIPPED, Outcome.UNRESOLVED))
        if moves_on(attempt) and attempt.target.address:
            failed.add(attempt.target.address)

    # A silent target is never waited for longer than 64*T1, the last of a list exactly so long.
    full = 64 * used.t1
    for attempt, target in zip(route, seen, strict=True):
        if target is None:
            continue
        assert 0 < attempt.wait.seconds <= full
        if target == where[target.server][-1] or target.transport.reliable:
            assert attempt.wait.seconds == full
        if target.transport.reliable:
            assert attempt.wait.connect is not None
            assert attempt.wait.connect <= full
    starts = [attempt.started for attempt in route]
    assert starts == sorted(starts)
