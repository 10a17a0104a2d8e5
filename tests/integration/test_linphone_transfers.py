"""Attended transfers with two Linphones through Kamailio: the phone in each of the three parts (RFC 5589)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from phone_emulator.events import CallState, MessageReceived, MessageSent, TransferChanged
from phone_emulator.phone import Call
from phone_emulator.phone.transfer.transfer import transfer_to
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import TRANSPORTS, Transport, only_server
from tests.integration.harness.kamailio import USERS, Kamailio
from tests.integration.harness.linphone import Control, Linphone
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.stage import Stage
from tests.patience import until, wait_until

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

CAST = {**USERS, "1003": "secret3"}


@pytest.fixture(scope="module")
def linphones(lasting_stage: Stage, certificates: Certificates, net: Net) -> tuple[Linphone, Linphone]:
    """1002 and 1003, registered over UDP at a Kamailio at the primary's address."""
    first = Linphone(net.peer, lasting_stage.folder("1002"), "1002", CAST["1002"], f"{net.primary}:5060")
    second = Linphone(net.callee, lasting_stage.folder("1003"), "1003", CAST["1003"], f"{net.primary}:5060")
    server = Kamailio(
        "primary",
        net.primary,
        lasting_stage.folder("primary"),
        callee=f"{net.callee}:9",
        certificate=certificates.issue(net.primary),
        users=CAST,
    )
    for process in (server, first, second):
        lasting_stage.processes.append(process)
        process.start()
    wait_until(lambda: len(server.bindings()) == 2, "Linphone to be registered")
    return first, second


class Scene:
    """The phone, registered over one transport, and the two Linphones."""

    def __init__(self, live: LivePhone, one: Control, other: Control) -> None:
        self.live = live
        self.one = one
        self.other = other

    async def place(self, callee: Control) -> Call:
        """The phone calls, and is answered."""
        call = self.live.phone.dial(callee.user)
        await callee.do(f"answer {await callee.told('IncomingReceived')}")
        assert await call.settled() == "answered", call.reason
        await callee.told("StreamsRunning")
        return call

    async def take(self, caller: Control) -> tuple[Call, int]:
        """The phone is called, and answers; the call, and its number there."""
        number = await caller.call("sip:1001@" + self.live.phone.line().account.servers[0].address)
        call = await self.live.called()
        call.answer()
        await caller.told("StreamsRunning")
        return call, number

    async def consult(self) -> int:
        """The one Linphone calls the other as well; the call's number at the one."""
        number = await self.one.call(
            f"sip:{self.other.user}@" + self.live.phone.line().account.servers[0].address
        )
        await self.other.do(f"answer {await self.other.told('IncomingReceived')}")
        await self.one.told("StreamsRunning")
        await self.other.told("StreamsRunning")
        return number

    @property
    def transfers(self) -> list[str]:
        """What the phone told of transfers: its part, and how far it is."""
        return [f"{event.role} {event.state}" for event in self.live.told(TransferChanged)]

    def invites(self, kind: type[MessageSent | MessageReceived]) -> list[str | None]:
        """The Replaces of each INVITE that the phone sent, or got."""
        messages = [parse(event.data) for event in self.live.told(kind)]
        return [
            each.headers.get("Replaces")
            for each in messages
            if isinstance(each, Request) and each.method == "INVITE"
        ]


@pytest.fixture
def play(
    linphones: tuple[Linphone, Linphone], lone: LivePhone, net: Net
) -> Callable[[Transport, Callable[[Scene], Awaitable[None]]], None]:
    """Play a story with the phone registered: ``play(transport, story)``."""

    def run(transport: Transport, story: Callable[[Scene], Awaitable[None]]) -> None:
        async def whole() -> None:
            await lone.phone.register()
            async with Control(linphones[0]) as one, Control(linphones[1]) as other:
                try:
                    await story(Scene(lone, one, other))
                finally:
                    for each in (one, other):
                        await each.rest()

        lone.play(whole, only_server(net.primary, transport))

    return run


@every_transport
def test_the_phone_joins_the_two(transport: Transport, play: Callable[..., None]) -> None:
    """REFER with Replaces to the one, which then takes the phone's place with the other."""

    async def story(scene: Scene) -> None:
        first = await scene.place(scene.one)
        await first.hold()
        second = await scene.place(scene.other)
        await transfer_to(first, second)
        await second.over()
        joined = await scene.other.told("IncomingReceived")
        await scene.other.told("StreamsRunning")
        assert await scene.other.status(joined) == "StreamsRunning 1002"
        assert (first.state, first.transferred_to) == (CallState.ENDED, "1003")
        assert scene.transfers == ["transferor started", "transferor done"]

    play(transport, story)


@every_transport
def test_the_phone_is_joined_with_the_other(transport: Transport, play: Callable[..., None]) -> None:
    """The one sends the phone a REFER with Replaces: it takes the place of the one with the other."""

    async def story(scene: Scene) -> None:
        first, here = await scene.take(scene.one)
        there = await scene.consult()
        await scene.one.do(f"call-transfer {here} {there}")
        joined = await scene.other.told("IncomingReceived")
        await first.over()
        (second,) = scene.live.phone.calls
        assert await second.settled() == "answered"
        await scene.other.told("StreamsRunning")
        assert await scene.other.status(joined) == "StreamsRunning 1001"
        assert scene.invites(MessageSent)[-1] is not None
        assert scene.transfers == ["transferee started", "transferee done"]
        await second.hang_up()

    play(transport, story)


@every_transport
def test_the_other_takes_the_place_of_the_one(transport: Transport, play: Callable[..., None]) -> None:
    """The one sends the other a REFER with Replaces: an INVITE that replaces the phone's call comes in."""

    async def story(scene: Scene) -> None:
        first, here = await scene.take(scene.one)
        there = await scene.consult()
        await scene.one.do(f"call-transfer {there} {here}")
        await first.over()
        (second,) = scene.live.phone.calls
        assert (second.remote, second.state) == ("1003", CallState.TALKING)
        await scene.other.told("StreamsRunning")
        assert scene.invites(MessageReceived)[-1] is not None
        assert scene.transfers == []
        await second.hang_up()

    play(transport, story)


@every_transport
def test_a_call_that_rings_is_passed_on(transport: Transport, play: Callable[..., None]) -> None:
    """Semi-attended: Linphone lets a call be replaced that rings at it, and rings on for the new one."""

    async def story(scene: Scene) -> None:
        first = await scene.place(scene.one)
        second = scene.live.phone.dial(scene.other.user)
        await scene.other.told("IncomingReceived")
        await until(lambda: second.state is CallState.RINGING, "the 180")
        transfer = asyncio.create_task(transfer_to(first, second))
        joined = await scene.other.told("IncomingReceived")
        await scene.other.do(f"answer {joined}")
        await transfer
        await second.over()
        await scene.other.told("StreamsRunning")
        assert await scene.other.status(joined) == "StreamsRunning 1002"
        assert (first.state, first.transferred_to) == (CallState.ENDED, "1003")
        assert scene.transfers == ["transferor started", "transferor done"]

    play(transport, story)
