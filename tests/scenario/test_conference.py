"""Conferences in scenario files: the steps, and what reports tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.lab.plans import example_config
from phone_emulator.report.result import Verdict
from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.session import RunOptions, prepare
from phone_emulator.testing.virtual_phone import VirtualPhone

from .playing import failures_of, played

CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = f"""name: t
config: {CONFIGS / "guide-example.cfg"}
zone: {CONFIGS / "guide-example.zone"}
servers: {{primary: 192.168.1.13, secondary: 192.168.1.14, fallback: 192.168.1.15}}
steps:
  - call: {{to: '1002', id: c1}}
  - call: {{to: '1003', id: c2}}
"""


@pytest.mark.parametrize(
    "step", ["conference:", "conference: c1", "conference: {call: c1, with: c2}", "conference: {with: c1}"]
)
def test_both_talk_and_reports_tell_with_whom(step: str) -> None:
    text = f"{HEAD}  - {step}\n" + "".join(
        f"  - expect: {{call: {call}, state: talking}}\n" for call in ("c1", "c2")
    )
    result = played(text)
    assert failures_of(result) == []
    told = {call.id: call.as_json() for call in result.calls}
    assert (told["c1"]["conference"], told["c2"]["conference"]) == (["c2"], ["c1"])


def test_a_call_that_was_in_no_conference_tells_of_none() -> None:
    result = played(HEAD)
    assert result.verdict is Verdict.PASSED
    assert ["conference" in call.as_json() for call in result.calls] == [False, False]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("  - hangup: c1\n  - conference: c2\n", "step 4 (conference): there is no other call to talk"),
        (
            "  - hangup: c1\n  - conference: {call: c2, with: c1}\n",
            "step 4 (conference): call-1 is ended, not up",
        ),
        ("  - split: c2\n", "step 3 (split): call-2 is in no conference"),
        ("  - conference:\n  - split: c1\n  - split: c2\n", "step 5 (split): call-2 is in no conference"),
    ],
)
def test_what_cannot_be_done_fails_in_words(steps: str, said: str) -> None:
    failure = failures_of(played(f"{HEAD}{steps}    expect: {{state: talking}}\n"))[0]
    assert failure.startswith(said)


def test_a_call_does_not_talk_together_with_itself() -> None:
    with pytest.raises(ScenarioError) as refused:
        prepare(parse_scenario(f"{HEAD}  - conference: {{with: c2}}\n", "t.yaml"), RunOptions())
    assert refused.value.faults == ["t.yaml:8: step 3 (conference): 'with' names the call itself"]


def test_with_pytest_too() -> None:
    phone = VirtualPhone(example_config())
    one, two = phone.call("1002"), phone.call("1003")
    phone.conference(two)
    assert [str(call.state) for call in (one, two)] == ["talking", "talking"]
    phone.split(one)
    assert [str(call.state) for call in (one, two)] == ["held", "held"]
    phone.conference(one, two)
    two.hang_up()
    assert [str(call.state) for call in (one, two)] == ["ended", "ended"]
    phone.stop()
