"""What the sound of many calls costs, beside an event loop that only sends and takes the datagrams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benches.measuring import Bench, cores

CALLS = 100
SECONDS = {"tone": 60}
"""How long the calls are measured; the others SHORT."""
SHORT = 20
PART = Path(__file__).with_name("media_part.py")
SIZES = {"srtp": 12 + 160 + 10}
"""Octets of a datagram; the others PLAIN."""
PLAIN = 12 + 160


class Part:
    """A process of ``media_part.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self.said = self._out.readline().strip()
        if not self.said:
            raise RuntimeError(f"{PART.name} did not start, for the reason above")

    def ask(self, order: str, *, answered: bool = True) -> Any:
        """Give it an *order*; what it says to that."""
        self._in.write(f"{order}\n")
        self._in.flush()
        return json.loads(self._out.readline()) if answered else None

    @property
    def used(self) -> float:
        """Seconds of CPU that it has taken so far."""
        return int(Path(f"/proc/{self._process.pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def part(core: int, *arguments: object) -> Iterator[Part]:
    """The process on its core."""
    command = [sys.executable, str(PART), *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {core})
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Part(process)
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def measured(what: str) -> str:
    """The calls in which *what* is said, beside the bare loop."""
    here, (own, other) = os.sched_getaffinity(0), cores()
    seconds, size = SECONDS.get(what, SHORT), SIZES.get(what, PLAIN)
    packets = 2 * CALLS * 50 * seconds
    found: dict[str, tuple[float, float]] = {}
    with ExitStack() as stack:
        far = stack.enter_context(part(other, "far", CALLS))
        os.sched_setaffinity(0, {other})
        stack.callback(os.sched_setaffinity, 0, here)
        for name, arguments in {"bare": (CALLS, size), "phones": (CALLS, what)}.items():
            with part(own, name, far.said, *arguments) as side:
                time.sleep(1)
                far.ask("begin", answered=False)
                before = side.used
                time.sleep(seconds)
                taken, came = side.used - before, far.ask("tell")
                if came["received"] < 0.98 * packets / 2:
                    return (
                        f"{name}: {came['received']} packets came of {packets // 2}: the machine is too busy"
                    )
                found[name] = taken / packets * 1e6, came["p99"]
            far.ask("clear")
    (bare, floor), (cost, late) = found["bare"], found["phones"]
    times, later = cost / bare, late / floor
    return (
        f"{cost:.0f} us of CPU a packet, {times:.1f} times the bare loop's {bare:.0f} us (asked for: 2.5)\n"
        f"99th percentile {late:.1f} ms late, {later:.1f} times the bare loop's {floor:.1f} ms "
        f"(asked for: 5 ms, 1.5 times)"
    )


BENCHES: dict[str, Bench] = {
    f"{CALLS} calls, {words}": partial(measured, what)
    for what, words in {
        "silence": "silence",
        "tone": "a tone",
        "recorded": "a tone, recorded",
        "g722": "a tone in G.722",
        "srtp": "a tone, encrypted",
    }.items()
}
