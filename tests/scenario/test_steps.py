"""The list of the kinds of steps, and what each file there says of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import phone_emulator.scenario.steps
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.schema import ExpectModel
from phone_emulator.scenario.steps import STEPS
from phone_emulator.scenario.steps.on_call import OnCall

FOLDER = Path(phone_emulator.scenario.steps.__file__).parent
PLACED = "call: {to: '1', id: c1}"
RINGS = "incoming: {id: c1}"


def test_every_file_is_in_the_list() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "on_call"} == set(STEPS)
    assert all(kind.name == name for name, kind in STEPS.items())


@pytest.mark.parametrize("name", STEPS)
def test_the_example_of_a_kind_is_read(name: str) -> None:
    kind = STEPS[name]
    before = [RINGS if kind.takes_call else PLACED] if issubclass(kind.model, OnCall) else []
    text = "".join(f"- {step}\n" for step in (*before, kind.example))
    scenario = parse_scenario(f"servers: {{primary: 192.0.2.1}}\nsteps:\n{text}", "t.yaml")
    assert scenario.steps[-1].does is kind


@pytest.mark.parametrize("name", STEPS)
def test_what_a_kind_names_is_there(name: str) -> None:
    kind = STEPS[name]
    keys = {field.alias or key for key, field in kind.model.model_fields.items()}
    assert not kind.shorthand or kind.shorthand in keys
    assert set(kind.ends_badly_by) <= set(ExpectModel.model_fields)
    assert not kind.makes_call or {"line", "id"} <= keys
