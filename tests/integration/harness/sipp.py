"""SIPp as the called party, and as a caller to prove the harness with."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

from tests.integration.harness.kamailio import USERS
from tests.integration.harness.net import listening
from tests.integration.harness.process import Process, require
from tests.patience import NET

TEMPLATES = Path(__file__).parent.parent / "templates"


class Sipp(Process):
    """One SIPp that runs a scenario of ours and writes every message to a file."""

    def __init__(self, name: str, address: str, directory: Path, port: int, namespace: str | None) -> None:
        require("sipp")
        super().__init__(name, directory, namespace)
        self.address = address
        self.port = port
        self._messages_file = directory / f"{name}.messages"

    @property
    def messages(self) -> str:
        """Every message sent and received so far, as SIPp logs them."""
        return self._messages_file.read_text(errors="replace") if self._messages_file.exists() else ""

    def _command(self, scenario: Path, *options: str) -> list[str]:
        command = ["sipp", "-sf", str(scenario), "-i", self.address, "-mi", self.address]
        command += ["-p", str(self.port), "-nostdin", "-trace_msg", "-message_file", str(self._messages_file)]
        command += ["-trace_err", "-error_file", str(self.directory / f"{self.name}.errors"), *options]
        return command


class SippUas(Sipp):
    """The called party over UDP: any number rings (180), answers (200) and waits for BYE."""

    def __init__(
        self, address: str, directory: Path, port: int = 5060, *, namespace: str | None = None
    ) -> None:
        super().__init__("callee", address, directory, port, namespace)

    def start(self) -> SippUas:
        """Start it and wait until its port is taken; returns itself."""
        self.launch(self._command(TEMPLATES / "callee.xml"), self._listening)
        return self

    def _listening(self) -> bool:
        if self.namespace is not None:
            command = ["ip", "netns", "exec", self.namespace, "ss", "-Hnul", "src", self.address]
            return (
                f":{self.port} " in subprocess.run(command, capture_output=True, text=True, check=True).stdout
            )
        return listening(self.address, self.port, "udp")


Ending = Literal["hangs-up", "waits", "cancels", "is-refused"]
"""How a caller's call goes on: BYE 0.1 s after the answer; wait for BYE; CANCEL after 180; expect 486."""


class SippCaller(Sipp):
    """A caller that places one call with digest, sees it to its end, and stops."""

    def __init__(
        self,
        address: str,
        directory: Path,
        port: int = 5060,
        *,
        user: str = "1001",
        password: str = USERS["1001"],
        namespace: str | None = None,
    ) -> None:
        super().__init__("caller", address, directory, port, namespace)
        self._user = user
        self._password = password

    def call(
        self,
        server: str,
        number: str,
        transport: str = "u1",
        *,
        ending: Ending = "hangs-up",
    ) -> bool:
        """Call *number* through *server* (``address:port``); whether all went as *ending* says."""
        scenario = self.directory / "caller.xml"
        text = (TEMPLATES / "caller.xml").read_text()
        scenario.write_text(text.replace("@ENDING@", (TEMPLATES / f"caller-{ending}.xml").read_text()))
        options = ["-s", number, "-m", "1", "-t", transport, "-timeout", f"{NET:g}s", "-timeout_error"]
        options += ["-key", "caller", self._user, "-au", self._user, "-ap", self._password]
        command = self._command(scenario, *options, server)
        self.launch([*command], lambda: True)
        try:
            return self.wait() == 0
        finally:
            self.stop()
