"""Calls with baresip through Kamailio, the whole way over UDP, TCP or TLS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Literal

import pytest

from phone_emulator.events import CallChanged, CallState, MediaChanged, MessageReceived, MessageSent
from tests.integration.harness.baresip import Baresip
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import TRANSPORTS, Transport, only_server
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone, aside
from tests.integration.harness.net import Net
from tests.integration.harness.scene import (
    EAGER,
    EARLY,
    FORKED,
    MANUAL,
    TONE,
    Scene,
    account,
    answered,
    kamailio,
)
from tests.integration.harness.stage import Stage
from tests.patience import until, wait_until

pytestmark = pytest.mark.integration
every_transport = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, certificates: Certificates) -> Kamailio:
    """Kamailio, which stays in the way of the dialogs."""
    return kamailio(lasting_stage, certificates).start()


@pytest.fixture(scope="module")
def baresip(server: Kamailio, lasting_stage: Stage, certificates: Certificates, net: Net) -> Baresip:
    """baresip with an account for every part of the cast, each over its own transport."""
    accounts = [account(net, user, transport, "manual") for transport, user in MANUAL.items()]
    accounts += [account(net, user, transport, "early") for transport, user in EARLY.items()]
    accounts += [
        account(net, user, transport, "manual") for transport, user in FORKED.items() for _ in range(2)
    ]
    accounts += [account(net, EAGER, "udp", "auto")] * 2
    folder = lasting_stage.folder("baresip")
    peer = Baresip(net.peer, folder, accounts, hertz=TONE, ca_file=certificates.ca_file)
    lasting_stage.processes.append(peer)
    peer.start()
    wait_until(lambda: len(server.bindings()) == len(accounts), "baresip to be registered")
    return peer


Story = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def play(lone: LivePhone, server: Kamailio, baresip: Baresip) -> Iterator[Callable[..., None]]:
    """Lets a story happen: ``play(transport, story, settings)``; every message then went over *transport*."""

    def play(transport: Transport, story: Story, settings: Mapping[str, str] | None = None) -> None:
        async def whole() -> None:
            async with baresip.control() as control:
                await lone.phone.register()
                assert lone.registered == ["primary"]
                await story(Scene(lone, transport, control))
                await until(lambda: not lone.phone.calls, "all calls to end")

        lone.play(whole, only_server(server.address, transport) | dict(settings or {}))
        messages = [event for event in lone.events if isinstance(event, MessageSent | MessageReceived)]
        # A request of more than 1,300 bytes goes over TCP (RFC 3261 section 18.1.1).
        large = transport == "udp" and any(len(event.data) > 1300 for event in lone.told(MessageSent))
        assert {str(event.transport) for event in messages} == ({"udp", "tcp"} if large else {transport})
        assert {event.remote.host for event in messages} == {server.address}

    yield play
    server.challenge_dialogs(0)


# -- registration --------------------------------------------------------------------------------------------


@every_transport
def test_registers(transport: Transport, play: Callable[..., None], server: Kamailio, net: Net) -> None:
    def bindings() -> list[str]:
        return [binding.contact for binding in server.bindings() if binding.user == "1001"]

    async def story(scene: Scene) -> None:
        port = 5061 if transport == "tls" else 5060
        parameter = "" if transport == "udp" else f";transport={transport.upper()}"
        assert await aside(bindings) == [f"sip:1001@{net.phone}:{port}{parameter}"]

    play(transport, story)
    assert bindings() == []  # rule R12


# -- up and down ---------------------------------------------------------------------------------------------


@every_transport
def test_the_phone_calls_and_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL[transport])
        await scene.is_heard(call)
        await scene.hang_up(call)
        assert [(attempt.target.role, str(attempt.target.transport)) for attempt in call.route] == [
            ("primary", transport)
        ]

    play(transport, story)


@every_transport
def test_the_phone_calls_and_baresip_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL[transport])
        await scene.baresip.do("hangup")
        await call.over()
        answered(call)

    play(transport, story)


@every_transport
def test_baresip_calls_and_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.ringing(MANUAL[transport])
        assert call.remote == MANUAL[transport]
        call.answer()
        await scene.baresip.told("CALL_ESTABLISHED")
        await scene.is_heard(call)
        await scene.baresip.do("hangup")
        await call.over()
        answered(call)

    play(transport, story)


@every_transport
def test_baresip_calls_and_the_phone_hangs_up(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called(MANUAL[transport])
        await scene.hang_up(call)

    play(transport, story)


@every_transport
def test_baresip_refuses(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.place(MANUAL[transport])
        await scene.baresip.do("hangup")
        await call.over()
        assert (call.result, call.status) == ("rejected", 486)  # rule C3

    play(transport, story)


@every_transport
def test_the_phone_refuses(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.ringing(MANUAL[transport])
        call.reject(603)
        closed = await scene.baresip.told("CALL_CLOSED")
        assert closed["param"] == "603 Decline"
        assert call.result == "rejected"

    play(transport, story)


@every_transport
def test_the_phone_cancels(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.place(MANUAL[transport])
        await until(lambda: call.state is CallState.RINGING, "ringing")
        await call.hang_up()
        await call.over()
        await scene.baresip.told("CALL_CLOSED")
        assert call.result == "cancelled"

    play(transport, story)


@every_transport
def test_baresip_cancels(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.ringing(MANUAL[transport])
        await scene.baresip.do("hangup")
        await call.over()
        assert (call.result, call.status) == ("cancelled", 487)

    play(transport, story)


# -- while the call is up ------------------------------------------------------------------------------------


@every_transport
def test_both_hold_and_resume(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL[transport])
        for _ in range(2):
            await call.hold()
            await call.resume()
        assert [change.state for change in scene.live.told(CallChanged)][-4:] == ["held", "talking"] * 2
        await scene.is_held_and_resumed()
        await scene.is_heard(call)
        await call.hang_up()
        answered(call)

    play(transport, story)


@every_transport
@pytest.mark.parametrize("dtmf_type", ["1", "2"], ids=["rtp", "info"])
def test_baresip_hears_the_digits(dtmf_type: str, transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL[transport])
        await call.send_dtmf("5#")
        for digit in "5#":
            assert (await scene.baresip.told("CALL_DTMF_START"))["param"] == digit
        await call.hang_up()

    play(transport, story, {"account.1.dtmf.type": dtmf_type})


@every_transport
def test_baresip_sends_digits(transport: Transport, play: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called(MANUAL[transport])
        await scene.baresip.do("sndcode", "7")
        audio = call.voice.audio
        assert audio is not None
        await until(lambda: audio.digits == "7", "the digit")
        await call.hang_up()

    play(transport, story)


@every_transport
def test_early_media(transport: Transport, play: Callable[..., None]) -> None:
    """baresip describes its session in the 183: it hears the phone before it answers."""

    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial(EARLY[transport])
        await scene.baresip.told("CALL_RTPESTAB")
        assert (call.state, call.result) == (CallState.RINGING, None)
        assert [change.early for change in scene.live.told(MediaChanged)] == [True]
        await scene.be(EARLY[transport])
        await scene.baresip.do("accept")
        assert await call.settled() == "answered"
        await scene.tone(call)
        await call.hang_up()
        answered(call)

    play(transport, story)


# -- forks ---------------------------------------------------------------------------------------------------


@every_transport
def test_two_phones_ring_and_one_answers(transport: Transport, play: Callable[..., None]) -> None:
    """Kamailio forks, and cancels the branch that only rang."""

    async def story(scene: Scene) -> None:
        call = await scene.place(FORKED[transport])
        await scene.baresip.told("CALL_INCOMING")
        await until(lambda: len(ringing_tags(scene.live)) == 2, "both phones to ring")
        await scene.baresip.do("accept")
        assert await call.settled() == "answered"
        await scene.baresip.told("CALL_CLOSED")
        assert call.state is CallState.TALKING
        await scene.hang_up(call)

    play(transport, story)


def ringing_tags(live: LivePhone) -> set[bytes]:
    """The To header of each 180 that came."""
    came = [event.data for event in live.told(MessageReceived) if event.data.startswith(b"SIP/2.0 180")]
    return {line for data in came for line in data.splitlines() if line.lower().startswith(b"to:")}


def test_two_phones_answer_at_once(play: Callable[..., None]) -> None:
    """One call is kept, the other is acknowledged and ended (RFC 3261 section 13.2.2.4)."""

    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial(EAGER)
        assert await call.settled() == "answered"
        await scene.baresip.told("CALL_CLOSED")
        assert call.state is CallState.TALKING
        await scene.hang_up(call)

    play("udp", story)


# -- transfer ------------------------------------------------------------------------------------------------


@every_transport
def test_the_phone_transfers_baresip(transport: Transport, play: Callable[..., None]) -> None:
    """baresip does as the REFER says, and tells of it: the phone's call is over."""

    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL[transport])
        await scene.transfers(call, FORKED[transport])

    play(transport, story)


