"""What the scripts promise to the people who work on this project."""

from __future__ import annotations

import os
import subprocess
import sys
from email.message import Message
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
CHILDREN = """
import os, pathlib, sys
for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try:
        parent = int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        continue
    if parent == os.getppid() and int(stat.parent.name) != os.getpid():
        print(stat.parent.name)
sys.exit(7)
"""
"""Prints who else runs beside it, and fails in a way of its own."""


def script(name: str) -> ModuleType:
    spec = spec_from_loader(name, SourceFileLoader(name, str(SCRIPTS / name)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_under_load_eight_loops_run_as_long_as_the_command() -> None:
    done = subprocess.run(
        [SCRIPTS / "under_load", sys.executable, "-c", CHILDREN], capture_output=True, text=True, check=False
    )
    loops = [int(line) for line in done.stdout.split()]
    assert done.returncode == 7
    assert len(loops) == 8
    for loop in loops:
        with pytest.raises(ProcessLookupError):
            os.kill(loop, 0)


@pytest.mark.parametrize(
    ("changed", "named", "beside"),
    [
        ("phone_emulator/dns/cache.py", "tests/dns/test_cache.py", "tests/dns/test_resolver.py"),
        ("tests/dns/test_resolver.py", "tests/dns/test_resolver.py", "tests/dns/test_cache.py"),
        ("tests/dns/conftest.py", None, "tests/dns/test_cache.py"),
        ("phone_emulator/durations.py", "tests/test_durations.py", None),
        ("tests/integration/test_dns.py", None, None),
        ("README.md", None, None),
    ],
)
def test_quick_begins_with_what_is_named_like_the_change(
    changed: str, named: str | None, beside: str | None
) -> None:
    first, then = script("quick").touched([Path(changed)])
    assert list(map(str, first)) == ([named] if named else [])
    assert beside in map(str, then) if beside else not then


@pytest.mark.parametrize("name", script("nightly").CAMPAIGNS)
def test_a_campaign_of_the_night_is_there(name: str) -> None:
    command = script("nightly").CAMPAIGNS[name]
    files = [Path(word) for word in command if "/" in word]
    assert files
    assert all((SCRIPTS.parent / file).exists() for file in files)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(MIT OR GPL-3.0-only) AND GPL-3.0-only", False),
        ("(MIT OR ISC) AND Zlib", True),
        ("GPL-3.0-or-later", False),
        ("MIT License …", False),
        ("", False),
    ],
)
def test_licenses_lets_pass_what_may_be_used(expression: str, allowed: bool) -> None:
    assert script("licenses").allowed(expression) is allowed


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"License-Expression": "ISC", "License": "other"}, "ISC"),
        ({"Classifier": "License :: OSI Approved :: MIT License", "License": "long"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, "GNU General"),
        ({"Classifier": "License :: OSI Approved", "License": "BSD License"}, "BSD-3-Clause"),
        ({"License": "MIT"}, "MIT"),
        ({"License": "Copyright somebody\nand more"}, "Copyright somebody …"),
        ({}, ""),
    ],
)
def test_licenses_takes_a_package_at_its_word(headers: dict[str, str], found: str) -> None:
    said = Message()
    for name, value in headers.items():
        said[name] = value
    assert script("licenses").licence(said).startswith(found)
    assert bool(found) == bool(script("licenses").licence(said))


def test_licenses_fails_for_what_is_locked_and_not_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin = "no-such-package-here==1.0{} \\\n    --hash=sha256:0\n"
    lock = tmp_path / "x.txt"
    lock.write_text(pin.format(" ; sys_platform == 'win32'"))
    assert script("licenses").main([str(lock)]) == 0
    assert "not for this machine" in capsys.readouterr().out
    lock.write_text(pin.format(""))
    assert script("licenses").main([str(lock)]) == 1
    told = capsys.readouterr().err
    assert told == "licenses: no-such-package-here 1.0: its licence is not an allowed one: unknown\n"


def test_licenses_reads_every_pin_of_the_lock(capsys: pytest.CaptureFixture[str]) -> None:
    lock = SCRIPTS.parent / "requirements" / "run.txt"
    assert script("licenses").main([]) == 0
    assert len(capsys.readouterr().out.splitlines()) == lock.read_text().count("==") - lock.read_text().count(
        " == "
    )
