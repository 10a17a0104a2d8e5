"""What `check` says, code by code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phone_emulator.config import Diagnostic, Severity, examine, load_text
from phone_emulator.config.keys import oddities
from phone_emulator.config.reader import HEADER, read_text
from phone_emulator.media.codecs import CODECS, spoken

# One target, no proxy: nothing here is surprising.
QUIET = {
    "enable": "1",
    "user_name": "1001",
    "password": "s3cret",
    "sip_server.1.address": "pbx.example.com",
    "sip_server.1.port": "0",
    "sip_server.1.transport_type": "3",
    "sip_server.1.register_on_enable": "1",
    "sip_server.1.failback_mode": "3",
}

SPOKEN = {"codec.g729.enable": "0"}
"""The default's only codec that cannot be spoken."""


def findings(**changes: str) -> list[Diagnostic]:
    """What is said when *changes* (``__`` for a dot, ``_1_`` for the server's number) are made to QUIET."""
    facts = QUIET | {key.replace("__", "."): value for key, value in changes.items()} | SPOKEN
    lines = ["#!version:1.0.0.1", *(f"account.1.{key} = {value}" for key, value in facts.items())]
    return load_text("\n".join(lines), "x.cfg").diagnostics


def examined(text: str, model: str = "SIP-T46S") -> list[Diagnostic]:
    """What is said of single keys of a file ``x.cfg`` of a header and *text*."""
    return oddities(read_text(f"{HEADER}\n{text}", "x.cfg", model=model))


def test_a_quiet_phone() -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # rule D1
        ({"sip_server__1__port": "5060"}, "6:warning:port-disables-srv"),
        ({"sip_server__1__port": ""}, "7:warning:port-disables-srv"),
        ({"sip_server__1__transport_type": "0"}, "7:warning:srv-needs-transport-3"),
        ({"sip_server__1__transport_type": ""}, "6:warning:srv-needs-transport-3"),
        # rule C12
        ({"sip_server__1__address": "192.168.1.13"}, "5:warning:no-failover"),
        ({"sip_server__1__address": "2001:db8::1"}, "5:warning:no-failover"),
        ({"sip_server__1__address": "", "sip_server__2__address": "192.168.1.15"}, "10:warning:no-failover"),
        # rule R9
        ({"sip_server__1__register_on_enable": "0"}, "8:hint:unregistered-at-secondary"),
        # rule C5
        ({"sip_server__1__retry_counts": "3"}, "10:hint:one-retry-key"),
        ({"sip_server__1__invite_retry_counts": "3"}, "10:hint:one-retry-key"),
        # rule R3
        ({"sip_server__2__address": "192.168.1.15"}, "10:hint:two-bindings"),
        (
            {
                "fallback__redundancy_type": "1",
                "sip_server__2__address": "PBX.example.com",
            },
            "11:warning:same-server",
        ),
        # rule R4
        ({"fallback__timeout": "60"}, "10:hint:no-effect"),
        # rule R6
        ({"redundancy_with_reg_fail__enable": "1"}, "10:hint:no-effect"),
        # rule F3
        ({"sip_server__1__failback_mode": "2", "sip_server__1__failback_timeout": "60"}, "10:hint:no-effect"),
        # rule R9
        (
            {"sip_server__1__failback_mode": "0", "sip_server__1__only_signal_with_registered": "1"},
            "10:hint:no-effect",
        ),
        # rule F6
        (
            {"sip_server__1__failback_mode": "0", "sip_server__1__failback_subscribe__enable": "1"},
            "10:hint:no-effect",
        ),
        # rule O1
        ({"outbound_proxy__2__address": "192.168.1.20"}, "10:hint:no-effect"),
        ({"outbound_proxy_enable": "1"}, "10:warning:no-proxy"),
        ({"sip_server__1__port": "5060", "sip_server__1__transport_type": "2"}, "6:hint:tls-port"),
        ({"user_name": ""}, "2:warning:no-user"),
        ({"user_name": "1001@"}, "3:warning:no-domain"),
        ({"user_name": "1001@pbx example"}, "3:warning:no-domain"),
        ({"password": ""}, "2:hint:no-password"),
        ({"password": "1001"}, "4:hint:weak-password"),
        ({"user_name": "1001@pbx.example.com", "password": "1001"}, "4:hint:weak-password"),
    ],
)
def test_a_surprise_is_told_at_its_line(changes: dict[str, str], expected: str) -> None:
    told = [f"{found.line}:{found.severity}:{found.code}" for found in findings(**changes)]
    assert expected in told
    assert [found for found in told if found.split(":")[1] == "warning" and found != expected] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"sip_server__1__retry_counts": "3", "sip_server__1__invite_retry_counts": "3"},
        {"sip_server__2__address": "192.168.1.15", "fallback__redundancy_type": "1"},
        {"sip_server__1__failback_timeout": "60"},
        {"sip_server__1__port": "5060", "sip_server__1__transport_type": "0"},
        {"outbound_proxy_enable": "1", "outbound_proxy__1__address": "192.168.1.20"},
        {"fallback__timeout": "60", "fallback__redundancy_type": "1"},
    ],
)
def test_nothing_is_said_of_what_is_clear(changes: dict[str, str]) -> None:
    assert findings(**changes) == []


