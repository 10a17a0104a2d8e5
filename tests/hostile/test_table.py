"""SECURITY.md says who may do what: each line of its table names the test that plays the stranger."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_BUILT = ("operate the phone by HTTP", "reach the servers of the lab")
"""What nobody can do here, so that nothing can be played."""


def rows() -> list[list[str]]:
    """The cells of each line of the table."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    table = re.split(r"\n\| what \|.*\n\|[-|]+\n", text)[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")]


def test_each_line_names_a_test_that_there_is() -> None:
    played = {
        name
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for what, _, _, tests in rows():
        named = re.findall(r"`([^`]+)`", tests)
        assert named or what.startswith(NOT_BUILT), what
        for each in named:
            assert each in played or (ROOT / each).exists(), f"{what}: {each}"


def test_each_stranger_that_is_played_stands_in_the_table() -> None:
    text = " ".join(tests for *_, tests in rows())
    file = (Path(__file__).parent / "test_strangers.py").read_text(encoding="utf-8")
    strangers = re.findall(r"^def (test_(?:is|has|does|gets|sets|tells|rings|asks)_\w+)", file, re.MULTILINE)
    assert [name for name in strangers if name not in text] == []
