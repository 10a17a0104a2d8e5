"""Every kind of bad input: its exit status, one clear line a fault, no traceback, nothing started."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
COMMANDS_WITH_CFG = ("check", "route", "register", "call", "simulate")


def refused(result: Result, status: int = 2) -> str:
    """What the one line on stderr says; nothing is on stdout."""
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def arguments(command: str, *cfg: Path) -> list[object]:
    """A command about *cfg* that would otherwise work without any network."""
    options = {"call": ["1002", "--world", "simulated"], "register": ["--world", "simulated"]}
    return [command, *cfg, *options.get(command, [])]


@pytest.mark.parametrize("command", COMMANDS_WITH_CFG)
def test_a_cfg_file_that_is_not_there(run: Run, command: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.cfg"
    assert refused(run(*arguments(command, missing))) == (
        f"{missing}:1: cannot be read: No such file or directory"
    )


@pytest.mark.parametrize("command", COMMANDS_WITH_CFG)
def test_an_empty_cfg_file(run: Run, command: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.cfg"
    empty.write_text("")
    assert refused(run(*arguments(command, empty))).startswith(f"{empty}:1: holds no setting at all")


@pytest.mark.parametrize("command", [name for name in COMMANDS_WITH_CFG if name != "check"])
def test_a_line_without_a_server(run: Run, command: str, tmp_path: Path) -> None:
    cfg = tmp_path / "phone.cfg"
    cfg.write_text("#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.user_name = 1001\n")
    said = refused(run(*arguments(command, cfg)))
    assert said.startswith(f"{cfg}:2: error: no-server: ")


def test_every_fault_has_a_line_of_its_own(run: Run, tmp_path: Path) -> None:
    result = run("check", tmp_path / "a.cfg", tmp_path / "b.cfg")
    assert result.exit_code == 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        str(tmp_path / "a.cfg"),
        str(tmp_path / "b.cfg"),
    ]


def test_a_wrong_scenario_key_and_an_unknown_server(run: Run, tmp_path: Path, example: Path) -> None:
    scenario = tmp_path / "wrong.yaml"
    scenario.write_text(
        f"name: wrong\nconfig: {example}\nzoen: x\nservers: {{primary: {{address: 192.0.2.1}}}}\n"
        "steps:\n  - server: {name: primry, behaviour: silent}\n"
    )
    result = run("run", scenario)
    assert result.exit_code == 2
    assert result.stdout == ""
    unknown_key, unknown_server = result.stderr.splitlines()
    assert unknown_key.startswith(f"{scenario}:3: ")
    assert "zoen" in unknown_key
    assert unknown_server.startswith(f"{scenario}:6: ")
    assert "primry" in unknown_server


def test_nothing_runs_if_one_scenario_is_wrong(run: Run, tmp_path: Path, example: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"name: good\nconfig: {example}\n")
    (tmp_path / "b.yaml").write_text(f"name: bad\nconfig: {example}\nset: {{nonsense}}\n")
    assert refused(run("run", tmp_path)).startswith(f"{tmp_path}/b.yaml:3: ")


def test_the_cfg_of_a_scenario_is_read_before_any_runs(run: Run, tmp_path: Path, example: Path) -> None:
    (tmp_path / "empty.cfg").write_text("")
    (tmp_path / "a.yaml").write_text(f"name: good\nconfig: {example}\n")
    (tmp_path / "b.yaml").write_text("name: bad\nconfig: empty.cfg\n")
    assert refused(run("run", tmp_path)).startswith(f"{tmp_path}/empty.cfg:1: ")


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_no_scenario_there(run: Run, tmp_path: Path, name: str) -> None:
    assert refused(run("run", tmp_path / name)).startswith(f"{tmp_path / name}:1: ")


@pytest.mark.parametrize("command", ["simulate", "route", "call"])
def test_a_zone_that_does_not_parse(run: Run, command: str, tmp_path: Path, example: Path) -> None:
    zone = tmp_path / "bad.zone"
    zone.write_text("example.com. 300 IN A 192.0.2.1\nexample.com. 300 IN SRV one two three\n")
    assert refused(run(*arguments(command, example), "--zone", zone)).startswith(f"{zone}:2: ")


def test_an_unknown_server_of_the_lab(run: Run, example: Path) -> None:
    said = refused(run("call", example, "1002", "--world", "simulated", "--down", "primry=silent"))
    assert "there is no server 'primry' here: primary, secondary, fallback, callee" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--down", "primary=asleep"], "primary: there is no behaviour 'asleep'"),
        (["--down", "primary"], "expected ROLE=BEHAVIOUR"),
        (["--down", "callee=asleep"], "a called user cannot be 'asleep'"),
        (["--line", "2"], "there is no line 2; enabled lines: 1"),
        *(
            (["--line", line], f"'{line}' is not the number of a line: they are counted from 1")
            for line in ("0", "²", "１", "1_0", "+1", " 1", "-1", "9" * 5000)
        ),
        *((["--seed", seed], f"'{seed}' is not a seed") for seed in ("²", "1_0", "-1", "9" * 5000)),
        (["--set", "nonsense"], "--set:1: expected KEY=VALUE"),
        (["--mac", "00:15:65"], "is not a MAC address"),
        (["--model", "T46S\r\nX: y"], "is not a model"),
        (["--firmware", "V73"], "'V73' is not a firmware version: expected numbers such as 66.86.0.15"),
        (["--local-address", "phone"], "'phone' is not an IP address"),
        (["--local-address", "10.0.0.1,10.0.0.2"], "one IPv4 and one IPv6 address at most"),
        (
            ["--local-address", "10.0.0.1", "--local-address", "10.0.0.2"],
            "one IPv4 and one IPv6 address at most",
        ),
        (["--local-address", "10.0.0.1", "--local-address", "fd00::x"], "'fd00::x' is not an IP address"),
        (["--dns", "192.0.2.53"], "--dns is for --world real"),
        (["--duration", "long"], "'long' is not a duration"),
        (["--pcap", "/nowhere/x.pcapng"], "there is no folder /nowhere"),
        (["--record", "."], ". is a folder"),
        (["--world", "lab", "--play", "/nowhere/x.wav"], "/nowhere/x.wav: No such file or directory"),
        (["--world", "mars"], "'mars' is not one of"),
        (["--frobnicate"], "No such option"),
    ],
)
def test_bad_usage(run: Run, example: Path, options: list[str], said: str) -> None:
    assert said in refused(run("call", example, "1002", "--world", "simulated", *options))


@pytest.mark.parametrize(
    "server", ["192.0.2.53:0", "192.0.2.53:x", "192.0.2.53:²", "[2001:db8::1", "dns.example.com"]
)
def test_a_dns_server_is_an_address(run: Run, example: Path, server: str) -> None:
    assert "--dns" in refused(run("route", example, "--dns", server))


@pytest.mark.parametrize(
    ("number", "why"),
    [
        *((number, "is no number to dial") for number in ("", "Bob Smith", "1002\r\nX: y")),
        ("sip:", "is no SIP URI"),
        ("mailto:a@example.com", "expected a number"),
    ],
)
def test_a_number_that_cannot_be_dialled(run: Run, example: Path, number: str, why: str) -> None:
    said = refused(run("call", example, number, "--world", "simulated"))
    assert why in said


def test_two_reports_need_two_files(run: Run, tmp_path: Path, example: Path) -> None:
    scenario, report = tmp_path / "s.yaml", tmp_path / "report"
    scenario.write_text(f"name: n\nworld: simulated\nconfig: {example}\n")
    said = refused(run("run", scenario, "--junit", report, "--html", tmp_path / "." / "report"))
    assert "--junit and --html name the same file" in said
    assert not report.exists()


@pytest.mark.parametrize("option", ["--junit", "--html", "--pcap"])
@pytest.mark.parametrize("what", ["s.yaml", "x.cfg", "x.zone"])
def test_no_report_of_a_run_takes_the_place_of_what_it_reads(
    run: Run, tmp_path: Path, example: Path, option: str, what: str
) -> None:
    texts = {
        "s.yaml": "name: n\nworld: simulated\nconfig: x.cfg\nzone: x.zone\n",
        "x.cfg": example.read_text(),
        "x.zone": "yealink.pbx.com. 60 IN A 192.168.1.13\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    said = refused(run("run", tmp_path / "s.yaml", option, tmp_path / "." / what))
    assert f"what is read and {option} name the same file" in said
    assert (tmp_path / what).read_text() == texts[what]


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("call", ["1002", "--record"]),
        ("call", ["1002", "--pcap"]),
        ("register", ["--pcap"]),
        ("simulate", ["--call", "1002", "--pcap"]),
    ],
)
def test_nothing_is_written_over_a_cfg_file(
    run: Run, tmp_path: Path, example: Path, command: str, options: list[str]
) -> None:
    cfg = tmp_path / "x.cfg"
    cfg.write_text(example.read_text())
    said = refused(run(command, cfg, *options, cfg))
    assert "name the same file" in said
    assert cfg.read_text() == example.read_text()


def test_the_lab_has_options_that_the_real_world_has_not(run: Run, example: Path) -> None:
    assert "--down is about the embedded servers" in refused(
        run("call", example, "1002", "--down", "primary=silent")
    )


def test_an_unknown_command(run: Run) -> None:
    assert refused(run("frobnicate")) == "No such command 'frobnicate'. (see phone-emulator --help)"


def test_the_terminal_phone_needs_a_terminal(run: Run) -> None:
    assert "needs a terminal" in refused(run())
    assert "needs a terminal" in refused(run("tui"))


def test_a_port_in_use(run: Run, example: Path, own_address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind((own_address, 5060))
        said = refused(run("call", example, "1002", "--world", "lab", "--local-address", own_address), 3)
    who = "address already in use by this program itself"
    assert said == f"cannot bind {own_address}:5060/udp: {who}; --local-port 0 takes any that is free"


def test_no_such_local_address(run: Run, example: Path) -> None:
    said = refused(run("call", example, "1002", "--local-address", "192.0.2.21"), 3)
    assert said == "no such local address 192.0.2.21"
