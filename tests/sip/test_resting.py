"""Transactions that only repeat themselves are kept as bytes, as long as the machine would run (RFC 3261)."""

from __future__ import annotations

import asyncio
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.events import MessageSent, Transport
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.resting import OVERHEAD, Resting
from phone_emulator.sip.tables import RESTING, STRAIGHT, TABLES, Event, Kind, State
from phone_emulator.sip.timers import Timers
from phone_emulator.sip.transaction import Deliver, Ended, Send, Transaction
from phone_emulator.world.simulated import SimulatedWorld
from tests.faults.raised import faulted
from tests.sip.ends import THERE, Ends, Far, incoming, request, run


def resting_for(story: list[tuple[float, str]], until: float, room: int = 100_000) -> list[str]:
    """The keys still known at *until*, where each of *story* rests from its time on, for 32 s."""
    world = SimulatedWorld(seed=1)
    left: list[str] = []

    async def main() -> None:
        resting = Resting(world, 32.0, room)
        for at, key in story:
            await asyncio.sleep(at - world.now())
            resting.add(key, key.encode())
        await asyncio.sleep(until - world.now())
        assert all(resting.said(key) == key.encode() for _, key in story if key in resting)
        left.extend(key for _, key in story if key in resting)
        assert len(resting) == len(set(left))
        resting.clear()
        assert len(resting) == 0
        assert world.pending_timers() == []

    world.run(main())
    return left


@pytest.mark.parametrize(
    ("until", "left"), [(31.9, ["a", "b", "c"]), (32.1, ["b", "c"]), (33.1, ["c"]), (50.1, [])]
)
def test_each_is_remembered_for_its_time(until: float, left: list[str]) -> None:
    assert resting_for([(0, "a"), (1, "b"), (18, "c")], until) == left


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.just(0.0), st.floats(0, 0.1), st.floats(0, 20)), min_size=1, max_size=200),
    st.floats(0, 60),
)
def test_none_is_forgotten_early_and_none_remembered_long(pauses: list[float], later: float) -> None:
    """Those that came within 32 ms of each other go together."""
    story = [(at, f"{n}") for n, at in enumerate(accumulate(pauses))]
    now = story[-1][0] + later
    left = set(resting_for(story, now, room=200 * (OVERHEAD + 10)))
    assert {key for at, key in story if now < at + 31.999} <= left
    assert not {key for at, key in story if now > at + 32.033} & left


def test_the_oldest_make_room() -> None:
    assert resting_for([(0, "a"), (1, "b"), (2, "c")], 3, room=2 * (OVERHEAD + 2)) == ["b", "c"]


def test_long_ones_take_more_room() -> None:
    long = "c" * OVERHEAD
    assert resting_for([(0, "a"), (1, "b"), (2, long)], 3, room=4 * OVERHEAD) == [long]
    assert resting_for([(0, "a"), (1, long)], 3, room=2 * OVERHEAD) == []


def test_what_has_expired_can_come_again() -> None:
    assert resting_for([(0, "a"), (40, "a")], 70) == ["a", "a"]


def test_the_states_that_rest_are_those_with_nothing_to_do() -> None:
    assert {
        Kind.INVITE_CLIENT: frozenset(),
        Kind.NON_INVITE_CLIENT: {State.COMPLETED},
        Kind.INVITE_SERVER: {State.CONFIRMED},
        Kind.NON_INVITE_SERVER: {State.COMPLETED},
    } == RESTING
    assert STRAIGHT == (Kind.NON_INVITE_SERVER,)


@pytest.mark.parametrize("kind", STRAIGHT)
@pytest.mark.parametrize("reliable", [False, True])
@pytest.mark.parametrize("status", [200, 404])
def test_going_straight_is_what_the_machine_does(kind: Kind, reliable: bool, status: int) -> None:
    asked = incoming("OPTIONS")
    machine = Transaction(kind, asked, reliable=reliable, timers=Timers())
    assert machine.start(0.0) == [Deliver(asked)]
    waits_for = [machine.next_timer]
    response = response_to(asked, status)
    actions = machine.respond(response, 1.0)
    assert actions[0] == Send(response)
    assert (machine.ended, machine.resting) == (reliable, not reliable)
    if not reliable:
        assert [*waits_for, machine.next_timer] == [None, 33.0]
        assert machine.receive(asked, 2.0) == [Send(response)]
        assert machine.fire(33.0) == [Ended()]
    assert Event.REQUEST in TABLES[kind][State.COMPLETED]


