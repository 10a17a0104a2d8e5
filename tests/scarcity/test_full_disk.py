"""Nothing more can be written: status 3 and one line that names the file, and no half of one is left."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from phone_emulator.events import InternalFault
from phone_emulator.tui.fault_file import FaultFile
from tests import addresses
from tests.patience import NET
from tests.scarcity.test_planted import EXAMPLE, ROOT, SCENARIO, ZONE

FULL = Path("/dev/full")
LAB = ("--world", "lab", "--local-address", addresses.own_address())
SIMULATED = ("--world", "simulated")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")

TO_STDOUT = [
    ("call", EXAMPLE, "1002", *LAB, "--duration", "0s"),
    ("call", EXAMPLE, "1002", *LAB, "--duration", "0s", "--format", "json"),
    ("register", EXAMPLE, *LAB),
    ("lab", "--no-prompt", *LAB[2:]),
    ("check", EXAMPLE),
    ("params",),
    ("simulate", EXAMPLE, "--call", "1002"),
    ("explain", EXAMPLE),
    ("cfg", "export", EXAMPLE),
    ("--help",),
]
WRITTEN = [
    ("pcap", ("call", EXAMPLE, "1002", *SIMULATED)),
    ("pcap", ("register", EXAMPLE, *SIMULATED)),
    ("pcap", ("run", "{scenario}")),
    ("junit", ("run", "{scenario}")),
    ("html", ("run", "{scenario}")),
    ("record", ("call", EXAMPLE, "1002", *LAB, "--duration", "0.2s")),
]
"""Options that name a file to write, and what takes them."""


def started(
    *args: object, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE, limit: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own whose files may have *limit* bytes."""
    code = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    if limit is not None:
        code += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    code += "import sys; sys.argv[0] = 'phone-emulator'; from phone_emulator.cli.group import cli; cli()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        timeout=NET,
        check=False,
    )


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A scenario in the simulated world."""
    file = tmp_path / "calls.yaml"
    file.write_text(SCENARIO.format(world="simulated", config=EXAMPLE, zone=ZONE))
    return file


def one_line_of(result: subprocess.CompletedProcess[str]) -> str:
    """What was said beside warnings, with status 3."""
    lines = [line for line in result.stderr.splitlines() if " warning: " not in line]
    assert (result.returncode, len(lines)) == (3, 1), result.stderr
    return lines[0]


@pytest.mark.parametrize("args", TO_STDOUT, ids=lambda args: " ".join(map(str, args[:1])))
def test_stdout(args: tuple[object, ...]) -> None:
    with FULL.open("w") as full:
        said = one_line_of(started(*args, stdout=full.fileno()))
    assert said == "stdout: no space left on the device"


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (("call", "nowhere.cfg", "1002"), 2),
        (("call", EXAMPLE, "1002", *LAB, "--duration", "0s", "--log-level", "debug"), 3),
        (("params", "--frobnicate"), 2),
    ],
)
def test_stderr(args: tuple[object, ...], status: int) -> None:
    with FULL.open("w") as full:
        assert started(*args, stderr=full.fileno()).returncode == status


@pytest.mark.parametrize(
    ("option", "args"), WRITTEN, ids=lambda each: each if isinstance(each, str) else each[0]
)
@pytest.mark.parametrize("limit", [0, 20, 700])
def test_a_file(tmp_path: Path, scenario: Path, option: str, args: tuple[object, ...], limit: int) -> None:
    path = tmp_path / f"out.{option}"
    path.write_text("old")
    words = [str(scenario) if arg == "{scenario}" else arg for arg in args]
    result = started(*words, f"--{option}", path, limit=limit)
    assert one_line_of(result) == f"{path}: the file would be larger than files may be here"
    assert path.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == sorted([scenario.name, path.name])


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one page."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "none", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this machine mounts nothing for us")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_each_report_is_tried(tmp_path: Path, scenario: Path, small: Path) -> None:
    (small / "ballast").write_bytes(bytes(4096))
    outputs = ("--junit", small / "a", "--html", small / "b", "--pcap", tmp_path / "c")
    result = started("run", scenario, *outputs)
    lines = [line for line in result.stderr.splitlines() if " warning: " not in line]
    assert result.returncode == 3
    assert lines == [f"{small / name}: no space left on the device" for name in "ba"]
    assert (tmp_path / "c").stat().st_size > 1000
    assert os.listdir(small) == ["ballast"]


@contextlib.contextmanager
def files_of(limit: int) -> Iterator[None]:
    """Files of this process may have so many bytes (Python ignores SIGXFSZ)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_details_of_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    details = FaultFile()
    fault = InternalFault(at=1.0, work="dialling", owner="call-1", error="KeyError: 'x'", traceback="x" * 99)
    with files_of(50):
        assert details.save(fault) == "no file: the file would be larger than files may be here"
    assert not os.listdir(tmp_path)
    assert fault.traceback in Path(details.save(fault)).read_text()
