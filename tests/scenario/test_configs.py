"""The example scenarios in configs/: every one passes, twice the same, and their phone's files are clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.config import examine
from phone_emulator.lab.zone import read_zone
from phone_emulator.report.result import Verdict
from phone_emulator.scenario.reader import read_scenario
from phone_emulator.scenario.runner import run
from phone_emulator.scenario.session import RunOptions, prepare

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SCENARIOS = sorted((CONFIGS / "scenarios").glob("*.yaml"))

# Section 8 of the redundancy rules, row by row.
TIMELINES = {
    "primary answers 503": ["primary-503"],
    "port closed at primary": ["port-closed"],
    "primary silent, no retry keys": ["primary-silent"],
    "primary and secondary silent": ["both-silent", "all-silent"],
    "the same with invite_retry_counts = 3": ["invite-retry-counts"],
    "a second call, mode 0": ["new-requests-wait-again"],
    "the same, mode 3": ["failback-duration"],
    "primary answers 500, 404, 486 or 603": ["answer-500", "answer-404", "answer-486", "answer-603"],
    "primary answers 100, then nothing": ["trying-only"],
    "primary 503, secondary 503, fallback 503": ["three-503"],
    "successive, server 1 silent, REGISTER": ["successive-registration"],
    "concurrent": ["concurrent-registration"],
    "REGISTER 403 from server 1, reg_fail.enable 0 / 1": ["register-403", "register-403-reg-fail"],
}


def test_every_timeline_has_its_scenario() -> None:
    names = {path.stem for path in SCENARIOS}
    assert {name for row in TIMELINES.values() for name in row} <= names


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    assert path.read_text().startswith("# "), "says what it shows"
    results = []
    for _ in range(2):
        options = RunOptions()
        result = run(prepare(read_scenario(str(path)), options), options)
        assert result.failures == []
        assert result.verdict is Verdict.PASSED
        results.append(result.as_json())
    assert results[0] == results[1]


def test_scenarios_have_names_of_their_own() -> None:
    names = [read_scenario(str(path)).name for path in SCENARIOS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.cfg")), ids=lambda path: path.stem)
def test_cfg_files_are_clean(path: Path) -> None:
    assert [str(each) for each in examine([path]) if each.severity != "hint"] == []


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.zone")), ids=lambda path: path.stem)
def test_zones_can_be_read(path: Path) -> None:
    assert read_zone(path).addresses()
