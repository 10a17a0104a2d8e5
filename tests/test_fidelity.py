"""The page that says what is known of the real phone, held to the rules and to the program's own figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phone_emulator.config.model import FailoverConfig, TimerConfig
from phone_emulator.events import Transport
from phone_emulator.redundancy import Silence, refresh_delay, wait_for
from phone_emulator.redundancy.readings import LONGEST_REFRESH, REACTION_SEEN

DOCS = Path(__file__).resolve().parents[1] / "docs"
RULE = re.compile(r"[A-Z][0-9]*")


def tables() -> list[list[str]]:
    """The cells of every row of the page's tables."""
    lines = (DOCS / "fidelity.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in rows if RULE.fullmatch(row[0])]


def rules() -> dict[str, list[str]]:
    return {row[0]: row for row in tables() if not row[0].startswith("E")}


def listed() -> list[str]:
    """The ids of docs/rules.txt."""
    lines = (DOCS / "rules.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def test_a_line_for_each_rule() -> None:
    assert [row[0] for row in tables() if not row[0].startswith("E")] == [*listed(), "T"]


@pytest.mark.parametrize("rule", [*listed(), "T"])
def test_each_line_is_whole(rule: str) -> None:
    """In force, source, other readings, and an experiment of the table above that would settle it."""
    row = rules()[rule]
    assert len(row) == 5
    assert all(row)
    experiments = [each[0] for each in tables() if each[0].startswith("E")]
    named = re.findall(r"E[0-9]+", row[-1])
    assert set(named) <= set(experiments)
    assert named or row[-1] == "nothing to measure"


@pytest.mark.parametrize(("rule", "method"), [("C5", "INVITE"), ("R2", "REGISTER")])
def test_the_waits_are_those_of_the_program(rule: str, method: str) -> None:
    # rule C5
    # rule R2
    for silence in Silence:
        wait = wait_for(method, FailoverConfig(), TimerConfig(), Transport.UDP, last=False, silence=silence)
        assert f"{wait.seconds} s" in " ".join(rules()[rule])


def test_the_other_figures_are_those_of_the_program() -> None:
    # rule R8
    told = " ".join(rules()["R8"])
    assert f"{refresh_delay(3600, -1):g} s of 3600" in told
    assert f"{LONGEST_REFRESH:g} s" in told
    assert f"{REACTION_SEEN * 1000:.0f} ms" in rules()["C2"][3]
