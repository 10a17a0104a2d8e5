"""Shell completion: what the program offers, and a real shell that takes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from phone_emulator.cli.group import COMMANDS

Run = Callable[..., Result]
OFFERED = """
{script}
COMP_WORDS=({words}) COMP_CWORD={last}
_phone_emulator_completion phone-emulator
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
"""What bash does when somebody presses Tab."""


@pytest.fixture
def offers(monkeypatch: pytest.MonkeyPatch, run: Run) -> Callable[[str], list[str]]:
    """What the program offers bash for the last word of a command line: each with its type."""

    def offers(line: str) -> list[str]:
        monkeypatch.setenv("_PHONE_EMULATOR_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        return run().stdout.split()

    return offers


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("phone-emulator ", [f"plain,{name}" for name in COMMANDS]),
        ("phone-emulator ex", ["plain,explain", "plain,example"]),
        ("phone-emulator --v", ["plain,--version"]),
        ("phone-emulator run --ju", ["plain,--junit"]),
        ("phone-emulator run --junit re", ["file,re"]),
        ("phone-emulator run sc", ["file,sc"]),
        ("phone-emulator call phone.cf", ["file,phone.cf"]),
        ("phone-emulator explain --zone z", ["file,z"]),
        ("phone-emulator call --world s", ["plain,simulated"]),
        ("phone-emulator route --model t22", ["plain,T22P"]),
        ("phone-emulator cfg d", ["plain,decrypt", "plain,diff"]),
        ("phone-emulator cfg diff a", ["file,a"]),
        ("phone-emulator completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
    ],
)
def test_what_is_offered(offers: Callable[[str], list[str]], line: str, some: list[str]) -> None:
    assert offers(line) == some


def test_no_command_is_imported_for_the_list_of_commands() -> None:
    text = (
        "import atexit, sys; from phone_emulator.cli import main;"
        "atexit.register(lambda: print([m for m in sys.modules if 'cli.commands.' in m])); main()"
    )
    asked = {"_PHONE_EMULATOR_COMPLETE": "bash_complete", "COMP_WORDS": "phone-emulator ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", text], env=os.environ | asked, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_asks_the_program(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_PHONE_EMULATOR_COMPLETE={shell}_complete" in result.stdout


def test_an_unknown_shell_is_a_usage_error(run: Run) -> None:
    result = run("completion", "csh")
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_it(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "phone-emulator"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m phone_emulator "$@"\n')
    program.chmod(0o755)
    text = OFFERED.format(script=run("completion", "bash").stdout, words="phone-emulator si", last=1)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", text],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["simulate"], done.stderr
