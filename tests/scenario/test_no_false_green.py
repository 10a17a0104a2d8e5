"""What must not pass: expectations that could not fail, or that something else than was meant makes true."""

from __future__ import annotations

import pytest

from phone_emulator.report.result import ScenarioResult, Verdict
from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.session import RunOptions, prepare
from tests.scenario.playing import failures_of, played

SERVERS = "servers: {primary: 192.168.1.13, fallback: 192.168.1.14}"
TOP = """\
name: t
set:
  account.1.enable: 1
  account.1.user_name: 2001
  account.1.password: secret-1
  account.1.sip_server.1.address: pbx.example
  account.2.enable: 1
  account.2.user_name: 2002
  account.2.password: secret-2
  account.2.sip_server.1.address: 192.168.1.14
  account.2.sip_server.2.address: 192.168.1.13
zone: |
  pbx.example. 60 IN A 192.168.1.13
SERVERS
steps:
"""
"""Two lines: the fallback server of the second is the only server of the first."""


def text(*steps: str) -> str:
    return TOP.replace("SERVERS", SERVERS) + "".join(f"- {step}\n" for step in steps)


def play(*steps: str) -> ScenarioResult:
    return played(text(*steps))


def failures(*steps: str) -> list[str]:
    return failures_of(play(*steps))


def refused(*steps: str) -> str:
    """The one fault of a file with these steps, without its place, which is the last line."""
    with pytest.raises(ScenarioError) as error:
        prepare(parse_scenario(text(*steps), "t.yaml"), RunOptions())
    [fault] = error.value.faults
    place = f"t.yaml:{len(text(*steps).splitlines())}: "
    assert fault.startswith(place), fault
    return fault.removeprefix(place)


# -- which line, which call ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["wait: 1s", "server: {name: primary, behaviour: ok}", "callee: busy"])
def test_a_step_without_a_line_does_not_guess_one(step: str) -> None:
    told = refused(f"{step}\n  expect: {{registered: []}}")
    assert "the phone has the lines 1, 2: name the one that is meant with 'line'" in told


def test_an_expectation_alone_does_not_guess_a_line() -> None:
    assert "name the one that is meant with 'line'" in refused("expect: {registered: []}")


def test_a_step_about_every_line_is_judged_for_every_line() -> None:
    refusing = "server: {name: fallback, behaviour: {REGISTER: 403}}"
    assert failures("register:\n  expect: {status: 200}") == []
    told = failures(refusing, "register:\n  expect: {registered: [primary]}")
    assert told == ["step 2 (register): expected line 2 registered at primary, it is registered at fallback"]


def test_a_call_that_the_last_step_was_not_about_is_not_guessed() -> None:
    calls = ("call: {to: '1', id: a}", "call: {to: '2', id: b}")
    assert failures(*calls, "expect: {state: talking}") == []
    told = refused(*calls, "hold: a", "expect: {state: held}")
    assert "it could be about 'b', the last call that was made, or 'a', which the last step was about" in told
    assert failures(*calls, "hold: a", "expect: {call: a, state: held}") == []


def test_a_line_picks_the_last_call_on_it() -> None:
    calls = ("callee: busy", "call: {line: 2, to: '1', id: a}", "callee: answer", "call: {line: 1, to: '2'}")
    assert failures(*calls, "wait: 1s", "expect: {line: 1, result: answered}") == []
    assert "no call on line 2 above" in refused(calls[3], "expect: {line: 2, result: answered}")


def test_a_line_that_contradicts_the_call_is_refused() -> None:
    told = refused("call: {line: 1, to: '1', id: a}\n  expect: {line: 2, result: answered}")
    assert "it names line 2, but 'a' is on line 1" in told
    told = refused("register: 1\n  expect: {line: 2, status: 200}")
    assert "it names line 2, but the step is on line 1" in told


def test_two_lines_that_an_expectation_could_be_about() -> None:
    calls = ("call: {line: 1, to: '1', id: a}",)
    told = refused(*calls, "call: {line: 2, to: '2'}\n  expect: {call: a, registered: []}")
    assert "it could be about line 2, which the step is about, or line 1 of 'a'" in told


def test_the_registers_of_another_line_are_not_the_steps() -> None:
    # While line 1 waits for its silent server, line 2 is refused once more at its own.
    result = play(
        "server: {name: fallback, behaviour: {REGISTER: 403}}",
        "register: 2",
        "server: {name: primary, behaviour: silent}",
        "register: 1\n  expect: {route: [primary: no-response]}",
    )
    assert result.failures == []
    assert [each.started for each in result.registrations if each.target.address == "192.168.1.14"] == [0, 30]


# -- roles and servers ---------------------------------------------------------------------------------------


