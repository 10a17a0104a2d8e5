"""Every fault names its file and line, in words, and none hides another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from phone_emulator.scenario.model import ScenarioError
from phone_emulator.scenario.reader import find_scenarios, parse_scenario, read_scenario, read_scenarios


def faults(text: str, file: str = "f.yaml") -> list[str]:
    with pytest.raises(ScenarioError) as error:
        parse_scenario(text, file)
    return error.value.faults


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        "API=secret",
        "- secret\n",
        "- {user: secret}\n",
        "root:secret:1::\n",
        "root:secret:1::\nroot:secret:1::\n",
        "root:\n  password: secret\n",
        "<<: secret\nuser: !!secret x\n",
    ],
)
def test_a_file_of_another_kind_is_not_shown(text: str) -> None:
    """Whoever names a file by mistake does not want it in a log: no key of a scenario stands in it."""
    assert faults(text) == [
        "f.yaml:1: this is no scenario: expected keys such as 'name', 'config' and 'steps'"
    ]


def faults_or_none(text: str) -> list[str]:
    try:
        parse_scenario(text, "f.yaml")
    except ScenarioError as error:
        return error.faults or ["no fault is told"]
    return []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "f.yaml:1: the file is empty"),
        ("# only a comment\n", "f.yaml:1: the file is empty"),
        ("- a\n", "f.yaml:1: this is no scenario: expected keys such as 'name', 'config' and 'steps'"),
        ("a: [1\nb: 2\n", "f.yaml:2: not valid YAML"),
        ("steps:\n\t- wait: 1\n", "f.yaml:2: not valid YAML: a tab where only spaces may indent"),
        ("name: @x\n", "f.yaml:1: not valid YAML: '@' cannot stand here unquoted"),
        ("name: \x01\n", "f.yaml:1: not valid YAML: control characters"),
        ("name: x\n---\nname: y\n", "f.yaml:2: a second document"),
        ("name: *x", "f.yaml:1: not valid YAML: nothing above is named &x"),
        ("name: &a [*a]", "f.yaml:1: not valid YAML: nothing above is named &a"),
        ("name: x\nname: y\n", "f.yaml:2: the key 'name' stands here twice, first on line 1"),
        ("name: !!python/object:os.system x", "f.yaml:1: the tag"),
        ("? [a]\n: b", "f.yaml:1: a key must be a word"),
        ("<<: {name: x}", "f.yaml:1: merge keys"),
        ("wrld: lab", "f.yaml:1: unknown key 'wrld' (did you mean 'world'?)"),
        (
            "world: labb",
            "f.yaml:1: world: expected 'simulated', 'lab' or 'real', got 'labb' (did you mean 'lab'?)",
        ),
        ("name: [x]", "f.yaml:1: name: expected text, got a list"),
        ("name: yes", "f.yaml:1: name: expected text, got true: put it in quotes"),
        ("set: {a: true}", "f.yaml:1: set: a: expected text, got true"),
        ("set: 5", "f.yaml:1: set: expected a mapping (key: value), got 5"),
        ("config: nosuch.cfg", "f.yaml:1: config: nosuch.cfg: no such file"),
        ("zone: nosuch.zone", "f.yaml:1: zone: nosuch.zone: no such file"),
        ("callee: away", "f.yaml:1: callee: behaviour: a called user cannot be 'away'"),
        ("servers: {a: {}}", "f.yaml:1: server 'a': the key 'address' is missing"),
        ("servers: {a: {address: localhost}}", "f.yaml:1: server 'a': address: expected an IP address"),
        (
            "servers: {a: {address: 10.0.0.1, port: 70000}}",
            "f.yaml:1: server 'a': port: expected 65535 or less",
        ),
        (
            "servers: {a: {address: 10.0.0.1, transports: []}}",
            "f.yaml:1: server 'a': transports: expected at least",
        ),
        (
            "servers:\n  a: 10.0.0.1\n  b: 10.0.0.1",
            "f.yaml:3: server 'b': 10.0.0.1 port 5060 is taken by server 'a'",
        ),
        *(
            (
                f"servers: {{a: {{address: 10.0.0.1, port: {port}}}}}",
                f"expected a whole number, got '{port}'",
            )
            for port in ("²", "１", "1_000", "+1", "0x13c4", "9" * 50)
        ),
        ("steps: 5", "f.yaml:1: steps: expected a list, got 5"),
        ("steps:\n- reboot\n", "f.yaml:2: step 1: expected a mapping such as {wait: 5s}, got 'reboot'"),
        ("steps:\n- {}\n", "f.yaml:2: step 1: expected a mapping"),
        ("steps:\n- cal: x\n", "f.yaml:2: step 1: unknown step 'cal' (did you mean 'call'?)"),
        (
            "steps:\n- wait: 1s\n  reboot:\n",
            "f.yaml:3: step 1 (wait): 'reboot' beside 'wait': a step does one thing",
        ),
        (
            "steps:\n- wait: 1s\n  expct: {}\n",
            "f.yaml:3: step 1 (wait): 'expct' beside 'wait': only 'expect'",
        ),
        ("steps:\n- wait: soon\n", "f.yaml:2: step 1 (wait): time: 'soon' is not a duration"),
        ("steps:\n- wait:\n", "f.yaml:2: step 1 (wait): the key 'time' is missing"),
        ("steps:\n- reboot: 5\n", "f.yaml:2: step 1 (reboot): expected a mapping"),
        (
            "steps:\n- register: {line: one}\n",
            "f.yaml:2: step 1 (register): line: expected a whole number, got 'one'",
        ),
        ("steps:\n- register: {line: 0}\n", "f.yaml:2: step 1 (register): line: expected 1 or more, got 0"),
        ("steps:\n- call: {line: 1}\n", "f.yaml:2: step 1 (call): the key 'to' is missing"),
        ("steps:\n- hangup: {}\n", "f.yaml:2: step 1 (hangup): there is no call above this step"),
        ("steps:\n- hangup: c1\n- call: {to: x, id: c1}", "there is no call 'c1': it is only made in step 2"),
        (
            "steps:\n- call: x\n- hangup: c2",
            "f.yaml:3: step 2 (hangup): there is no call 'c2' (known: c1)",
        ),
        (
            "steps:\n- call: {to: x, id: a}\n- call: {to: x, id: a}",
            "f.yaml:3: step 2 (call): there is a call 'a' alr",
        ),
        ("steps:\n- call: x\n- answer:", "f.yaml:3: step 2 (answer): the phone made the call 'c1' itself"),
        ("steps:\n- call: x\n- transfer: {}", "f.yaml:3: step 2 (transfer): write either 'to'"),
        (
            "steps:\n- call: x\n- transfer: {with: c1}",
            "f.yaml:3: step 2 (transfer): 'with' names the call itself",
        ),
        (
            "steps:\n- call: x\n  expect: {fails: true}",
            "f.yaml:3: step 1 (call): expect: a step 'call' does not fail: write 'result: failed'",
        ),
        (
            "steps:\n- wait: 1s\n  expect: {fails: true}",
            "f.yaml:3: step 1 (wait): expect: a step 'wait' does not",
        ),
        (
            "steps:\n- call: x\n- hold:\n  expect: {fails: false}",
            "f.yaml:4: step 2 (hold): expect: fails: expected true, or words of the reason, got false",
        ),
        ("steps:\n- call: x\n- dtmf: xyz", "f.yaml:3: step 2 (dtmf): digits: expected keys of the phone"),
        ("steps:\n- dns: {}", "f.yaml:2: step 1 (dns): write 'zone'"),
        ("steps:\n- dns: nosuch.zone", "f.yaml:2: zone: nosuch.zone: no such file"),
        (
            "steps:\n- server: {name: a, behaviour: ok}",
            "step 1 (server): name: there is no server 'a': the file has no",
        ),
        (
            "servers: {primary: 10.0.0.1}\nsteps:\n- server: {name: primry, behaviour: ok}",
            "f.yaml:3: step 1 (server): name: there is no server 'primry' (did you mean 'primary'?)",
        ),
        ("steps:\n- callee: 5", "f.yaml:2: step 1 (callee): behaviour: expected one of answer, busy"),
        (
            "world: real\nsteps:\n- incoming: {}",
            "f.yaml:3: step 1 (incoming): nobody can do that in the real world",
        ),
        ("steps:\n- expect: {}", "f.yaml:2: step 1 (expect): it expects nothing"),
        ("steps:\n- expect: {result: answered}", "f.yaml:2: step 1 (expect): there is no call above"),
        (
            "steps:\n- register:\n  expect: {result: failed}",
            "f.yaml:3: step 1 (register): expect: 'result' is about",
        ),
        (
            "steps:\n- call: x\n  expect:\n    viaa: primary\n",
            "f.yaml:4: step 1 (call): expect: unknown key 'viaa' (did you mean 'via'?)",
        ),
        (
            "steps:\n- call: x\n  expect: {via: primry}",
            "via: there is no role and no server 'primry' (did you mean 'p",
        ),
        ("steps:\n- call: x\n  expect: {via: target-2}", "via: there is no role and no server 'target-2'"),
        (
            "steps:\n- call: x\n  expect:\n    route:\n    - primary: lost",
            "f.yaml:5: step 1 (call): expect: route: en",
        ),
        (
            "steps:\n- call: x\n  expect: {route: [primary: 99]}",
            "route: entry 1: expected an outcome or a final status",
        ),
        ("steps:\n- call: x\n  expect: {state: tlking}", "state: expected 'calling', 'ringing', 'talking'"),
    ],
)
def test_one_fault(text: str, fault: str) -> None:
    found = faults(text)
    assert len(found) == 1, found
    assert found[0].startswith("f.yaml:")
    assert fault in found[0]


def test_all_faults_at_once() -> None:
    text = """\
