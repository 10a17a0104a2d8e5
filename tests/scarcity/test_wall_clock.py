"""Somebody sets the wall clock (NTP, a user): nothing depends on it but the dates that are written down."""

from __future__ import annotations

import ast
import json
import random
import time
from pathlib import Path

import pytest

import phone_emulator
from tests import addresses
from tests.scarcity.test_planted import EXAMPLE, ZONE, program

PACKAGE = Path(phone_emulator.__file__).parent
DATES = {
    "world/real.py": "when the world began, for captures, JSON and reports on quality",
    "lab/certificates.py": "from when to when they are good",
}
"""Who reads the wall clock, and for what."""
WALL = {
    *(f"time.{name}" for name in ("time", "time_ns", "localtime", "gmtime")),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}


def test_who_reads_it() -> None:
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in WALL:
                found.add(file.relative_to(PACKAGE).as_posix())
    assert found == set(DATES)


@pytest.mark.parametrize("way", [1, -1, 0])
def test_it_leaps_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: int) -> None:
    """Each reading is hours away from the one before: forwards, backwards, either way."""
    real, readings, chance = time.time, [0], random.Random(1)

    def leaping() -> float:
        readings[0] += 1
        return real() + 7200 * (way or chance.choice((-1, 1))) * readings[0]

    where = ("--world", "lab", "--zone", ZONE, "--local-address", addresses.own_address())
    capture = tmp_path / "sip.pcapng"
    monkeypatch.setattr(time, "time", leaping)
    result = program(
        "call", EXAMPLE, "1002", *where, "--duration", "0.1s", "--pcap", capture, "--format", "json"
    )
    assert result.exit_code == 0, result.output
    call = json.loads(result.stdout)
    assert 0 <= call["route"][0]["started"] < 10
    assert capture.stat().st_size > 1000