def test_a_role_is_that_of_the_steps_own_line() -> None:
    # 192.168.1.13 is called 'primary', but line 2 has it for its fallback server.
    told = failures(
        "server: {name: fallback, behaviour: {INVITE: 503}}",
        "call: {line: 2, to: '1'}\n  expect: {via: primary}",
    )
    assert told == ["step 2 (call): expected via primary, got fallback"]


def test_servers_of_one_address_are_told_apart_by_their_ports() -> None:
    servers = "servers: {a: {address: 192.168.1.13, port: 5060}, b: {address: 192.168.1.13, port: 5080}}"
    for name, passes in (("a", True), ("b", False)):
        whole = text(f"call: '1'\n  expect: {{via: {name}}}").replace(SERVERS, servers)
        result = played(whole)
        assert (result.failures == []) is passes


def test_a_server_that_did_not_answer_is_not_the_one_that_a_call_went_via() -> None:
    told = failures("server: {name: primary, behaviour: silent}", "call: '1'\n  expect: {via: primary}")
    assert told == ["step 2 (call): expected via primary, got primary: no-response"]
    told = failures(
        "callee: no-answer", "call: {to: '1', background: true}", "wait: 1s", "expect: {via: primary}"
    )
    assert told == ["step 4 (expect): expected via primary, got primary: under way 180"]


def test_a_status_in_a_route_is_a_final_one() -> None:
    assert failures(
        "server: {name: primary, behaviour: trying}", "call: '1'\n  expect: {route: [primary: 408]}"
    )


# -- what could not fail -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("wait: 1s\n  expect: {line: 1}", "it expects nothing"),
        ("register: 1\n  expect: {line: 1}", "it expects nothing"),
        ("call: {to: '1', id: a}\n  expect: {call: a}", "it expects nothing"),
        ("expect: {within: 5s}", "it expects nothing"),
        ("call: '1'\n  expect: {within: 5s}", "'within' alone would hold if the step failed at once"),
        ("register: 1\n  expect: {within: 5s}", "'within' alone would hold if the step failed at once"),
        ("reboot:\n  expect: {within: 5s}", "'within' alone would hold if the step failed at once"),
        ("wait: 1s\n  expect: {within: 5s, line: 1, registered: []}", "'within' bounds nothing"),
        (
            "call: {to: '1', background: true}\n  expect: {within: 5s, state: calling}",
            "'within' bounds nothing: a step in the background waits for nothing",
        ),
        ("register: 1\n  expect: {registered: }", "registered: it says nothing: write [] for nowhere"),
        ("call: '1'\n  expect: {route: }", "route: it says nothing"),
        ("call: '1'\n  expect: {result: answered, line: }", "line: it says nothing"),
        ("register: 1\n  expect: {registered: [primary, primary]}", "'primary' stands there twice"),
        ("register: 1\n  expect: {registered: [primry]}", "there is no role and no server 'primry'"),
        ("call: '1'\n  expect: {status: '486'}", "status: expected a whole number, got '486'"),
        ("incoming: {id: in}\n  expect: {route: []}", "'route' is about calls that the phone places"),
        ("incoming: {id: in}\n  expect: {via: primary}", "'via' is about calls that the phone places"),
    ],
)
def test_it_is_refused(step: str, why: str) -> None:
    assert why in refused(step)


@pytest.mark.parametrize("step", ["hold:", "dtmf: '1'", "transfer: {to: '2'}"])
@pytest.mark.parametrize("key", ["result: answered", "status: 200", "via: primary", "route: [primary: 200]"])
def test_what_was_settled_before_the_step_is_not_expected_of_it(step: str, key: str) -> None:
    name = key.partition(":")[0]
    assert f"'{name}' was settled before this step" in refused("call: '1'", f"{step}\n  expect: {{{key}}}")


# -- background ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["result: answered", "status: 200", "via: primary", "state: talking"])
def test_a_call_in_the_background_has_no_result_yet(key: str) -> None:
    assert failures(f"call: {{to: '1', background: true}}\n  expect: {{{key}}}")


# -- a failure that is expected ------------------------------------------------------------------------------


def test_a_step_on_a_call_that_was_never_made_has_not_failed_as_expected() -> None:
    told = failures("incoming: {id: in}", "answer: in\n  expect: {fails: true}")
    assert told == ["step 2 (answer): the call 'in' was never made"]


def test_a_number_in_a_reason_is_the_whole_number() -> None:
    busy = ("call: {to: '1', id: c}", "callee: busy")
    assert failures(*busy, "transfer: {call: c, to: '2'}\n  expect: {fails: 486}") == []
    assert failures(*busy, "transfer: {call: c, to: '2'}\n  expect: {fails: 48}")


def test_nothing_is_passed_that_came_to_a_standstill() -> None:
    result = play("incoming: {id: in}", "expect: {call: in, state: talking, within: 5s}")
    assert result.verdict is Verdict.FAILED
