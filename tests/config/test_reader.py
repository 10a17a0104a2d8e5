"""The cfg language, quirk by quirk."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.diagnostic import MOST_PER_FILE_AND_CODE, Diagnostic
from phone_emulator.config.model import Secret
from phone_emulator.config.reader import (
    HEADER,
    LONGEST_LINE,
    MOST_BYTES,
    MOST_LINES,
    CfgError,
    read,
    read_text,
)


def values_of(text: str, model: str = "SIP-T46S") -> dict[str, str]:
    reading = read_text(f"{HEADER}\n{text}", "x.cfg", model=model)
    return {key: setting.value for key, setting in reading.settings.items()}


def findings_of(text: str) -> list[tuple[int, str, str]]:
    return [found_as(found) for found in read_text(text, "x.cfg").diagnostics]


def found_as(found: Diagnostic) -> tuple[int, str, str]:
    return found.line, str(found.severity), found.code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a.b = 1", {"a.b": "1"}, id="plain"),
        pytest.param(
            "a.b=1\na.c= 2\na.d =3", {"a.b": "1", "a.c": "2", "a.d": "3"}, id="blanks do not matter"
        ),
        pytest.param("\t a.b \t=\t 1 \t", {"a.b": "1"}, id="tabs and ends of line"),
        pytest.param("a.b = 1\r\na.c = 2\r\n", {"a.b": "1", "a.c": "2"}, id="CRLF"),
        pytest.param("a.b = 1\ra.c = 2", {"a.b": "1", "a.c": "2"}, id="CR"),
        pytest.param("a.b = x=y==z", {"a.b": "x=y==z"}, id="the first = parts"),
        pytest.param("sip.a= sip.b = 5060", {"sip.a": "sip.b = 5060"}, id="two settings fused"),
        pytest.param('a.b = "quoted"', {"a.b": '"quoted"'}, id="quotes are part of the value"),
        pytest.param("a.b = *72#1 # no comment", {"a.b": "*72#1 # no comment"}, id="no inline comments"),
        pytest.param("# a.b = 1\n  ## a.c = 2\n#\na.d = 1", {"a.d": "1"}, id="comments"),
        pytest.param("a.b =", {"a.b": ""}, id="blank value"),
        pytest.param("a.b = 1\na.b = 2", {"a.b": "2"}, id="the last word wins"),
        pytest.param("a.b = 1\na.b =", {"a.b": ""}, id="the last word wins when blank"),
        pytest.param("a.b = Zoë 東京", {"a.b": "Zoë 東京"}, id="UTF-8"),
        pytest.param("a.b = a\tb c", {"a.b": "a\tb c"}, id="blanks inside"),
        pytest.param("[T46S]a.b = 1\n[T48S]a.c = 2", {"a.b": "1"}, id="for this model"),
        pytest.param("[T46S,T48S] a.b = 1", {"a.b": "1"}, id="for some models"),
        pytest.param("[SIP-t46s]a.b = 1", {"a.b": "1"}, id="model with its prefix"),
        pytest.param("a.b = 1\n[T48S]a.b = 2", {"a.b": "1"}, id="another model's word does not count"),
        pytest.param("[T48S]a.b = 2", {}, id="a file for another model is no fault"),
        pytest.param("account.X.enable = 1\na.b = 1", {"a.b": "1"}, id="placeholder X"),
        pytest.param("account.{$row}.enable = 1", {}, id="placeholder of a template"),
        pytest.param("nonsense\na.b = 1", {"a.b": "1"}, id="no ="),
        pytest.param("= 1\na.b = 1", {"a.b": "1"}, id="no key"),
        pytest.param("a b = 1\na.b = 1", {"a.b": "1"}, id="a key with blanks"),
        pytest.param("Account.1.Enable = 1", {"account.1.enable": "1"}, id="known key in capitals"),
        pytest.param(
            "account.2.codec.g722_1_24kpbs.enable = 1\naccount.2.codec.G722_1C_24kpbs.enable = 0",
            {
                "account.2.codec.g722_1_24kpbs.enable": "1",
                "account.2.codec.G722_1c_24kpbs.enable": "0",
            },
            id="keys known with capitals",
        ),
        pytest.param("My.Own.Key = 1", {"My.Own.Key": "1"}, id="unknown key in capitals stays"),
    ],
)
def test_a_line_says(text: str, expected: dict[str, str]) -> None:
    assert values_of(text) == expected


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a.b = 1", (1, "warning", "no-header")),
        ("# first\n#!version:1.0.0.1\na.b = 1", (1, "warning", "no-header")),
        ("#!version:1.0.0.2\na.b = 1", (1, "warning", "no-header")),
        (f"{HEADER}\na.b = 1\nnonsense", (3, "warning", "no-equals")),
        (f"{HEADER}\na.b = 1\ninclude:config <x.cfg>", (3, "warning", "include")),
        (f"{HEADER}\naccount.X.enable = 1", (2, "warning", "placeholder")),
        (f"{HEADER}\na b = 1\na.b = 1", (2, "warning", "bad-key")),
        (f"{HEADER}\nACCOUNT.1.ENABLE = 1", (2, "warning", "key-case")),
        (f"{HEADER}\na.b = 1\na.b =", (3, "warning", "blank-duplicate")),
        (f"{HEADER}\na.b = 1\na.b = 2", (3, "hint", "duplicate")),
        (f"{HEADER}\na.b = 1\na.c = {'x' * LONGEST_LINE}", (3, "warning", "long-line")),
        (f"{HEADER}\na.b = 1\na.c = \x01", (3, "warning", "control-character")),
    ],
)
def test_a_quirk_is_told_with_its_line(text: str, finding: tuple[int, str, str]) -> None:
    assert findings_of(text) == [finding]


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\na.b = 1",
        f"{HEADER} \r\na.b = 1\r\n",
        f"\ufeff{HEADER}\na.b = 1",
        f"{HEADER}\na.b = 1\na.b = 1",
        f"{HEADER}\na.b =\na.b = 1",
        f"{HEADER}\nstatic.security.user_password = admin:1\nstatic.security.user_password = user:2",
        f"{HEADER}\n[T48S]whatever.X = 1",
    ],
)
def test_nothing_is_said_of_what_is_usual(text: str) -> None:
    assert findings_of(text) == []


def test_a_value_given_as_null_or_empty() -> None:
    settings = read_text(f"{HEADER}\na.a = %NULL%\na.b = %EMPTY%\na.c =\na.d = x", "x.cfg").settings
    assert [settings[key].given for key in ("a.a", "a.b", "a.c", "a.d")] == [None, "", None, "x"]


def test_a_setting_knows_its_place() -> None:
    setting = read_text(f"{HEADER}\n\n# comment\na.b = 1", "x.cfg").settings["a.b"]
    assert setting == ("a.b", "1", "x.cfg", 4)


def test_a_password_is_not_shown() -> None:
    setting = read_text("account.1.password = hunter2", "x.cfg").settings["account.1.password"]
    assert isinstance(setting.value, Secret)
    assert setting.value.reveal() == "hunter2"
    assert "hunter2" not in repr(setting)


def test_later_files_win(tmp_path: Path) -> None:
    first, second = tmp_path / "first.cfg", tmp_path / "second.cfg"
    first.write_text(f"{HEADER}\na.a = 1\na.b = 1\na.c = 1\n")
    second.write_text(f"{HEADER}\na.b = 2\na.c =\n")
    reading = read([first, second], ["a.a=3"])
    assert [(s.value, s.file, s.line) for s in reading.settings.values()] == [
        ("3", "--set", 1),
        ("2", str(second), 2),
        ("", str(second), 3),
    ]
    assert [str(found) for found in reading.diagnostics if found.code == "blank-duplicate"] == [
        f"{second}:3: warning: blank-duplicate: a.c is blank here, which wipes its value of {first}:4"
    ]


def test_a_known_override_is_taken_in_any_case() -> None:
    reading = read_text("a.b = 1", "x.cfg", ["SIP.Timer_T1 = 1"])
    assert reading.settings["sip.timer_t1"] == ("sip.timer_t1", "1", "--set", 1)


def test_an_unknown_override_is_told_with_the_nearest_name() -> None:
    reading = read_text(f"{HEADER}\na.b = 1", "x.cfg", ["sip.timer_t1=1", "account.3.pasword=hunter2"])
    assert [str(found) for found in reading.diagnostics] == [
        "--set:2: warning: unknown-key: account.3.pasword is not a known parameter;"
        " did you mean account.3.password?"
    ]


@pytest.mark.parametrize("override", ["", "=1", "account.1.enable", "a b=1", "a.b=1\nc.d=2", "a.b=\0"])
def test_an_override_that_is_none(override: str) -> None:
    with pytest.raises(CfgError) as caught:
        read([], ["sip.timer_t1=1", override])
    assert caught.value.faults == ["--set:2: expected KEY=VALUE, such as account.1.enable=1"]


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "1: holds no setting at all"),
        (b"\xef\xbb\xbf", "1: holds no setting at all"),
        (f"{HEADER}\n# only this\n\n".encode(), "1: holds no setting at all"),
        (b"once upon a time\nthere was\n", "1: holds no setting at all"),
        (b"a.b = 1\na.c = \0\n", "2: holds a NUL byte"),
        ("a.b = 1".encode("utf-16"), "1: is UTF-16 text"),
        (b"#!encrypt:1.0.0.0\nabc", "1: is an encrypted cfg file"),
        (b"a.b = 1\n\xff\x01\x80\n", "2: is neither UTF-8 nor Latin-1 text"),
        (b"a.b = 1\n" * (MOST_LINES + 1), f"{MOST_LINES}: has more than {MOST_LINES} lines"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, data: bytes, fault: str) -> None:
    file = tmp_path / "x.cfg"
    file.write_bytes(data)
    with pytest.raises(CfgError, match=f"^{re.escape(f'{file}:{fault}')}") as caught:
        read([file])
    assert len(caught.value.faults) == 1


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    good, pipe, large = tmp_path / "good.cfg", tmp_path / "pipe.cfg", tmp_path / "large.cfg"
    good.write_text("a.b = 1")
    os.mkfifo(pipe)
    large.touch()
    os.truncate(large, MOST_BYTES + 1)
    with pytest.raises(CfgError) as caught:
        read([good, tmp_path, tmp_path / "absent.cfg", pipe, large], ["nonsense"])
    assert caught.value.faults == [
        f"{tmp_path}:1: is a folder, expected a cfg file",
        f"{tmp_path}/absent.cfg:1: cannot be read: No such file or directory",
        f"{pipe}:1: is not a regular file",
        f"{large}:1: is larger than 64 MiB, no cfg file is",
        "--set:1: expected KEY=VALUE, such as account.1.enable=1",
    ]


def test_latin_1_is_read_and_told(tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_bytes(f"{HEADER}\na.b = 1\na.c = Zo\xeb\n".encode("latin-1"))
    reading = read([file])
    assert reading.settings["a.c"].value == "Zoë"
    assert [found_as(found) for found in reading.diagnostics] == [(3, "warning", "not-utf8")]


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(CfgError, match="holds no setting at all"):
        read_text("a." * LONGEST_LINE, "x.cfg")


def test_findings_are_bounded() -> None:
    text = f"{HEADER}\na.b = 1\n" + "nonsense\n" * 50_000
    findings = read_text(text, "x.cfg").diagnostics
    assert len(findings) == MOST_PER_FILE_AND_CODE + 1
    assert findings[-1].message == f"{50_000 - MOST_PER_FILE_AND_CODE} more like this"


KEYS = st.from_regex(r"[a-z0-9_]{1,8}(\.[a-z0-9_]{1,8}){0,4}", fullmatch=True)
VALUES = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(n) for n in range(32) if n != 9] + ["\x7f"]
    ),
    max_size=40,
).map(lambda text: text.strip(" \t"))
SPACES = st.text(" \t", max_size=3)


@settings(max_examples=60)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=8), SPACES, SPACES, st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(facts: dict[str, str], before: str, after: str, end: str) -> None:
    text = end.join(
        [HEADER, *(f"{before}{key}{after}={before}{value}{after}" for key, value in facts.items())]
    )
    assert {key: setting.value for key, setting in read_text(text, "x.cfg").settings.items()} == facts


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xef\xbb\xbf", f"{HEADER}\na.b = 1\n".encode()]))
def test_random_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, before: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "random.cfg"
    file.write_bytes(before + data)
    faults: list[str] = []
    places: list[int] = []
    try:
        places = [setting.line for setting in read([file]).settings.values()]
    except CfgError as error:
        faults = error.faults
    lines = (before + data).decode("latin-1").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert all(re.match(rf"{re.escape(str(file))}:\d+: ", fault) for fault in faults)
    assert all(1 <= line <= len(lines) for line in places)
