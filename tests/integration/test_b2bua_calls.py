"""Calls with baresip through a B2BUA, sippy's: to each end it is the other, and what passes is told anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from phone_emulator.events import CallState, MessageReceived, MessageSent
from phone_emulator.phone.transfer.transfer import transfer_blind
from tests.integration.harness.baresip import Account, Baresip
from tests.integration.harness.far_end import only_server
from tests.integration.harness.live import LivePhone, aside
from tests.integration.harness.net import Net
from tests.integration.harness.outsiders import B2bua
from tests.integration.harness.scene import TONE, Scene, answered, answers
from tests.integration.harness.stage import Stage
from tests.patience import until, wait_until

pytestmark = pytest.mark.integration

PEER, EARLY, OTHER = "1002", "1012", "1022"
"""Who waits to be told, who sounds its tone before it answers, and whom calls are transferred to."""


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, net: Net) -> B2bua:
    """The B2BUA, at the primary's address."""
    b2bua = B2bua(net.primary, lasting_stage.folder("b2bua"))
    lasting_stage.processes.append(b2bua)
    return b2bua.start()


@pytest.fixture(scope="module")
def baresip(server: B2bua, lasting_stage: Stage, net: Net) -> Baresip:
    """baresip with the cast."""
    at = f"{net.primary}:5060"
    accounts = [
        Account(PEER, "x", at, "manual"),
        Account(EARLY, "x", at, "early"),
        Account(OTHER, "x", at, "manual"),
    ]
    peer = Baresip(net.peer, lasting_stage.folder("baresip"), accounts, hertz=TONE)
    lasting_stage.processes.append(peer)
    peer.start()
    wait_until(lambda: server.registered == [PEER, EARLY, OTHER], "baresip to be registered")
    return peer


Play = Callable[..., None]


@pytest.fixture
def play(lone: LivePhone, server: B2bua, baresip: Baresip) -> Play:
    """Play a story: ``play(story, settings)``; all messages then passed the B2BUA."""

    def play(story: Callable[[Scene], Awaitable[None]], settings: Mapping[str, str] | None = None) -> None:
        async def whole() -> None:
            async with baresip.control() as control:
                await lone.phone.register()
                await story(Scene(lone, "udp", control))
                await until(lambda: not lone.phone.calls, "all calls to end")

        lone.play(whole, only_server(server.address, "udp") | dict(settings or {}))
        messages = [event for event in lone.events if isinstance(event, MessageSent | MessageReceived)]
        assert {event.remote.host for event in messages} == {server.address}

    return play


def test_registers(play: Play, server: B2bua) -> None:
    async def story(scene: Scene) -> None:
        assert "1001" in await aside(lambda: server.registered)

    play(story)
    assert "1001" not in server.registered  # rule R12


def test_the_phone_calls_and_hangs_up(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(PEER)
        await scene.is_heard(call)
        await scene.hang_up(call)

    play(story)


def test_the_phone_calls_and_baresip_hangs_up(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(PEER)
        await scene.baresip.do("hangup")
        await call.over()
        answered(call)

    play(story)


def test_baresip_calls_and_hangs_up(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called(PEER)
        await scene.is_heard(call)
        await scene.baresip.do("hangup")
        await call.over()
        answered(call)

    play(story)


def test_baresip_calls_and_the_phone_hangs_up(play: Play) -> None:
    async def story(scene: Scene) -> None:
        await scene.hang_up(await scene.called(PEER))

    play(story)


def test_baresip_refuses(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.place(PEER)
        await scene.baresip.do("hangup")
        await call.over()
        assert (call.result, call.status) == ("rejected", 486)  # rule C3

    play(story)


def test_nobody_is_registered(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial("1999")
        await call.over()
        assert (call.result, call.status) == ("rejected", 404)  # rule C3

    play(story)


def test_the_phone_refuses(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.ringing(PEER)
        call.reject(603)
        assert (await scene.baresip.told("CALL_CLOSED"))["param"] == "603 Decline"
        assert call.result == "rejected"

    play(story)


def test_the_phone_cancels(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.place(PEER)
        await until(lambda: call.state is CallState.RINGING, "ringing")
        await call.hang_up()
        await call.over()
        await scene.baresip.told("CALL_CLOSED")
        assert call.result == "cancelled"

    play(story)


def test_baresip_cancels(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.ringing(PEER)
        await scene.baresip.do("hangup")
        await call.over()
        assert (call.result, call.status) == ("cancelled", 487)

    play(story)


def test_both_hold_and_resume(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(PEER)
        await call.hold()
        await call.resume()
        for order, direction in (("hold", b"a=recvonly"), ("resume", b"a=sendrecv")):
            scene.live.events.clear()
            await scene.baresip.do(order)
            await until(lambda: bool(answers(scene.live)), f"baresip to {order}")
            assert direction in answers(scene.live)[0]
        await scene.is_heard(call)
        await scene.hang_up(call)

    play(story)


def test_early_media(play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial(EARLY)
        await scene.baresip.told("CALL_RTPESTAB")
        assert (call.state, call.result) == (CallState.RINGING, None)
        await scene.be(EARLY)
        await scene.baresip.do("accept")
        assert await call.settled() == "answered"
        await scene.tone(call)
        await scene.hang_up(call)

    play(story)


@pytest.mark.parametrize("dtmf_type", ["1", "2"], ids=["rtp", "info"])
def test_baresip_hears_the_digits(dtmf_type: str, play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(PEER)
        await call.send_dtmf("5#")
        for digit in "5#":
            assert (await scene.baresip.told("CALL_DTMF_START"))["param"] == digit
        await scene.hang_up(call)

    play(story, {"account.1.dtmf.type": dtmf_type})


def test_the_phone_transfers_baresip(play: Play) -> None:
    """The B2BUA takes the REFER, ends the phone's call and passes it on, and tells no more of it."""

    async def story(scene: Scene) -> None:
        call = await scene.talking(PEER)
        transfer = asyncio.create_task(transfer_blind(call, OTHER))
        await scene.baresip.told("CALL_INCOMING")
        await scene.baresip.do("accept")
        await call.over()
        answered(call)
        # The NOTIFYs may still come where the call is over (RFC 5057): the phone waits for 64*T1.
        assert not transfer.done()
        transfer.cancel()
        await asyncio.wait([transfer])
        await scene.baresip.do("hangup")

    play(story)


def test_baresip_transfers_the_phone(play: Play) -> None:
    """The B2BUA takes the REFER, ends baresip's call and passes it on to the phone."""

    async def story(scene: Scene) -> None:
        first = await scene.talking(PEER)
        await scene.baresip.do("transfer", OTHER)
        await scene.baresip.told("CALL_INCOMING")
        second = scene.live.phone.calls[-1]
        await scene.baresip.do("accept")
        assert await second.settled() == "answered"
        await first.over()
        await second.hang_up()
        answered(first)
        answered(second)

    play(story)
