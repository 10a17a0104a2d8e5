"""Peers that are Python packages, in an environment of their own: ``build/peers`` (``make peers``)."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.integration.harness.net import SIP_PORT, listening
from tests.integration.harness.process import Process

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / "build" / "peers" / "bin" / "python"
SCRIPTS = Path(__file__).parent.parent / "peers"


def require_package(module: str) -> None:
    """Skip the test where *module* cannot be imported in ``build/peers``."""
    if (reason := missing(module)) is not None:
        pytest.skip(f"{module} cannot be used: {reason} (make peers)")


@cache
def missing(module: str) -> str | None:
    """Why *module* cannot be imported in ``build/peers``; None where it can."""
    if not PYTHON.exists():
        return "there is no build/peers"
    done = subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else None


class B2bua(Process):
    """sippy's user agents back to back, and a registrar, at UDP port 5060 of *address*."""

    def __init__(self, address: str, directory: Path) -> None:
        require_package("sippy")
        super().__init__("b2bua", directory)
        self.address = address

    def start(self) -> B2bua:
        """Start it and wait until it listens; returns itself."""
        command = [str(PYTHON), str(SCRIPTS / "b2bua.py"), self.address]
        self.launch(command, lambda: listening(self.address, SIP_PORT, "udp"))
        return self

    @property
    def registered(self) -> list[str]:
        """The users who are registered now."""
        told = [line for line in self.log.splitlines() if line.startswith("registered:")]
        return told[-1].split()[1:] if told else []
