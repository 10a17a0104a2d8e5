"""pjsip as another phone: registered; it calls, answers, holds and transfers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from tests.integration.harness.outsiders import PYTHON, SCRIPTS, require_package
from tests.patience import NET


class Pjsip:
    """One pjsip with one account, within an ``async with`` block; the kernel ends it with the test runner."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        """*settings* are those of ``tests/integration/peers/pjsua.py``."""
        require_package("pjsua2")
        self._directory = directory
        self._settings = settings
        self._heard: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Pjsip:
        with (self._directory / "stderr.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "setpriv",
                "--pdeathsig",
                "TERM",
                str(PYTHON),
                str(SCRIPTS / "pjsua.py"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=self._directory,
            )
        self._listener = asyncio.create_task(self._listen(), name="pjsip's news")
        self._write(dict(self._settings))
        await self.told("registered")
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(NET):
                await self._listener
                status = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise
        assert status == 0, self.log

    @property
    def log(self) -> str:
        """What it wrote, its messages included."""
        files = (self._directory / "pjsip.log", self._directory / "stderr.log")
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())

    def do(self, order: str, detail: str = "") -> None:
        """Give an order: ``call``, ``answer``, ``hold`` …"""
        self._write({"order": order, "detail": detail})

    async def told(self, kind: str) -> str:
        """Wait for the next news of *kind*, earlier ones count; the detail. Raises TimeoutError."""
        try:
            async with asyncio.timeout(NET):
                while (found := next((each for each in self._heard if each[0] == kind), None)) is None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"pjsip told no {kind}, but {self._heard}\n{self.log}") from None
        self._heard.remove(found)
        return found[1]

    def _write(self, line: Mapping[str, str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            news = json.loads(line)
            self._heard.append((news["told"], news["detail"]))
            self._news.set()
