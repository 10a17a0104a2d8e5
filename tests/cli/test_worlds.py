"""Options that mean nothing in the world of a command are refused, and those that mean something are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import trustme
from click.testing import Result

from phone_emulator.cli.desk import refuse_elsewhere
from phone_emulator.cli.group import COMMANDS, cli
from phone_emulator.cli.options import WORLDS, Common
from phone_emulator.scenario.worlds import OPTION
from tests.cli.conftest import one_line

Run = Callable[..., Result]


def parameters(command: str) -> set[str]:
    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    return {parameter.name or "" for parameter in found.params if isinstance(parameter, click.Option)}


IN_A_WORLD = [name for name in COMMANDS if "world" in parameters(name)]
"""The commands that let say where they run."""


def test_the_table_names_every_option_of_a_command_that_runs_in_a_world() -> None:
    assert IN_A_WORLD == ["tui", "run", "call", "register"]
    assert set(OPTION) == set().union(*map(parameters, IN_A_WORLD))
    assert {field.name for field in fields(Common)} - {"read_from"} <= set(OPTION)  # of --set-from


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", OPTION)
def test_what_means_nothing_is_refused(name: str, world: str) -> None:
    common = {field.name for field in fields(Common)}
    given: dict[str, Any] = {name: ("x",)}
    own = {} if name in common else given
    options = Common(**given) if name in common else Common()
    if world in OPTION[name].worlds:
        refuse_elsewhere(options, world, own)
        return
    with pytest.raises(click.UsageError) as refused:
        refuse_elsewhere(options, world, own)
    assert f"--{name.replace('_', '-')} " in str(refused.value)


SCENARIO = """\
world: {world}
set: {{account.1.enable: 1, account.1.user_name: "1", account.1.sip_server.1.address: 127.0.0.1}}
"""
NOWHERE = [
    (command, name, world)
    for command in IN_A_WORLD
    for name in sorted(parameters(command))
    for world in WORLDS
    if world not in OPTION[name].worlds
]


@pytest.mark.parametrize(("command", "name", "world"), NOWHERE)
def test_each_command_refuses_it(
    run: Run,
    example: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    name: str,
    world: str,
) -> None:
    pem = tmp_path / "own.pem"
    made = trustme.CA().issue_cert("001565aabbcc.example")
    pem.write_bytes(made.private_key_and_cert_chain_pem.bytes())
    scenario = tmp_path / "s.yaml"
    scenario.write_text(SCENARIO.format(world=world))
    values = {
        "dns": "192.0.2.53",
        "zone": str(example),
        "down": "primary=silent",
        "client_cert": str(pem),
        "play": "x.wav",
        "record": str(tmp_path / "x.wav"),
    }
    monkeypatch.setenv("TEXTUAL_DRIVER", "none")
    words = {
        "tui": ["tui", example, "--world", world],
        "run": ["run", scenario],
        "call": ["call", example, "1002", "--world", world],
        "register": ["register", example, "--world", world],
    }
    option = f"--{name.replace('_', '-')}"
    result = run(*words[command], option, values[name])
    assert (result.exit_code, result.stdout) == (2, "")
    said = one_line(result.stderr)
    if (command, world) == ("tui", "simulated"):
        assert "the terminal phone lives in real time" in said
    else:
        assert option in said
    assert (str(scenario) in said) is (command == "run")


def test_simulate_runs_in_the_simulated_world(run: Run, example: Path, tmp_path: Path) -> None:
    pem = tmp_path / "own.pem"
    pem.write_bytes(trustme.CA().issue_cert("a.example").private_key_and_cert_chain_pem.bytes())
    result = run("simulate", example, "--call", "1002", "--client-cert", pem)
    assert result.exit_code == 2
    assert "--client-cert is for --world real" in one_line(result.stderr)


def test_one_scenario_of_many_is_enough(run: Run, tmp_path: Path) -> None:
    for world in ("real", "simulated"):
        (tmp_path / f"{world}.yaml").write_text(SCENARIO.format(world=world))
    result = run("run", tmp_path, "--dns", "192.0.2.53")
    assert result.exit_code == 2
    assert f"{tmp_path / 'simulated.yaml'}: --dns is for --world real" in one_line(result.stderr)