def test_a_request_is_answered_again_as_long_as_timer_j_runs() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("OPTIONS"))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        answer = response_to(server.request, 200, to_tag="t", extra=[("X", "y")])
        server.respond(answer)
        for wait in (1.0, 30.0):
            await asyncio.sleep(wait)
            far.send(incoming("OPTIONS"))
        await asyncio.sleep(0.9)
        sent = [event.data for event in ends.events if isinstance(event, MessageSent)]
        assert sent == [answer.to_bytes()] * 3
        assert len(ends.requests) == 1
        assert ends.endpoint.live_transactions == 1
        await asyncio.sleep(0.2)
        assert ends.endpoint.live_transactions == 0
        far.send(incoming("OPTIONS"))
        await asyncio.sleep(0.001)
        assert len(ends.requests) == 2
        server.respond(response_to(server.request, 200, to_tag="late"))
        assert len(far.responses) == 3

    run(story)


def test_a_repeated_response_is_nobodys_while_timer_k_runs() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(Transport.UDP, THERE)
        client = ends.endpoint.clients.request(request("OPTIONS"), flow)
        await asyncio.sleep(0.001)
        [asked] = far.heard
        assert isinstance(asked, Request)
        for wait in (0.0, 1.0, 3.9, 0.2):
            await asyncio.sleep(wait)
            far.send(response_to(asked, 200, to_tag="t"))
        await asyncio.sleep(0.001)
        assert (await client.final()).status == 200
        assert len(ends.strays) == 1, "the last came after T4"

    run(story)


def test_a_provisional_response_wakes_the_machine() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("SUBSCRIBE"))
        far.send(incoming("SUBSCRIBE"))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        assert far.responses == []
        for status in (100, 202):
            server.respond(response_to(server.request, status, to_tag="t"))
            far.send(incoming("SUBSCRIBE"))
            await asyncio.sleep(0.001)
        assert [response.status for response in far.responses] == [100, 100, 202, 202]
        assert ends.endpoint.live_transactions == 1

    run(story)


def test_a_late_cancel_finds_an_invite_that_rests() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        far.send(incoming("INVITE"))
        await asyncio.sleep(0.001)
        [server] = ends.requests
        server.respond(response_to(server.request, 486, to_tag="t"))
        far.send(incoming("ACK", to="<sip:b@x>;tag=t"))
        far.send(incoming("CANCEL"))
        await asyncio.sleep(0.001)
        assert [response.status for response in far.responses] == [486, 200]

    run(story)


def test_a_key_that_comes_again_is_remembered_once() -> None:
    assert resting_for([(0, "a"), (1, "a")], 31.9) == ["a", "a"]
    assert resting_for([(0, "a"), (1, "a")], 32.1) == []


def test_no_two_transactions_share_a_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 bits come again soon where requests are many."""

    async def story(ends: Ends) -> None:
        await Far(ends.world).bind()
        numbers = iter([7, 7, 8, 7, 8, 9])
        monkeypatch.setattr(ends.world.random, "getrandbits", lambda bits: next(numbers))
        flow = await ends.endpoint.transports.flow(Transport.UDP, THERE)
        sent = [
            ends.endpoint.clients.request(request("OPTIONS", f"c{n}"), flow).request.branch for n in range(3)
        ]
        assert sent == ["z9hG4bK7", "z9hG4bK8", "z9hG4bK9"]

    run(story)


def test_where_forgetting_raises_all_is_forgotten_and_later_ones_in_their_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = SimulatedWorld()
    clock, planted = world.now, False

    def now() -> float:
        nonlocal planted
        if clock() >= 32 and not planted:
            planted = True
            raise LookupError("planted")
        return clock()

    monkeypatch.setattr(world, "now", now)

    async def main() -> None:
        resting = Resting(world, 32.0)
        resting.add("a")
        await asyncio.sleep(40)
        assert len(resting) == 0
        resting.add("b")
        await asyncio.sleep(40)
        assert len(resting) == 0

    with faulted(match="forgetting of the transactions that are over"):
        world.run(main())
