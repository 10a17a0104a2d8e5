"""``example``: what it writes can be used as it says, and what is there is not lost."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
CONFIGS = Path(__file__).parents[2] / "configs"
WRITTEN = [
    "guide-example.cfg",
    "guide-example.zone",
    *(f"scenarios/{path.name}" for path in sorted((CONFIGS / "scenarios").iterdir())),
]


def suggested(result: Result) -> list[list[str]]:
    """The commands that it says to try, as a shell reads them."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("  phone-emulator ")]
    return [shlex.split(line)[1:] for line in lines]


def test_the_files_are_those_of_configs(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "phone"
    result = run("example", folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(folder / name) for name in WRITTEN]
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    assert [str(path.relative_to(folder)) for path in written] == WRITTEN
    assert all((folder / name).read_bytes() == (CONFIGS / name).read_bytes() for name in WRITTEN)


def test_what_it_says_to_try_works(run: Run, tmp_path: Path) -> None:
    commands = suggested(run("example", tmp_path / "my phone"))
    assert [command[0] for command in commands] == ["run", "check", "explain", "simulate", "tui"]
    for command in commands[:-1]:
        result = run(*command)
        assert (result.exit_code, command[0]) == (0, command[0]), result.output
    assert "needs a terminal" in run(*commands[-1]).stderr


def test_what_is_there_stays(run: Run, tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    for name in WRITTEN[1:3]:
        (tmp_path / name).write_text("mine")
    result = run("example", tmp_path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"{tmp_path / WRITTEN[1]} and 1 more are there: name another folder")
    assert not (tmp_path / WRITTEN[0]).exists()
    assert (tmp_path / WRITTEN[1]).read_text() == "mine"


def test_force_replaces_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / WRITTEN[0]).write_text("mine")
    (tmp_path / "other.cfg").write_text("mine")
    assert run("example", tmp_path).stderr.startswith(f"{tmp_path / WRITTEN[0]} is there: ")
    assert run("example", tmp_path, "--force").exit_code == 0
    assert (tmp_path / WRITTEN[0]).read_bytes() == (CONFIGS / WRITTEN[0]).read_bytes()
    assert (tmp_path / "other.cfg").read_text() == "mine"


@pytest.mark.parametrize("name", ["taken", "taken/below", ".", "other"])
def test_what_cannot_be_a_folder_is_told(run: Run, tmp_path: Path, name: str) -> None:
    for each in ("taken", "scenarios", "other"):
        (tmp_path / each).mkdir() if each == "other" else (tmp_path / each).write_text("a file")
    (tmp_path / "other" / WRITTEN[0]).mkdir()
    result = run("example", tmp_path / name, "--force")
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert "is not a folder" in line or "not a plain file" in line
    assert not list(tmp_path.rglob("*.zone"))


def test_a_folder_that_cannot_be_written_is_the_machines_fault(run: Run) -> None:
    result = run("example", "/proc/phone")
    assert result.exit_code == 3
    assert result.stderr.startswith("/proc/phone")