@every_transport
def test_baresip_transfers_the_phone(transport: Transport, play: Callable[..., None]) -> None:
    """The phone calls whom the REFER names."""

    async def story(scene: Scene) -> None:
        first = await scene.talking(MANUAL[transport])
        second = await scene.is_transferred(first, FORKED[transport])
        assert second.remote.removeprefix("sip:").startswith(FORKED[transport])

    play(transport, story)


# -- credentials ---------------------------------------------------------------------------------------------


@every_transport
@pytest.mark.parametrize("status", [401, 407])
def test_every_request_is_challenged(
    status: Literal[401, 407], transport: Transport, play: Callable[..., None], server: Kamailio
) -> None:
    """REGISTER and INVITE always are; here the re-INVITE, INFO and BYE too. Kamailio checks each digest."""
    server.challenge_dialogs(status)

    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL[transport])
        await call.hold()
        await call.resume()
        await call.send_dtmf("5")
        await scene.hang_up(call)
        header = b"\r\nProxy-Authorization: " if status == 407 else b"\r\nAuthorization: "
        sent = [event.data for event in scene.live.told(MessageSent)]
        for method in (b"INVITE", b"INFO", b"BYE"):
            assert header in [data for data in sent if data.startswith(method)][-1]

    play(transport, story, {"account.1.dtmf.type": "2"})


@every_transport
def test_the_requests_of_the_called_phone_are_challenged(
    transport: Transport, play: Callable[..., None], server: Kamailio
) -> None:
    server.challenge_dialogs(407)

    async def story(scene: Scene) -> None:
        call = await scene.called(MANUAL[transport])
        await call.hold()
        await scene.hang_up(call)

    play(transport, story)
