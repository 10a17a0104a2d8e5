"""``route`` and ``check``: no SIP, only words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def targets(result: Result) -> list[dict[str, object]]:
    """The targets of the only line."""
    told = json.loads(result.stdout)
    assert list(told) == ["line", "targets"]
    assert told["line"] == 1
    found: list[dict[str, object]] = told["targets"]
    return found


def test_the_targets_in_order(run: Run, example: Path, zone: Path) -> None:
    result = run("route", example, "--zone", zone, "--format", "json")
    assert result.exit_code == 0
    assert targets(result)[0] == {
        "server": 1,
        "role": "primary",
        "host": "yealink.pbx.com",
        "address": "192.168.1.13",
        "port": 5060,
        "transport": "udp",
        "wait": 32.0,
        "why": "within 64*T1 = 32.0 s",
        "ttl": 3600,
        "source": "dns",
        "other_waits": {"retry-counts": 7.5, "attempts": 3.5},
        "passed_over": False,
    }
    told = [(each["role"], each["address"], each["source"], each["ttl"]) for each in targets(result)]
    assert told == [
        ("primary", "192.168.1.13", "dns", 3600),
        ("secondary", "192.168.1.14", "dns", 3600),
        ("fallback", "192.168.1.15", "literal", None),
    ]


def test_how_long_each_is_waited_for(run: Run, example: Path, zone: Path) -> None:
    # rule C5
    key = "account.1.sip_server.1.invite_retry_counts=3"
    primary, secondary, fallback = targets(
        run("route", example, "--zone", zone, "--set", key, "--format", "json")
    )
    assert (primary["wait"], secondary["wait"], fallback["wait"]) == (7.5, 32.0, 32.0)
    assert primary["why"] == "to 3 retransmissions (invite_retry_counts = 3), given up at 7.5 s"
    assert secondary["why"] == "within 64*T1 = 32.0 s: the last target of server 1 gets the full wait"


def test_the_reading_of_silence_can_be_forced(run: Run, example: Path, zone: Path) -> None:
    waits = [
        targets(run("route", example, "--zone", zone, "--silence", silence, "--format", "json"))[0]["wait"]
        for silence in ("auto", "timer-b", "retry-counts", "attempts")
    ]
    assert waits == [32.0, 32.0, 7.5, 3.5]


@pytest.mark.parametrize(
    ("setting", "silence", "others", "told"),
    [
        (
            "",
            "auto",
            {"retry-counts": 7.5, "attempts": 3.5},
            "; 7.5 s by retry-counts, 3.5 s by attempts (dns",
        ),
        (
            "",
            "attempts",
            {"timer-b": 32.0, "retry-counts": 7.5},
            "; 32.0 s by timer-b, 7.5 s by retry-counts",
        ),
        (
            "invite_retry_counts=3",
            "auto",
            {"timer-b": 32.0, "attempts": 3.5},
            "at 7.5 s; 32.0 s by timer-b, ",
        ),
        ("invite_retry_counts=10", "auto", {}, "within 64*T1 = 32.0 s (dns"),
    ],
)
def test_the_other_readings_stand_beside_the_one_in_force(
    run: Run, example: Path, zone: Path, setting: str, silence: str, others: dict[str, float], told: str
) -> None:
    # rule C5
    words = ["route", example, "--zone", zone, "--silence", silence]
    words += ["--set", f"account.1.sip_server.1.{setting}"] if setting else []
    primary, secondary, fallback = targets(run(*words, "--format", "json"))
    assert (primary["other_waits"], secondary["other_waits"], fallback["other_waits"]) == (others, {}, {})
    assert told in run(*words).stdout.splitlines()[1]


def test_a_target_that_will_be_passed_over(run: Run, example: Path, zone: Path) -> None:
    # rule D5
    words = ["route", example, "--zone", zone, "--set", "account.1.sip_server.2.address=192.168.1.13"]
    *asked, fallback = targets(run(*words, "--format", "json"))
    why = (
        "passed over: 192.168.1.13 already failed in this route as primary"
        " (sip.skip_redundant_failover_addr = 1)"
    )
    assert [each["passed_over"] for each in asked] == [False, False]
    assert (fallback["passed_over"], fallback["wait"], fallback["why"]) == (True, 0.0, why)
    assert why in run(*words).stdout
    assert "passed over" not in run(*words, "--set", "sip.skip_redundant_failover_addr=0").stdout


def test_text_has_a_line_a_target(run: Run, example: Path, zone: Path) -> None:
    head, *lines = run("route", example, "--zone", zone).stdout.splitlines()
    assert head == "line 1 (1001)"
    assert [line.split()[:2] for line in lines] == [
        ["primary", "192.168.1.13:5060/udp"],
        ["secondary", "192.168.1.14:5060/udp"],
        ["fallback", "192.168.1.15:5060/udp"],
    ]


def test_a_name_without_targets(run: Run, example: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.zone"
    empty.write_text("other.example. 300 IN A 192.0.2.1\n")
    result = run("route", example, "--zone", empty, "--format", "json")
    assert result.exit_code == 1
    nowhere, fallback = targets(result)
    assert (nowhere["role"], nowhere["address"], nowhere["wait"]) == ("primary", None, 0.0)
    assert str(nowhere["why"]).startswith("unresolved: ")
    assert fallback["address"] == "192.168.1.15"


def test_static_records_need_no_dns_server(run: Run, example: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.zone"
    empty.write_text("other.example. 300 IN A 192.0.2.1\n")
    records = [
        "dns_cache_a.1.name=yealink.pbx.com", "dns_cache_a.1.ip=192.0.2.7", "dns_cache_a.1.ttl=60",
    ]  # fmt: skip
    options = [word for record in records for word in ("--set", record)]
    primary = targets(run("route", example, "--zone", empty, "--format", "json", *options))[0]
    assert (primary["address"], primary["source"]) == ("192.0.2.7", "static")


def test_zone_and_dns_exclude_each_other(run: Run, example: Path, zone: Path) -> None:
    assert run("route", example, "--zone", zone, "--dns", "192.0.2.53").exit_code == 2


def test_check_prints_findings_to_stdout_and_a_summary_to_stderr(run: Run, example: Path) -> None:
    result = run("check", example)
    assert result.exit_code == 0
    assert all(": hint: " in line for line in result.stdout.splitlines())
    assert result.stderr == f"{len(result.stdout.splitlines())} hints\n"


@pytest.mark.parametrize(
    ("setting", "plain", "strict"),
    [
        ("account.1.sip_server.1.failback_mode=0", 0, 0),
        ("account.1.sip_server.1.port=5060", 0, 1),
        ("account.1.register_expires_overlap=5", 0, 1),  # short-lease
        ("account.1.enable=0", 1, 1),
    ],
)
def test_what_fails_a_check(run: Run, example: Path, setting: str, plain: int, strict: int) -> None:
    assert run("check", example, "--set", setting).exit_code == plain
    assert run("check", example, "--set", setting, "--strict").exit_code == strict


def test_check_as_json(run: Run, example: Path) -> None:
    result = run("check", example, "--set", "account.1.sip_server.1.port=5060", "--format", "json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {"file": "--set", "line": 1, "severity": "warning", "code": "port-disables-srv"}.items() <= (
        next(each for each in found if each["file"] == "--set").items()
    )
    assert all(list(each) == ["file", "line", "key", "severity", "code", "message"] for each in found)
    assert result.stderr == ""
