"""What keeps strangers out cannot be foretold in real worlds; a seed repeats a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phone_emulator.world import RealWorld, SimulatedWorld
from phone_emulator.world.chance import Chance
from tests.world.mersenne import NEEDED, foretold


@pytest.mark.parametrize(
    ("chance", "known"),
    [
        (lambda: RealWorld().unguessable, False),
        (lambda: RealWorld().random, True),
        (lambda: RealWorld(seed=7).unguessable, True),
        (lambda: SimulatedWorld().unguessable, True),
    ],
    ids=["real", "real, what may be known", "with --seed", "simulated"],
)
def test_what_a_stranger_can_foretell(chance: Callable[[], Chance], known: bool) -> None:
    source = chance()
    heir = foretold([source.getrandbits(32) for _ in range(NEEDED)])
    guesses = [heir.getrandbits(32) for _ in range(4)]
    assert (guesses == [source.getrandbits(32) for _ in range(4)]) is known


def test_a_seed_repeats_a_run() -> None:
    one, other = RealWorld(seed=7), RealWorld(seed=7)
    assert one.unguessable is one.random
    assert [one.unguessable.getrandbits(32) for _ in range(9)] == [
        other.unguessable.getrandbits(32) for _ in range(9)
    ]
