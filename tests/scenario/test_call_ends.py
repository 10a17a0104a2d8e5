"""How calls end in scenarios, and what the end of a scenario makes of those that are there then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phone_emulator.events import Event
from phone_emulator.report.result import ScenarioResult, Verdict
from phone_emulator.scenario.runner import Interrupted
from phone_emulator.scenario.session import RunOptions

from .playing import failures_of, played

CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = f"""name: t
config: {CONFIGS / "guide-example.cfg"}
zone: {CONFIGS / "guide-example.zone"}
servers:
  primary: {{address: 192.168.1.13}}
  secondary: {{address: 192.168.1.14}}
  fallback: {{address: 192.168.1.15}}
steps:
"""


def told(result: ScenarioResult) -> list[dict[str, Any]]:
    """What the JSON tells of the calls."""
    return [call.as_json() for call in result.calls]


def end_of(call: dict[str, Any]) -> tuple[str, str | None, bool | None]:
    end = call["ended"]
    return end["by"], end["method"], end["answered"]


def test_a_call_that_this_phone_ends() -> None:
    result = played(HEAD + "  - call: '1002'\n  - wait: 5s\n  - hangup:\n")
    [call] = told(result)
    assert end_of(call) == ("us", "BYE", True)
    assert (call["ended"]["at"], call["ended"]["detail"]) == (5.0, "hung up")


def test_a_bye_that_is_not_answered() -> None:
    steps = "  - call: '1002'\n  - server: {name: primary, behaviour: silent}\n  - wait: 5s\n  - hangup:\n"
    result = played(HEAD + steps)
    [call] = told(result)
    assert end_of(call) == ("us", "BYE", False)
    assert call["ended"]["detail"] == (
        "hung up; the BYE was not answered: no response within 64*T1 = 32.0 s; "
        "the far end was last heard at 0.0 s"
    )
    assert (call["result"], call["ended"]["at"], call["ended"]["last_heard"]) == ("answered", 5.0, 0.0)


def test_a_call_that_is_up_at_the_end() -> None:
    [call] = told(played(HEAD + "  - call: '1002'\n  - wait: 5s\n"))
    assert (call["result"], call["reason"]) == ("answered", "200 OK")
    assert end_of(call) == ("us", "BYE", True)
    assert call["ended"]["detail"] == "the scenario ended"


@pytest.mark.parametrize(
    ("behaviour", "method"), [("silent", None), ("trying", "CANCEL"), ("ringing", "CANCEL")]
)
def test_a_call_that_the_end_cuts_short_is_cancelled(behaviour: str, method: str | None) -> None:
    # rule R16
    steps = (
        f"  - server: {{name: primary, behaviour: {behaviour}}}\n"
        "  - call: {to: '1002', background: true}\n  - wait: 2s\n"
    )
    result = played(HEAD + steps)
    [call] = told(result)
    assert (call["result"], call["reason"], call["elapsed"]) == ("cancelled", "the scenario ended", 2.0)
    [attempt] = call["route"]
    assert (attempt["outcome"], attempt["detail"]) == ("cancelled", "the scenario ended")
    assert end_of(call)[:2] == ("us", method)


def test_a_call_that_rings_here_at_the_end_is_cancelled() -> None:
    result = played(HEAD + "  - register:\n  - incoming: {from: '1005'}\n")
    [call] = told(result)
    assert (call["direction"], call["result"], call["status"]) == ("incoming", "cancelled", 480)
    assert call["reason"] == "the scenario ended"


def test_a_call_that_was_refused_has_an_end_too() -> None:
    text = HEAD.replace("steps:", "set: {account.1.dnd.enable: 1}\nsteps:")
    result = played(text + "  - register:\n  - incoming: {from: '1005'}\n    expect: {result: rejected}\n")
    [call] = told(result)
    assert failures_of(result) == []
    assert (end_of(call), call["ended"]["detail"]) == (("us", None, None), "do not disturb is on")


def test_what_an_end_of_the_scenario_changes_is_no_longer_judged() -> None:
    result = played(HEAD + "  - call: {to: '1002', id: c1}\n    expect: {state: talking, result: answered}\n")
    assert (result.verdict, result.elapsed) == (Verdict.PASSED, 0.0)


def test_no_result_is_null_where_somebody_interrupts() -> None:
    # rule R16
    pressed: list[Event] = []

    def press(event: Event) -> None:
        if event.at > 0 and not pressed:
            pressed.append(event)
            raise KeyboardInterrupt

    text = (
        HEAD + "  - server: {name: primary, behaviour: silent}\n"
        "  - call: {to: '1002', background: true}\n  - wait: 60s\n"
    )
    with pytest.raises(Interrupted) as interrupted:
        played(text, RunOptions(listeners=(press,)))
    [call] = told(interrupted.value.result)
    assert call["result"] == "cancelled"
    assert end_of(call)[0] == "us"
    assert [attempt["outcome"] for attempt in call["route"]] == ["cancelled"]
