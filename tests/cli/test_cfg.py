"""``cfg``: compare, explain, export, encrypt and decrypt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phone_emulator.config.loading import load

from .conftest import Run, one_line

KEY = "0123456789abcdef"
TEXT = """\
#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 1001
account.1.password = hunter2
account.1.sip_server_host = pbx.example.com
account.1.label = first
account.1.label = second
static.security.user_password = admin:hunter3
sip.listen_port = five
static.auto_provision.server.url = http://joe:hunter4@example.com/
"""


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    file = tmp_path / "phone.cfg"
    file.write_text(TEXT)
    return file


def write(folder: Path, name: str, *lines: str) -> Path:
    file = folder / name
    file.write_text("\n".join(["#!version:1.0.0.1", *lines, ""]))
    return file


def test_there_and_back(run: Run, cfg: Path, tmp_path: Path) -> None:
    cipher, plain, key = tmp_path / "cipher.cfg", tmp_path / "plain.cfg", tmp_path / "key"
    key.write_text(f"{KEY}\n")
    assert run("cfg", "encrypt", cfg, "--key", KEY, "-o", cipher).exit_code == 0
    assert len(cipher.read_bytes()) % 16 == 0
    assert run("cfg", "decrypt", cipher, "--key-file", key, "--output", plain).exit_code == 0
    assert plain.read_text() == TEXT
    assert plain.stat().st_mode & 0o777 == 0o600
    assert run("cfg", "decrypt", cipher, "--key", KEY).stdout == TEXT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cipher.cfg", "key", "phone.cfg", "plain.cfg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--key", "0123456789abcdeF"], "cipher.cfg:1: the key does not open it"),
        (["--key", "short"], "--key:1: a key has 16 characters"),
        (["--key", "0123456789abcde "], "--key:1: a key holds letters"),
        (["--key-file", "nowhere"], "nowhere:1: cannot be read: No such file"),
        ([], "expected either --key or --key-file"),
        (["--key", KEY, "--key-file", "nowhere"], "expected either --key or --key-file"),
        (["--key", KEY, "-o", "/"], "is a folder"),
    ],
)
def test_what_cannot_be_decrypted(run: Run, cfg: Path, tmp_path: Path, options: list[str], said: str) -> None:
    cipher = tmp_path / "cipher.cfg"
    assert run("cfg", "encrypt", cfg, "--key", KEY, "-o", cipher).exit_code == 0
    result = run("cfg", "decrypt", cipher, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in one_line(result.stderr)
    assert KEY not in result.stderr


def test_what_is_no_cfg_file_is_not_encrypted(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_text("account.1.enable = 1\n")
    result = run("cfg", "encrypt", file, "--key", KEY)
    assert result.exit_code == 2
    assert "x.cfg:1: the first line is not #!version:1.0.0.1" in one_line(result.stderr)


def test_diff_is_by_meaning(run: Run, tmp_path: Path) -> None:
    a = write(tmp_path, "a.cfg", "account.1.transport = 1", "sip.timer_t1 = 0.50", "account.1.password = a")
    b = write(tmp_path, "b.cfg", "account.1.password = b", "account.1.sip_server.2.transport_type = 1")
    result = run("cfg", "diff", a, b)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"account.1.password: •••• ({a}:4) -> •••• ({b}:2)",
        f"account.1.sip_server.1.transport_type: 1 ({a}:2) -> 0 (default)",
    ]
    lines = run("cfg", "diff", a, b, "--format", "json").stdout.splitlines()
    assert json.loads(lines[1]) == {
        "key": "account.1.sip_server.1.transport_type",
        "left": {"value": "1", "origin": "provisioned", "file": str(a), "line": 2},
        "right": {"value": "0", "origin": "factory", "file": None, "line": None},
    }


def test_no_difference(run: Run, cfg: Path) -> None:
    result = run("cfg", "diff", cfg, cfg)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no difference\n")


def test_explain_a_value(run: Run, cfg: Path, tmp_path: Path) -> None:
    local = write(tmp_path, "001565aabbcc-local.cfg", "account.1.label = third")
    result = run("cfg", "explain", "account.1.label", cfg, local)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "account.1.label = third",
        f"  user: {local}:2",
        f"  replaced {cfg}:7: second",
        f"  replaced {cfg}:6: first",
        "  takes any text; default (none)",
        "  shows only",
    ]
    facts = json.loads(run("cfg", "explain", "account.1.label", cfg, "--format", "json").stdout)
    assert facts["replaced"] == [{"value": "first", "file": str(cfg), "line": 6}]
    assert (facts["value"], facts["origin"], facts["line"]) == ("second", "provisioned", 7)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("account.1.sip_server.1.address", "  there it is called account.1.sip_server_host"),
        ("account.1.sip_server_host", "account.1.sip_server.1.address = pbx.example.com"),
        ("account.1.password", "account.1.password = ••••"),
        ("static.security.user_password", "static.security.user_password = ••••"),
        (
            "static.auto_provision.server.url",
            "static.auto_provision.server.url = http://joe:••••@example.com/",
        ),
        ("sip.timer_t1", "  factory: the default"),
        ("sip.listen_port", "sip.listen_port = 5060"),
        ("sip.timer_t2", "  takes a number in 2..40; default 4"),
    ],
)
def test_explain(run: Run, cfg: Path, key: str, said: str) -> None:
    result = run("cfg", "explain", key, cfg)
    assert result.exit_code == 0
    assert said in result.stdout.splitlines()


def test_explain_a_value_that_is_none(run: Run, cfg: Path) -> None:
    said = run("cfg", "explain", "sip.listen_port", cfg).stdout
    assert f"  {cfg}:9 says five, which is no value of it" in said.splitlines()
    said = run("cfg", "explain", "sip.timer_t1", cfg, "--set", "sip.timer_t1=").stdout
    assert "  --set:1 says nothing, which asks for the default" in said.splitlines()


def test_explain_what_nobody_knows(run: Run, cfg: Path) -> None:
    result = run("cfg", "explain", "account.1.lable", cfg)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "not set, and not a known parameter; did you mean account.1.label?" in one_line(result.stderr)


def test_export_to_a_file_loads_back(run: Run, cfg: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean.cfg"
    clean.write_text("old")
    assert run("cfg", "export", cfg, "-o", clean).exit_code == 0
    assert clean.stat().st_mode & 0o777 == 0o600
    assert load([clean]).config == load([cfg]).config
    assert run("cfg", "diff", cfg, clean).exit_code == 0
    assert run("cfg", "export", clean, "--reveal").stdout == clean.read_text()


def test_export_to_stdout_shows_no_password(run: Run, cfg: Path) -> None:
    result = run("cfg", "export", cfg)
    assert "account.1.password = ••••" in result.stdout
    assert "hunter" not in result.stdout
    assert "hunter" in run("cfg", "export", cfg, "--reveal").stdout


def test_export_what_the_user_has_changed(run: Run, cfg: Path) -> None:
    options = ["--set", "account.1.label=third", "--set", "static.network.primary_dns=192.0.2.1"]
    assert run("cfg", "export", cfg, "--what", "local", *options).stdout == (
        "#!version:1.0.0.1\n\naccount.1.label = third\n"
    )


@pytest.mark.parametrize("command", ["decrypt", "encrypt", "diff", "explain", "export"])
def test_each_has_help_with_an_example(run: Run, command: str) -> None:
    result = run("cfg", command, "--help")
    assert result.exit_code == 0
    assert f"Example: phone-emulator cfg {command} " in result.stdout


@pytest.mark.parametrize(
    "arguments", [["export"], ["diff", "@"], ["explain", "account.1.label"]], ids=lambda each: each[0]
)
def test_a_file_that_cannot_be_read(run: Run, cfg: Path, arguments: list[str]) -> None:
    words = [str(cfg) if word == "@" else word for word in arguments]
    result = run("cfg", *words, "nowhere.cfg")
    assert (result.exit_code, result.stdout) == (2, "")
    assert one_line(result.stderr) == "nowhere.cfg:1: cannot be read: No such file or directory"
