"""``phone-emulator explain``: the text for the guide's example (golden file) and the JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Run = Callable[..., Result]
GOLDEN = Path(__file__).parent / "golden" / "explain-guide-example.txt"


def test_the_guide_s_example(run: Run, example: Path, zone: Path) -> None:
    result = run("explain", example, "--zone", zone)
    assert (result.exit_code, result.stderr) == (0, "")
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(result.stdout, encoding="utf-8")
    assert result.stdout == GOLDEN.read_text(encoding="utf-8")
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_json_is_one_object_a_line(run: Run, example: Path, zone: Path) -> None:
    line_2 = ["--set", "account.2.enable=1", "--set", "account.2.sip_server.1.address=10.2.0.1"]
    line_2 += ["--set", "account.2.user_name=2001"]
    result = run("explain", example, "--zone", zone, *line_2, "--format", "json")
    first, second = (json.loads(text) for text in result.stdout.splitlines())
    assert list(first) == ["line", "label", "zone", "servers", "cases", "readings"]
    assert [server["role"] for server in first["servers"]] == ["primary", "secondary", "fallback"]
    assert (first["zone"], second["zone"]) == (str(zone), None)
    assert [case["case"] for case in first["cases"]] == [
        "well",
        "primary-silent",
        "primary-returns",
        "primary-503",
        "primary-refused",
        "server-1-silent",
        "server-1-returns",
        "all-silent",
        "dns-gone",
        "restart-without-dns",
    ]
    silent = first["cases"][1]
    assert list(silent) == ["case", "title", "sentences", "calls"]
    assert silent["calls"][0]["elapsed"] == 32.0
    assert [server["address"] for server in second["servers"]] == ["10.2.0.1"]


def test_what_hangs_on_how_the_guides_are_read(run: Run, example: Path, zone: Path) -> None:
    # rule C5
    words = ["explain", example, "--zone", zone, "--set", "account.1.sip_server.1.invite_retry_counts=3"]
    readings = json.loads(run(*words, "--format", "json").stdout)["readings"]
    assert [each["rule"] for each in readings] == ["C5", "R2", "R8", "R8", "C2"]
    assert (readings[0]["in_force"], readings[0]["others"]) == (7.5, {"timer-b": 32.0, "attempts": 3.5})
    forced = json.loads(run(*words, "--silence", "attempts", "--format", "json").stdout)
    assert (forced["readings"][0]["in_force"], forced["cases"][1]["calls"][0]["elapsed"]) == (3.5, 3.5)
    quick = json.loads(run(*words, "--reaction", "70ms", "--format", "json").stdout)
    assert [each["rule"] for each in quick["readings"]] == ["C5", "R2", "R8", "R8"]
    calls = {case["case"]: case["calls"] for case in quick["cases"]}
    assert calls["primary-503"][0]["elapsed"] == 0.07


def test_a_server_that_will_be_passed_over(run: Run, example: Path, zone: Path) -> None:
    # rule D5
    same = "account.1.sip_server.2.address=192.168.1.13"
    told = run("explain", example, "--zone", zone, "--set", same).stdout.splitlines()
    assert told[3].startswith("  fallback    192.168.1.13:5060/udp  passed over: 192.168.1.13 already failed")
    assert "(sip.skip_redundant_failover_addr = 1)" in "".join(told[3:5])
    assert max(map(len, told)) <= 100


def test_one_line_of_several(run: Run, example: Path, zone: Path) -> None:
    line_2 = ["--set", "account.2.enable=1", "--set", "account.2.sip_server.1.address=10.2.0.1"]
    line_2 += ["--set", "account.2.user_name=2001"]
    both = run("explain", example, "--zone", zone, *line_2).stdout
    one, two = (run("explain", example, "--zone", zone, *line_2, "--line", n).stdout for n in (1, 2))
    assert two.startswith("line 2 (2001)\n")
    assert both == f"{one}\n{two}"
    refused = run("explain", example, "--line", 2)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "there is no line 2; enabled lines: 1" in refused.stderr


def test_made_up_addresses_are_said_to_be_so(run: Run, example: Path) -> None:
    result = run("explain", example)
    assert "The addresses behind yealink.pbx.com are made up" in result.stdout
    assert json.loads(run("explain", example, "--format", "json").stdout)["zone"] == "made-up"


def test_bad_input_is_refused_in_one_line(run: Run, example: Path, tmp_path: Path) -> None:
    for options in (("--call", "Bob Smith"), ("--set", "account.1.enable=0")):
        result = run("explain", example, *options)
        assert (result.exit_code, result.stdout) == (2, "")
    result = run("explain", tmp_path / "none.cfg")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