def test_disabled_accounts_are_left_alone() -> None:
    text = "account.1.enable = 0\naccount.1.sip_server.1.address = 192.168.1.13"
    codes = {found.code for found in load_text(text, strict=False).diagnostics}
    assert codes == {"no-header", "no-account"}


def test_an_older_name_is_the_place_that_is_shown() -> None:
    text = "account.1.enable = 1\naccount.1.user_name = a\naccount.1.sip_server_host = 192.168.1.13"
    found = next(found for found in load_text(text, "x.cfg").diagnostics if found.code == "no-failover")
    assert (found.line, found.key) == (3, "account.1.sip_server.1.address")


def test_the_factorys_password() -> None:
    found = next(
        found for found in examined("security.user_password = admin:admin") if "password" in found.code
    )
    assert str(found) == (
        "x.cfg:2: hint: default-password: static.security.user_password is the factory's password"
    )


CAN_BE_SPOKEN = ", ".join(spoken(CODECS))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], ["2:hint:G.729 is enabled and cannot be spoken here: it is not offered"]),
        (["codec.g729.enable = 0"], []),
        (
            ["codec.g729.enable = 1", "codec.ilbc.enable = 1", "codec.ilbc.priority = 0"],
            [
                "5:warning:G.729 is enabled and cannot be spoken here: it is not offered",
                "6:warning:iLBC is enabled and cannot be spoken here: it is not offered",
            ],
        ),
        (
            ["codec.5.priority = 1"],
            ["5:warning:G.729 is enabled and cannot be spoken here: it is not offered"],
        ),
        (
            [*(f"codec.{name}.enable = 0" for name in ("pcmu", "pcma", "g722")), "codec.g729.enable = 1"],
            [
                "8:warning:no enabled codec can be spoken here (G.729): there is nothing to offer;"
                f" {CAN_BE_SPOKEN} can be spoken; --offer declared offers what is enabled"
            ],
        ),
        (
            [f"codec.{name}.enable = 0" for name in ("pcmu", "pcma", "g722", "g729")],
            [f"5:warning:no codec is enabled: there is nothing to offer; {CAN_BE_SPOKEN} can be spoken"],
        ),
    ],
)
def test_codecs_that_cannot_be_spoken(lines: list[str], told: list[str]) -> None:
    start = "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.sip_server.1.address = a\n\n"
    found = load_text(start + "\n".join(f"account.1.{line}" for line in lines), "x.cfg").diagnostics
    assert [
        f"{each.line}:{each.severity}:{each.message.removeprefix('account.1: ')}"
        for each in found
        if each.code in ("codec-not-spoken", "no-codec")
    ] == told


HIDDEN = "sip_server.1.transport_type = 2 (TLS) hides them"
CLEAR = f"the keys go in the clear, so whoever reads them can listen; {HIDDEN}"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["srtp_encryption = 0", "sip_server.1.transport_type = 0", "srtp.cipher_list = F8"], []),
        (["srtp_encryption = 1", "sip_server.1.transport_type = 2"], []),
        (["srtp_encryption = 2", "sip_server.1.transport_type = 3"], []),
        (
            ["srtp_encryption = 2"],
            [f"5:keys-in-clear:srtp_encryption = 2, and sip_server.1 is reached over UDP: {CLEAR}"],
        ),
        (
            ["srtp_encryption = 1", "sip_server.1.transport_type = 1"],
            [f"5:keys-in-clear:srtp_encryption = 1, and sip_server.1 is reached over TCP: {CLEAR}"],
        ),
        (
            [
                "srtp_encryption = 1",
                "sip_server.1.transport_type = 2",
                "srtp.cipher_list = AEAD_AES_128_GCM F8_128_HMAC_SHA1_80",
            ],
            [
                "7:cipher-not-done:srtp.cipher_list: F8_128_HMAC_SHA1_80 cannot be used here:"
                " it is not offered; CAN"
            ],
        ),
        (
            [
                "srtp_encryption = 2",
                "sip_server.1.transport_type = 2",
                "srtp.cipher_list = F8_128_HMAC_SHA1_80",
            ],
            ["7:no-cipher:srtp.cipher_list names no cipher that can be used here: nothing is encrypted; CAN"],
        ),
    ],
)
def test_encryption_that_others_can_read_or_that_cannot_be_done(lines: list[str], told: list[str]) -> None:
    start = "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.sip_server.1.address = a\n\n"
    found = load_text(start + "\n".join(f"account.1.{line}" for line in lines), "x.cfg").diagnostics
    can = "AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32, AEAD_AES_128_GCM, AEAD_AES_256_GCM can be used"
    codes = ("keys-in-clear", "cipher-not-done", "no-cipher")
    assert [
        f"{each.line}:{each.code}:{each.message.removeprefix('account.1: ')}"
        for each in found
        if each.code in codes
    ] == [each.replace("CAN", can) for each in told]
    assert {each.severity for each in found if each.code in codes} <= {Severity.WARNING}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["conf_type = 2"], [5]),
        (["conf_type = 2", "conf_uri = conf@a"], []),
        (["conf_type = 0"], []),
        ([], []),
    ],
)
def test_a_conference_at_a_server_that_nothing_names(lines: list[str], told: list[int]) -> None:
    start = "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.sip_server.1.address = a\n\n"
    found = load_text(start + "\n".join(f"account.1.{line}" for line in lines), "x.cfg").diagnostics
    assert [each.line for each in found if each.code == "no-conference"] == told


