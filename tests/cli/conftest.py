"""The command line as its users meet it: in this process where possible, else in one of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phone_emulator.cli.group import cli
from tests import addresses
from tests.patience import NET

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "configs" / "guide-example.cfg"
ZONE = ROOT / "configs" / "guide-example.zone"

Run = Callable[..., Result]


@dataclass(frozen=True, slots=True)
class Process:
    """A command that runs in a process of its own."""

    process: subprocess.Popen[str]

    def wait_for(self, word: str) -> str:
        """Read stderr up to the line with *word*; returns what was read."""
        assert self.process.stderr is not None
        read = []
        for line in self.process.stderr:
            read.append(line)
            if word in line:
                return "".join(read)
        raise AssertionError(f"{word!r} was not said: {''.join(read)}")

    def end(self, signals: int = signal.SIGTERM, *, times: int = 0) -> tuple[int, str, str]:
        """Send the signal so many times, then wait; exit status, stdout, the rest of stderr."""
        for _ in range(times):
            self.process.send_signal(signals)
        out, err = self.process.communicate(timeout=NET)
        return self.process.returncode, out, err


Start = Callable[..., Process]


@pytest.fixture
def run() -> Run:
    """Run the program in this process; Result has exit_code, stdout and stderr."""

    def run(*args: object, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin, prog_name="phone-emulator")

    return run


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Start:
    """Start the program in a process of its own."""

    def start(*args: object, stdin: int = subprocess.DEVNULL) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-m", "phone_emulator", *map(str, args)],
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

        net = threading.Timer(NET, process.kill)  # whoever reads its pipes reads to their end then
        net.start()

        def finish() -> None:
            net.cancel()
            with process:  # closes the pipes
                process.kill()

        request.addfinalizer(finish)
        return Process(process)

    return start


@pytest.fixture
def own_address() -> str:
    """See `addresses.own_address`."""
    return addresses.own_address()


@pytest.fixture
def example() -> Path:
    """The guide's example phone."""
    return EXAMPLE


@pytest.fixture
def zone() -> Path:
    """The guide's example zone."""
    return ZONE


def one_line(text: str) -> str:
    """The only line of *text*."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]
