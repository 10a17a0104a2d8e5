"""The grammar of boot files."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config import CfgError
from phone_emulator.config.boot import Boot, read_boot
from phone_emulator.config.reader import HEADER, MOST_LINES


def boot(*lines: str) -> Boot:
    return read_boot("\n".join([HEADER, *lines]), "x.boot")


def told(found: Boot) -> list[tuple[int, str, str]]:
    return [(each.line, str(each.severity), each.code) for each in found.diagnostics]


def test_a_whole_boot_file() -> None:
    found = boot(
        "## comment",
        "include:config <common.cfg>",
        'include:config "sub/dir/office.cfg"',
        "include:config <http://192.0.2.1/cfg/extra.cfg>",
        "[T46S,SIP-T48S]include:config <t4s.cfg>",
        "overwrite_mode = 1",
        "specific_model.excluded_mode = 0",
    )
    assert [(each.target, each.models, each.line) for each in found.includes] == [
        ("common.cfg", (), 3),
        ("sub/dir/office.cfg", (), 4),
        ("http://192.0.2.1/cfg/extra.cfg", (), 5),
        ("t4s.cfg", ("T46S", "T48S"), 6),
    ]
    assert (found.overwrite_mode, found.excluded_mode, found.diagnostics) == (True, False, [])


@pytest.mark.parametrize(
    ("excluded", "model", "targets"),
    [
        ("0", "SIP-T46S", ["all.cfg", "t46.cfg", "end.cfg"]),
        ("0", "SIP-T48S", ["all.cfg", "end.cfg"]),
        ("1", "SIP-T46S", ["t46.cfg"]),
        ("1", "t46s", ["t46.cfg"]),
        ("1", "SIP-T48S", ["all.cfg", "end.cfg"]),
    ],
)
def test_what_a_model_fetches(excluded: str, model: str, targets: list[str]) -> None:
    found = boot(
        "include:config <all.cfg>",
        "[T46S] include:config <t46.cfg>",
        "include:config <end.cfg>",
        f"static.specific_model.excluded_mode = {excluded}",
    )
    assert [each.target for each in found.includes_for(model)] == targets


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("include:config x.cfg", (2, "error", "boot-include")),
        ('include:config "x.cfg', (2, "error", "boot-include")),
        ("include:config <>", (2, "error", "boot-include")),
        ("include:config <x.txt>", (2, "error", "boot-include")),
        ("include:contacts <x.cfg>", (2, "error", "boot-include")),
        ("include:config <a\x01.cfg>", (2, "error", "boot-include")),
        ("[]include:config <x.cfg>", (2, "error", "boot-include")),
        ("[ , ]include:config <x.cfg>", (2, "error", "boot-include")),
        ("once upon a time", (2, "error", "boot-line")),
        ("account.1.enable = 1", (2, "warning", "boot-key")),
        ("overwrite_mode = yes", (2, "warning", "bad-value")),
        ("overwrite_mode =", (2, "warning", "bad-value")),
    ],
)
def test_a_line_that_cannot_be_followed(line: str, finding: tuple[int, str, str]) -> None:
    found = boot(line, "include:config <y.cfg>")
    assert told(found) == [finding]
    assert [each.target for each in found.includes] == ["y.cfg"]


def test_the_header_is_missed() -> None:
    assert told(read_boot(b"include:config <x.cfg>", "x.boot")) == [(1, "warning", "no-header")]


def test_the_last_mode_counts_and_names_may_be_in_any_case() -> None:
    found = boot("overwrite_mode = 1", "overwrite_mode = 0", "include:config <X.CFG>")
    assert (found.overwrite_mode, [each.target for each in found.includes]) == (False, ["X.CFG"])


@pytest.mark.parametrize("data", [b"\0", b"#!encrypt:1.0.0.0\n", b"\n" * (MOST_LINES + 1)])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(CfgError, match=r"^x\.boot:\d+: "):
        read_boot(data, "x.boot")


def test_ten_thousand_includes() -> None:
    found = boot(*(f"include:config <{n}.cfg>" for n in range(10_000)))
    assert len(found.includes_for("SIP-T46S")) == 10_000


@settings(max_examples=80)
@given(st.binary(max_size=200) | st.text('[]<>"include:cofgT46S,.=1 \n', max_size=80).map(str.encode))
def test_random_bytes_are_read_or_refused(data: bytes) -> None:
    faults, targets = [], []
    try:
        targets = [each.target for each in read_boot(data, "x.boot").includes]
    except CfgError as error:
        faults = error.faults
    assert all(re.match(r"x\.boot:\d+: ", fault) for fault in faults)
    assert all(target.lower().endswith(".cfg") for target in targets)
