"""REGISTER transactions over loopback UDP: what is measured on one core, its peer on another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benches.load import Heard, Registrar, drive
from benches.measuring import Bench, cores

SECONDS = 4.0
"""How long each is measured."""
TURNS = 8
"""In as many parts, between which the others have theirs."""
T1 = 0.05
"""Seconds. Timer J is then 3.2 s: transactions end as fast as they begin while it is measured."""
SERVER = Path(__file__).with_name("server.py")


class Measured:
    """A process of ``server.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.port = int(process.stdout.readline())

    def used(self) -> dict[str, float]:
        """What it has used so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def measured(what: str, loop: str, t1: float = T1, peer: int = 0) -> Iterator[Measured]:
    """The process on its core, this one on the other."""
    here, (own, other) = os.sched_getaffinity(0), cores()
    process = subprocess.Popen(
        [sys.executable, str(SERVER), what, loop, str(own), str(t1), str(peer)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(0, {other})
    try:
        yield Measured(process)
    finally:
        os.sched_setaffinity(0, here)
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


@dataclass(slots=True)
class Turns:
    """What one process did, turn by turn."""

    what: str
    loop: str
    server: Measured
    rates: list[float] = field(default_factory=list)
    """Transactions a second of its CPU."""
    answered: int = 0
    seconds: float = 0.0
    lost: int = 0
    told: str = ""
    """The same for people."""

    def serve(self, seconds: float) -> None:
        """One turn."""
        before = self.server.used()
        heard = drive(self.server.port, seconds, 100_000_000 + 10_000_000 * len(self.rates))
        check(heard, self.what)
        self.rates.append(heard.answered / (self.server.used()["cpu"] - before["cpu"]))
        self.answered += heard.answered
        self.seconds += heard.seconds
        self.lost += heard.lost

    def summary(self) -> str:
        """What came of all turns, for people."""
        used = self.server.used()
        return (
            f"{self.what} on {self.loop}: {self.answered / self.seconds:,.0f} a second, of its CPU"
            f" {median(self.rates):,.0f} a second ({min(self.rates):,.0f} to {max(self.rates):,.0f}),"
            f" {self.lost} lost, {int(used['live']):,} alive, {used['kib'] / 1024:.0f} MiB"
        )


def in_turns(*served: tuple[str, str], t1: float = T1) -> list[Turns]:
    """Let processes, (what, loop) each, serve in turns: so the moods of the machine are the same for all."""
    with ExitStack() as stack:
        turns = [Turns(what, loop, stack.enter_context(measured(what, loop, t1))) for what, loop in served]
        for each in turns:
            drive(each.server.port, 64 * t1 + 0.5)
        for _ in range(TURNS):
            for each in turns:
                each.serve(SECONDS / TURNS)
        for each in turns:
            each.told = each.summary()
    return turns


def share(one: Turns, other: Turns) -> str:
    """The CPU's transactions of *one* in those of *other*."""
    shares = [100 * mine / its for mine, its in zip(one.rates, other.rates, strict=True)]
    return f"{median(shares):.0f} % of it by the CPU ({min(shares):.0f} to {max(shares):.0f})"


def check(heard: Heard, what: str) -> None:
    """The answers are what they should be."""
    from phone_emulator.sip.parser import parse

    tags = set()
    for sample in heard.samples:
        message = parse(sample)
        if what == "endpoint":
            assert message.to_tag is not None
            assert message.headers.values("Contact")[0].endswith(";expires=3600")
            tags.add((message.branch, message.to_tag))
    assert what != "endpoint" or len(tags) == len(heard.samples) > 0


def serving() -> str:
    """REGISTERs answered by `Endpoint`, each with a branch and a Call-ID of its own."""
    own, least = in_turns(("endpoint", "uvloop"), ("splitting", "no loop"))
    return f"{own.told} (asked for: 25,000; 40,000 would be superb)\n{least.told}\n{share(own, least)}"


def serving_at_length() -> str:
    """The same with the usual T1, until as many have ended as began."""
    [own] = in_turns(("endpoint", "uvloop"), t1=0.5)
    return f"{own.told}, with timer J of 32 s"


def serving_on_asyncio() -> str:
    """The same on asyncio's own loop, beside the least that an asyncio server can do on it."""
    own, least = in_turns(("endpoint", "asyncio"), ("empty", "asyncio"))
    return f"{own.told}\n{least.told}\n{share(own, least)} (asked for: 80 %)"


def asking() -> str:
    """REGISTERs sent by `Endpoint.request`, 64 at a time, until their 200 is delivered to who awaits it."""
    registrar = Registrar()
    with measured("client", "uvloop", peer=registrar.port) as client:
        registrar.serve(1.0)
        before = client.used()
        seconds = registrar.serve(SECONDS)
        after = client.used()
    registrar.close()
    done, cpu = after["done"] - before["done"], after["cpu"] - before["cpu"]
    return f"{done / seconds:,.0f} a second, {done / cpu:,.0f} a second of its CPU"


BENCHES: dict[str, Bench] = {
    "REGISTERs served": serving,
    "REGISTERs served at length": serving_at_length,
    "REGISTERs served on asyncio": serving_on_asyncio,
    "REGISTERs sent": asking,
}
