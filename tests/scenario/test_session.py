"""What is found wrong with a scenario before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.session import RunOptions, prepare

CFG = Path(__file__).parents[2] / "configs" / "guide-example.cfg"


def test_faults_of_every_file_are_told_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.cfg"
    bad.write_text("#!version:1.0.0.1\naccount.1.enable = 1\n")
    text = f"name: t\nconfig: {bad}\nzone: |\n  a.example. IN A not-an-address\n"
    with pytest.raises(ScenarioError) as refused:
        prepare(parse_scenario(text, "t.yaml"), RunOptions())
    assert [fault.split(":")[0] for fault in refused.value.faults] == [str(bad), "t.yaml"]


def test_a_line_that_the_phone_does_not_have() -> None:
    text = (
        f"name: t\nconfig: {CFG}\nsteps:\n  - register: {{line: 2}}\n"
        "  - call: {line: 1, to: '1'}\n    expect: {line: 3, registered: []}\n"
    )
    with pytest.raises(ScenarioError) as refused:
        prepare(parse_scenario(text, "t.yaml"), RunOptions())
    assert refused.value.faults == [
        "t.yaml:4: step 1 (register): there is no line 2; enabled: 1",
        "t.yaml:5: step 2 (call): there is no line 3; enabled: 1",
    ]


def test_a_scenario_without_config_names_itself() -> None:
    with pytest.raises(ScenarioError) as refused:
        prepare(parse_scenario("name: t\n", "t.yaml"), RunOptions())
    assert refused.value.faults == [
        "t.yaml:1: no 'config' names a cfg file: error: no-account: no account is enabled:"
        " expected account.1.enable = 1"
    ]


@pytest.mark.parametrize(
    ("text", "overrides", "place"),
    [
        (
            "name: t\nset:\n  account.1.label: x\n  account.1.enable: 1\n",
            [],
            "t.yaml:4: set: error: no-server",
        ),
        ("name: t\nset:\n  account.1.label: x\n", ["account.1.enable=1"], "--set:1: error: no-server"),
        (
            "name: t\nset:\n  account.1.label: x\n",
            [],
            "t.yaml:1: no 'config' names a cfg file: error: no-acc",
        ),
        (f"name: t\nconfig: {CFG}\nset: {{a b: c}}\n", [], "t.yaml:3: set: expected KEY=VALUE"),
        (f"name: t\nconfig: {CFG}\nset: {{account.1.label: x}}\n", ["a"], "--set:1: expected KEY=VALUE"),
    ],
)
def test_a_fault_of_an_override_names_the_place_where_it_stands(
    text: str, overrides: list[str], place: str
) -> None:
    with pytest.raises(ScenarioError) as refused:
        prepare(parse_scenario(text, "t.yaml"), RunOptions(overrides=tuple(overrides)))
    [fault] = refused.value.faults
    assert fault.startswith(place)
