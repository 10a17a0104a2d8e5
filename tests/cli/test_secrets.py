"""Passwords from files, the environment or a prompt, and the warning where one stands on the command line."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from phone_emulator.cli.options import Common, common_options
from tests.patience import NET, wait_until

Run = Callable[..., Result]
KEY = "account.1.password"
SECRET = "Some-Secret-1"


def given(*words: str) -> Common:
    """What the common options say."""
    got: list[Common] = []
    command = click.command()(common_options("overrides")(got.append))
    said = CliRunner().invoke(command, [*words])
    assert said.exit_code == 0, said.output
    return got[0]


def test_a_value_is_read_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text(f"{SECRET} = ä#\n")
    monkeypatch.setenv("PHONE_NAME", "Anna")
    said = given(
        *("--set-from", f"{KEY}=file:{tmp_path}/password"),
        *("--set-from", "account.1.display_name=env:PHONE_NAME"),
        *("--set", "account.1.enable=1"),
    )
    assert said.overrides == ("account.1.enable=1", f"{KEY}={SECRET} = ä#", "account.1.display_name=Anna")


def test_a_pipe_will_do(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.write(write, SECRET.encode())
    os.close(write)
    try:
        assert given("--set-from", f"{KEY}=file:/dev/fd/{read}").overrides == (f"{KEY}={SECRET}",)
    finally:
        os.close(read)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (SECRET, "expected KEY=file:PATH, KEY=env:NAME or KEY=prompt"),
        ("", "expected KEY="),
        ("file:", "expected KEY="),
        ("env:", "expected KEY="),
        ("env:NO_SUCH_NAME_HERE", "env:NO_SUCH_NAME_HERE: there is no such variable"),
        ("prompt", "prompt: there is no terminal to ask at"),
        ("file:{}/none", "/none: cannot be read: No such file or directory"),
        ("file:{}", ": cannot be read: Is a directory"),
        ("file:{}/empty", "/empty: holds nothing"),
        ("file:{}/lines", "/lines: holds more than one line"),
        ("file:{}/latin", "/latin: is not UTF-8 text"),
        ("file:/dev/zero", "holds more than one line"),
        ("file:\0", "cannot be read: embedded null byte"),
    ],
)
def test_what_cannot_be_read_is_one_line_without_the_value(
    source: str, why: str, tmp_path: Path, run: Run, example: Path
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "lines").write_text(f"{SECRET}\n{SECRET}\n")
    (tmp_path / "latin").write_bytes(SECRET.encode() + b"\xe4")
    said = run("check", example, "--set-from", f"{KEY}={source.format(tmp_path)}")
    assert said.exit_code == 2
    assert said.stdout == ""
    [line] = said.stderr.splitlines()
    assert line.startswith(f"Invalid value for '--set-from': {KEY}: ")
    assert why in line
    assert SECRET not in line


def test_findings_tell_which_option_it_was(run: Run, example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANY", "many")
    port = "account.1.sip_server.1.port=env:MANY"
    said = run("check", example, "--set", "no.such_key=1", "--set-from", port)
    assert "--set:1: warning: unknown-key: " in said.stdout
    assert "--set-from:1: warning: bad-value: " in said.stdout


@pytest.mark.parametrize(
    "key",
    [
        "account.1.sip_server.1.port",
        "account.1.sip_server.1.address",
        "account.1.dtmf.type",
        "static.trusted_certificates.url",
    ],
)
@pytest.mark.parametrize("command", ["check", "route"])
def test_findings_do_not_quote_what_a_file_holds(
    key: str, command: str, run: Run, example: Path, tmp_path: Path
) -> None:
    """It may be another file than was meant."""
    (tmp_path / "password").write_text(f"{SECRET}:x/ y\n")
    offline = ("--dns", "127.0.0.1:9") if command == "route" else ()
    said = run(command, example, "--set-from", f"{key}=file:{tmp_path}/password", *offline)
    assert SECRET not in said.output


@pytest.mark.parametrize("option", ["--junit", "--html", "--pcap"])
def test_nothing_is_written_over_the_file_of_a_password(
    option: str, run: Run, example: Path, tmp_path: Path
) -> None:
    password, scenario = tmp_path / "password", tmp_path / "x.yaml"
    password.write_text(f"{SECRET}\n")
    scenario.write_text(f"name: x\nworld: simulated\nconfig: {example}\n")
    said = run("run", scenario, "--set-from", f"{KEY}=file:{password}", option, password)
    assert said.exit_code == 2
    assert f"what is read and {option} name the same file" in said.stderr
    assert password.read_text() == f"{SECRET}\n"


def test_a_scenario_run_takes_them_too(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MANY", "many")
    (tmp_path / "x.yaml").write_text("name: x\nset: {account.1.enable: 1}\nsteps: []\n")
    said = run("run", tmp_path / "x.yaml", "--set-from", "account.1.sip_server.1.port=env:MANY")
    assert "x.yaml" in said.stderr
    assert said.exit_code == 2
    assert "Traceback" not in said.stderr


def test_who_is_asked_is_not_overheard(example: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "phone_emulator", "cfg", "export", str(example), "--reveal"]
    with subprocess.Popen(
        [*command, "--set-from", f"{KEY}=prompt"],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            # What is typed before the terminal stops to echo is thrown away.
            wait_until(lambda: not termios.tcgetattr(leader)[3] & termios.ECHO, "asking without an echo")
            os.write(leader, f"{SECRET}\n".encode())
            out, told = process.communicate(timeout=NET)
        finally:
            process.kill()
    shown = os.read(leader, 1000).decode() if select.select([leader], [], [], 0)[0] else ""
    os.close(follower)
    os.close(leader)
    assert process.returncode == 0, told
    assert told.startswith(KEY)
    assert f"{KEY} = {SECRET}\n" in out
    assert SECRET not in told + shown


@pytest.mark.parametrize(
    ("words", "option", "key"),
    [
        (("--set", f"{KEY}={SECRET}"), f"--set {KEY}", KEY),
        (("--set", f" {KEY.upper()} = {SECRET}"), f"--set {KEY.upper()}", KEY.upper()),
        (
            ("--set", f"static.trusted_certificates.url=http://u:{SECRET}@192.0.2.1/ca.pem"),
            "--set static.trusted_certificates.url",
            "static.trusted_certificates.url",
        ),
        (("--set", f"security.user_password=admin:{SECRET}"), "--set security.user_password", None),
    ],
)
def test_a_password_on_the_command_line_is_told(
    words: tuple[str, ...], option: str, key: str | None, run: Run, example: Path
) -> None:
    said = run("check", example, *words)
    [line] = [each for each in said.stderr.splitlines() if each.startswith("warning: ")]
    assert line.startswith(
        f"warning: {option}: whoever lists the processes of this machine reads the password"
    )
    assert key is None or f"--set-from {key}=file:PATH" in line
    assert SECRET not in said.output


@pytest.mark.parametrize("url", ["http://u:{}@127.0.0.1:9/", "u:{}@127.0.0.1:9/"])
def test_a_password_in_the_servers_url_is_told(url: str, run: Run) -> None:
    quick = "static.auto_provision.attempt_before_failed=1", "static.auto_provision.attempt_expired_time=1"
    said = run("check", "--provision", url.format(SECRET), *(w for each in quick for w in ("--set", each)))
    line = said.stderr.splitlines()[0]
    assert line.startswith("warning: --provision: ")
    assert "--set-from static.auto_provision.server.password=file:PATH" in line
    assert SECRET not in said.output


@pytest.mark.parametrize(
    "words",
    [
        ("--set", f"{KEY}="),
        ("--set", "account.1.sip_server.1.address=192.0.2.1:5060"),
        ("--set", "account.1.display_name=http://192.0.2.1:80/a@b"),
        ("--set-from", f"{KEY}=env:HOME"),
    ],
)
def test_what_is_no_password_is_not_told(words: tuple[str, ...], run: Run, example: Path) -> None:
    assert "whoever lists" not in run("check", example, *words).stderr


def test_only_errors_are_told_where_that_is_asked_for(run: Run, example: Path) -> None:
    said = run("route", example, "--set", f"{KEY}={SECRET}", "--log-level", "error", "--dns", "127.0.0.1:9")
    assert "whoever lists" not in said.stderr


def test_a_mask_needs_a_capture(run: Run, example: Path) -> None:
    said = run("register", example, "--world", "simulated", "--mask")
    assert said.exit_code == 2
    assert said.stderr.startswith("--mask is about --pcap, which is not given.")


def test_a_masked_capture_of_each_command(run: Run, example: Path, zone: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "x.yaml"
    scenario.write_text(
        f"name: x\nworld: simulated\nconfig: {example}\nzone: {zone}\n"
        "servers: {primary: {address: 192.168.1.13}}\nsteps: [{register: {line: 1}}]\n"
    )
    capture = tmp_path / "x.pcapng"
    for words in (
        ("register", example, "--world", "simulated"),
        ("simulate", example, "--call", "1002"),
        ("run", scenario),
    ):
        for mask in ((), ("--mask",)):
            said = run(*words, "--pcap", capture, *mask)
            assert said.exit_code == 0, said.output
            data = capture.read_bytes()
            assert b"Authorization: Digest " in data
            assert (b'response="' + b"x" * 32 in data) == bool(mask)
