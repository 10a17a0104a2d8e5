"""Background work: named, owned, and told when it raises."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

import pytest

from phone_emulator.events import Bus, Event, InternalFault, ServerChanged
from phone_emulator.scarcity import MachineRefused
from phone_emulator.world import RealWorld, SimulatedWorld, Tasks, WorldError, as_reason
from phone_emulator.world.faults import MOST_KEPT
from tests.faults.raised import faulted

Make = Callable[[], SimulatedWorld | RealWorld]
WORLDS = pytest.mark.parametrize("make", [SimulatedWorld, RealWorld])


async def fail(text: str = "planted") -> None:
    raise LookupError(text)


def heard(world: SimulatedWorld | RealWorld) -> list[str]:
    """What is told of faults on a bus of *world*, from now on."""
    told: list[str] = []
    bus = Bus()
    bus.subscribe(lambda event: told.append(str(event)))
    world.faults.tell_on(bus)
    return told


@WORLDS
def test_what_a_task_raises_is_told_and_the_rest_goes_on(make: Make) -> None:
    world = make()
    told, settled = heard(world), list[str]()

    async def main() -> str:
        done = asyncio.Event()
        tasks = Tasks(world, "line 1", lambda error: settled.append(as_reason(error)))
        tasks.spawn(fail(), "the refresh")
        tasks.call_at(world.now(), done.set, "the end")
        await done.wait()
        await asyncio.sleep(0)
        assert settled == ["internal fault: LookupError: planted"]
        return "went on"

    with faulted() as raised:
        world.run(main())
    assert told == ["internal fault in the refresh of line 1: LookupError: planted"]
    assert str(raised.value) == told[0]
    assert isinstance(raised.value.__cause__, LookupError)
    assert "in fail" in raised.value.told[0].traceback


@WORLDS
def test_what_a_timer_raises_is_told_and_settled(make: Make) -> None:
    world = make()
    told = heard(world)

    async def main() -> None:
        settled = asyncio.Event()
        tasks = Tasks(world, "call-1", lambda error: settled.set())
        tasks.call_at(world.now(), lambda: [][1], "ringing out")
        await settled.wait()

    with faulted():
        world.run(main())
    assert told == ["internal fault in ringing out of call-1: IndexError: list index out of range"]


@WORLDS
def test_what_raises_in_a_callback_of_nobodys_is_told(make: Make) -> None:
    world = make()
    told = heard(world)

    def stumble() -> None:
        raise ValueError("over its feet")

    async def main() -> None:
        world.call_at(world.now(), stumble)
        await asyncio.sleep(0.01)

    with faulted(match="over its feet"):
        world.run(main())
    assert len(told) == 1


@WORLDS
def test_one_that_is_awaited_is_told_once(make: Make) -> None:
    world = make()
    told = heard(world)

    async def main() -> None:
        lookup = Tasks(world, "the resolver").spawn(fail(), "a lookup")

        async def wait() -> None:
            await asyncio.shield(lookup)

        walks = [Tasks(world, f"call-{number}").spawn(wait(), "dialling") for number in (1, 2)]
        await asyncio.gather(*walks, return_exceptions=True)

    with faulted():
        world.run(main())
    assert told == ["internal fault in a lookup of the resolver: LookupError: planted"]


def test_what_is_expected_and_a_cancellation_are_no_faults() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        tasks = Tasks(world, "the connections")
        refused = tasks.spawn(fail(), "a connection", expected=(LookupError,))
        with pytest.raises(LookupError):
            await refused
        forgotten = tasks.spawn(asyncio.sleep(100), "another")
        await asyncio.sleep(0)
        await tasks.stop()
        assert (forgotten.cancelled(), len(tasks)) == (True, 0)

    world.run(main())
    assert world.faults.told == []


def test_stopping_waits_for_the_end_of_all_but_the_one_that_stops() -> None:
    world = SimulatedWorld()
    ended: list[str] = []

    async def main() -> None:
        tasks = Tasks(world, "the phone")

        async def linger() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)
                ended.append("linger")

        async def stop() -> None:
            await tasks.stop()
            ended.append("stop")

        tasks.spawn(linger(), "lingering")
        await asyncio.sleep(1)
        await tasks.spawn(stop(), "stopping")

    world.run(main())
    assert ended == ["linger", "stop"]


def test_settling_may_raise_too() -> None:
    world = SimulatedWorld()
    told = heard(world)

    def worse(error: Exception) -> None:
        raise KeyError("worse")

    async def main() -> None:
        Tasks(world, "call-1", worse).spawn(fail(), "dialling")
        await asyncio.sleep(1)

    with faulted():
        world.run(main())
    assert told == [
        "internal fault in dialling of call-1: LookupError: planted",
        "internal fault in settling dialling of call-1: KeyError: 'worse'",
    ]


def test_a_listener_that_raises_disturbs_nobody() -> None:
    world, bus = SimulatedWorld(), Bus()
    heard_after: list[Event] = []

    def stumble(event: Event) -> None:
        raise ValueError("a pane without a widget")

    async def main() -> None:
        world.faults.tell_on(bus)
        bus.subscribe(stumble)
        bus.subscribe(heard_after.append)
        bus.tell(ServerChanged(at=0.0, server="primary", behaviour="silent"))

    with faulted(match="hearing of ServerChanged"):
        world.run(main())
    told = [type(event) for event in heard_after]
    assert told == [InternalFault, ServerChanged]


def test_without_a_world_a_listener_raises() -> None:
    bus = Bus()
    bus.subscribe(lambda event: [][1])
    with pytest.raises(IndexError):
        bus.tell(ServerChanged(at=0.0, server="primary", behaviour="silent"))


def test_what_strangers_sent_does_not_reach_the_terminal_as_it_is() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        Tasks(world, "call-1").spawn(fail("\x1b[2J\u202e\nWarning: none"), "dialling")
        await asyncio.sleep(1)

    with faulted() as raised:
        world.run(main())
    (fault,) = raised.value.told
    assert fault.error == "LookupError: \\x1b[2J\\u202e\\x0aWarning: none"
    assert "\x1b" not in fault.traceback


def test_faults_without_end_take_no_memory_without_end() -> None:
    world = SimulatedWorld()
    told = heard(world)

    async def main() -> None:
        tasks = Tasks(world, "call-1")
        for number in range(3 * MOST_KEPT):
            tasks.spawn(fail(str(number)), "dialling")
        await asyncio.sleep(1)

    with faulted():
        world.run(main())
    assert (len(world.faults.told), len(told)) == (MOST_KEPT, 3 * MOST_KEPT)


SHORT = [
    (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
    (OSError(errno.ENOSPC, "No space left on device"), "no space left on the device"),
    (MemoryError(), "out of memory"),
    (RuntimeError("can't start new thread"), "the machine starts no more threads"),
    (WorldError("cannot bind 192.0.2.1:5060/udp: no"), "cannot bind 192.0.2.1:5060/udp: no"),
]
"""What the machine says where it has run short, and how that is told."""


@WORLDS
@pytest.mark.parametrize(("error", "short"), SHORT, ids=[short[:9] for _, short in SHORT])
def test_a_machine_that_has_run_short_is_no_fault(make: Make, error: Exception, short: str) -> None:
    world = make()
    told, settled = heard(world), list[str]()

    async def run_short() -> None:
        raise error

    async def main() -> None:
        tasks = Tasks(world, "line 1", lambda error: settled.append(as_reason(error)))
        await asyncio.wait([tasks.spawn(run_short(), "the refresh")])
        await asyncio.sleep(0)

    with pytest.raises(MachineRefused) as raised:
        world.run(main())
    assert told == [f"the machine would not: {short} (the refresh of line 1)"]
    assert settled == [f"the machine would not: {short}"]
    assert str(raised.value) == f"{short} (the refresh of line 1)"


def test_a_fault_is_worse_than_a_shortage() -> None:
    world = SimulatedWorld()

    async def main() -> None:
        tasks = Tasks(world, "line 1")
        tasks.fault(MemoryError(), "the first")
        tasks.fault(LookupError(), "the second")

    with faulted(match="the second of line 1"):
        world.run(main())
    assert world.faults.short == "out of memory"
