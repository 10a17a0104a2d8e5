"""``check``: its forms, its exit status, and phones one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

GOOD = """\
#!version:1.0.0.1
account.1.enable = 1
account.1.user_name = 1001
account.1.password = hunter2
account.1.sip_server.1.address = pbx.example.com
account.1.sip_server.1.port = 0
account.1.sip_server.1.transport_type = 3
account.1.sip_server.1.register_on_enable = 1
account.1.sip_server.1.failback_mode = 3
"""
SPOKEN = "account.1.codec.g729.enable = 0"
"""Without the default's only codec that cannot be spoken."""


def phone(folder: Path, name: str, *lines: str) -> Path:
    file = folder / name
    file.write_text(GOOD + "\n".join([*lines, SPOKEN]) + "\n")
    return file


@pytest.mark.parametrize(
    ("line", "plain", "strict"),
    [
        ("", 0, 0),
        ("made.up = 1", 0, 0),
        ("account.1.ptime = 7", 0, 1),
        ("account.1.label = sip.timer_t1 = 1", 0, 1),
        ("account.1.enable = 0", 1, 1),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_the_exit_status(run: Run, tmp_path: Path, line: str, plain: int, strict: int, form: str) -> None:
    file = phone(tmp_path, "x.cfg", line)
    assert run("check", file, "--format", form).exit_code == plain
    assert run("check", file, "--format", form, "--strict").exit_code == strict


def test_sarif_is_one_log(run: Run, tmp_path: Path) -> None:
    files = [phone(tmp_path, name, "made.up = 1", "account.1.ptime = 7") for name in ("a.cfg", "b.cfg")]
    log = json.loads(run("check", *files, "--format", "sarif", "--each").stdout)
    told = [
        (each["ruleId"], each["level"], each["locations"][0]["physicalLocation"]["region"]["startLine"])
        for each in log["runs"][0]["results"]
    ]
    assert told == [("unknown-key", "note", 10), ("bad-value", "warning", 11)] * 2


def test_each_file_is_a_phone(run: Run, tmp_path: Path) -> None:
    first, second = phone(tmp_path, "a.cfg", "made.up = 1"), phone(tmp_path, "b.cfg", "made.up =")
    assert "blank-duplicate" in run("check", first, second).stdout
    result = run("check", "--each", first, second)
    assert (result.exit_code, result.stderr) == (0, "2 hints\n")


def test_one_bad_file_does_not_hide_the_others(run: Run, tmp_path: Path) -> None:
    good = phone(tmp_path, "a.cfg", "made.up = 1")
    result = run("check", "--each", "nowhere.cfg", good, tmp_path)
    assert result.exit_code == 2
    assert result.stdout == f"{good}:10: hint: unknown-key: made.up is not a known parameter\n"
    assert result.stderr.splitlines() == [
        "nowhere.cfg:1: cannot be read: No such file or directory",
        f"{tmp_path}:1: is a folder, expected a cfg file",
    ]


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_no_password_is_shown(run: Run, tmp_path: Path, form: str) -> None:
    file = phone(
        tmp_path,
        "x.cfg",
        "account.1.password = hunter3",
        "account.1.pasword = hunter4",
        "static.security.user_password = admin:hunter5",
        "static.auto_provision.aes_key_16.mac = hunter6",
        "account.1.password = sip.timer_t1 = hunter7",
        "base.pin_code = hunter8",
    )
    result = run("check", file, "--format", form)
    assert "fused-line" in result.stdout
    assert "hunter" not in result.stdout + result.stderr


def test_a_model_with_fewer_accounts(run: Run, tmp_path: Path) -> None:
    file = phone(tmp_path, "x.cfg", "account.2.enable = 0")
    assert run("check", file, "--model", "SIP-T19P_E2").stdout == (
        f"{file}:10: warning: no-such-account: account.2 is ignored: a SIP-T19P_E2 has 1 account\n"
    )


def test_the_firmware_decides_which_keys_are_known(run: Run, tmp_path: Path) -> None:
    file = phone(tmp_path, "x.cfg", "dialplan.digitmap.enable = 1")
    assert run("check", file).stdout == ""
    assert run("check", file, "--firmware", "66.83.0.35").stdout == (
        f"{file}:10: hint: newer-key: dialplan.digitmap.enable came with V84: a SIP-T46S of V83 ignores it\n"
    )