def test_a_codec_of_the_default_is_told_of_once() -> None:
    lines = [f"account.{n}.enable = 1\naccount.{n}.sip_server.1.address = a" for n in (1, 2, 3)]
    text = "\n".join(["#!version:1.0.0.1", *lines, "account.3.codec.g729.enable = 1"])
    found = [each for each in load_text(text, "x.cfg").diagnostics if each.code == "codec-not-spoken"]
    assert [(each.line, str(each.severity)) for each in found] == [(2, "hint"), (8, "warning")]


def test_unknown_keys_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_text(
        "#!version:1.0.0.1\n"
        "account.3.sip_server.1.transport_typ = 1\n"
        "sip.timer_t3 = 4\n"
        "account.3.dnd.on_code = *78\n"
        "entirely.made.up = 1\n"
        "account.3.sip_server.3.address = 192.168.1.16\n"
        "account.x.enable = 1\n"
    )
    told = [(found.line, str(found.severity), found.code, found.message) for found in examine([file])]
    assert [finding for finding in told if finding[2] not in ("no-account", "no-effect-here")] == [
        (
            2,
            "hint",
            "unknown-key",
            "account.3.sip_server.1.transport_typ is not a known parameter;"
            " did you mean account.3.sip_server.1.transport_type?",
        ),
        (3, "hint", "unknown-key", "sip.timer_t3 is not a known parameter; did you mean sip.timer_t4?"),
        (5, "hint", "unknown-key", "entirely.made.up is not a known parameter"),
        (
            6,
            "warning",
            "no-such-server",
            "account.3.sip_server.3.address is ignored: a phone has server 1 and server 2 only",
        ),
        (
            7,
            "hint",
            "unknown-key",
            "account.x.enable is not a known parameter; did you mean account.X.enable?",
        ),
    ]


def test_findings_stand_in_order_of_file_and_line(tmp_path: Path) -> None:
    first, second = tmp_path / "b.cfg", tmp_path / "a.cfg"
    first.write_text("account.1.enable = 1\naccount.1.sip_server.1.address = 192.168.1.13\nmade.up = 1\n")
    second.write_text("account.1.dtmf.type = 9\n")
    told = examine([first, second], ["account.1.ptime=7"])
    assert [(Path(found.file).name, found.line) for found in told] == [
        ("b.cfg", 1),
        ("b.cfg", 1),
        ("b.cfg", 1),
        ("b.cfg", 2),
        ("b.cfg", 3),
        ("a.cfg", 1),
        ("a.cfg", 1),
        ("--set", 1),
    ]


def test_no_password_is_ever_told(tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_text(
        "account.1.enable = 1\naccount.1.sip_server.1.address = a\naccount.1.user_name = hunter2\n"
        "account.1.password = hunter1\naccount.1.password = hunter2\naccount.1.pasword = hunter3\n"
        "account.1.password hunter4\nhunter5.X.password = a\n"
    )
    told = "\n".join(map(str, examine([file], ["account.1.pasword=hunter6"])))
    assert {"weak-password", "duplicate", "unknown-key", "no-equals"} <= set(told.replace(":", "").split())
    assert [f"hunter{n}" for n in (1, 2, 3, 4, 6) if f"hunter{n}" in told] == []


def test_a_finding_as_text_and_as_json() -> None:
    found = Diagnostic("x.cfg", 4, "sip.timer_t1", Severity.WARNING, "bad-value", "too large")
    assert str(found) == "x.cfg:4: warning: bad-value: too large"
    assert json.loads(json.dumps(found.as_json())) == {
        "file": "x.cfg",
        "line": 4,
        "key": "sip.timer_t1",
        "severity": "warning",
        "code": "bad-value",
        "message": "too large",
    }
