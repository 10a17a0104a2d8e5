"""The program in a process of its own: interrupts, pipes, start-up."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phone_emulator.cli.group import COMMANDS
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.parser import parse
from tests.cli.conftest import ROOT, Process, Run
from tests.patience import NET

Start = Callable[..., Process]
HEAVY = ("asyncio", "pydantic", "dns", "textual", "yaml", "cryptography", "pylibsrtp")


@pytest.mark.parametrize("signals", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_call_is_ended_and_the_line_deregistered(
    start: Start, example: Path, own_address: str, signals: signal.Signals, tmp_path: Path
) -> None:
    capture = tmp_path / "call.pcapng"
    process = start(
        "call", example, "1002", "--world", "lab", "--local-address", own_address,
        "--duration", "1h", "--log-level", "info", "--format", "json", "--pcap", capture,
    )  # fmt: skip
    process.wait_for("talking: answered at primary")
    status, out, err = process.end(signals, times=1)
    assert status == 130
    # rule R12
    assert err.count("unregistered: de-registered: 200 OK") == 2
    assert "interrupted" in err
    assert "Traceback" not in err
    assert json.loads(out)["result"] == "answered"
    assert b"BYE sip:" in capture.read_bytes()


def test_a_ringing_call_is_cancelled(start: Start, example: Path, own_address: str) -> None:
    process = start(
        "call", example, "1002", "--world", "lab", "--local-address", own_address, "--no-register",
        "--down", "callee=no-answer", "--log-level", "debug",
    )  # fmt: skip
    process.wait_for("SIP/2.0 180 Ringing")
    status, out, err = process.end(signal.SIGINT, times=1)
    assert status == 130
    assert "CANCEL sip:" in err
    assert "SIP/2.0 487" in err
    assert "cancelled" in out.splitlines()[-1]


def test_registering_can_be_interrupted(start: Start, example: Path, own_address: str) -> None:
    process = start(
        "register", example, "--world", "lab", "--local-address", own_address,
        "--down", "primary=silent", "--down", "secondary=silent", "--log-level", "info",
    )  # fmt: skip
    process.wait_for("registered at fallback")
    status, out, err = process.end(signal.SIGINT, times=1)
    assert (status, out) == (130, "")
    assert "line 1, server 2: unregistered: de-registered" in err


def test_a_scenario_can_be_interrupted_and_the_reports_are_written(
    start: Start, example: Path, own_address: str, tmp_path: Path
) -> None:
    for name, world in (("a", "simulated"), ("b", "lab")):
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\nworld: {world}\nconfig: {example}\nservers: {{fallback: 192.168.1.15}}\n"
            "steps:\n  - register: {line: 1}\n  - wait: 1h\n"
        )
    junit = tmp_path / "report.xml"
    process = start("run", tmp_path, "--local-address", own_address, "--log-level", "info", "--junit", junit)
    process.wait_for("registered at fallback 192.168.1.15")
    process.wait_for("registered at fallback 127.")
    status, out, err = process.end(signal.SIGINT, times=1)
    assert status == 130
    assert out.startswith("passed  a")
    assert "line 1, server 2: unregistered: de-registered" in err
    told = junit.read_text()
    assert 'tests="2"' in told
    assert "interrupted" in told


@pytest.fixture
def forgetful(own_address: str) -> Iterator[str]:
    """The address of a registrar that grants every lease, and does not answer when one is to end."""
    host = own_address.rpartition(".")[0] + ".13"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((host, 5060))

        def serve() -> None:
            while True:
                data, remote = server.recvfrom(65536)
                if not data:
                    return
                request = parse(data)
                if isinstance(request, Request) and request.headers.get("Expires") != "0":
                    contact = [("Contact", request.headers.get("Contact") or ""), ("Expires", "3600")]
                    server.sendto(response_to(request, 200, to_tag="t", extra=contact).to_bytes(), remote)

        thread = threading.Thread(target=serve)
        thread.start()
        yield host
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (host, 5060))
        thread.join()


def test_a_second_interrupt_leaves_at_once_and_names_what_stays(
    start: Start, own_address: str, forgetful: str, tmp_path: Path
) -> None:
    # rule R12
    cfg, scenario = tmp_path / "phone.cfg", tmp_path / "wait.yaml"
    keys = {"enable": 1, "user_name": 1001, "sip_server.1.address": forgetful, "sip_server.1.port": 5060}
    cfg.write_text(
        "#!version:1.0.0.1\n" + "".join(f"account.1.{key} = {value}\n" for key, value in keys.items())
    )
    scenario.write_text("name: w\nworld: real\nconfig: phone.cfg\nsteps:\n  - register: {}\n  - wait: 1h\n")
    process = start("run", scenario, "--local-address", own_address, "--log-level", "info")
    process.wait_for("registered at primary")
    process.process.send_signal(signal.SIGINT)
    process.wait_for("interrupted: ending calls and de-registering; once more stops at once")
    process.wait_for("unregistering")
    status, _, err = process.end(signal.SIGINT, times=1)
    assert status == 130
    left = [line for line in err.splitlines() if "stays registered" in line]
    assert len(left) == 1
    assert left[0].startswith(f"line 1 stays registered at primary {forgetful}:5060/udp, for 3")
    assert "given up" not in err
    assert "Traceback" not in err


def test_a_registrar_that_does_not_answer_at_the_end_is_named(
    start: Start, own_address: str, forgetful: str, tmp_path: Path
) -> None:
    # rule R12
    cfg = tmp_path / "phone.cfg"
    keys = {"enable": 1, "user_name": 1001, "sip_server.1.address": forgetful, "sip_server.1.port": 5060}
    keys["sip_server.1.retry_counts"] = 0
    cfg.write_text(
        "#!version:1.0.0.1\n" + "".join(f"account.1.{key} = {value}\n" for key, value in keys.items())
    )
    status, out, err = start("register", cfg, "--local-address", own_address).end()
    assert status == 0
    assert "registered at primary" in out
    assert f"line 1 stays registered at primary {forgetful}:5060/udp, for 3" in err


def test_the_lab_obeys_a_pipe_and_ends_with_it(start: Start, own_address: str) -> None:
    process = start("lab", "--local-address", own_address, stdin=subprocess.PIPE)
    orders = "primary 503\nsecondary INVITE=486, delay 2s\nnobody silent\ncallee busy\ncall\nstatus\n"
    out, err = process.process.communicate(orders, timeout=NET)
    assert process.process.returncode == 0
    network = own_address.rpartition(".")[0]
    assert f"{network}.13  udp 5060, tcp 5060, tls 5061  (ok)" in out
    assert f"DNS server:   {network}.53:5300" in out
    assert "account.1.sip_server.1.address = yealink.pbx.com" in out
    assert [line.split()[2] for line in out.splitlines() if "registered: nobody" in line] == [
        "503", "delay", "ok",
    ]  # fmt: skip
    assert "callee: busy" in out
    assert "there is no 'nobody' here: primary, secondary, fallback, callee" in err
    assert "no phone is registered here" in err


def test_the_lab_is_quit(start: Start, own_address: str) -> None:
    process = start("lab", "--local-address", own_address, stdin=subprocess.PIPE)
    assert process.process.stdin is not None
    process.process.stdin.write("quit\n")
    process.process.stdin.flush()
    assert process.process.wait(NET) == 0


def test_another_phone_calls_through_the_lab(
    start: Start, run: Run, own_address: str, tmp_path: Path
) -> None:
    lab = start("lab", "--local-address", own_address, "--no-prompt")
    assert lab.process.stdout is not None
    cfg = tmp_path / "lab.cfg"
    words: list[str] = []
    with cfg.open("w") as file:
        for line in lab.process.stdout:
            if line.startswith("call with it: "):
                words = line.split()
                break
            if line.startswith(("  account.", "  #!")):
                file.write(line.lstrip())
    assert words[3:6] == ["phone-emulator", "call", "lab.cfg"]
    result = run("call", cfg, *words[6:])
    assert result.exit_code == 0, result.output
    assert lab.end(signal.SIGINT, times=1)[0] == 130


def test_the_lab_calls_a_phone_that_is_registered(start: Start, example: Path, own_address: str) -> None:
    network = own_address.rpartition(".")[0]
    lab = start("lab", example, "--local-address", own_address, stdin=subprocess.PIPE)
    assert lab.process.stdout is not None
    assert lab.process.stdin is not None
    for line in lab.process.stdout:
        assert "password" not in line
        if line.startswith("call with it: "):
            break
    phone = start(
        "call", example, "1002", "--local-address", own_address, "--dns", f"{network}.53:5300",
        "--set", f"account.1.sip_server.2.address={network}.15", "--duration", "1h", "--log-level", "info",
    )  # fmt: skip
    phone.wait_for("talking: answered at primary")
    lab.process.stdin.write("call\nstatus\n")
    lab.process.stdin.flush()
    phone.wait_for("call-2, line 1, 1002: ringing")
    assert phone.end(signal.SIGINT, times=1)[0] == 130
    lab.process.stdin.close()
    status = lab.process.stdout.read()
    assert "calling 1001 through primary" in status
    assert "registered: 1001" in status
    assert lab.process.wait(NET) == 0


def test_sigterm_is_heeded_where_sigint_is_ignored(own_address: str) -> None:
    # What a shell script does to its background jobs.
    script = f'"{sys.executable}" -m phone_emulator lab --no-prompt --local-address {own_address}'
    process = subprocess.Popen(
        ["sh", "-c", f"trap '' INT; exec {script}"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("call with it"):
                break
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(NET) == 130


def test_a_program_that_is_to_outlive_its_terminal_does(own_address: str) -> None:
    """``nohup`` has it ignore SIGHUP."""
    script = f'"{sys.executable}" -m phone_emulator lab --no-prompt --local-address {own_address}'
    process = subprocess.Popen(
        ["sh", "-c", f"trap '' HUP; exec {script}"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("call with it"):
                break
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(NET) == 130


def test_a_reader_that_goes_away_is_no_fault(example: Path) -> None:
    command = f'"{sys.executable}" -m phone_emulator run configs --format json --routes | head -c 1'
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=NET
    )
    assert done.stdout == "{"
    assert done.stderr == ""


def test_a_route_whose_reader_has_gone_ends_in_time(example: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "phone_emulator", "call", str(example), "1002", "--world", "simulated"],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=NET,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def imported(arguments: list[str], names: tuple[str, ...]) -> tuple[str, str]:
    """What the program prints, and which of *names* it has imported by then."""
    code = (
        "import sys\n"
        "from phone_emulator.cli import main\n"
        f"sys.argv = ['phone-emulator', *{arguments!r}]\n"
        "try:\n    main()\n"
        f"finally:\n    print([name for name in {names!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=NET
    )
    return done.stdout, done.stderr


def test_help_imports_nothing_heavy() -> None:
    out, modules = imported(["--help"], HEAVY)
    assert modules == "[]\n"
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("command", ["check", "cfg", "example"])
def test_commands_about_files_import_no_phone(command: str) -> None:
    out, modules = imported([command, "--help"], ("phone_emulator.phone", "phone_emulator.sip"))
    assert f"phone-emulator {command}" in out
    assert modules == "[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: phone-emulator {command}" in result.stdout


def test_the_version(run: Run) -> None:
    assert run("--version").stdout.startswith("phone-emulator, version ")


def test_the_terminal_phone_in_a_terminal(own_address: str) -> None:
    ours, its = pty.openpty()
    termios.tcsetwinsize(ours, (40, 120))
    process = subprocess.Popen(
        [sys.executable, "-m", "phone_emulator", "tui", "--local-address", own_address],
        stdin=its,
        stdout=its,
        stderr=its,
        env=os.environ | {"TERM": "xterm-256color"},
    )
    os.close(its)
    shown, net = b"", threading.Timer(NET, process.kill)
    net.start()
    try:
        while b"Registered" not in shown:
            shown += os.read(ours, 65536)  # an end without it raises OSError
        os.write(ours, b"\x11")
        with contextlib.suppress(OSError):
            while os.read(ours, 65536):
                pass
        assert process.wait(NET) == 0
    finally:
        net.cancel()
        process.kill()
        process.wait()
        os.close(ours)