name: [1]
wrld: lab
config: [nosuch.cfg, other.cfg]
servers:
  primary: {address: 192.168.1.131.4, prt: 6}
steps:
  - register: {line: one}
    expect: {registered: [primry], within: soon}
  - server: {name: prim, behaviour: silet}
  - call: {line: 1, id: c1}
    expect: {viaa: secondary, call: c7}
  - hangup: {call: c1}
"""
    lines = [int(fault.split(":")[1]) for fault in faults(text)]
    assert lines == [1, 2, 3, 3, 5, 5, 7, 8, 8, 9, 9, 10, 11, 11]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("[" * 100_000, 1, id="lists"),
        pytest.param("a: " + "{a: " * 5_000, 1, id="mappings"),
        pytest.param("a:\n" + "[{" * 5_000, 2, id="lists of mappings"),
        pytest.param("- " * 40_000 + "a", 1, id="block lists"),
        pytest.param("a:\n" + "? " * 9_000, 2, id="block keys"),
    ],
)
def test_deep_nesting_is_a_fault_and_no_crash(text: str, line: int) -> None:
    assert faults(text) == [f"f.yaml:{line}: nested deeper than 32 levels"]


def test_brackets_in_quotes_are_no_nesting() -> None:
    (fault,) = faults('name: "' + "[" * 2_000 + '"\nsteps: @x\n')
    assert fault == "f.yaml:2: not valid YAML: '@' cannot stand here unquoted"


def test_aliases_do_not_multiply_without_end() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "more than 100000 values in one file" in faults("\n".join(lines))[0]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    cases = {
        "utf16.yaml": "name: x".encode("utf-16"),
        "latin.yaml": b"name: x\nzone: \xe9\n",
        "big.yaml": b"#" * (2 << 20),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.yaml").mkdir()
    names = [*cases, "folder.yaml", "nosuch.yaml"]
    with pytest.raises(ScenarioError) as error:
        read_scenarios([tmp_path / name for name in names])
    assert [fault.removeprefix(f"{tmp_path}/") for fault in error.value.faults] == [
        "utf16.yaml:1: not UTF-8 text (it looks like UTF-16): save the file as UTF-8",
        "latin.yaml:2: not UTF-8 text: save the file as UTF-8",
        "big.yaml:1: larger than 1 MiB",
        "folder.yaml:1: a folder, not a file",
        "nosuch.yaml:1: no such file",
    ]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_scenario(tmp_path / "bom.yaml").name == "x"


def test_paths_without_scenarios(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as error:
        find_scenarios([tmp_path, tmp_path / "nosuch"])
    assert error.value.faults == [
        f"{tmp_path}:1: the folder holds no scenario (*.yaml)",
        f"{tmp_path}/nosuch:1: no such file or folder",
    ]


@given(st.text(max_size=200) | st.text(alphabet="ab: -[]{}&*!|>'\"\n\t#?,1", max_size=80))
def test_any_text_is_read_or_told_about(text: str) -> None:
    assume("Error" not in text)  # faults quote what they are about
    found = faults_or_none(text)
    assert all(fault.startswith("f.yaml:") and "Error" not in fault for fault in found)


_WORDS = st.sampled_from(
    [
        "name",
        "servers",
        "steps",
        "call",
        "expect",
        "line",
        "to",
        "route",
        "primary",
        "address",
        "zone",
        "set",
        "id",
    ]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 900) | _WORDS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_WORDS, below, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_WORDS, _VALUES, max_size=5))
def test_any_structure_is_read_or_told_about(value: dict[str, object]) -> None:

    assert all(fault.startswith("f.yaml:1: ") for fault in faults_or_none(json.dumps(value)))
