from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.events import CallState, Outcome, Transport
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.scenario.model import Scenario, ZoneSource
from phone_emulator.scenario.reader import find_scenarios, parse_scenario, read_scenario, read_scenarios
from phone_emulator.scenario.steps.call import CallStep
from phone_emulator.scenario.steps.dns import DnsStep
from phone_emulator.scenario.steps.hangup import HangupStep
from phone_emulator.scenario.steps.incoming import IncomingStep
from phone_emulator.scenario.steps.register import RegisterStep
from phone_emulator.scenario.steps.server import ServerStep
from phone_emulator.scenario.steps.transfer import TransferStep
from phone_emulator.scenario.steps.wait import WaitStep

EXAMPLE = """\
name: primary silent, the call goes to the secondary
world: simulated
config: guide-example.cfg
set: {account.1.sip_server.1.failback_mode: 3}
zone: guide-example.zone
servers:
  primary:   {address: 192.168.1.13}
  secondary: {address: 192.168.1.14}
  fallback:  {address: 192.168.1.15, transports: [udp, tcp], behaviour: 503}
steps:
  - register: {line: 1}
    expect: {registered: [primary]}
  - server: {name: primary, behaviour: silent}
  - call: {line: 1, to: "1002", id: c1}
    expect:
      result: answered
      via: secondary
      within: 33s
      route: [{primary: no-response}, {secondary: answered}]
  - wait: 5s
  - hangup: {call: c1}
"""


def read(text: str) -> Scenario:
    return parse_scenario(text, "x.scenario.yaml")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (tmp_path / "guide-example.cfg").write_text("#!version:1.0.0.1\n")
    (tmp_path / "guide-example.zone").write_text("example.com. 60 IN A 192.168.1.13\n")
    file = tmp_path / "example.scenario.yaml"
    file.write_text(EXAMPLE)
    return file


def test_the_guides_example(example: Path) -> None:
    scenario = read_scenario(example)
    assert (scenario.name, scenario.world) == ("primary silent, the call goes to the secondary", "simulated")
    assert scenario.config == (example.parent / "guide-example.cfg",)
    assert scenario.set == {"account.1.sip_server.1.failback_mode": "3"}
    zone = str(example.parent / "guide-example.zone")
    assert scenario.zone == ZoneSource("example.com. 60 IN A 192.168.1.13\n", zone, 1)
    fallback = scenario.servers["fallback"]
    assert (fallback.address, fallback.port, fallback.tls_port) == ("192.168.1.15", 5060, 5061)
    assert fallback.transports == (Transport.UDP, Transport.TCP)
    assert fallback.behaviour == Behaviour.parse(503)
    kinds = [(step.kind, step.line) for step in scenario.steps]
    assert kinds == [("register", 11), ("server", 13), ("call", 14), ("wait", 20), ("hangup", 21)]
    register, server, call, wait, hangup = (step.args for step in scenario.steps)
    assert register == RegisterStep(line=1)
    assert server == ServerStep(name="primary", behaviour=Behaviour.parse("silent"))
    assert call == CallStep(line=1, to="1002", id="c1", background=False)
    assert wait == WaitStep(time=5)
    assert hangup == HangupStep(call="c1")
    expect = scenario.steps[2].expect
    assert expect is not None
    assert (expect.call, expect.result, expect.via, expect.within) == ("c1", "answered", "secondary", 33.0)
    assert [str(item) for item in expect.route or ()] == ["primary: no-response", "secondary: answered"]
    assert expect.lines["within"] == 18
    assert str(scenario.steps[2]) == "step 3 (call)"


def test_without_steps_nothing_happens() -> None:
    scenario = read("name: nothing")
    assert scenario.steps == ()
    assert scenario.callee is CalleeBehaviour.ANSWER
    assert read("{}").name == "x"


