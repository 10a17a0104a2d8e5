"""The phone's address changes in a scenario, in virtual time and on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.events import Address
from phone_emulator.lab.lab import Place, Plan
from phone_emulator.lab.zone import parse_zone
from phone_emulator.report.result import ScenarioResult
from phone_emulator.report.text import route_lines
from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario, read_scenario
from phone_emulator.scenario.runner import run
from phone_emulator.scenario.schema import WorldName
from phone_emulator.scenario.session import RunOptions, prepare
from phone_emulator.world import WorldError
from tests.scenario.playing import failures_of
from tests.scenario.playing import played as play_text

CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLE = CONFIGS / "scenarios" / "address-changes.yaml"
NETWORK = {"simulated": "192.168.1", "lab": "127.0.0"}


def played(world: WorldName) -> ScenarioResult:
    options = RunOptions()
    return run(prepare(read_scenario(str(EXAMPLE), world=world), options), options)


@pytest.mark.parametrize("world", NETWORK)
def test_the_example_in_both_worlds(world: WorldName) -> None:
    result = played(world)
    assert result.failures == []
    here, there = f"{NETWORK[world]}.21", f"{NETWORK[world]}.22"
    changes = [
        ([here], [there], f"the phone's address has changed from {here} to {there}"),
        ([there], [], f"the phone has no address: {there} is gone"),
        ([], [there], f"the phone has an address again: {there}"),
    ]
    told = result.as_json()["addresses"]
    assert [(each["before"], each["now"], each["reason"]) for each in told] == changes
    shown = route_lines(result)
    assert [line.partition(" s: ")[2] for line in shown[:3]] == [reason for _, _, reason in changes]


HEAD = f"config: {CONFIGS / 'guide-example.cfg'}\nservers: {{primary: 192.168.1.13}}\nsteps:\n- address: "


@pytest.mark.parametrize(
    ("to", "world", "fault"),
    [
        ("192.168.1.13", "simulated", "192.168.1.13 is the address of the server 'primary'"),
        ("2001:db8::5", "lab", "the lab world is on IPv4 loopback: the phone cannot have 2001:db8::5 there"),
        (
            "pbx.example",
            "simulated",
            "expected the IP address of a host, or gone, got 'pbx.example'",
        ),
        ("224.0.0.1", "simulated", "expected the IP address of a host, or gone, got '224.0.0.1'"),
        (
            "192.168.1.22",
            "real",
            "in the real world the phone has the addresses of its machine: change those, and it follows",
        ),
    ],
)
def test_addresses_that_the_phone_cannot_have(to: str, world: WorldName, fault: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        prepare(parse_scenario(f"{HEAD}'{to}'\n", "t.yaml", world=world), RunOptions())
    [told] = refused.value.faults
    assert told.startswith("t.yaml:4: step 1 (address): ")
    assert told.endswith(fault)


def plan(phone_port: int | None = None) -> Plan:
    return Plan(
        places=(Place(name="primary", address="127.0.0.13"),),
        zone=parse_zone(""),
        nameservers=(Address("127.0.0.53", 5300),),
        phone=Address("127.0.0.21", 5060),
        callee=Address("127.0.0.100", 5060),
        phone_port=phone_port,
    )


@pytest.mark.parametrize(
    ("to", "place"),
    [("192.168.1.22", "127.0.0.22"), ("10.0.0.13", "127.0.0.14"), ("10.0.0.53", "127.0.0.54")],
)
def test_on_loopback_nobody_else_is_there(to: str, place: str) -> None:
    assert plan().placed(to, virtual=False) == place


def test_a_machine_with_one_loopback_address() -> None:
    with pytest.raises(WorldError, match=r"of loopback this machine has 127.0.0.21 only"):
        plan(5062).placed("192.168.1.22", virtual=False)


def test_in_virtual_time_somebody_else_may_be_there() -> None:
    with pytest.raises(WorldError, match=r"somebody else is at 127.0.0.100"):
        plan().placed("127.0.0.100", virtual=True)


RESTARTING = """\
name: t
set:
  account.1.enable: 1
  account.1.user_name: 2001
  account.1.password: secret-1
  account.1.sip_server.1.address: 192.168.1.13
servers: {primary: 192.168.1.13}
steps:
- register:
- address: ADDRESS
- reboot:
  expect: {registered: REGISTERED}
"""


@pytest.mark.parametrize(
    ("address", "registered", "fault"),
    [
        ("192.168.1.22", "[primary]", []),
        (
            "gone",
            "[primary]",  # until its lease is over
            ["step 3 (reboot): it cannot restart: the phone has no address: 192.168.1.21 is gone"],
        ),
    ],
)
def test_a_restart_at_another_address(address: str, registered: str, fault: list[str]) -> None:
    text = RESTARTING.replace("ADDRESS", address).replace("REGISTERED", registered)
    told = failures_of(play_text(text))
    assert [each.partition(" (if it is meant to")[0] for each in told] == fault
