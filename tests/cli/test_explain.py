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
    assert list(first) == ["line", "label", "zone", "servers", "cases"]
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
