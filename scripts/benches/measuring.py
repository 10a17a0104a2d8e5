"""How the benches measure."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "configs" / "scenarios"

Bench = Callable[[], str]
"""Measures one thing, and says in a line or more what came out and what is asked for."""


def best_of(times: int, work: Callable[[], object]) -> float:
    """The shortest of *times* runs of *work*, in seconds of the clock."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def in_turn(rounds: int, works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of CPU that each of *works* takes at best, run in turn so that all meet the same machine."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            began = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - began)
    return best


def cores() -> tuple[int, int]:
    """Two cores: one for what is measured, one for what drives it; the same one where there is no other."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]
