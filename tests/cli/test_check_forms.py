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
CLEAR = """\
account.1.codec.g729.enable = 0
account.1.sip_server.1.retry_counts = 20
account.1.sip_server.1.invite_retry_counts = 10"""
"""Without the default's only codec that cannot be spoken; waits that are the same in every reading."""


def phone(folder: Path, name: str, *lines: str) -> Path:
    file = folder / name
    file.write_text(GOOD + "\n".join([*lines, CLEAR]) + "\n")
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
    new = ("check", file, "--only", "newer-key")
    assert run(*new).stdout == ""
    assert run(*new, "--firmware", "66.83.0.35").stdout == (
        f"{file}:10: hint: newer-key: dialplan.digitmap.enable came with V84: a SIP-T46S of V83 ignores it\n"
    )


IDLE = """\
static.network.vpn_enable = 1
dialplan.dialnow.rule.1 = 1xxx
dialplan.replace.replace.1 = 0
account.1.nat.nat_traversal = 1
static.sip.nat_stun.server = stun.example.com
account.1.hoteling.enable = 1
account.1.hoteling.mode = 0
phone_setting.backlight_time = 60
account.1.nat.stun_server =
"""


def test_a_key_that_does_nothing_is_told_with_what_is_missed(run: Run, tmp_path: Path) -> None:
    file = phone(tmp_path, "x.cfg", *IDLE.splitlines())
    result = run("check", file)
    assert result.stdout.splitlines() == [
        f"{file}:{line}: {severity}: no-effect-here: {key} has no effect here: {missed}"
        for line, severity, key, missed in [
            (
                10,
                "warning",
                "static.network.vpn_enable",
                "SIP and sound go around the VPN, through the machine's own network",
            ),
            (11, "warning", "dialplan.dialnow.rule.1", "no number is dialled before Send is pressed"),
            (
                12,
                "warning",
                "dialplan.replace.replace.1",
                "numbers are dialled as they are typed, nothing is replaced",
            ),
            (
                13,
                "warning",
                "account.1.nat.nat_traversal",
                "the far end is told the private address, as nothing asks for the public one",
            ),
            (
                14,
                "warning",
                "static.sip.nat_stun.server",
                "the far end is told the private address, as no STUN server is asked for the public one",
            ),
            (15, "hint", "account.1.hoteling.enable", "nobody logs in at the phone: there is no hoteling"),
        ]
    ]
    assert (result.exit_code, result.stderr) == (0, "5 warnings, 1 hint\n")


@pytest.mark.parametrize(
    ("options", "codes", "sum_"),
    [
        (["--only", "no-effect-here"], {"no-effect-here"}, "1 warning (2 left out)"),
        (
            ["--only", "bad-value", "--only", "unknown-key"],
            {"bad-value", "unknown-key"},
            "1 warning, 1 hint (1 left out)",
        ),
        (["--ignore", "bad-value"], {"no-effect-here", "unknown-key"}, "1 warning, 1 hint (1 left out)"),
        (["--ignore", "bad-value", "--ignore", "no-effect-here"], {"unknown-key"}, "1 hint (2 left out)"),
        (["--only", "bad-value", "--ignore", "bad-value"], set(), "nothing to say against it (3 left out)"),
    ],
)
def test_only_some_codes(run: Run, tmp_path: Path, options: list[str], codes: set[str], sum_: str) -> None:
    lines = ["made.up = 1", "account.1.ptime = 7", "account.1.nat.nat_traversal = 2"]
    file = phone(tmp_path, "x.cfg", *lines)
    result = run("check", file, "--format", "json", *options)
    assert {json.loads(line)["code"] for line in result.stdout.splitlines()} == codes
    assert run("check", file, *options).stderr == f"{sum_}\n"
    log = json.loads(run("check", file, "--format", "sarif", *options).stdout)
    assert {each["ruleId"] for each in log["runs"][0]["results"]} == codes


def test_what_is_left_out_does_not_fail_a_strict_check(run: Run, tmp_path: Path) -> None:
    file = phone(tmp_path, "x.cfg", "account.1.nat.nat_traversal = 2")
    assert run("check", file, "--strict").exit_code == 1
    assert run("check", file, "--strict", "--ignore", "no-effect-here").exit_code == 0
    assert run("check", file, "--strict", "--only", "bad-value").exit_code == 0


@pytest.mark.parametrize("options", [("--ignore", "no-account"), ("--only", "bad-value")])
def test_an_error_is_told_whatever_is_left_out(run: Run, tmp_path: Path, options: tuple[str, str]) -> None:
    file = phone(tmp_path, "x.cfg", "account.1.enable = 0")
    result = run("check", file, *options)
    assert result.exit_code == 1
    assert "error: no-account: " in result.stdout


@pytest.mark.parametrize("option", ["--only", "--ignore"])
def test_a_code_that_is_none(run: Run, tmp_path: Path, option: str) -> None:
    result = run("check", phone(tmp_path, "x.cfg"), option, "no-effect-her")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no-effect-her is no code; did you mean no-effect-here?" in result.stderr


def test_a_comment_in_the_file_leaves_out_too(run: Run, tmp_path: Path) -> None:
    above = "## phone-emulator: ignore no-effect-here"
    file = phone(tmp_path, "x.cfg", above, "account.1.nat.nat_traversal = 2", "account.1.hoteling.enable = 1")
    for form in ("text", "json", "sarif"):
        result = run("check", file, "--format", form)
        assert "nat_traversal" not in result.stdout
        assert "hoteling" in result.stdout