def test_shorthands() -> None:
    steps = read(
        "servers: {primary: 10.0.0.1}\n"
        "steps: [register: 1, register: , call: 0100, hangup: ,\n"
        "  incoming: {from: 7}, dtmf: '12#', wait: 2, reboot: ]\n"
    ).steps
    assert steps[0].args == RegisterStep(line=1)
    assert steps[1].args == RegisterStep(line=None)
    assert steps[2].args == CallStep(to="0100", id="c1"), "a number is dialled as it is written"
    assert steps[3].args == HangupStep(call="c1")
    assert steps[4].args == IncomingStep.model_validate({"from": "7", "id": "c2"})


def test_ids_given_by_the_reader_keep_clear_of_the_files() -> None:
    steps = read(
        "steps: [call: '1', call: {to: '2', id: c1}, call: '3', transfer: {call: c1, with: c3}]"
    ).steps
    made = [step.args.id for step in steps if isinstance(step.args, CallStep)]
    assert made == ["c2", "c1", "c3"]
    transfer = steps[3].args
    assert isinstance(transfer, TransferStep)
    assert (transfer.call, transfer.other) == ("c1", "c3")


def test_an_expectation_alone_is_about_the_last_call() -> None:
    step = read("steps: [call: '1', call: '2', expect: {state: talking, within: 1s}]").steps[2]
    assert step.expect is not None
    assert (step.kind, step.expect.call, step.expect.state) == ("expect", "c2", CallState.TALKING)


def test_a_route_tells_outcomes_statuses_servers_and_roles() -> None:
    text = "servers: {east: 10.0.0.1}\nsteps:\n- call: '1'\n  expect:\n    route: [east: 503, target-3: icmp]"
    expect = read(text).steps[0].expect
    assert expect is not None
    assert expect.route is not None
    assert [(item.role, item.outcome, item.status) for item in expect.route] == [
        ("east", None, 503),
        ("target-3", Outcome.ICMP, None),
    ]


def test_a_zone_as_text_knows_its_lines() -> None:
    text = "name: z\nzone: |\n  $ORIGIN example.com.\n  srv1 60 IN A 10.0.0.1\n"
    text += "steps:\n- dns: a. 60 IN A 10.0.0.2\n"
    scenario = read(text)
    body = "$ORIGIN example.com.\nsrv1 60 IN A 10.0.0.1\n"
    assert scenario.zone == ZoneSource(body, "x.scenario.yaml", 3)
    assert scenario.steps[0].zone == ZoneSource("a. 60 IN A 10.0.0.2", "x.scenario.yaml", 6)
    assert scenario.steps[0].args == DnsStep(zone="a. 60 IN A 10.0.0.2")


def test_settings_keep_their_spelling() -> None:
    assert read("set: {a: 007, b: 1.50, c: '', d: x y, e: 1:30}").set == {
        "a": "007",
        "b": "1.50",
        "c": "",
        "d": "x y",
        "e": "1:30",
    }


def test_a_tls_only_server_serves_its_port() -> None:
    servers = read(
        "servers:\n  a: {address: '::1', transports: tls, port: 5071}\n  b: {address: 10.0.0.1, port: 5070}"
    ).servers
    assert servers["a"].port_for(Transport.TLS) == 5071
    assert [servers["b"].port_for(transport) for transport in Transport] == [5070, 5070, 5071]


def test_an_alias_stands_for_what_it_names() -> None:
    scenario = read(
        "servers:\n  a: &a {address: 10.0.0.1}\nsteps:\n- server: &s {name: a, behaviour: ok}\n- server: *s"
    )
    assert scenario.steps[1].args == scenario.steps[0].args
    assert scenario.steps[1].line == 5


def test_the_world_can_be_chosen_from_outside(example: Path) -> None:
    assert read_scenario(example, world="lab").world == "lab"


def test_folders_hold_scenarios(example: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yml").write_text("name: b")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "c.yaml").write_text("name: c")
    found = find_scenarios([tmp_path, example])
    assert found == [example, tmp_path / "sub" / "b.yml"]
    assert [scenario.name for scenario in read_scenarios(found)][1] == "b"
