"""``params``: the reference."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from phone_emulator.config.catalogue import catalogue

from .conftest import ROOT, Run


def names(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines()[1:]]


def test_all_of_them(run: Run) -> None:
    result = run("params")
    assert result.exit_code == 0
    assert names(result.stdout) == sorted(each.name for each in catalogue())
    assert len(names(result.stdout)) > 1400


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("account.1.sip_server.2.port", ["account.X.sip_server.Y.port"]),
        ("account.3.transport", ["account.X.sip_server.Y.transport_type"]),
        ("account.X.label", ["account.X.label"]),
        ("sip.timer_*", ["sip.timer_t1", "sip.timer_t2", "sip.timer_t4"]),
        ("TIMER_T1", ["sip.timer_t1"]),
        ("network.primary_dns", ["static.network.primary_dns"]),
    ],
)
def test_a_pattern(run: Run, pattern: str, expected: list[str]) -> None:
    result = run("params", pattern)
    assert (result.exit_code, names(result.stdout)) == (0, expected)


def test_a_row(run: Run) -> None:
    assert run("params", "sip.timer_t1").stdout == (
        "parameter     value                default  since  effect\n"
        "sip.timer_t1  a number in 0.5..10  0.5      -      acts\n"
    )


def test_as_json(run: Run) -> None:
    result = run("params", "account.*.transport_type", "--format", "json")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {
            "name": "account.X.sip_server.Y.transport_type",
            "type": "enum",
            "values": ["0", "1", "2", "3"],
            "minimum": None,
            "maximum": None,
            "default": "0",
            "since": None,
            "effect": "acts",
            "missed": None,
            "older_names": ["account.X.transport"],
        }
    ]


@pytest.mark.parametrize("effect", ["acts", "shows-only", "without-effect"])
def test_only_what_has_that_effect(run: Run, effect: str) -> None:
    found = [
        json.loads(line) for line in run("params", "--effect", effect, "--format", "json").stdout.splitlines()
    ]
    assert {each["effect"] for each in found} == {effect.replace("-", " ")}
    assert {bool(each["missed"]) for each in found} == {effect == "without-effect"}


def test_none_is_meant(run: Run) -> None:
    result = run("params", "account.1.lable")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "account.1.lable: no such parameter; did you mean account.1.label?\n"


def test_the_page_of_the_docs_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts" / "parameters", "--check"], check=False)
    assert done.returncode == 0
