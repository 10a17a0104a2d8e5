"""From the 503 of one server to the INVITE at the next one: this phone beside baresip, on the wire."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

from benches.measuring import Bench, cores
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.parser import parse

CALLS = 100
"""Of each phone, in turns, so that both meet the same machine."""
FIRST_CALLS = 5
"""Of each, not counted: what is read and remembered once is there then."""
PRIMARY, SECONDARY = "127.0.77.13", "127.0.77.14"
PHONE, BARESIP, DNS = "127.0.77.21", "127.0.77.22", "127.0.77.53"
DOMAIN = "bench.test"
PATIENCE = 10.0
"""Seconds until what must come counts as lost."""
PAUSE = 0.02
"""Seconds between two calls: a phone puts the last one away meanwhile."""
PART = Path(__file__).with_name("failover_part.py")
MODULES = ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules")

# Linux, <asm-generic/socket.h>: when the datagram came, by the kernel's clock (CLOCK_REALTIME).
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("=qq")


class Target:
    """One of the two servers: a socket whose datagrams the kernel stamps."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.bind((host, 0))
        self.port: int = self.socket.getsockname()[1]

    def heard(self, method: str) -> tuple[Request, tuple[str, int], int]:
        """The next *method* that comes, from where, and when, in ns; raises TimeoutError."""
        until = time.monotonic() + PATIENCE
        while select.select([self.socket], [], [], max(until - time.monotonic(), 0.0))[0]:
            data, ancillary, _, source = self.socket.recvmsg(65535, 128)
            message = parse(data)
            if isinstance(message, Request) and message.method == method:
                seconds, ns = _TIMESPEC.unpack(ancillary[0][2])
                return message, source, seconds * 1_000_000_000 + ns
        raise TimeoutError(f"no {method} came within {PATIENCE:.0f} s")

    def answer(self, request: Request, status: int, source: tuple[str, int]) -> int:
        """Answer *request*; when the answer left, in ns."""
        data = response_to(request, status, to_tag="bench").to_bytes()
        left = time.clock_gettime_ns(time.CLOCK_REALTIME)
        self.socket.sendto(data, source)
        return left

    def forget(self) -> None:
        """Drop what has come and was not waited for: repetitions."""
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(65535)


def gap(primary: Target, secondary: Target, dial: Callable[[], None]) -> float:
    """Milliseconds of one call: 503 from *primary*, its ACK, INVITE at *secondary*, which is busy."""
    primary.forget()
    secondary.forget()
    dial()
    invite, source, _ = primary.heard("INVITE")
    left = primary.answer(invite, 503, source)
    again, source, came = secondary.heard("INVITE")
    primary.heard("ACK")
    secondary.answer(again, 486, source)
    secondary.heard("ACK")
    assert again.call_id == invite.call_id, "the second INVITE is of another call"
    time.sleep(PAUSE)
    return (came - left) / 1_000_000


@contextmanager
def part(core: int, *arguments: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """The process of ``failover_part.py`` on its core: the first line that it tells, and an order to it."""
    command = [sys.executable, str(PART), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    orders = process.stdin

    def order() -> None:
        orders.write("dial\n")
        orders.flush()

    os.sched_setaffinity(process.pid, {core})
    try:
        first = process.stdout.readline().strip()
        if not first:
            raise RuntimeError(f"{PART.name} {arguments[0]} did not start, for the reason above")
        yield first, order
    finally:
        orders.close()
        process.wait()
        process.stdout.close()


@contextmanager
def baresip(core: int, nameserver: str) -> Iterator[Callable[[], None]]:
    """baresip on its core; the order to dial."""
    sip, control = (_free_port(kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM))
    modules = next((path for path in MODULES if Path(path).is_dir()), MODULES[0])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config").write_text(
            f"sip_listen {BARESIP}:{sip}\nnet_interface {BARESIP}\ndns_server {nameserver}\n"
            f"ctrl_tcp_listen {BARESIP}:{control}\nmodule_path {modules}\n"
            "audio_source ausine,440\nausrc_srate 48000\nausrc_channels 2\n"
            "audio_player aubridge,nowhere\naudio_alert aubridge,nowhere\n"
            "module g711.so\nmodule ausine.so\nmodule aubridge.so\n"
            "module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
        )
        (folder / "accounts").write_text(f"<sip:1001@{DOMAIN}>;regint=0\n")
        (folder / "contacts").write_text("")
        process = subprocess.Popen(
            ["baresip", "-f", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        os.sched_setaffinity(process.pid, {core})
        try:
            with _connected(control) as orders:
                order = json.dumps({"command": "dial", "params": f"sip:1002@{DOMAIN}"})
                yield lambda: orders.sendall(f"{len(order)}:{order},".encode())
        finally:
            process.terminate()
            process.wait()


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((BARESIP, 0))
        port: int = probe.getsockname()[1]
        return port


def _connected(port: int) -> socket.socket:
    """A connection to baresip's remote control, as soon as it listens."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection((BARESIP, port))
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE)


def told(name: str, gaps: list[float]) -> str:
    """What came of the calls of one phone."""
    late = quantiles(gaps, n=20)[-1]
    return f"{name} {median(gaps):.2f} ms, 95th percentile {late:.2f} ms, at best {min(gaps):.2f} ms"


def failover() -> str:
    """How long it takes this phone and baresip to send the INVITE on, after a 503."""
    here, (own, other) = os.sched_getaffinity(0), cores()
    primary, secondary = Target(PRIMARY), Target(SECONDARY)
    with ExitStack() as stack:
        stack.enter_context(primary.socket)
        stack.enter_context(secondary.socket)
        targets = (f"{PRIMARY}:{primary.port}", f"{SECONDARY}:{secondary.port}")
        nameserver, _ = stack.enter_context(part(other, "dns", f"{DNS}:0", *targets))
        _, dial = stack.enter_context(part(own, "phone", PHONE, nameserver))
        phones = {"this phone": dial}
        if shutil.which("baresip"):
            phones["baresip"] = stack.enter_context(baresip(own, nameserver))
        os.sched_setaffinity(0, {other})
        stack.callback(os.sched_setaffinity, 0, here)
        gaps: dict[str, list[float]] = {name: [] for name in phones}
        for _ in range(FIRST_CALLS + CALLS):
            for name, order in phones.items():
                gaps[name].append(gap(primary, secondary, order))
    counted = {name: taken[FIRST_CALLS:] for name, taken in gaps.items()}
    lines = [told(name, taken) for name, taken in counted.items()]
    if "baresip" in counted:
        ratio = median(counted["this phone"]) / median(counted["baresip"])
        lines.append(f"{ratio:.1f} times baresip's at the median (asked for: at most 2 times, or 0.4 ms)")
    else:
        lines.append("baresip is not installed here (asked for: 0.4 ms at the median)")
    return "\n".join(lines)


BENCHES: dict[str, Bench] = {"from a 503 to the next INVITE": failover}
