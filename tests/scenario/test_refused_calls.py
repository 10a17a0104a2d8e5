"""Calls that the phone refuses without ringing: expected like any other call, and told in the JSON."""

from __future__ import annotations

import pytest

from phone_emulator.report.result import ScenarioResult
from tests.scenario.playing import failures_of, played

HEAD = """\
name: t
set:
  account.1.enable: 1
  account.1.user_name: 2001
  account.1.password: secret-1
  account.1.sip_server.1.address: 192.168.1.13
{set}servers: {{primary: 192.168.1.13}}
steps:
  - register: 1
"""


def play(settings: dict[str, str], *steps: str) -> ScenarioResult:
    keys = "".join(f"  {key}: '{value}'\n" for key, value in settings.items())
    text = HEAD.format(set=keys) + "".join(f"  - {step}\n" for step in steps)
    return played(text)


FORWARDED = {"forward.always.enable": "1", "forward.always.target": "1005"}
REFUSALS: dict[str, tuple[dict[str, str], tuple[str, ...], str, int]] = {
    "forwarded": (FORWARDED, (), "{from: '1000'", 302),
    "do not disturb": ({"account.1.dnd.enable": "1"}, (), "{from: '1000'", 480),
    "its own code": (
        {"account.1.dnd.enable": "1", "features.dnd_refuse_code": "486"},
        (),
        "{from: '1000'",
        486,
    ),
    "busy": ({"call_waiting.enable": "0"}, ("call: '1002'",), "{from: '1000'", 486),
    "forwarded as busy": (
        {"call_waiting.enable": "0", "forward.busy.enable": "1", "forward.busy.target": "1005"},
        ("call: '1002'",),
        "{from: '1000'",
        302,
    ),
    "anonymous": ({"account.1.reject_anonymous_call": "1"}, (), "{from: anonymous", 433),
    "without credentials": ({"sip.request_validation.digest.list": "INVITE"}, (), "{from: '1000'", 401),
    "no common codec": (
        {f"account.1.codec.{codec}.enable": "0" for codec in ("pcmu", "pcma", "g722")}
        | {"account.1.codec.g729.enable": "1"},
        (),
        "{from: '1000'",
        488,
    ),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_it_can_be_expected(kind: str) -> None:
    settings, before, incoming, status = REFUSALS[kind]
    step = f"incoming: {incoming}, id: in}}"
    good = f"{step}\n    expect: {{result: rejected, status: {status}, state: ended}}"
    result = play(settings, *before, good)
    assert failures_of(result) == []
    call = result.calls[-1].as_json()
    assert (call["id"], call["direction"], call["result"], call["status"]) == (
        "in",
        "incoming",
        "rejected",
        status,
    )
    assert call["route"] == []
    assert call["reason"]
    for wrong in ("status: 603", "result: answered", "state: ringing"):
        assert failures_of(play(settings, *before, f"{step}\n    expect: {{{wrong}}}")), wrong


def test_it_is_a_fault_of_a_step_that_expects_it_to_ring() -> None:
    told = failures_of(play(FORWARDED, "incoming: {id: in}\n    expect: {registered: [primary]}"))
    assert told == [
        "step 2 (incoming): the call did not ring: 302: forwarded to 1005: every call is forwarded"
        " (if it is meant to: expect 'fails: true')"
    ]


def test_it_may_still_be_expected_to_fail() -> None:
    assert failures_of(play(FORWARDED, "incoming: {id: in}\n    expect: {fails: 302, status: 302}")) == []
    assert failures_of(play(FORWARDED, "incoming: {id: in}\n    expect: {fails: 480, status: 302}"))


def test_the_expectation_may_come_later() -> None:
    assert failures_of(play(FORWARDED, "incoming: {id: in}", "expect: {call: in, status: 302}")) == []


def test_it_cannot_be_answered() -> None:
    told = failures_of(play(FORWARDED, "incoming: {id: in}", "answer: in\n    expect: {state: talking}"))
    assert told[0].startswith("step 3 (answer): the call 'in' was refused: forwarded to 1005")


def test_calls_are_told_in_the_order_of_time() -> None:
    result = play(
        {"call_waiting.enable": "0"},
        "incoming: {id: first}",
        "answer: first",
        "wait: 1s",
        "incoming: {id: second}",
        "hangup: first",
        "wait: 1s",
        "incoming: {id: third}",
    )
    assert [call.id for call in result.calls] == ["first", "second", "third"]
