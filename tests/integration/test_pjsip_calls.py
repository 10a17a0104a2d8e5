"""Calls with pjsip through Kamailio, the whole way over UDP, TCP or TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from phone_emulator.events import CallState, DigitReceived, MediaChanged
from phone_emulator.media.dtmf import DIGITS
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call, IncomingCall
from phone_emulator.phone.transfer.transfer import transfer_blind
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import TRANSPORTS, Transport, only_server
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone, aside
from tests.integration.harness.net import Net
from tests.integration.harness.pjsip import Pjsip
from tests.integration.harness.scene import CAST, answered, answers, kamailio
from tests.integration.harness.stage import Stage
from tests.media.listening import loudest
from tests.patience import until

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)

PEER = "1002"
"""Who pjsip is."""


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, certificates: Certificates) -> Kamailio:
    """Kamailio, which stays in the way of the dialogs."""
    return kamailio(lasting_stage, certificates).start()


class Scene:
    """The phone, registered over one transport, and pjsip."""

    def __init__(self, live: LivePhone, one: Pjsip) -> None:
        self.live = live
        self.one = one

    async def talking(self) -> Call:
        """The phone calls, and is answered."""
        call = self.live.phone.dial(PEER)
        await self.one.told("called")
        self.one.do("answer")
        assert await call.settled() == "answered", call.reason
        await self.one.told("confirmed")
        return call

    async def ringing(self) -> IncomingCall:
        """The phone is called."""
        self.one.do("call", "1001")
        return await self.live.called()

    async def called(self) -> IncomingCall:
        """The phone is called, and answers."""
        call = await self.ringing()
        call.answer()
        await self.one.told("confirmed")
        return call

    async def is_heard(self, call: Call) -> None:
        """Wait for pjsip's tone."""
        audio = call.voice.audio
        assert audio is not None
        audio.record(4.0)

        def heard() -> bool:
            sound = audio.recording
            return (
                sound.seconds >= 0.5 and loudest(Sound(sound.rate, sound.samples[-sound.rate // 10 :])) == 440
            )

        await until(heard, "the tone of pjsip")


@pytest.fixture
def play(
    lone: LivePhone, server: Kamailio, stage: Stage, certificates: Certificates, net: Net
) -> Callable[..., None]:
    """Play a story: ``play(transport, story, settings)``."""

    def play(
        transport: Transport,
        story: Callable[[Scene], Awaitable[None]],
        settings: Mapping[str, str] | None = None,
    ) -> None:
        async def whole() -> None:
            port = 5061 if transport == "tls" else 5060
            pjsip = Pjsip(
                stage.folder(PEER),
                {
                    "address": net.peer,
                    "transport": transport,
                    "server": f"{server.address}:{port}",
                    "user": PEER,
                    "password": CAST[PEER],
                    "ca_file": str(certificates.ca_file),
                },
            )
            async with pjsip:
                await lone.phone.register()
                await story(Scene(lone, pjsip))
                await until(lambda: not lone.phone.calls, "all calls to end")

        lone.play(whole, only_server(server.address, transport) | dict(settings or {}))

    return play


@every_transport
def test_the_phone_calls_and_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking()
        await scene.is_heard(call)
        await call.hang_up()
        answered(call)
        await scene.one.told("disconnected")

    play(transport, story)


@every_transport
def test_the_phone_calls_and_pjsip_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking()
        scene.one.do("hang up")
        await call.over()
        answered(call)

    play(transport, story)


@every_transport
def test_pjsip_calls_and_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called()
        await scene.is_heard(call)
        scene.one.do("hang up")
        await call.over()
        answered(call)

    play(transport, story)


@every_transport
def test_pjsip_calls_and_the_phone_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called()
        await call.hang_up()
        answered(call)
        await scene.one.told("disconnected")

    play(transport, story)


@every_transport
def test_registers(transport: Transport, play: Callable[..., None], server: Kamailio) -> None:
    """pjsip and the phone are bound at one server, and both leave it."""

    def users() -> list[str]:
        return sorted(binding.user for binding in server.bindings())

    async def story(scene: Scene) -> None:
        assert await aside(users) == ["1001", PEER]

    play(transport, story)
    assert users() == []  # rule R12


@every_transport
def test_pjsip_refuses(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial(PEER)
        await scene.one.told("called")
        scene.one.do("answer", "486")
        await call.over()
        assert (call.result, call.status) == ("rejected", 486)  # rule C3

    play(transport, story)


@every_transport
def test_the_phone_refuses(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.ringing()
        call.reject(603)
        assert await scene.one.told("disconnected") == "603 Decline"

    play(transport, story)


@every_transport
def test_the_phone_cancels(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial(PEER)
        await scene.one.told("called")
        scene.one.do("answer", "180")
        await until(lambda: call.state is CallState.RINGING, "ringing")
        await call.hang_up()
        await call.over()
        await scene.one.told("disconnected")
        assert call.result == "cancelled"

    play(transport, story)


@every_transport
def test_pjsip_cancels(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.ringing()
        await scene.one.told("early")
        scene.one.do("hang up")
        await call.over()
        assert (call.result, call.status) == ("cancelled", 487)

    play(transport, story)


@every_transport
def test_both_hold_and_resume(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking()
        await call.hold()
        await call.resume()
        for order, direction in (("hold", b"a=recvonly"), ("resume", b"a=sendrecv")):
            scene.live.events.clear()
            scene.one.do(order)
            await until(lambda: bool(answers(scene.live)), f"pjsip to {order}")
            assert direction in answers(scene.live)[0]
        await scene.is_heard(call)
        await call.hang_up()
        answered(call)

    play(transport, story)


@every_transport
def test_early_media(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial(PEER)
        await scene.one.told("called")
        scene.one.do("answer", "183")
        await until(lambda: any(change.early for change in scene.live.told(MediaChanged)), "early media")
        await scene.is_heard(call)
        assert (call.state, call.result) == (CallState.RINGING, None)
        scene.one.do("answer")
        assert await call.settled() == "answered"
        await call.hang_up()
        answered(call)

    play(transport, story)


@every_transport
@pytest.mark.parametrize("dtmf_type", ["1", "2"], ids=["rtp", "info"])
def test_pjsip_hears_the_digits(dtmf_type: str, transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking()
        await call.send_dtmf("5#")
        assert [await scene.one.told("digit") for _ in "5#"] == ["5", "#"]
        await call.hang_up()

    play(transport, story, {"account.1.dtmf.type": dtmf_type})


@every_transport
def test_pjsip_sends_digits(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called()
        scene.one.do("digits", "7")
        audio = call.voice.audio
        assert audio is not None
        await until(lambda: audio.digits == "7", "the digit")
        await call.hang_up()

    play(transport, story)


def test_pjsip_sends_digits_in_the_sound(play: Callable[..., None]) -> None:
    """Its tone generator knows the keypad; its calls go by the codec that both like best."""

    async def story(scene: Scene) -> None:
        call = await scene.called()
        scene.one.do("sounds", DIGITS)
        await until(lambda: call.digits_heard == DIGITS, "the digits")
        assert {event.by for event in scene.live.told(DigitReceived)} == {"inband"}
        await call.hang_up()

    play("udp", story, {"account.1.dtmf.type": "0"})


@every_transport
def test_the_phone_transfers_pjsip(transport: Transport, play: Callable[..., None]) -> None:
    """pjsip calls itself then, which is as good as anybody else."""

    async def story(scene: Scene) -> None:
        call = await scene.talking()
        transfer = asyncio.create_task(transfer_blind(call, PEER))
        await scene.one.told("called")
        scene.one.do("answer")
        await transfer
        await call.over()
        answered(call)

    play(transport, story)


@every_transport
def test_pjsip_transfers_the_phone(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        first = await scene.talking()
        scene.one.do("transfer", PEER)
        await scene.one.told("called")
        second = scene.live.phone.calls[-1]
        scene.one.do("answer")
        assert await second.settled() == "answered"
        scene.one.do("hang up")
        await first.over()
        await second.hang_up()
        answered(first)
        answered(second)

    play(transport, story)
