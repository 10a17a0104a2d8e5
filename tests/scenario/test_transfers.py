"""The step `transfer`, played: blind and attended, in both directions of a call, and what can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.report.result import ScenarioResult
from phone_emulator.scenario.session import RunOptions
from tests.scenario.playing import failures_of, played

CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = f"""name: t
config: {CONFIGS / "guide-example.cfg"}
zone: {CONFIGS / "guide-example.zone"}
servers:
  primary: 192.168.1.13
  secondary: 192.168.1.14
  fallback: 192.168.1.15
steps:
"""


def play(*steps: str, options: RunOptions | None = None) -> ScenarioResult:
    """What becomes of *steps*."""
    return played(HEAD + "".join(f"  - {step}\n" for step in steps), options)


def test_a_call_that_came_in_is_transferred() -> None:
    result = play(
        "register: 1",
        "incoming: {from: '1002', id: c1}",
        "answer: c1",
        "transfer: {call: c1, to: '1003'}",
        "expect: {call: c1, state: ended}",
    )
    assert failures_of(result) == []


def test_a_call_that_came_in_is_joined_with_one_that_was_placed() -> None:
    result = play(
        "register: 1",
        "incoming: {from: '1002', id: c1}",
        "answer: c1",
        "hold: c1",
        "call: {to: '1003', id: c2}",
        "transfer: {call: c1, with: c2}",
        "expect: {call: c1, state: ended}",
        "expect: {call: c2, state: ended}",
    )
    assert failures_of(result) == []


def test_a_transfer_to_a_phone_that_only_rings_ends_when_it_gives_up() -> None:
    # A call that rings at its far end is not the far end's to give away (RFC 3891 section 3): 481.
    # The first call was held for the second one, and stays so.
    result = play(
        "call: {to: '1002', id: c1}",
        "callee: no-answer",
        "call: {to: '1003', id: c2, background: true}",
        "wait: 1s",
        "transfer: {call: c1, with: c2}\n    expect: {state: ended}",
        "expect: {call: c1, state: held}",
        "expect: {call: c2, state: ringing}",
    )
    assert failures_of(result) == [
        "step 5 (transfer): 1003 could not be reached: 481 Call/Transaction Does Not Exist",
        "step 5 (transfer): expected state ended, got held: 200 OK",
    ]


def test_without_semi_attended_transfers_it_becomes_a_blind_one() -> None:
    result = play(
        "call: {to: '1002', id: c1}",
        "callee: no-answer",
        "call: {to: '1003', id: c2, background: true}",
        "wait: 1s",
        "callee: answer",
        "transfer: {call: c1, with: c2}",
        "expect: {call: c1, state: ended}",
        "expect: {call: c2, result: cancelled}",
        options=RunOptions(overrides=("transfer.semi_attend_tran_enable=0",)),
    )
    assert failures_of(result) == []


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (["callee: busy", "call: {to: '1', id: c1}"], "the call is ended, not up"),
        (["call: {to: '1', id: c1}", "hangup: c1"], "the call is ended, not up"),
    ],
)
def test_a_call_that_is_not_up_cannot_be_transferred(steps: list[str], why: str) -> None:
    result = play(*steps, "transfer: {call: c1, to: '1003'}\n    expect: {state: ended}")
    assert failures_of(result) == [f"step 3 (transfer): {why} (if it is meant to: expect 'fails: true')"]


BUSY = ("call: {to: '1002', id: c1}", "callee: busy")


@pytest.mark.parametrize("fails", ["true", "486", "could not be reached"])
def test_a_step_may_be_expected_to_fail(fails: str) -> None:
    result = play(*BUSY, f"transfer: {{to: '1003'}}\n    expect: {{fails: {fails}, state: talking}}")
    assert failures_of(result) == []


def test_what_else_is_expected_of_a_step_that_fails_is_judged() -> None:
    result = play(*BUSY, "transfer: {to: '1003'}\n    expect: {fails: true, state: ended, within: 1ms}")
    assert failures_of(result) == ["step 3 (transfer): expected state ended, got talking: 200 OK"]


def test_a_step_that_fails_for_another_reason_than_expected() -> None:
    result = play(*BUSY, "transfer: {to: '1003'}\n    expect: {fails: 603}")
    assert failures_of(result) == [
        "step 3 (transfer): expected the step to fail with '603',"
        " it failed with '1003 could not be reached: 486 Busy Here'"
    ]


def test_a_step_that_is_expected_to_fail_and_does_not() -> None:
    result = play(BUSY[0], "transfer: {to: '1003'}\n    expect: {fails: true}")
    assert failures_of(result) == ["step 2 (transfer): expected the step to fail, it did not"]


def test_somebody_who_is_expected_not_to_get_through() -> None:
    result = play(
        "register: 1",
        "incoming: {from: '1002'}\n    expect: {fails: 480}",
        options=RunOptions(overrides=("account.1.dnd.enable=1",)),
    )
    assert failures_of(result) == []


def test_the_json_of_the_call_tells_what_was_dialled() -> None:
    result = play("call: {to: '1002', id: c1}", "transfer: {call: c1, to: '1003'}")
    [call] = result.calls
    assert (call.to, call.result, call.via) == ("1002", "answered", "primary")
