"""A server program under test control: started in its own process group, logged, stopped without remains."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.patience import NET, wait_until


def require(*programs: str) -> None:
    """Skip the test when one of *programs* is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (scripts/install_test_servers)")


def group_members(group: int) -> list[int]:
    """The ids of the living processes (zombies are not) of process group *group*."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if fields[0] not in "ZX" and int(fields[2]) == group:
            members.append(int(stat.parent.name))
    return members


class Process:
    """One program in the foreground, with its output in ``<directory>/<name>.log``.

    The kernel ends it when the test runner dies, so that not even a killed run leaves servers behind.
    """

    def __init__(self, name: str, directory: Path, namespace: str | None = None) -> None:
        """*namespace* is the network namespace to run in; None is the machine's own."""
        self.name = name
        self.directory = directory
        self.namespace = namespace
        self.log_file = directory / f"{name}.log"
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process and of its group; raises AssertionError when it was never started."""
        assert self._popen is not None, f"{self.name} does not run"
        return self._popen.pid

    @property
    def log(self) -> str:
        """All that the program has written, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def launch(self, command: Sequence[str], ready: Callable[[], bool]) -> None:
        """Start *command* and wait until *ready*; raises RuntimeError with the log when it ends or hangs."""
        assert not self.running, f"{self.name} runs already"
        inside = ("ip", "netns", "exec", self.namespace) if self.namespace else ()
        with self.log_file.open("ab") as log:
            self._popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *inside, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=os.environ | {"TERM": "dumb"},
                start_new_session=True,
            )
        try:
            wait_until(lambda: not self.running or ready(), f"{self.name} to be ready")
        except TimeoutError as error:
            self.stop()
            raise RuntimeError(f"{error}\n{self.log}") from None
        if not self.running:
            raise RuntimeError(f"{self.name} ended with status {self._popen.returncode}:\n{self.log}")

    def wait(self) -> int:
        """Wait for the program to end by itself; returns its exit status, raises TimeoutError."""
        assert self._popen is not None, f"{self.name} was never started"
        try:
            return self._popen.wait(NET)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} still runs:\n{self.log}") from None

    def stop(self, first: signal.Signals = signal.SIGTERM) -> None:
        """End the program and all it started; raises TimeoutError when anything is left. May be repeated."""
        if self._popen is None:
            return
        group = self._popen.pid
        if self._popen.poll() is None:
            self._popen.send_signal(first)
            try:
                self._popen.wait(NET)
            except subprocess.TimeoutExpired:
                os.killpg(group, signal.SIGKILL)
                self._popen.wait(NET)
        self._popen = None
        for process in group_members(group):
            os.kill(process, signal.SIGKILL)
        wait_until(lambda: not group_members(group), f"the processes of {self.name} to be gone")

    def signal(self, number: signal.Signals) -> None:
        """Send *number* to the program."""
        assert self._popen is not None, f"{self.name} does not run"
        self._popen.send_signal(number)
