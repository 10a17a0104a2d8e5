"""Files that nobody would write: memory and patience stay bounded, and there is always a line to point at."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config import CfgError, examine
from phone_emulator.config.effective import differences
from phone_emulator.config.export import export
from phone_emulator.config.reader import HEADER, MOST_BYTES, read

HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.text('account.1[]T46S,=#"<> \t\r\n%NULX{}$é\u2028\x85:/@', max_size=120).map(str.encode),
    st.lists(
        st.sampled_from(
            b"account.1.enable|=| = |1|\n|[T46S]|[|]|%NULL%|include:config|static.security.user_password"
            b"|admin:|account.99999999999.x|sip.timer_t1|-".split(b"|")
        ),
        max_size=30,
    ).map(b"".join),
)


@settings(max_examples=150)
@given(HOSTILE, st.booleans())
def test_any_bytes_are_examined_or_refused_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, header: bool
) -> None:
    file = tmp_path_factory.getbasetemp() / "hostile.cfg"
    file.write_bytes(f"{HEADER}\n".encode() * header + data)
    said: list[str] = []
    try:
        said = [str(each) for each in examine([file])]
        found = read([file]).settings
        assert differences(found, found) == []
        assert export(found).startswith(HEADER)
    except CfgError as error:
        said = error.faults
    assert all(re.match(rf"{re.escape(str(file))}:\d+: ", each) for each in said)
    assert all(each.isprintable() for each in said)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"x" * (MOST_BYTES - 100), id="a key without end"),
        pytest.param(b"account.1.label = " + b"x" * (MOST_BYTES - 200), id="a value without end"),
        pytest.param(b"[" * (MOST_BYTES - 100), id="brackets without end"),
    ],
)
def test_a_line_of_64_mib(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "x.cfg"
    file.write_bytes(f"{HEADER}\naccount.1.enable = 1\n".encode() + line)
    tracemalloc.start()
    reading = read([file])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(each.line, each.code) for each in reading.diagnostics] == [(3, "long-line")]
    assert peak < 5 * MOST_BYTES


def test_a_file_of_nul_bytes(tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_bytes(b"\0" * 1_000_000)
    with pytest.raises(CfgError, match=r"x\.cfg:1: holds a NUL byte"):
        read([file])


def test_the_same_key_without_end(tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_text(f"{HEADER}\n" + "".join(f"a.b = {n}\n" for n in range(100_000)))
    reading = read([file])
    assert reading.settings["a.b"].value == "99999"
    assert len(reading.diagnostics) <= 101
