"""Comments in cfg files that ask for silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import phone_emulator
from phone_emulator.config import load_settings, load_text
from phone_emulator.config.boot import read_boot
from phone_emulator.config.diagnostic import CODES
from phone_emulator.config.loading import examine_reading
from phone_emulator.config.reader import HEADER, read, read_text

PHONE = "account.1.enable = 1\naccount.1.user_name = 1\naccount.1.sip_server.1.address = 192.0.2.1\n"
ASK = "## phone-emulator: ignore"


def told(text: str) -> list[str]:
    """Line and code of what is said beside the phone itself."""
    found = examine_reading(read_text(text, "x.cfg"))
    quiet = {"no-password", "no-failover", "codec-not-spoken"}
    return [f"{each.line}:{each.code}" for each in found if each.code not in quiet]


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ("", ["6:bad-value", "7:bad-value"]),
        (f"{ASK} bad-value\n", ["8:bad-value"]),
        ("#phone-emulator:ignore  bad-value  \n", ["8:bad-value"]),
        (f"{ASK} tls-port, bad-value\n", ["8:bad-value"]),
        (f"{ASK} tls-port\n{ASK} bad-value\n# why\n", ["10:bad-value"]),
        (f"{ASK} tls-port\n", ["7:bad-value", "8:bad-value"]),
        (f"# {ASK} bad-value\n", ["7:bad-value", "8:bad-value"]),
        (f"{ASK} bad-value\n\n", ["6:bad-ignore", "8:bad-value", "9:bad-value"]),
        (f"{ASK} bad-valu\n", ["6:bad-ignore", "7:bad-value", "8:bad-value"]),
        (f"{ASK}\n", ["6:bad-ignore", "7:bad-value", "8:bad-value"]),
        ("## phone-emulator: hush\n", ["6:bad-ignore", "7:bad-value", "8:bad-value"]),
    ],
)
def test_above_a_setting(above: str, expected: list[str]) -> None:
    assert told(f"{HEADER}\n\n{PHONE}{above}account.1.ptime = 7\naccount.1.dtmf.type = 7\n") == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (f"{HEADER}\n{ASK} bad-value\n", []),
        (f"{HEADER}\n## Mine\n{ASK} bad-value\n# and more\n", []),
        (f"{HEADER}\n\n{ASK} bad-value\n\n", []),
        (f"{HEADER}\n\n{ASK} bad-value\n", ["7:bad-value", "8:bad-value"]),
        (f"{HEADER}\n{ASK} tls-port\n", ["6:bad-value", "7:bad-value"]),
        (f"\ufeff{HEADER}\r\n{ASK} bad-value\r\n", []),
    ],
)
def test_at_the_head_of_the_file(head: str, expected: list[str]) -> None:
    assert told(f"{head}{PHONE}account.1.ptime = 7\naccount.1.dtmf.type = 7\n") == expected


def test_at_the_end_it_is_for_nothing() -> None:
    assert told(f"{HEADER}\n{PHONE}{ASK} bad-value\n") == ["5:bad-ignore"]


def test_an_error_is_told_all_the_same() -> None:
    assert told(f"{HEADER}\n{ASK} no-server no-account\naccount.1.enable = 1\naccount.1.user_name = 1\n") == [
        "3:no-server"
    ]


def test_what_the_reader_says_is_ignored_too() -> None:
    assert told(f"{HEADER}\n{ASK} no-equals duplicate\n{PHONE}nonsense\naccount.1.enable = 1\n") == []
    assert told(f"{ASK} no-header\n{PHONE}") == []


def test_each_file_speaks_for_itself(tmp_path: Path) -> None:
    one, other = tmp_path / "one.cfg", tmp_path / "other.cfg"
    one.write_text(f"{HEADER}\n{ASK} bad-value\n{PHONE}account.1.ptime = 7\n")
    other.write_text(f"{HEADER}\naccount.1.dtmf.type = 7\n")
    found = examine_reading(read([one, other], ["account.1.session_timer.expires=0"]))
    assert [Path(each.file).name for each in found if each.code == "bad-value"] == ["other.cfg", "--set"]


def test_a_phone_that_starts_is_as_quiet() -> None:
    idle = "account.1.nat.nat_traversal = 1\n"
    text = f"{HEADER}\n{ASK} bad-value no-effect-here\n{PHONE}account.1.ptime = 7\n{idle}"
    loaded = load_text(text)
    assert "bad-value" not in {each.code for each in loaded.diagnostics}
    assert loaded.without_effect() == []
    again = load_settings(loaded.settings, ignores=loaded.ignores)
    assert "bad-value" not in {each.code for each in again.diagnostics}
    assert again.without_effect() == []


def test_in_a_boot_file() -> None:
    line = "account.1.enable = 1"
    assert [each.code for each in read_boot(f"{HEADER}\n\n{line}\n", "x.boot").diagnostics] == ["boot-key"]
    assert read_boot(f"{HEADER}\n\n{ASK} boot-key\n{line}\n", "x.boot").diagnostics == []


def test_each_code_is_somewhere_in_the_source() -> None:
    folder = Path(phone_emulator.__file__).parent
    source = "".join(
        path.read_text(encoding="utf-8") for path in folder.rglob("*.py") if path.name != "diagnostic.py"
    )
    assert {code for code in CODES if not re.search(rf'"{code}"', source)} == set()
