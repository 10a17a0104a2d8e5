"""Keys that do nothing here, as each command tells them: the sum of the files, each of its own options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from phone_emulator.world import WorldError

Run = Callable[..., Result]

IDLE = "account.1.nat.nat_traversal = 2\naccount.1.hoteling.enable = 1\n"
SUM = "2 keys of these files have no effect here, 1 of them matters: see phone-emulator check\n"
SET = ("--set", "dialplan.replace.prefix.1=0", "--set", "ldap.host=192.0.2.9")
TOLD = (
    "--set:1: warning: no-effect-here: dialplan.replace.prefix.1 has no effect here:"
    " numbers are dialled as they are typed, nothing is replaced\n"
    "--set:2: hint: no-effect-here: ldap.host has no effect here: there is no LDAP phone book\n"
)
COMMANDS: list[tuple[Any, ...]] = [
    ("call", "1002", "--world", "simulated"),
    ("register", "--world", "simulated"),
    ("simulate", "--call", "1002"),
    ("explain",),
]


@pytest.fixture
def idle(tmp_path: Path, example: Path) -> Path:
    """The guide's phone with two keys that do nothing."""
    file = tmp_path / "idle.cfg"
    file.write_text(example.read_text() + IDLE)
    return file


@pytest.fixture
def scenario(tmp_path: Path, idle: Path, zone: Path) -> Path:
    file = tmp_path / "idle.yaml"
    server = "servers: {primary: 192.168.1.13}\nsteps: [{call: {to: '1002'}}]\n"
    file.write_text(f"name: idle\nconfig: {idle}\nzone: {zone}\n{server}")
    return file


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_command_tells_the_sum(run: Run, idle: Path, zone: Path, command: tuple[Any, ...]) -> None:
    name, *rest = command
    assert run(name, idle, *rest, "--zone", zone).stderr == SUM
    assert run(name, idle, *rest, "--zone", zone, *SET).stderr == TOLD + SUM
    assert run(name, idle, *rest, "--zone", zone, *SET, "--log-level", "error").stderr == ""


def test_nothing_is_said_where_all_keys_act(run: Run, example: Path, zone: Path) -> None:
    assert run("simulate", example, "--zone", zone, "--call", "1002").stderr == ""


def test_what_the_file_ignores_is_not_counted(run: Run, idle: Path, zone: Path) -> None:
    text = idle.read_text().replace(IDLE, f"## phone-emulator: ignore no-effect-here\n{IDLE}")
    idle.write_text(text)
    assert run("simulate", idle, "--zone", zone, "--call", "1002").stderr == (
        "1 key of these files has no effect here: see phone-emulator check\n"
    )


def test_run_tells_the_sum_of_all_files_once(run: Run, scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(scenario.read_text())
    result = run("run", tmp_path)
    assert result.stderr == f"{SUM}2 of 2 scenarios passed\n"
    assert run("run", tmp_path, "--log-level", "error").stderr == "2 of 2 scenarios passed\n"


def test_a_scenarios_set_is_told_with_its_place(run: Run, scenario: Path) -> None:
    text = scenario.read_text()
    scenario.write_text(f"{text}set:\n  account.1.label: x\n  features.dnd_mode: '1'\n")
    place = len(text.splitlines()) + 3
    assert run("run", scenario, *SET).stderr == (
        f"{scenario}:{place}: set: warning: no-effect-here: features.dnd_mode has no effect here:"
        f" DND is each line's own, by account.X.dnd.enable\n{TOLD}{SUM}1 of 1 scenarios passed\n"
    )


def test_the_terminal_phone_tells_it_before_it_opens(
    run: Run, idle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise WorldError("no further")

    monkeypatch.setenv("TEXTUAL_DRIVER", "none")
    monkeypatch.setattr("phone_emulator.cli.commands.tui.make_desk", stop)
    assert run("tui", idle, *SET).stderr == f"{TOLD}{SUM}no further\n"
    assert run("tui", *SET).stderr == f"{TOLD}no further\n"


def test_a_provisioned_phone_tells_it_too(run: Run, tmp_path: Path, idle: Path, zone: Path) -> None:
    (tmp_path / "001565aabbcc.cfg").write_text(idle.read_text())
    command = ("simulate", "--provision", f"file:{tmp_path}/", "--zone", zone, "--call", "1002")
    assert run(*command, *SET).stderr == TOLD + SUM
    ignoring = f"#!version:1.0.0.1\n## phone-emulator: ignore no-effect-here\n{IDLE}"
    (tmp_path / "001565aabbcc.cfg").write_text(f"{ignoring}{idle.read_text()}")
    assert run(*command).stderr == ""
