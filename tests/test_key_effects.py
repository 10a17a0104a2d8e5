"""``scripts/key_effects``: it tells a key whose tests pass without it from one whose tests do not."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phone_emulator.config.catalogue import catalogue

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "key_effects"
PLANTED = """\
import runpy, sys
script = runpy.run_path({script!r})
script["main"].__globals__["tests_naming"] = lambda parameter: [{test!r}]
sys.exit(script["main"](["account.X.dnd.enable"]))
"""


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("key", "text", "named"),
    [
        ("account.X.dnd.enable", "account.1.dnd.enable = 1", True),
        ("account.X.dnd.enable", "account.{n}.dnd.enable", True),
        ("account.X.dnd.enable", "features.dnd.enable = 1", False),
        ("account.X.ptime", "account.1.ptime=7", True),
        ("account.X.sip_server.Y.retry_counts", "server_1(retry_counts=3)", True),
        ("account.X.sip_server.Y.retry_counts", "invite_retry_counts", False),
        ("account.X.sip_server.Y.transport_type", "account.1.transport = 1", True),
        ("account.X.codec.pcmu.enable", "account.1.codec.1.enable = 1", True),
        ("account.X.codec.pcmu.enable", "account.1.codec.pcma.enable = 1", False),
        ("static.network.primary_dns", "network.primary_dns = 192.0.2.1", True),
    ],
)
def test_what_names_a_key(script: dict[str, Any], key: str, text: str, named: bool) -> None:
    assert bool(script["naming"](catalogue().parameters[key])(text)) is named


def test_each_key_that_acts_is_named() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--named"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("test", "status", "said"),
    [
        (
            "tests/phone/calls/test_incoming.py::test_do_not_disturb",
            0,
            "account.X.dnd.enable: tests/phone/calls/test_incoming.py::test_do_not_disturb\n",
        ),
        (
            "tests/phone/dialling/test_number.py",
            1,
            "account.X.dnd.enable: none of the 1 tests that name it fails when it is ignored\n",
        ),
        ("tests/nowhere.py", 1, "account.X.dnd.enable: its tests could not be run (pytest said 4)"),
    ],
)
def test_a_test_that_passes_without_the_key_is_none(test: str, status: int, said: str) -> None:
    code = PLANTED.format(script=str(SCRIPT), test=test)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert (done.stdout + done.stderr).startswith(said)
