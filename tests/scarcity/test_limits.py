"""The real machine refuses: few descriptors, no free port. So it does what uvloop asks for, too."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from phone_emulator.events import Address, Bus, Event, Shortage
from phone_emulator.world import RealWorld, Stream
from tests import addresses
from tests.patience import NET, until
from tests.scarcity.test_planted import EXAMPLE, ROOT, ZONE

LAB = ("--world", "lab", "--zone", str(ZONE), "--local-address", addresses.own_address())
START = """\
import resource, sys
kind, number, loop = sys.argv[1:4]
del sys.argv[1:4]
if loop == "asyncio":
    sys.modules["uvloop"] = None
from phone_emulator.cli.group import cli
limit = int(number)
resource.setrlimit(getattr(resource, kind), (limit, limit))
sys.argv[0] = "phone-emulator"
cli()
"""
LOOPS = ("uvloop", "asyncio")
FEW = (3, 4, 6, 9, 12, 15, 18, 19, 20, 22, 24, 26, 28, 30, 31, 32, 33, 34, 48)
"""Descriptors; before those of the program are 0, 1 and 2."""


def limited(
    kind: str, number: int, loop: str, *args: str, within: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    """Run the program under a limit; status, stdout, stderr."""
    done = subprocess.run(
        [*within, sys.executable, "-c", START, kind, str(number), loop, *args],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=NET,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("loop", LOOPS)
def test_few_descriptors(loop: str) -> None:
    ends = {}
    for few in FEW:
        order = ("call", str(EXAMPLE), "1002", *LAB, "--duration", "0s")
        status, _, said = ends[few] = limited("RLIMIT_NOFILE", few, loop, *order)
        assert status in (0, 3), f"{few}: {status}: {said}"
        assert len(said.splitlines()) == (status == 3), f"{few}: {said}"
        assert status == 0 or "too many open files" in said
    assert {status for status, _, _ in ends.values()} == {0, 3}


def test_a_file_that_cannot_be_opened() -> None:
    status, _, said = limited("RLIMIT_NOFILE", 3, "asyncio", "check", str(EXAMPLE))
    assert (status, said.count("\n")) == (3, 1)
    assert "too many open files" in said


class _Door:
    """Who hears the connections that come in."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def __call__(self, stream: Stream) -> _Door:
        return self

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def connection_lost(self, reason: str) -> None:
        """Nobody minds."""


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Within, this process can open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)


@pytest.mark.parametrize("fast", [False, True])
def test_a_connection_that_wants_in(fast: bool) -> None:
    """asyncio lets it wait, and that is told, once a second at most; uvloop closes it, and tells nobody."""
    world, bus, door = RealWorld(fast=fast), Bus(), _Door()
    told: list[Event] = []
    bus.subscribe(told.append)
    world.faults.tell_on(bus)

    async def main() -> None:
        listener = await world.listen(Address("127.0.0.1", 0), door)
        early, late = (socket.socket() for _ in range(2))
        with early, late:
            early.setblocking(False)
            with no_descriptor_left():
                with contextlib.suppress(BlockingIOError):
                    early.connect(listener.local)
                early_send = b"early"
                for _ in range(20):
                    await asyncio.sleep(0)
                with contextlib.suppress(OSError):
                    early.send(early_send)
            late.connect(listener.local)
            late.send(b"late")
            await until(lambda: b"late" in door.heard, "the connection that came later")
            if not fast:
                await until(lambda: b"early" in door.heard, "the connection that waited")
        listener.close()

    world.run(main())
    if not fast:
        assert [type(event) for event in told] == [Shortage]
        assert "too many open files (a connection that wants in" in str(told[0])


def test_a_listener_that_is_closed_while_a_connection_waits() -> None:
    """asyncio comes back to it a second later."""
    world, door = RealWorld(fast=False), _Door()

    async def main() -> None:
        listener = await world.listen(Address("127.0.0.1", 0), door)
        with socket.socket() as early:
            early.setblocking(False)
            with no_descriptor_left():
                with contextlib.suppress(BlockingIOError):
                    early.connect(listener.local)
                await until(lambda: bool(world.faults.short), "the shortage")
            listener.close()
            await asyncio.sleep(1.5)  # longer than asyncio waits

    world.run(main())


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare here")
def test_no_free_port() -> None:
    """The machine has two ports to give, in a network of its own."""
    ours = 'ip link set lo up; echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range; exec "$@"'
    within = ("unshare", "--user", "--map-root-user", "--net", "sh", "-c", ours, "sh")
    if subprocess.run([*within, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives us no network of our own")
    holder = (
        "import socket, sys, subprocess\n"
        "held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]\n"
        "for number, each in enumerate(held): each.bind((sys.argv[1], 40000 + number))\n"
        "sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)"
    )
    host = addresses.own_address()
    first = (*within, sys.executable, "-c", holder, host)
    order = ("register", str(EXAMPLE), "--world", "lab", "--zone", str(ZONE), "--local-address", host)
    limit = ("RLIMIT_NOFILE", 256, "asyncio")
    none = f"cannot bind {host}/udp: no free port is left"
    assert limited(*limit, *order, "--local-port", "0", within=first) == (3, "", f"{none}\n")
    # The name of server 1 is not to be had either, but server 2 has an address.
    status, _, said = limited(*limit, *order, "--log-level", "info", within=first)
    assert status == 0
    assert f"the machine would not: {none} (a socket at {host}:0" in said
