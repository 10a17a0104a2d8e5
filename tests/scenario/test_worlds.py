"""Which keys mean something in which world: the tables are whole, and what means nothing is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import parse_scenario
from phone_emulator.scenario.schema import FileModel, Model, ServerModel, WorldName
from phone_emulator.scenario.steps import STEPS
from phone_emulator.scenario.worlds import EVERYWHERE, FILE, SERVER, Where
from tests.scenario.playing import played

STEP = {name: kind.where for name, kind in STEPS.items() if name != "expect"}
CONFIGS = Path(__file__).parents[2] / "configs"
WORLDS: tuple[WorldName, ...] = ("simulated", "lab", "real")
OF_FILE = {
    "name": "name: n",
    "world": "world: simulated",
    "config": f"config: {CONFIGS / 'guide-example.cfg'}",
    "set": "set: {account.1.label: x}",
    "zone": "zone: a.example. 60 IN A 192.0.2.1",
    "servers": "servers: {s: 192.0.2.1}",
    "callee": "callee: busy",
    "sound": "sound: true",
    "steps": "steps: [wait: 1s]",
}
OF_SERVER = {
    "address": "address: 192.0.2.1",
    "port": "port: 5070",
    "tls_port": "tls_port: 5071",
    "transports": "transports: udp",
    "behaviour": "behaviour: silent",
    "names": "names: a.example",
}


def keys(model: type[Model]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_tables_name_every_key() -> None:
    assert set(FILE) == set(OF_FILE) == keys(FileModel)
    assert set(SERVER) == set(OF_SERVER) == keys(ServerModel)


def faults(text: str, world: WorldName) -> list[str]:
    try:
        parse_scenario(text, "t.yaml", world=world)
    except ScenarioError as error:
        return error.faults
    return []


def agree(table: Mapping[str, Where], key: str, world: WorldName, told: list[str], place: str) -> None:
    """*told* is the one fault that *table* asks for, at *place*, or none."""
    if world in table[key].worlds:
        assert told == []
        return
    assert len(told) == 1
    assert told[0].startswith(place)
    assert world in told[0]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("key", FILE)
def test_keys_of_the_file(key: str, world: WorldName) -> None:
    agree(FILE, key, world, faults(f"# first\n{OF_FILE[key]}\n", world), f"t.yaml:2: {key}: ")


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("key", SERVER)
def test_keys_of_a_server(key: str, world: WorldName) -> None:
    lines = dict.fromkeys((OF_SERVER["address"], OF_SERVER[key]))
    text = "servers:\n  s:\n" + "".join(f"    {line}\n" for line in lines)
    agree(SERVER, key, world, faults(text, world), f"t.yaml:{2 + len(lines)}: server 's': '{key}' ")


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", STEP)
def test_steps(kind: str, world: WorldName) -> None:
    # In the real world nobody calls: there a call can only be the phone's own.
    name = "c0" if STEPS[kind].makes_call else "c1"
    made = f"call: {{to: '1', id: {name}}}" if world == "real" else f"incoming: {{id: {name}}}"
    text = f"servers: {{primary: 192.0.2.1}}\nsteps:\n- {made}\n- {STEPS[kind].example}\n"
    told = faults(text, world)
    agree(STEP, kind, world, told, f"t.yaml:4: step 2 ({kind}): ")


def test_everywhere_is_every_world() -> None:
    assert EVERYWHERE.worlds == set(WORLDS)
    tables = (FILE, SERVER, STEP)
    assert all(where.why or where is EVERYWHERE for table in tables for where in table.values())


def test_a_server_of_the_real_world_gives_its_name_to_an_address() -> None:
    text = "world: real\nservers: {east: {address: 192.0.2.1, port: 5070}}\n"
    text += "steps:\n- call: '1'\n  expect: {via: east}\n"
    assert faults(text, "real") == []


def test_the_names_of_a_server_are_in_its_certificate() -> None:
    zone = "named.example. 60 IN A 192.168.1.13"
    text = (
        "name: t\nset:\n  account.1.enable: 1\n  account.1.user_name: 2001\n  account.1.password: secret-1\n"
        "  account.1.sip_server.1.address: 192.168.1.13\n  account.1.outbound_proxy_enable: 1\n"
        "  account.1.outbound_proxy.1.address: named.example\n  account.1.outbound_proxy.1.port: 5061\n"
        "  account.1.sip_server.1.transport_type: 2\n"
        f"zone: {zone}\nservers: {{primary: {{address: 192.168.1.13NAMES}}}}\n"
        "steps:\n- register: 1\n  expect: {registered: [primary]}\n"
    )
    for names, passes in ((", names: named.example", True), ("", False)):
        result = played(text.replace("NAMES", names))
        assert (result.failures == []) is passes, result
