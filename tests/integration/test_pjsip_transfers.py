"""Attended transfers with two pjsips through Kamailio: the phone in each of the three parts (RFC 5589)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from phone_emulator.events import CallState, MessageReceived, MessageSent, TransferChanged
from phone_emulator.phone import Call, CallError
from phone_emulator.phone.transfer.transfer import transfer_to
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import TRANSPORTS, Transport, only_server
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.pjsip import Pjsip
from tests.integration.harness.scene import CAST, kamailio
from tests.integration.harness.stage import Stage
from tests.patience import until

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

ONE, OTHER = "1002", "1003"


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, certificates: Certificates) -> Kamailio:
    """Kamailio, which stays in the way of the dialogs."""
    return kamailio(lasting_stage, certificates).start()


class Scene:
    """The phone, registered over one transport, and two pjsips."""

    def __init__(self, live: LivePhone, one: Pjsip, other: Pjsip) -> None:
        self.live = live
        self.one = one
        self.other = other

    async def place(self, user: str, callee: Pjsip) -> Call:
        """The phone calls, and is answered."""
        call = self.live.phone.dial(user)
        await answers(callee)
        assert await call.settled() == "answered", call.reason
        return call

    async def take(self, caller: Pjsip) -> Call:
        """The phone is called, and answers."""
        caller.do("call", "1001")
        call = await self.live.called()
        call.answer()
        await caller.told("confirmed")
        return call

    async def consult(self) -> None:
        """The one pjsip calls the other as well."""
        self.one.do("call", OTHER)
        await answers(self.other)
        await self.one.told("confirmed")

    @property
    def transfers(self) -> list[str]:
        """What the phone told of transfers: its part, and how far it is."""
        return [f"{event.role} {event.state}" for event in self.live.told(TransferChanged)]

    def requests(self, kind: type[MessageSent | MessageReceived], method: str) -> list[Request]:
        """The requests that the phone sent, or got."""
        messages = [parse(event.data) for event in self.live.told(kind)]
        return [each for each in messages if isinstance(each, Request) and each.method == method]


async def answers(callee: Pjsip) -> None:
    """It is called, and answers."""
    await callee.told("called")
    callee.do("answer")
    await callee.told("confirmed")


@pytest.fixture
def play(
    lone: LivePhone, server: Kamailio, stage: Stage, certificates: Certificates, net: Net
) -> Callable[[Transport, Callable[[Scene], Awaitable[None]]], None]:
    """Play a story with all three registered: ``play(transport, story)``."""

    def pjsip(user: str, address: str, transport: Transport) -> Pjsip:
        settings = {
            "address": address,
            "transport": transport,
            "server": f"{server.address}:{5061 if transport == 'tls' else 5060}",
            "user": user,
            "password": CAST[user],
            "ca_file": str(certificates.ca_file),
        }
        return Pjsip(stage.folder(user), settings)

    def play(transport: Transport, story: Callable[[Scene], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with pjsip(ONE, net.peer, transport) as one, pjsip(OTHER, net.callee, transport) as other:
                await lone.phone.register()
                await story(Scene(lone, one, other))
                await until(lambda: not lone.phone.calls, "all calls to end")

        lone.play(whole, only_server(server.address, transport))

    return play


@every_transport
def test_the_phone_joins_the_two(transport: Transport, play: Callable[..., None]) -> None:
    """REFER with Replaces to the one, which then takes the phone's place with the other."""

    async def story(scene: Scene) -> None:
        first = await scene.place(ONE, scene.one)
        await first.hold()
        second = await scene.place(OTHER, scene.other)
        await transfer_to(first, second)
        await second.over()
        assert "Replaces=" in await scene.one.told("transfer")
        assert ONE in await scene.other.told("replaced")
        assert (first.state, first.transferred_to) == (CallState.ENDED, OTHER)
        assert scene.transfers == ["transferor started", "transferor done"]
        await scene.one.told("confirmed")
        assert (await scene.one.told("disconnected")).startswith("200")  # its call with the phone
        scene.one.do("hang up")
        await scene.one.told("disconnected")
        for _ in "12":
            await scene.other.told("disconnected")

    play(transport, story)


@every_transport
def test_the_phone_is_joined_with_the_other(transport: Transport, play: Callable[..., None]) -> None:
    """The one sends the phone a REFER with Replaces: it takes the place of the one with the other."""

    async def story(scene: Scene) -> None:
        first = await scene.take(scene.one)
        await scene.consult()
        scene.one.do("join", "first")
        assert "1001" in await scene.other.told("replaced")
        await scene.other.told("confirmed")
        await scene.one.told("disconnected")  # its call with the other
        (second,) = (call for call in scene.live.phone.calls if call is not first)
        assert await second.settled() == "answered"
        assert second.remote.startswith(f"sip:{OTHER}@")
        assert scene.requests(MessageSent, "INVITE")[-1].headers.get("Replaces")
        await until(
            lambda: scene.transfers == ["transferee started", "transferee done"], "the transfer's end"
        )
        if first.state is not CallState.ENDED:
            scene.one.do("hang up")
            await first.over()
        await second.hang_up()
        await scene.other.told("disconnected")

    play(transport, story)


@every_transport
def test_the_other_takes_the_place_of_the_one(transport: Transport, play: Callable[..., None]) -> None:
    """The one sends the other a REFER with Replaces: an INVITE that replaces the phone's call comes in."""

    async def story(scene: Scene) -> None:
        first = await scene.take(scene.one)
        await scene.consult()
        scene.one.do("join", "second")
        await first.over()
        (second,) = scene.live.phone.calls
        assert (second.remote, second.state) == (OTHER, CallState.TALKING)
        assert scene.requests(MessageReceived, "INVITE")[-1].headers.get("Replaces")
        await scene.other.told("confirmed")
        assert scene.transfers == []
        await second.hang_up()
        await scene.other.told("disconnected")

    play(transport, story)


@every_transport
def test_a_call_that_rings_at_the_other_is_kept(transport: Transport, play: Callable[..., None]) -> None:
    """Semi-attended: pjsip lets no call be replaced that rings at it (481, RFC 3891 section 3)."""

    async def story(scene: Scene) -> None:
        first = await scene.place(ONE, scene.one)
        second = scene.live.phone.dial(OTHER)
        await scene.other.told("called")
        scene.other.do("answer", "180")
        await until(lambda: second.state is CallState.RINGING, "the 180")
        with pytest.raises(CallError, match=f"^{OTHER} could not be reached: 481 "):
            await transfer_to(first, second)
        assert scene.transfers == ["transferor started", "transferor failed"]
        scene.other.do("answer")
        assert await second.settled() == "answered"
        await second.hang_up()
        await first.hang_up()

    play(transport, story)
