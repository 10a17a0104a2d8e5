"""REGISTER transactions over loopback UDP: what is measured on one core, its peer on another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.load import Heard, Registrar, drive
from benches.measuring import Bench, cores

SECONDS = 4.0
"""How long each is measured."""
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


def served(what: str, loop: str, t1: float = T1, seconds: float = SECONDS) -> tuple[float, float, str]:
    """Transactions a second by the clock, a second of the server's CPU, and what is to be told of them."""
    with measured(what, loop, t1) as server:
        drive(server.port, 64 * t1 + 0.5)
        before, heard, after = server.used(), drive(server.port, seconds, 100_000_000), server.used()
    check(heard, what)
    cpu = after["cpu"] - before["cpu"]
    rate, core = heard.answered / heard.seconds, heard.answered / cpu
    text = (
        f"{what} on {loop}: {rate:,.0f} a second, {core:,.0f} a second of its CPU, {heard.lost} lost,"
        f" {int(after['live']):,} alive, {after['kib'] / 1024:.0f} MiB"
    )
    return rate, core, text


def check(heard: Heard, what: str) -> None:
    """The answers are what they should be."""
    from phone_emulator.sip.message import parse

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
    least_core, text = served("splitting", "no loop")[1:]
    core, own = served("endpoint", "uvloop")[1:]
    share = f"{100 * core / least_core:.0f} % of it by the CPU"
    return f"{own} (asked for: 25,000; 40,000 would be superb)\n{text}\n{share}"


def serving_at_length() -> str:
    """The same with the usual T1, until as many have ended as began."""
    text = served("endpoint", "uvloop", 0.5)[2]
    return f"{text}, with timer J of 32 s"


def serving_on_asyncio() -> str:
    """The same on asyncio's own loop, beside the least that an asyncio server can do on it."""
    least, least_core, text = served("empty", "asyncio")
    rate, core, own = served("endpoint", "asyncio")
    shares = f"{100 * rate / least:.0f} % by the clock, {100 * core / least_core:.0f} % by the CPU"
    return f"{own}\n{text}\n{shares} (asked for: 80 %)"


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
