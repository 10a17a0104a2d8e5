"""A port in use: status 3, who may hold it, and what to try."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phone_emulator.events import Address
from phone_emulator.world import holders
from tests import addresses
from tests.patience import NET
from tests.scarcity.test_planted import EXAMPLE, ZONE, program

HOLD = """\
import socket, sys
kind, family = (getattr(socket, each) for each in sys.argv[3:5])
held = socket.socket(family, kind)
held.bind((sys.argv[1], int(sys.argv[2])))
if kind == socket.SOCK_STREAM:
    held.listen()
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""
Hold = Callable[..., "tuple[int, int]"]
HOST = addresses.own_address()
NETWORK = HOST.rpartition(".")[0]
LAB = ("--world", "lab", "--zone", ZONE, "--local-address", HOST)
ANY = "; --local-port 0 takes any that is free"
MOVE = "; --local-address 127.0.1.21 moves the lab to other addresses"


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Let another process hold a port; its number, and the process's."""
    with contextlib.ExitStack() as stack:

        def start(host: str, port: int, kind: str = "SOCK_DGRAM", family: str = "AF_INET") -> tuple[int, int]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLD, host, str(port), kind, family],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.communicate, timeout=NET)
            assert process.stdout is not None
            return int(process.stdout.readline()), process.pid

        yield start


@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_STREAM"])
@pytest.mark.parametrize("command", [("call", EXAMPLE, "1002"), ("register", EXAMPLE), ("run", "{scenario}")])
def test_the_phone_s(hold: Hold, tmp_path: Path, command: tuple[object, ...], kind: str) -> None:
    _, process = hold(HOST, 5060, kind)
    scenario = tmp_path / "one.yaml"
    scenario.write_text(f"name: one\nworld: lab\nconfig: {EXAMPLE}\nsteps:\n  - register: {{line: 1}}\n")
    words = [scenario if each == "{scenario}" else each for each in command]
    where = LAB if command[0] != "run" else LAB[4:]
    result = program(*words, *where)
    protocol = "udp" if kind == "SOCK_DGRAM" else "tcp"
    name = Path(f"/proc/{process}/comm").read_text().strip()
    by = f"{name} (process {process})"
    assert result.stderr == f"cannot bind {HOST}:5060/{protocol}: address already in use by {by}{ANY}\n"
    assert result.exit_code == 3
    assert program(*words, *where, "--local-port", "0").exit_code == 0


@pytest.mark.parametrize("place", [(13, 5060), (53, 5300), (100, 5060)])
@pytest.mark.parametrize("command", [("lab",), ("call", EXAMPLE, "1002", *LAB[:4])])
def test_the_lab_s(hold: Hold, command: tuple[object, ...], place: tuple[int, int]) -> None:
    host, port = f"{NETWORK}.{place[0]}", place[1]
    hold(host, port)
    result = program(*command, *LAB[4:])
    assert result.stderr.startswith(f"cannot bind {host}:{port}/udp: address already in use by python")
    assert result.stderr.endswith(f"{MOVE}\n")
    assert result.exit_code == 3


def test_all_of_those_for_sound(hold: Hold) -> None:
    ports = {"min": 21780, "max": 21781}
    for port in ports.values():
        hold(HOST, port)
    keys = [f"static.network.port.{end}_rtpport={port}" for end, port in ports.items()]
    result = program("call", EXAMPLE, "1002", *LAB, "--set", keys[0], "--set", keys[1])
    assert result.exit_code == 3
    taken = "no RTP port is free: cannot bind"
    assert result.stderr.startswith(f"{taken} {HOST}:21780/udp: address already in use by p")
    assert taken in result.stdout


@pytest.mark.parametrize("word", ["-1", "65536", "sip", "٣"])
def test_what_is_no_port(word: str) -> None:
    result = program("call", EXAMPLE, "1002", "--local-port", word)
    assert result.exit_code == 2
    assert "is not a port: expected a number from 0 to 65535" in result.stderr


@pytest.mark.parametrize("kind", ["SOCK_DGRAM", "SOCK_STREAM"])
@pytest.mark.parametrize(
    ("family", "held", "asked"),
    [
        ("AF_INET", "127.0.0.1", "127.0.0.1"),
        ("AF_INET", "0.0.0.0", "127.0.0.1"),
        ("AF_INET", "127.0.0.1", "0.0.0.0"),
        ("AF_INET6", "::1", "::1"),
        ("AF_INET6", "::", "::1"),
    ],
)
def test_who_holds_it(hold: Hold, kind: str, family: str, held: str, asked: str) -> None:
    port, process = hold(held, 0, kind, family)
    protocol = "udp" if kind == "SOCK_DGRAM" else "tcp"
    assert holders.holder_of(Address(asked, port), protocol).endswith(f" (process {process})")


def test_nobody_known() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        local = Address(*here.getsockname())
        assert holders.holder_of(local, "udp") == "this program itself"
        assert holders.holder_of(local, "tcp") == "another program"
    assert holders.holder_of(local, "udp") == "another program"


def test_a_table_that_tells_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No such tables (a BSD), garbage in them, a program of somebody else, a name that is no text."""
    monkeypatch.setattr(holders, "PROC", tmp_path)
    local = Address("127.0.0.1", 5060)
    assert holders.holder_of(local, "udp") == "another program"
    (tmp_path / "net").mkdir()
    table = tmp_path / "net" / "udp"
    table.write_text("  sl\n 1\n\n 2: x y\n 3: zz:13C4 00000000:0000 07 0 0 0 0 0 77\n")
    assert holders.holder_of(local, "udp") == "another program"
    line = "4: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000 {uid} 0 77 2 0 0\n"
    table.write_text(f"  sl\n{line.format(uid=os.getuid() + 1)}")
    assert holders.holder_of(local, "udp").startswith("another program")
    (tmp_path / "812" / "fd").mkdir(parents=True)
    (tmp_path / "812" / "fd" / "3").symlink_to("socket:[77]")
    assert holders.holder_of(local, "udp") == "another program (process 812)"
    (tmp_path / "812" / "comm").write_bytes(b"\x1b[2Jsip\xff\n")
    assert holders.holder_of(local, "udp") == "\\x1b[2Jsip\ufffd (process 812)"
