"""The end of a scenario: nobody's registration is left behind, and everything has an outcome."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phone_emulator.events import (
    Attempt,
    AttemptStarted,
    Event,
    MessageSent,
    Source,
    Target,
    Transport,
    Wait,
)
from phone_emulator.phone import PhoneOptions
from phone_emulator.report.json import json_line
from phone_emulator.report.result import CallReport, ScenarioResult, Verdict
from phone_emulator.report.text import scenario_lines
from phone_emulator.scenario.session import RunOptions, settled
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.addresses import own_address
from tests.scenario.playing import played

CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = (
    f"name: t\nworld: {{world}}\nconfig: {CONFIGS}/guide-example.cfg\nzone: {CONFIGS}/guide-example.zone\n"
    "servers:\n"
    "  primary: {{address: 192.168.1.13}}\n"
    "  secondary: {{address: 192.168.1.14}}\n"
    "  fallback: {{address: 192.168.1.15}}\n"
)


def play(steps: str, head: str = "", world: str = "simulated") -> tuple[ScenarioResult, list[Request]]:
    """What became of the *steps*, and every REGISTER with Expires 0."""
    events: list[Event] = []
    text = HEAD.format(world=world) + head + "steps:\n" + steps
    phone = PhoneOptions(local_address=own_address() if world == "lab" else "")
    result = played(text, RunOptions(phone=phone, listeners=(events.append,)))
    sent = [parse(event.data) for event in events if isinstance(event, MessageSent)]
    requests = [message for message in sent if isinstance(message, Request) and message.method == "REGISTER"]
    return result, [request for request in requests if request.headers.get("Expires") == "0"]


@pytest.mark.parametrize("world", ["simulated", "lab"])
def test_lines_are_deregistered_in_every_world(world: str) -> None:
    # rule R12
    result, removals = play("  - register: {line: 1}\n", world=world)
    assert len(removals) == 2
    # The report tells how things stood at the end of the steps.
    assert [line.registered_nowhere for line in result.health] == [False]
    assert len(result.registrations) == 2
    assert result.verdict is Verdict.PASSED


def test_the_time_of_the_end_is_not_the_scenarios() -> None:
    # rule R12
    steps = "  - register: {line: 1}\n  - server: {name: primary, behaviour: silent}\n  - wait: 5s\n"
    result, removals = play(steps)
    assert result.elapsed == 5.0
    assert len(removals) == 1 + 4  # the primary is asked as often as R2 says
    [primary, _] = result.health[0].targets
    assert primary.failed_at is None


def test_a_call_in_the_background_is_cancelled_by_the_end() -> None:
    # rule R16
    steps = "  - server: {name: primary, behaviour: ringing}\n"
    steps += "  - call: {line: 1, to: '1002', id: c, background: true}\n  - wait: 2s\n"
    result, _ = play(steps)
    told = json.loads(json_line(result))["calls"][0]
    assert (told["result"], told["reason"]) == ("cancelled", "the scenario ended")
    [attempt] = told["route"]
    assert (attempt["outcome"], attempt["detail"], attempt["ended"]) == (
        "cancelled",
        "the scenario ended",
        2.0,
    )


def test_a_call_that_rings_here_is_cancelled_by_the_end() -> None:
    # rule R16
    steps = "  - register: {line: 1}\n  - incoming: {id: c}\n"
    told = json.loads(json_line(play(steps)[0]))["calls"][0]
    assert (told["result"], told["reason"]) == ("cancelled", "the scenario ended")


def test_a_registration_under_way_is_cut_short_by_the_end() -> None:
    # rule R16
    steps = "  - register: {line: 1}\n  - server: {name: primary, behaviour: silent}\n  - wait: 32s\n"
    result, _ = play(steps, "set: {account.1.sip_server.1.expires: 60}\n")
    [*_, last] = json.loads(json_line(result))["registrations"]
    assert (last["line"], last["outcome"], last["started"], last["ended"]) == (1, "cancelled", 30.0, 32.0)
    assert last["detail"] == "cut short: the scenario ended"
    lines = scenario_lines(result, routes=True)
    assert lines[-1].startswith("        line 1   1  primary     192.168.1.13:5060/udp        cancelled")


def test_lines_are_unregistered_at_once() -> None:
    # rule R12
    second = "set:\n" + "".join(
        f"  account.2.{key}: {value}\n"
        for key, value in {
            "enable": 1,
            "user_name": "'1002'",
            "auth_name": "'1002'",
            "password": "Line-2-Example",
            "sip_server.1.address": "192.168.1.14",
        }.items()
    )
    steps = "  - register: {}\n"
    steps += "".join(
        f"  - server: {{name: {name}, behaviour: silent}}\n" for name in ("primary", "secondary")
    )
    result, _ = play(steps + "  - unregister: {}\n", second)
    assert result.elapsed == 7.5
    assert {attempt.line for attempt in result.registrations} == {1, 2}


def test_a_world_that_breaks_down_leaves_no_outcome_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    # rule R16
    def broken(event: Event) -> None:
        if isinstance(event, AttemptStarted) and event.call is not None:
            raise LookupError("planted")

    text = HEAD.format(world="simulated")
    text += "steps:\n  - call: {line: 1, to: '1002', id: c, background: true}\n  - wait: 2s\n"
    result = played(text, RunOptions(listeners=(broken,)))
    assert result.verdict is Verdict.ERROR
    [call] = json.loads(json_line(result))["calls"]
    assert call["result"] is not None
    assert [attempt["outcome"] for attempt in call["route"] if attempt["outcome"] is None] == []


def test_what_nobody_has_ended_is_told_as_cut_short() -> None:
    """A second interrupt may come before anything is hung up."""

    # rule R16
    target = Target(1, "primary", "pbx", "192.168.1.13", 5060, Transport.UDP, Source.DNS)
    attempt = Attempt(1, "INVITE", target, Wait(32.0, ""), "", 2.0)
    report = CallReport("c", 1, "1002", None, None, "", None, 2.0, 0.0, [attempt])
    told = settled(report, 5.0, "interrupted")
    assert (told.result, told.reason) == ("cancelled", "interrupted")
    assert told.ended is not None
    assert (told.ended.at, str(told.ended.by), told.ended.detail) == (5.0, "us", "interrupted")
    [cut] = told.route
    assert (str(cut.outcome), cut.detail, cut.ended) == ("cancelled", "cut short: interrupted", 5.0)
    assert attempt.outcome is None
