"""Linphone as another phone, without sound: registered; it calls, answers and transfers as it is told."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.integration.harness.process import Process, require
from tests.patience import NET


class Linphone(Process):
    """One Linphone with one account, told what to do through its pipe."""

    def __init__(self, address: str, directory: Path, user: str, password: str, server: str) -> None:
        """*server* is where it registers: ``address:port``, over UDP."""
        require("linphone-daemon")
        super().__init__(f"linphone-{user}", directory)
        self.address = address
        self.user = user
        # Its data bases go to the home directory, and it does not start without this one.
        (directory / ".local/share/linphone").mkdir(parents=True)
        host = server.partition(":")[0]
        self._config = directory / "linphonerc"
        self._config.write_text(
            "[sip]\n"
            f"bind_address={address}\nsip_port=5060\nsip_tcp_port=0\nsip_tls_port=0\nuse_ipv6=0\n"
            "default_proxy=0\nsupported=replaces\nmedia_encryption=none\n"
            f"[rtp]\nbind_address={address}\naudio_rtp_port=7078\nvideo_rtp_port=0\n"
            "[net]\nfirewall_policy=0\n"
            "[video]\nenabled=0\ncapture=0\ndisplay=0\n"
            "[proxy_0]\n"
            f"reg_proxy=<sip:{server}>\nreg_route=<sip:{server};lr>\nreg_identity=sip:{user}@{server}\n"
            "reg_expires=600\nreg_sendregister=1\npublish=0\n"
            f"[auth_info_0]\nusername={user}\npasswd={password}\ndomain={host}\n"
        )
        # It puts /tmp/ before this.
        self.pipe = directory / "pipe"
        self._pipe_name = os.path.relpath(self.pipe, "/tmp")

    def start(self) -> Linphone:
        """Start it and wait until it can be told something; returns itself."""
        command = ["env", f"HOME={self.directory}", "PULSE_SERVER=/nowhere", "linphone-daemon"]
        command += ["--config", str(self._config), "--pipe", self._pipe_name, "--disable-stats-events"]
        self.launch([*command, "--log", str(self.log_file)], self.pipe.exists)
        return self


class Control:
    """The orders to one Linphone, and what it tells of its calls, within an ``async with`` block."""

    def __init__(self, linphone: Linphone) -> None:
        self.user = linphone.user
        self._pipe = linphone.pipe
        self._heard: list[tuple[str, int]] = []
        self._calls: set[int] = set()
        """The numbers of all calls that it told of."""

    async def __aenter__(self) -> Control:
        self._reader, self._writer = await asyncio.open_unix_connection(self._pipe)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def do(self, command: str) -> str:
        """Give an order (``call``, ``answer``, ``call-transfer`` …); what it says to that."""
        said = await self._said(command)
        assert said.startswith("Status: Ok"), f"linphone {self.user}: {command}: {said}"
        return said

    async def call(self, uri: str) -> int:
        """Call *uri*; the number of the call."""
        return int(_field("Id", await self.do(f"call {uri}")))

    async def told(self, state: str) -> int:
        """Wait until a call is ``IncomingReceived``, ``StreamsRunning``, ``End`` …; its number.

        Each change of a call counts once; earlier ones count.
        """
        try:
            async with asyncio.timeout(NET):
                while (found := next((each for each in self._heard if each[0] == state), None)) is None:
                    if not await self._listen():
                        await asyncio.sleep(0.02)
        except TimeoutError:
            raise TimeoutError(f"linphone {self.user} told no {state}, but {self._heard}") from None
        self._heard.remove(found)
        return found[1]

    async def status(self, call: int) -> str:
        """State of *call*, and with whom it is: ``StreamsRunning 1003``; empty where it is over."""
        said = await self._said(f"call-status {call}")
        if not said.startswith("Status: Ok"):
            return ""
        return f"{_state(_field('State', said))} {_user(_field('From', said))}"

    async def rest(self) -> None:
        """End every call, wait until there is none, and forget what was told."""
        async with asyncio.timeout(NET):
            while await self._listen():
                pass
            for call in self._calls:  # there is no order that ends more than one
                while (await self._said(f"terminate {call}")).startswith("Status: Ok"):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            while await self._listen():
                pass
        self._heard.clear()
        self._calls.clear()

    async def _listen(self) -> bool:
        """Take the next event; whether there was one."""
        said = await self._said("pop-event")
        if "call-state-changed" in said:
            call = int(_field("Id", said))
            self._calls.add(call)
            self._heard.append((_state(_field("Event", said)), call))
        return "Event-type:" in said

    async def _said(self, command: str) -> str:
        self._writer.write(f"{command}\n".encode())
        async with asyncio.timeout(NET):
            return (await self._reader.read(65536)).decode()


def _field(name: str, said: str) -> str:
    found = re.search(rf"^{name}: (.*)$", said, re.MULTILINE)
    assert found is not None, f"no {name} in {said!r}"
    return found[1].strip()


def _state(told: str) -> str:
    return told.removeprefix("LinphoneCall")


def _user(address: str) -> str:
    return address.partition("sip:")[2].partition("@")[0]
