"""The far end of one call: SIPp with a script of ours, at the primary's address, over UDP, TCP or TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Literal

from phone_emulator.events import CallState, MessageReceived, MessageSent
from phone_emulator.phone import Call, IncomingCall
from tests.integration.harness.certificates import ServerCertificate
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import SIP_PORT, TLS_PORT, listening
from tests.integration.harness.process import Process, require
from tests.integration.harness.relay import BEHIND, Relay
from tests.integration.harness.script import Step, answer, hear, hear_first, probe, reply, scenario
from tests.integration.harness.sipp import Sipp
from tests.integration.harness.stage import Stage
from tests.patience import NET, until

Transport = Literal["udp", "tcp", "tls"]
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp", "tls")
REPEATS_SOON = {"sip.timer_t1": "1"}
"""For scripts that are to see the phone repeat itself."""


def only_server(address: str, transport: Transport) -> dict[str, str]:
    """The cfg keys of a line that has one server only, at *address*."""
    return {
        "account.1.sip_server.1.address": address,
        "account.1.sip_server.1.port": str(TLS_PORT if transport == "tls" else SIP_PORT),
        "account.1.sip_server.1.transport_type": str(TRANSPORTS.index(transport)),
        "account.1.sip_server.2.address": "",
    }


class TlsFront(Process):
    """socat that ends TLS at *port* and hands the bytes on to *behind*: Debian's SIPp has no TLS."""

    def __init__(self, stage: Stage, address: str, certificate: ServerCertificate) -> None:
        require("socat")
        super().__init__("tls", stage.folder("tls"))
        self.address = address
        self._certificate = certificate

    def start(self) -> TlsFront:
        """Start it and wait until it listens; returns itself."""
        files = f"cert={self._certificate.chain_file},key={self._certificate.key_file},verify=0"
        listen = f"OPENSSL-LISTEN:{TLS_PORT},bind={self.address},reuseaddr,fork,{files}"
        command = ["socat", listen, f"TCP:{self.address}:{BEHIND},bind={self.address},nodelay"]
        self.launch(command, lambda: listening(self.address, TLS_PORT, "tcp"))
        return self


class FarEnd(Sipp):
    """SIPp that plays its part of *steps* once and ends."""

    def __init__(
        self,
        stage: Stage,
        address: str,
        transport: Transport,
        steps: Sequence[Step],
        name: str = "far-end",
        *,
        behind: bool = False,
        calls: str = "",
    ) -> None:
        """*behind*: something stands before it, at the port that it tells; *calls*: the address it calls."""
        port = BEHIND if behind else SIP_PORT
        super().__init__(name, address, stage.folder(name), port, None)
        self.transport = transport
        self._called = [f"{calls}:{SIP_PORT}"] if calls else []
        shown = TLS_PORT if transport == "tls" else SIP_PORT
        parameter = "" if transport == "udp" else f";transport={transport}"
        values = {
            "CONTACT": f"sip:1002@{address}:{shown}{parameter}",
            "TRANSPORT": transport.upper(),
            "VIA": f"{address}:{shown}",
        }
        self._scenario = self.directory / "script.xml"
        self._scenario.write_text(scenario(name, steps, values))

    def start(self) -> FarEnd:
        """Start it and wait until it listens; returns itself."""
        layer: Literal["udp", "tcp"] = "udp" if self.transport == "udp" else "tcp"
        options = [
            "-t",
            "u1" if layer == "udp" else "t1",
            "-m",
            "1",
            "-nr",
            "-timeout",
            f"{NET:g}s",
            "-timeout_error",
        ]
        options += ["-recv_timeout", f"{NET * 1000:g}", *self._called]
        self.launch(
            self._command(self._scenario, *options), lambda: listening(self.address, self.port, layer)
        )
        return self

    def done(self) -> bool:
        """Wait for its end; whether all went as scripted. Raises AssertionError where it waits for more."""
        try:
            return self.wait() == 0
        except TimeoutError:
            raise AssertionError(f"{self.name} still waits:\n{self.story}") from None

    @property
    def story(self) -> str:
        """What SIPp complains about, and every message, for a failed test's report."""
        errors = self.directory / f"{self.name}.errors"
        complaint = errors.read_text(errors="replace") if errors.exists() else ""
        return f"{complaint}\n{self.messages}"


