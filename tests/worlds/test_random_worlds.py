"""The whole phone in random worlds, against what must hold in every one of them (docs/random-worlds.md)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given

from phone_emulator.scenario.reader import read_scenario
from phone_emulator.scenario.runner import run
from phone_emulator.scenario.session import RunOptions, prepare
from tests.worlds.invariants.table import INVARIANTS, broken
from tests.worlds.profiles import worlds_profile
from tests.worlds.recording import play
from tests.worlds.strategies import worlds
from tests.worlds.world import World, save

FAILED = Path(tempfile.gettempdir()) / "phone-emulator-worlds"
"""Where the scenario files of worlds are kept in which something did not hold."""


def judge(world: World) -> None:
    """Play *world*; raises AssertionError with what does not hold, and the scenario file that shows it."""
    try:
        faults = [f"{invariant.name} ({invariant.rules}): {text}" for invariant, text in broken(play(world))]
        name = faults[0].partition(" ")[0] if faults else ""
    except Exception as error:
        faults, name = [f"the world broke down: {type(error).__name__}: {error}"], type(error).__name__
    if faults:
        path = save(world, name, FAILED)
        told = "\n".join(f"  {fault}" for fault in faults)
        raise AssertionError(
            f"{told}\nreproduce: phone-emulator run --seed {world.seed} {path}\n\n{world.text()}"
        )


@worlds_profile()
@given(worlds())
def test_every_invariant_holds_in_every_world(world: World) -> None:
    judge(world)


def test_the_file_of_a_failed_world_reproduces_it(tmp_path: Path) -> None:
    world = _smallest()
    path = save(world, "smallest", tmp_path)
    options = RunOptions(seed=world.seed)
    result = run(prepare(read_scenario(path), options), options)
    recording = play(world)
    assert [call.as_json()["route"] for call in result.calls] == [
        [attempt.as_json() for attempt in call.route] for call in recording.outgoing
    ]


def test_invariants_can_be_broken() -> None:
    """Each of these worlds is fine until its recording is spoiled."""
    recording = play(_smallest())
    assert broken(recording) == []
    recording.outgoing[0].route[0].detail = ""
    recording.idle_transactions = 1
    names = {invariant.name for invariant, _ in broken(recording)}
    assert {"told", "nothing-left", "can-be-told"} <= names
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)


def _smallest() -> World:
    line = "account.1."
    return World(
        domains=(),
        servers={"s13": {"address": "192.168.1.13"}, "s15": {"address": "192.168.1.15"}},
        cfg={
            f"{line}enable": "1",
            f"{line}user_name": "1001",
            f"{line}password": "random-World-1",
            f"{line}sip_server.1.address": "192.168.1.13",
            f"{line}sip_server.2.address": "192.168.1.15",
        },
        steps=(
            {"register": {}},
            {"server": {"name": "s13", "behaviour": "silent"}},
            {"call": {"to": "2001", "id": "c1"}},
            {"hangup": {"call": "c1"}},
        ),
    )
