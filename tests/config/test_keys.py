"""What is odd about single keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phone_emulator.config import Diagnostic, Severity, examine
from phone_emulator.config.keys import MOST_SUGGESTIONS, oddities
from phone_emulator.config.reader import HEADER, read_text
from phone_emulator.config.sarif import sarif


def told(text: str, model: str = "SIP-T46S") -> list[str]:
    found = oddities(read_text(f"{HEADER}\n{text}", "x.cfg", model=model))
    return [f"{each.line}:{each.severity}:{each.code}" for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip.timer_t1 = 0.5", []),
        ("features.dnd_mode = 1", []),
        ("features.dnd_mode = 2", ["2:hint:bad-value"]),
        ("features.dnd_mode =", []),
        ("features.dnd_mode = %NULL%", []),
        ("static.auto_provision.repeat.minutes = 0", ["2:warning:bad-value"]),
        ("sip.timer_t1 = x", []),
        ("voice.tone.country = anywhere", []),
        ("sip.listen_mode= sip.listen_port = 5060", ["2:warning:fused-line"]),
        ("account.1.label = made.up = 1", []),
        ("account.1.label = sip.timer_t1", []),
        ("security.user_password = user:user", ["2:hint:older-name", "2:hint:default-password"]),
        ("static.security.user_password = user:admin", []),
        ("base.pin_code = 0000", ["2:hint:default-password"]),
        ("base.pin_code = 4711", []),
        ("network.vlan.internet_port_vid = 5", ["2:hint:older-name"]),
        ("network.vlan.internet_port_vid =", []),
        ("account.1.transport = 1\naccount.1.sip_server.1.transport_type = 2", ["2:warning:older-name"]),
        ("account.1.transport = 2\naccount.1.sip_server.1.transport_type = 2", ["2:hint:older-name"]),
        ("account.1.codec.3.enable = 1", ["2:hint:older-name"]),
        ("account.1.dns_cache_a.1.ip = 192.0.2.1", []),
        ("linekey.1.Type = 15", []),
        ("account.1.sip_server.3.address =", []),
        ("account.1.sip_server.3.address = a", ["2:warning:no-such-server"]),
    ],
)
def test_what_is_said_of_a_key(text: str, expected: list[str]) -> None:
    assert told(text) == expected
    assert told(text) == expected  # what was found in order once still is


@pytest.mark.parametrize(
    ("text", "model", "expected"),
    [
        ("dialplan.digitmap.enable = 1", "SIP-T46S", []),
        ("dialplan.digitmap.enable = 1", "SIP-T46G", ["2:hint:newer-key"]),
        ("static.network.primary_dns = 192.0.2.1", "SIP-T49G", ["2:hint:newer-key"]),
        ("static.network.primary_dns = 192.0.2.1", "SIP-T46G", []),
        ("dialplan.digitmap.enable = 1", "SIP-OF-TOMORROW", []),
    ],
)
def test_a_key_that_came_later(text: str, model: str, expected: list[str]) -> None:
    assert told(text, model) == expected


def test_names_are_looked_for_a_few_times_only() -> None:
    text = "\n".join(f"account.1.lable_{'x' * n} = 1" for n in range(MOST_SUGGESTIONS))
    found = oddities(read_text(f"{HEADER}\n{text}\naccount.1.lable = 1", "x.cfg"))
    assert "did you mean" not in found[-1].message


def test_a_boot_file_is_examined_too(tmp_path: Path) -> None:
    boot, cfg = tmp_path / "x.boot", tmp_path / "x.cfg"
    boot.write_text(f"{HEADER}\ninclude:config <x.txt>\n")
    cfg.write_text(f"{HEADER}\naccount.1.enable = 1\naccount.1.sip_server.1.address = pbx.example.com\n")
    assert [each.code for each in examine([boot])] == ["boot-include"]
    assert [(Path(each.file).name, each.code) for each in examine([boot, cfg])][:2] == [
        ("x.boot", "boot-include"),
        ("x.cfg", "no-user"),
    ]


def test_sarif() -> None:
    found = [
        Diagnostic("a b.cfg", 4, "sip.timer_t1", Severity.WARNING, "bad-value", "too large"),
        Diagnostic("a b.cfg", 1, "", Severity.ERROR, "no-account", "none"),
        Diagnostic("a b.cfg", 9, "", Severity.HINT, "bad-value", "odd"),
    ]
    log = json.loads(json.dumps(sarif(found)))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["bad-value", "no-account"]
    results = run["results"]
    assert [each["level"] for each in results] == ["warning", "error", "note"]
    assert [rules[each["ruleIndex"]] for each in results] == [each["ruleId"] for each in results]
    place = results[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b.cfg"}, "region": {"startLine": 4}}
    assert sarif([])["runs"][0]["results"] == []
