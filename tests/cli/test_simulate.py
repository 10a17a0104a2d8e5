"""``phone-emulator simulate``: the text (golden files), the JSON, and orders that make no sense."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]
GOLDEN = Path(__file__).parent / "golden"
OUTAGE = ("--down", "primary=silent", "--at", "60s", "--up", "primary=ok", "--at", "10m")


@pytest.fixture
def simulate(run: Run, example: Path, zone: Path) -> Run:
    """Simulate the guide's example."""

    def simulate(*options: object) -> Result:
        return run("simulate", example, "--zone", zone, *options)

    return simulate


def golden(name: str, text: str) -> str:
    """The golden file *name*; with UPDATE_GOLDEN set it is written anew."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def test_a_timeline(simulate: Run) -> None:
    result = simulate(*OUTAGE, "--call", "1002", "--every", "30s")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == golden("simulate-outage.txt", result.stdout)


def test_a_single_call(simulate: Run) -> None:
    result = simulate("--down", "primary=silent", "--down", "secondary=503", "--call", "1002")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == golden("simulate-single.txt", result.stdout)


def test_a_single_call_is_one_plain_object(simulate: Run) -> None:
    result = simulate("--down", "primary=silent", "--call", "1002", "--format", "json")
    call = json.loads(result.stdout)
    assert list(call) == [
        "id", "line", "direction", "to", "result", "status", "reason", "via", "started", "elapsed", "route",
        "ended", "tones", "media",
    ]  # fmt: skip
    assert (call["result"], call["via"], call["elapsed"]) == ("answered", "secondary", 32.0)


@pytest.mark.parametrize("orders", [("--call", "1002", "--every", "60s"), ("--call", "1", "--call", "2")])
def test_more_calls_are_one_summary(simulate: Run, orders: tuple[str, ...]) -> None:
    result = simulate(*OUTAGE, *orders, "--for", "10m", "--format", "json")
    found: dict[str, Any] = json.loads(result.stdout)
    assert list(found) == ["timeline", "calls", "noticed"]
    assert {key for moment in found["timeline"] for key in moment} == {
        "at", "event", "what", "reason", "call",
    }  # fmt: skip
    assert found["noticed"]["placed"] == len(found["calls"])
    assert list(found["noticed"]) == [
        "placed", "answered", "delayed", "delay_median", "delay_worst", "refused", "lost", "lost_after",
        "unregistered", "unreachable", "registered", "length",
    ]  # fmt: skip
    assert [moment["at"] for moment in found["timeline"]] == sorted(m["at"] for m in found["timeline"])


def test_lost_calls_are_told_and_make_the_exit_status(simulate: Run) -> None:
    down = [word for role in ("primary", "secondary", "fallback") for word in ("--down", f"{role}=refuse")]
    result = simulate(*down, "--call", "1002", "--call", "1003")
    assert result.exit_code == 1
    assert "2 calls placed: 0 answered, 2 lost." in result.stdout


def test_without_a_call_the_line_only_registers(simulate: Run) -> None:
    result = simulate("--down", "dns=silent")
    assert result.exit_code == 0
    assert "registered at the fallback server 192.168.1.15" in result.stdout
    assert simulate("--down", "dns=silent", "--set", "account.1.sip_server.2.address=").exit_code == 1


def test_a_capture_is_written(simulate: Run, tmp_path: Path) -> None:
    capture = tmp_path / "what-if.pcapng"
    assert simulate("--call", "1002", "--pcap", capture).exit_code == 0
    assert b"INVITE sip:1002@" in capture.read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "5s", "--call", "1002"), "--at belongs after a --down, an --up or a --call"),
        (("--call", "1002", "--at", "5x"), "'5x' is not a duration"),
        (("--call", "1002", "--every", "soon"), "'soon' is not a duration"),
        (("--call", "1002", "--for", "-1s"), "'-1s' is not a duration"),
        (("--down", "tertiary=silent", "--call", "1002"), "there is no server 'tertiary' here: primary"),
        (("--down", "primary=deaf", "--call", "1002"), "there is no behaviour 'deaf'"),
        (("--down", "primary", "--call", "1002"), "expected ROLE=BEHAVIOUR"),
        (("--up", "=ok", "--at", "5s"), "expected ROLE or ROLE=BEHAVIOUR"),
        (("--up", "primary"), "say when, with --at after it"),
        (("--every", "5s"), "--every belongs after a --call"),
        (("--call", "1002", "--line", "7"), "there is no line 7; enabled lines: 1"),
        (("--call", "Bob Smith"), "is no number to dial"),
    ],
)
def test_bad_orders_are_refused_in_one_line(simulate: Run, options: tuple[str, ...], said: str) -> None:
    result = simulate(*options)
    assert result.exit_code == 2
    assert result.stdout == ""
    faults = [line for line in result.stderr.splitlines() if said in line]
    assert len(faults) == 1, result.stderr