@dataclass(slots=True)
class Peers:
    """The phone on a stage with far ends that follow scripts, each with what its transport needs."""

    stage: Stage
    certificate: ServerCertificate
    live: LivePhone
    made: list[FarEnd] = field(default_factory=list)

    def start(
        self,
        transport: Transport,
        steps: Sequence[Step],
        *,
        address: str = "",
        name: str = "far-end",
        relayed: bool = False,
        calls: str = "",
    ) -> FarEnd:
        """A far end at *address* (by default the primary's), running; *relayed*: behind a `Relay`.

        *calls*: the address that its script begins to talk to; else it waits to be called.
        """
        address = address or self.stage.net.primary
        if transport == "tls" and not relayed:
            front = TlsFront(self.stage, address, self.certificate)
            self.stage.processes.append(front)
            front.start()
        behind = relayed or transport == "tls"
        far_end = FarEnd(self.stage, address, transport, steps, name, behind=behind, calls=calls)
        self.stage.processes.append(far_end)
        self.made.append(far_end)
        return far_end.start()

    def place(
        self,
        transport: Transport,
        steps: Sequence[Step],
        act: Callable[[Call], Awaitable[None]] | None = None,
        settings: Mapping[str, str] | None = None,
        *,
        relay: Relay | None = None,
    ) -> Call:
        """The phone calls a far end that follows *steps*, and does *act*; the call when both are content.

        *relay* stands before the far end.
        """
        self.start(transport, steps, relayed=relay is not None)
        placed: list[Call] = []

        async def story() -> None:
            async with relay or nullcontext():
                call = self.live.phone.dial("1002")
                placed.append(call)
                if act is not None:
                    await act(call)
                await self._over(call)

        self.play(story, transport, settings)
        return placed[0]

    def take(
        self,
        transport: Transport,
        steps: Sequence[Step],
        act: Callable[[IncomingCall], Awaitable[None]] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> IncomingCall:
        """The phone registers at a far end, which then follows *steps* and calls it on the same connection.

        The phone does *act* with the call; the call when both are content, and the phone de-registered.
        """
        self.start(transport, self._with_registration(steps))
        taken: list[IncomingCall] = []

        async def story() -> None:
            phone = self.live.phone
            await phone.register()
            await until(lambda: bool(phone.calls or phone.history), "an incoming call")
            (call,) = (*phone.calls, *phone.history)
            assert isinstance(call, IncomingCall)
            taken.append(call)
            if act is not None:
                await act(call)
            await self._over(call, unregister=True)

        self.play(story, transport, settings)
        return taken[0]

    def deny(
        self, transport: Transport, steps: Sequence[Step], settings: Mapping[str, str] | None = None
    ) -> None:
        """The same for a call that is not even to ring."""
        self.start(transport, self._with_registration(steps))

        async def story() -> None:
            await self.live.phone.register()
            await self._script_ends()
            assert not self.live.phone.calls
            await self.live.phone.line().registrar.unregister()

        self.play(story, transport, settings)

    def _with_registration(self, steps: Sequence[Step]) -> list[Step]:
        granted = [hear_first("REGISTER"), answer(200, method="REGISTER", headers=["Expires: 3600"])]
        # The phone is not to de-register before the script has come to its end.
        gone = [probe(), hear(200, CSeq="OPTIONS"), hear("REGISTER", Expires="^ *0$"), reply(200, tag="a")]
        return [*granted, *steps, *gone]

    async def _script_ends(self) -> None:
        await until(lambda: self._stuck() or "< OPTIONS" in self.ladder, "the script to end")

    async def _over(self, call: Call, *, unregister: bool = False) -> None:
        await until(lambda: self._stuck() or call.state is CallState.ENDED, "the call to end")
        if unregister:
            await self._script_ends()
            await self.live.phone.line().registrar.unregister()
        # The far end may have more to say, and wants it answered.
        await until(lambda: not any(each.running for each in self.made), "the far end to be done")

    def _stuck(self) -> bool:
        """Whether a script has failed: nothing more will come of it."""
        return any(not each.running and not each.done() for each in self.made)

    def play(
        self,
        story: Callable[[], Awaitable[None]],
        transport: Transport,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Let the phone do *story*; all far ends must then be content."""
        try:
            self.live.play(story, only_server(self.stage.net.primary, transport) | dict(settings or {}))
        finally:
            self.content()

    def content(self) -> None:
        """Every far end has seen what its script says, and nothing else."""
        for each in self.made:
            assert each.done(), each.story

    @property
    def ladder(self) -> list[str]:
        """What the phone says it sent (``> INVITE``) and got (``< 180``), in order."""
        found = []
        for event in self.live.events:
            if isinstance(event, MessageSent | MessageReceived):
                first, second, *_ = event.data.split(maxsplit=2)
                word = (second if first == b"SIP/2.0" else first).decode()
                found.append(f"{'>' if isinstance(event, MessageSent) else '<'} {word}")
        return found

    async def came(self, moment: str, times: int = 1) -> None:
        """Wait until *moment* (``> ACK``) stands in the ladder so many times."""
        await until(lambda: self.ladder.count(moment) >= times, moment)
