"""What goes wrong in the program itself: exit status 4, a traceback on stderr, a reason for everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.faults.raised import IN_ORDER, REFRESH, RESOLVER, WALK, faulty, planted

Run = Callable[..., Result]
FAILBACK = "phone_emulator.redundancy.failback.Failback.order"


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a function raise."""
    return lambda place: monkeypatch.setattr(place, planted)


Plant = Callable[[str], None]


@pytest.fixture(params=["simulated", "lab"])
def where(request: pytest.FixtureRequest, own_address: str) -> tuple[str, ...]:
    """The options of a world; the lab's is a network that no other test process uses."""
    lab = ("--local-address", own_address) if request.param == "lab" else ()
    return ("--world", request.param, *lab)


@pytest.mark.parametrize("place", [WALK, FAILBACK])
def test_a_call_fails_with_the_reason(
    run: Run, plant: Plant, example: Path, where: tuple[str, ...], place: str
) -> None:
    plant(place)
    result = run("call", example, "1002", *where, "--no-register", "--format", "json")
    faulty(result)
    call = json.loads(result.stdout)
    assert (call["result"], call["reason"]) == ("failed", "internal fault: ValueError: planted")


def test_a_lookup(run: Run, plant: Plant, example: Path, where: tuple[str, ...]) -> None:
    plant(RESOLVER)
    assert "in the lookup of NAPTR" in faulty(run("call", example, "1002", *where))


@pytest.mark.parametrize("place", [WALK, IN_ORDER, REFRESH])
def test_a_registration_says_why(
    run: Run, plant: Plant, example: Path, where: tuple[str, ...], place: str
) -> None:
    plant(place)
    result = run("register", example, *where)
    assert "of line 1" in faulty(result)
    if place != REFRESH:
        assert "server 1: failed: internal fault: ValueError: planted" in result.stdout


def test_a_scenario_is_an_error_and_the_rest_still_runs(
    run: Run, plant: Plant, example: Path, tmp_path: Path
) -> None:
    scenario = "name: {name}\nworld: simulated\nconfig: {config}\nsteps:\n  - {step}\n"
    for name, step in (("a", "call: {line: 1, to: '1002'}"), ("b", "wait: 1s")):
        text = scenario.format(name=name, config=example, step=step)
        (tmp_path / f"{name}.yaml").write_text(text)
    plant(WALK)
    result = run("run", tmp_path, "--format", "json", "--junit", tmp_path / "report.xml")
    assert result.exit_code == 4
    verdicts = {each["scenario"]: each for each in map(json.loads, result.stdout.splitlines())}
    assert [each["verdict"] for each in verdicts.values()] == ["error", "passed"]
    told = "internal fault in dialling of call-1: ValueError: planted"
    assert verdicts["a"]["failures"] == [{"step": "the scenario", "message": told}]
    assert verdicts["a"]["calls"][0]["reason"] == "internal fault: ValueError: planted"
    assert "in planted" in result.stderr
    assert "in planted" in (tmp_path / "report.xml").read_text()


def test_a_step_that_raises_is_an_error_too(run: Run, plant: Plant, example: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"name: a\nworld: simulated\nconfig: {example}\nsteps:\n  - register: {{line: 1}}\n")
    plant("phone_emulator.phone.registration.registrar.Registrar.register")
    result = run("run", file)
    assert result.exit_code == 4
    assert "error   a" in result.stdout
    assert "internal fault in a step of a: ValueError: planted" in result.stdout


def test_a_fault_of_a_command_itself(run: Run, plant: Plant, example: Path) -> None:
    plant("phone_emulator.cli.commands.check.examine")
    assert "internal fault: ValueError: planted" in faulty(run("check", example))


def test_de_registering_goes_on_for_the_other_lines(run: Run, plant: Plant, example: Path) -> None:
    plant("phone_emulator.phone.registration.requests.Requests._remove")
    result = run("register", example, "--world", "simulated")
    assert "internal fault in stopping line 1 of the phone" in faulty(result)
    assert "registered at primary" in result.stdout


@pytest.mark.parametrize("command", ["simulate", "explain"])
@pytest.mark.parametrize("place", [WALK, FAILBACK, RESOLVER])
def test_a_rehearsal(run: Run, plant: Plant, example: Path, command: str, place: str) -> None:
    plant(place)
    arguments = ("--call", "1002") if command == "simulate" else ()
    assert "internal fault" in faulty(run(command, example, *arguments))
