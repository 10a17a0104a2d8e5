"""The phone under test, run as its users run it: a command in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.harness.capture import Hop, Place
from tests.integration.harness.kamailio import USERS
from tests.integration.harness.net import DNS_PORT, DOMAIN, Net
from tests.patience import NET, wait_until


@dataclass(frozen=True, slots=True)
class CallResult:
    """What ``phone-emulator call --format json`` said."""

    exit_status: int
    call: Mapping[str, Any]
    """The JSON object of the call."""
    stderr: str

    @property
    def result(self) -> str:
        """``answered``, ``rejected``, ``failed`` or ``cancelled``."""
        return str(self.call["result"])

    @property
    def via(self) -> str | None:
        """The role of the server that answered."""
        via = self.call["via"]
        return None if via is None else str(via)

    @property
    def attempts(self) -> list[Mapping[str, Any]]:
        """The attempts of the route, in order."""
        return list(self.call["route"])

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Role and outcome of each attempt, in order."""
        return [(attempt["role"], attempt["outcome"]) for attempt in self.attempts]

    @property
    def hops(self) -> list[Hop]:
        """The attempts that sent anything, in the words of the capture."""
        return [
            Hop(Place(attempt["address"], attempt["port"]), attempt["transport"], attempt["sent"])
            for attempt in self.attempts
            if attempt["sent"]
        ]


class ScenarioRun:
    """``phone-emulator run`` with one scenario, under way within a ``with`` block."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._popen = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> ScenarioRun:
        return self

    def __exit__(self, *failure: object) -> None:
        with self._popen:
            self._popen.kill()

    def result(self) -> Mapping[str, Any]:
        """Wait for its end; its JSON object, raises AssertionError when it told none, TimeoutExpired."""
        stdout, stderr = self._popen.communicate(timeout=NET)
        assert "Traceback" not in stderr, stderr
        try:
            result = json.loads(stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"no JSON on stdout:\n{stdout}\n{stderr}") from None
        assert isinstance(result, dict), stdout
        return result


class Phone:
    """A phone with one line, 1001: server 1 is `DOMAIN`, server 2 the fallback's address."""

    def __init__(
        self,
        net: Net,
        directory: Path,
        ca_file: Path | None = None,
        key_log: Path | None = None,
        *,
        namespace: str | None = None,
    ) -> None:
        """*ca_file* has the CAs to trust, *key_log* gets the TLS secrets, so that a capture can be read."""
        self.net = net
        self.namespace = namespace
        self._environment = os.environ | {"NO_COLOR": "1"}
        if ca_file is not None:
            self._environment["SSL_CERT_FILE"] = str(ca_file)
        if key_log is not None:
            self._environment["SSLKEYLOGFILE"] = str(key_log)
        self.cfg = directory / "phone.cfg"
        """Its cfg file."""
        settings = {
            "account.1.enable": "1",
            "account.1.label": "1001",
            "account.1.display_name": "Test phone",
            "account.1.user_name": "1001",
            "account.1.auth_name": "1001",
            "account.1.password": USERS["1001"],
            "account.1.sip_server.1.address": DOMAIN,
            "account.1.sip_server.1.port": "0",
            "account.1.sip_server.1.transport_type": "3",
            "account.1.sip_server.2.address": net.fallback,
            "account.1.sip_server.2.port": "5060",
            "account.1.sip_server.2.transport_type": "0",
            # A server that is slow to answer is asked once, and not given up.
            "sip.timer_t1": "10",
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        self.cfg.write_text("\n".join(["#!version:1.0.0.1", *lines]) + "\n")

    def call(
        self,
        destination: str = "1002",
        *options: str,
        settings: Mapping[str, str] | None = None,
    ) -> CallResult:
        """Call *destination*, hang up a second after the answer; raises AssertionError when no JSON came.

        *settings* are cfg keys for this call (``--set``), *options* go to the command as they are.
        """
        done = self._run([*self._command(destination, settings), *options])
        told = f"{' '.join(done.args)}\nexit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        try:
            call = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"no JSON on stdout: {told}") from None
        assert isinstance(call, dict), told
        return CallResult(done.returncode, call, done.stderr)

    def start_scenario(self, steps: str, settings: Mapping[str, str] | None = None) -> ScenarioRun:
        """Start ``phone-emulator run`` with a scenario of these *steps* (YAML) in the real world."""
        scenario = self.cfg.with_name("scenario.yaml")
        scenario.write_text(f"name: integration\nworld: real\nconfig: {self.cfg.name}\nsteps:\n{steps}")
        command = [*self._program("run", str(scenario)), *self._common(settings), "--format", "json"]
        return ScenarioRun(command, self._environment)

    @contextlib.contextmanager
    def registered(self, settings: Mapping[str, str] | None = None, *, pinned: bool) -> Iterator[Path]:
        """The phone, registered, within a ``with`` block: its log. Ctrl-C ends it, and it de-registers.

        *pinned*: whether it is told its address (``--local-address``).
        """
        scenario, log = self.cfg.with_name("registered.yaml"), self.cfg.with_name("log")
        steps = "- register:\n- wait: 10m\n"
        scenario.write_text(f"name: registered\nworld: real\nconfig: {self.cfg.name}\nsteps:\n{steps}")
        options = self._common(settings, pinned=pinned)
        command = [*self._program("run", str(scenario)), *options, "--log-level", "info"]
        with (
            log.open("wb") as stderr,
            subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            ) as process,
        ):
            try:
                yield log
                process.send_signal(signal.SIGINT)
                assert process.wait(NET) == 130
            finally:
                process.kill()
        assert "Traceback" not in log.read_text()

    def interrupted_call(
        self,
        word: str,
        destination: str = "1002",
        *,
        after: float = 0.0,
        settings: Mapping[str, str] | None = None,
    ) -> int:
        """Call *destination*, press Ctrl-C once *word* has been logged; the exit status.

        It is pressed *after* so many seconds more, in which nothing is to happen. Raises TimeoutExpired.
        """
        command = [*self._command(destination, settings), "--log-level", "debug"]
        log = self.cfg.with_name("log")
        with (
            log.open("wb") as stderr,
            subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            ) as process,
        ):
            try:
                wait_until(lambda: word in log.read_text(errors="replace"), f"the phone to log {word!r}")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(after)
                process.send_signal(signal.SIGINT)
                return process.wait(NET)
            finally:
                process.kill()

    def _command(self, destination: str, settings: Mapping[str, str] | None) -> list[str]:
        command = [*self._program("call", str(self.cfg), destination), *self._common(settings)]
        return [*command, "--format", "json", "--world", "real", "--duration", "1s"]

    def _program(self, *words: str) -> list[str]:
        inside = ["ip", "netns", "exec", self.namespace] if self.namespace else []
        return [*inside, sys.executable, "-m", "phone_emulator", *words]

    def _common(self, settings: Mapping[str, str] | None, *, pinned: bool = True) -> list[str]:
        options = ["--dns", f"{self.net.dns}:{DNS_PORT}"]
        options += ["--local-address", self.net.phone] if pinned else []
        for key, value in (settings or {}).items():
            options += ["--set", f"{key}={value}"]
        return options

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=NET,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done
