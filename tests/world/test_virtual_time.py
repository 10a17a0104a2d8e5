"""The virtual clock, deadlocks, and how a simulation ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from phone_emulator.events import Address
from phone_emulator.world import Deadlock, SimulatedWorld, World
from phone_emulator.world.loop import VirtualLoop
from tests.faults.raised import faulted


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld()


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Any:
    """asyncio tells of destroyed tasks and lost exceptions in its log only."""
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_sleeping_costs_no_time_and_lands_exactly(world: SimulatedWorld) -> None:
    async def main() -> list[float]:
        seen = [world.now()]
        for pause in (0.5, 1, 2, 4, 8, 16, 0.5):
            await asyncio.sleep(pause)
            seen.append(world.now())
        return seen

    assert world.run(main()) == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32.0]


@pytest.mark.parametrize("start", [0.1, 1e3 + 0.1, 1e7 + 0.3, 2e9 + 0.7])
def test_a_timer_shows_its_own_time_however_late_it_is(start: float) -> None:
    world = SimulatedWorld(time_limit=1e10)
    seen: list[float] = []
    times = [start, start + 0.1, start + 0.1 + 0.2, start + 1 / 3, start + 90000.1]

    async def main() -> None:
        for when in reversed(times):
            world.call_at(when, lambda: seen.append(world.now()))
        await asyncio.sleep(start + 90001)

    world.run(main())
    assert seen == times


def test_no_time_is_missed_by_a_hair(world: SimulatedWorld) -> None:
    dice = random.Random(1)
    times = sorted(dice.random() * 10 ** dice.randint(-3, 4) for _ in range(500))
    seen: list[float] = []

    async def main() -> None:
        for when in times:
            world.call_at(when, lambda: seen.append(world.now()))
        await asyncio.sleep(10001)

    world.run(main())
    assert seen == times


def test_a_timer_a_hair_later_is_not_early(world: SimulatedWorld) -> None:
    seen: list[float] = []

    async def main() -> None:
        for when in (0.1 + 0.2, 0.3):
            world.call_at(when, lambda: seen.append(world.now()))
        await asyncio.sleep(1)

    world.run(main())
    assert seen == [0.3, 0.1 + 0.2]


def test_timers_of_one_instant_fire_in_the_order_of_setting(world: SimulatedWorld) -> None:
    order: list[int] = []

    async def main() -> None:
        for n in range(200):
            world.call_at(1.0 if n % 3 else 2.0, lambda n=n: order.append(n))  # type: ignore[misc]
        await asyncio.sleep(2)

    world.run(main())
    assert order == [n for n in range(200) if n % 3] + list(range(0, 200, 3))


def test_a_timer_in_the_past_fires_now(world: SimulatedWorld) -> None:
    async def main() -> None:
        await asyncio.sleep(5)
        fired = asyncio.Event()
        world.call_at(1.0, fired.set)
        await fired.wait()
        assert world.now() == 5.0

    world.run(main())


def test_timeouts_are_virtual(world: SimulatedWorld) -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(32):
                await asyncio.Event().wait()
        return world.now()

    assert world.run(main()) == 32.0


def test_a_deadlock_names_every_task_and_its_wait(world: SimulatedWorld) -> None:
    async def registration() -> None:
        await asyncio.sleep(3)
        await asyncio.Event().wait()

    async def call() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(registration(), name="register-1")

    async def main() -> None:
        task = asyncio.create_task(call(), name="call-1")
        await task

    with pytest.raises(Deadlock) as caught:
        world.run(main())
    here = "test_a_deadlock_names_every_task_and_its_wait.<locals>"
    first, *tasks = str(caught.value).splitlines()
    assert first == "nothing can ever happen again at 3 s; waiting:"
    assert [task.split(" (")[0].strip() for task in tasks] == [
        f"task 'call-1' in {here}.call",
        f"task 'main' in {here}.main",
        f"task 'register-1' in {here}.registration",
    ]
    line = registration.__code__.co_firstlineno + 2
    assert tasks[2].endswith(f"registration (test_virtual_time.py:{line}), in Event.wait")
    assert tasks[1].endswith("for task 'call-1'")


def test_a_connection_that_nobody_answers_is_a_deadlock_unless_bounded(world: SimulatedWorld) -> None:
    async def main(world: SimulatedWorld, limit: float | None) -> float:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await world.connect(Address("192.0.2.1", 5060), Ignorant())
        return world.now()

    class Ignorant:
        def data_received(self, data: bytes) -> None: ...
        def connection_lost(self, reason: str) -> None: ...

    assert (
        SimulatedWorld().run(main(SimulatedWorld(), 10.0)) == 0.0
    )  # the clock of another world stands still
    bounded = SimulatedWorld()
    assert bounded.run(main(bounded, 10.0)) == 10.0
    with pytest.raises(Deadlock, match=r"SimulatedWorld\.connect"):
        world.run(main(world, None))


def test_tasks_that_go_round_in_circles_are_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SimulatedWorld()
    monkeypatch.setattr(world._loop, "_step_limit", 1000)

    async def spin() -> None:
        await asyncio.sleep(2)
        for _ in range(10**9):
            await asyncio.sleep(0)

    with pytest.raises(Deadlock, match="time stands still at 2 s"):
        world.run(spin())


def test_a_simulation_without_end_is_ended() -> None:
    world = SimulatedWorld(time_limit=3600)
    ticks = 0

    async def keep_alive() -> None:
        nonlocal ticks
        for _ in range(10**9):
            await asyncio.sleep(30)
            ticks += 1

    with pytest.raises(
        Deadlock, match="at 3600 s: the next thing is due at 3630 s, beyond the limit of 3600 s"
    ):
        world.run(keep_alive())
    assert ticks == 120
    with pytest.raises(Deadlock, match="at 0 s: the next thing is due at inf s"):
        SimulatedWorld().run(asyncio.sleep(float("inf")))


def test_what_is_left_is_told_and_then_cancelled(world: SimulatedWorld) -> None:
    ended: list[str] = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)
            ended.append("linger")

    async def brief() -> None:
        await asyncio.sleep(0)

    def refresh() -> None: ...

    async def main() -> None:
        assert world.pending_tasks() == []
        tasks = [asyncio.create_task(linger(), name="linger"), asyncio.create_task(brief())]
        world.call_at(30.0, refresh)
        world.call_at(20.0, refresh).cancel()
        world.network.call_at(40.0, ended.append, "delivery")
        assert len(world.pending_tasks()) == len(tasks)
        assert len(world.pending_timers()) == 2  # `ended.append` is nobody's method of ours

    world.run(main())
    assert ended == ["linger"]
    assert [task.split(" (")[0].rpartition(".")[2] for task in world.pending_tasks()] == ["linger"]
    assert "timer at 30 s: " in world.pending_timers()[0]
    assert "refresh at test_virtual_time.py" in world.pending_timers()[0]


def test_a_clean_end_leaves_nothing(world: SimulatedWorld) -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(5))
        timer = world.call_at(9.0, lambda: None)
        await asyncio.sleep(1)
        timer.cancel()
        task.cancel()  # is still pending when main ends: settled before anybody counts

    world.run(main())
    assert (world.pending_tasks(), world.pending_timers()) == ([], [])


@pytest.mark.parametrize(
    ("pause", "what"), [(1000.0, "not every task would end"), (0.0, "time stands still")]
)
def test_a_task_that_ignores_cancelling_is_named(
    monkeypatch: pytest.MonkeyPatch, pause: float, what: str
) -> None:
    world = SimulatedWorld()
    monkeypatch.setattr(world._loop, "_step_limit", 1000)

    async def stubborn(pause: float) -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(pause)

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(stubborn(pause), name="mule")
        await asyncio.sleep(0)
        return task

    with pytest.raises(Deadlock, match=rf"{what}.*\n.*'mule'"):
        world.run(main())


def test_an_exception_in_a_callback_is_raised_at_the_end(world: SimulatedWorld) -> None:
    async def main() -> None:
        world.call_at(2.0, lambda: [][1])
        await asyncio.sleep(10)

    with faulted(match="IndexError"):
        world.run(main())
    assert (world.now(), [fault.at for fault in world.faults.told]) == (10.0, [2.0])


def test_an_exception_that_nobody_awaits_is_raised(world: SimulatedWorld) -> None:
    async def fail() -> None:
        raise LookupError("nobody asked")

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(1)
        del task
        await asyncio.sleep(1)

    with faulted(match="LookupError: nobody asked"):
        world.run(main())


def test_an_exception_while_ending_is_raised(world: SimulatedWorld) -> None:
    async def fail_late() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise LookupError("while cleaning up")

    async def main() -> None:
        main.task = asyncio.create_task(fail_late())  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    with faulted(match="LookupError: while cleaning up"):
        world.run(main())


def test_an_interrupt_is_told_once(world: SimulatedWorld) -> None:
    """It may come while the main task runs; whoever called `run` has it then, and no log besides."""

    async def main() -> None:
        await asyncio.sleep(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run(main())


def test_an_unfinished_generator_is_closed(world: SimulatedWorld) -> None:
    closed: list[str] = []

    async def numbers(name: str) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append(name)

    async def main() -> None:
        async for _ in numbers("dropped"):
            break
        kept.append(numbers("kept"))
        await anext(kept[0])
        await asyncio.sleep(1)
        assert closed == ["dropped"]

    kept: list[AsyncIterator[int]] = []
    world.run(main())
    assert closed == ["dropped", "kept"]


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda loop: loop.call_soon_threadsafe(print), "knows no other threads"),
        (lambda loop: loop.run_in_executor(None, print), "knows no other threads"),
        (lambda loop: asyncio.to_thread(print), "knows no other threads"),
        (lambda loop: loop.getaddrinfo("sip.example", 5060), "ask a DNS server of its network"),
        (lambda loop: loop.create_connection(asyncio.Protocol, "127.0.0.1", 9), "use World.open_udp"),
        (lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol), "use World.open_udp"),
        (lambda loop: loop.add_reader(0, print), "use World.open_udp"),
    ],
)
def test_what_a_simulation_cannot_do_is_refused(
    world: SimulatedWorld, ask: Callable[[asyncio.AbstractEventLoop], Any], why: str
) -> None:
    async def main() -> None:
        asked = ask(asyncio.get_running_loop())
        await asked

    with pytest.raises(RuntimeError, match=why):
        world.run(main())


def test_a_world_runs_once_and_takes_a_coroutine(world: SimulatedWorld) -> None:
    async def nothing() -> None: ...

    with pytest.raises(TypeError, match="takes a coroutine"):
        world.run(nothing)  # type: ignore[arg-type]
    world.run(nothing())
    with pytest.raises(RuntimeError, match="runs once"):
        world.run(nothing())
    with pytest.raises(RuntimeError, match="has ended"):
        world.call_at(1.0, lambda: None)


def test_a_simulation_runs_in_a_thread_beside_another_loop() -> None:
    async def simulation(world: World) -> tuple[float, int]:
        for _ in range(100):
            await asyncio.sleep(60)
        return world.now(), id(asyncio.get_running_loop())

    async def terminal() -> None:
        worlds = [SimulatedWorld(seed) for seed in range(3)]
        with pytest.raises(RuntimeError, match=r"asyncio\.to_thread\(world\.run"):
            worlds[0].run(simulation(worlds[0]))
        results = await asyncio.gather(*(asyncio.to_thread(w.run, simulation(w)) for w in worlds))
        assert [result[0] for result in results] == [6000.0] * 3
        assert id(asyncio.get_running_loop()) not in [result[1] for result in results]

    asyncio.run(terminal())


def test_a_world_that_never_runs_warns_of_nothing() -> None:
    SimulatedWorld()
    gc.collect()


def test_a_loop_has_no_self_pipe() -> None:
    loop = VirtualLoop(1.0)
    assert not hasattr(loop, "_ssock"), "a socket pair would cost more than the whole simulation"
    loop.close()
