"""baresip as another phone: registered, and answering or calling as it is told."""

from __future__ import annotations

import asyncio
import json
import wave
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from phone_emulator.media.sound import Sound
from tests.integration.harness.net import listening
from tests.integration.harness.process import Process, require
from tests.patience import NET

MODULES = ("/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules")
CONTROL_PORT = 4444


@dataclass(frozen=True, slots=True)
class Account:
    """One account of baresip: an address of record at a server, and what calls to it meet."""

    user: str
    password: str
    server: str
    """``address:port``, with ``;transport=`` where it is not UDP."""
    answer: Literal["auto", "manual", "early"] = "auto"
    """``early``: 183 with sound; then, as with ``manual``, it waits to be told."""
    registers: bool = True
    outbound: bool = True
    """Whether its calls go by way of the server, rather than to whom they name."""
    ptime: int = 0
    """Milliseconds that it asks for in each packet; 0: 20."""
    encryption: Literal["", "srtp", "srtp-mand", "srtp-mandf"] = ""
    """``srtp``: RTP/AVP with keys, else in the clear; ``srtp-mand``, ``srtp-mandf``: RTP/SAVP, RTP/SAVPF."""

    @property
    def line(self) -> str:
        """As it stands in baresip's file of accounts."""
        credentials = f"auth_user={self.user};auth_pass={self.password}"
        # Else it calls whom a REFER names without the account's transport.
        way = f';outbound="sip:{self.server}"' if self.outbound else ""
        rest = f"answermode={self.answer};regint={60 if self.registers else 0}"
        keyed = f";mediaenc={self.encryption}" if self.encryption else ""
        timed = f";ptime={self.ptime}" if self.ptime else ""
        return f"<sip:{self.user}@{self.server}>;{credentials}{way};{rest}{keyed}{timed}\n"


class Baresip(Process):
    """One baresip that registers its accounts and sounds a tone of *hertz* in every call."""

    def __init__(
        self,
        address: str,
        directory: Path,
        accounts: Sequence[Account],
        *,
        hertz: int = 440,
        ca_file: Path | None = None,
        codecs: Sequence[str] = ("g711",),
        records: bool = False,
        rtcp_mux: bool = False,
        namespace: str | None = None,
    ) -> None:
        """*ca_file* has the CAs that TLS servers are checked against; *codecs* are its modules for them.

        *records*: what it says and hears is written to files, for `sounds`. *rtcp_mux*: it offers that.
        """
        require("baresip")
        super().__init__("baresip", directory, namespace)
        self.address = address
        modules = next((path for path in MODULES if Path(path).is_dir()), MODULES[0])
        (directory / "config").write_text(
            f"sip_listen {address}:5060\n"
            # Else it takes the machine's other address for RTP.
            f"net_interface {address}\n"
            # ausine knows no other rate and number of channels; baresip turns them into PCMU's.
            f"audio_source ausine,{hertz}\nausrc_srate 48000\nausrc_channels 2\n"
            "audio_player aubridge,nowhere\naudio_alert aubridge,nowhere\n"
            f"ctrl_tcp_listen {address}:{CONTROL_PORT}\n"
            f"rtcp_mux {'yes' if rtcp_mux else 'no'}\n"
            + (f"sip_cafile {ca_file}\n" if ca_file is not None else "")
            + f"module_path {modules}\n"
            + "".join(f"module {codec}.so\n" for codec in codecs)
            + ("module srtp.so\n" if any(account.encryption for account in accounts) else "")
            + (f"module sndfile.so\nsnd_path {directory}\n" if records else "")
            + "module ausine.so\nmodule aubridge.so\n"
            "module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
        )
        self._accounts = accounts
        (directory / "accounts").write_text("".join(account.line for account in accounts))
        (directory / "contacts").write_text("")

    def start(self) -> Baresip:
        """Start it and wait until all accounts that register have done so; returns itself."""
        self.launch(
            ["baresip", "-f", str(self.directory), "-v", "-s"],
            lambda: (
                self.log.count(" 200 OK (") >= sum(account.registers for account in self._accounts)
                and listening(self.address, CONTROL_PORT, "tcp")
            ),
        )
        return self

    def sounds(self) -> tuple[Sound, Sound]:
        """What it said and what it heard in its only call, where it records."""
        ways = [self.directory.glob(f"dump-*-{way}.wav") for way in ("enc", "dec")]
        (said,), (heard,) = ways
        return left_of(said), left_of(heard)

    def control(self) -> Control:
        """Its remote control, open within an ``async with`` block."""
        return Control(self.address)


def left_of(path: Path) -> Sound:
    """The first channel of a WAV file of 16 bit, whatever its rate."""
    with wave.open(str(path), "rb") as reader:
        samples = array("h", reader.readframes(reader.getnframes()))
        return Sound(reader.getframerate(), samples[:: reader.getnchannels()])


class Control:
    """The remote control of a baresip: orders to it, and what it tells meanwhile."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._heard: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Control:
        self._reader, self._writer = await asyncio.open_connection(self._address, CONTROL_PORT)
        self._listener = asyncio.create_task(self._listen(), name="baresip's control")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.cancel()
        with suppress(asyncio.CancelledError):
            await self._listener
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def do(self, command: str, parameter: str = "") -> str:
        """Give an order of baresip's menu (``dial``, ``accept``, ``hold`` …); what it says to that."""
        order = json.dumps({"command": command, "params": parameter})
        self._writer.write(f"{len(order)}:{order},".encode())
        answer = await self._take("response", True)
        assert answer["ok"], f"baresip: {command} {parameter}: {answer}"
        return str(answer["data"])

    async def told(self, kind: str) -> dict[str, Any]:
        """Wait for the next event of *kind* (``CALL_INCOMING``, ``CALL_RTPESTAB`` …); earlier ones count."""
        return await self._take("type", kind)

    async def _take(self, key: str, value: object) -> dict[str, Any]:
        try:
            async with asyncio.timeout(NET):
                while True:
                    for item in self._heard:
                        if item.get(key) == value:
                            self._heard.remove(item)
                            return item
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"baresip told no {value}, but {self._heard}") from None

    async def _listen(self) -> None:
        """Netstrings of JSON: ``12:{"event": …},``"""
        with suppress(asyncio.IncompleteReadError):
            while True:
                length = int((await self._reader.readuntil(b":"))[:-1])
                self._heard.append(json.loads(await self._reader.readexactly(length)))
                await self._reader.readexactly(1)
                self._news.set()
