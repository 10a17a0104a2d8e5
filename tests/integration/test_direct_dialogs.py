"""Calls with baresip through a Kamailio without ``record_route()``: from the answer on the two are alone.

Requests within the dialog go to the Contact of the other (RFC 3261 section 12.2.1.1), past the server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from phone_emulator.events import CallState, MessageReceived, MessageSent
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.integration.harness.baresip import Baresip
from tests.integration.harness.certificates import Certificates
from tests.integration.harness.far_end import Transport, only_server
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.scene import (
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
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp")
udp_and_tcp = pytest.mark.parametrize("transport", TRANSPORTS)


@pytest.fixture(scope="module")
def server(lasting_stage: Stage, certificates: Certificates) -> Kamailio:
    """Kamailio, which leaves the dialogs to the two ends."""
    return kamailio(lasting_stage, certificates, record_routes=False).start()


@pytest.fixture(scope="module")
def baresip(server: Kamailio, lasting_stage: Stage, net: Net) -> Baresip:
    """baresip with what is played of the cast, over UDP: over TCP nobody reaches its Contact."""
    accounts = [account(net, MANUAL["udp"], "udp", "manual"), account(net, EARLY["udp"], "udp", "early")]
    accounts += [account(net, FORKED["udp"], "udp", "manual")]
    peer = Baresip(net.peer, lasting_stage.folder("baresip"), accounts, hertz=TONE)
    lasting_stage.processes.append(peer)
    peer.start()
    wait_until(lambda: len(server.bindings()) == len(accounts), "baresip to be registered")
    return peer


Play = Callable[[Transport, Callable[[Scene], Awaitable[None]]], None]


@pytest.fixture
def play(lone: LivePhone, server: Kamailio, baresip: Baresip) -> Play:
    """Play a story: ``play(transport, story)``; the dialogs then passed the server by."""

    def play(transport: Transport, story: Callable[[Scene], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with baresip.control() as control:
                await lone.phone.register()
                await story(Scene(lone, transport, control))
                await until(lambda: not lone.phone.calls, "all calls to end")

        lone.play(whole, only_server(server.address, transport))
        others = others_in_dialogs(lone)
        assert others
        assert server.address not in others

    return play


def others_in_dialogs(live: LivePhone) -> set[str]:
    """Where requests within dialogs went to and came from; ACKs aside, which refusals get too."""
    events = [event for event in live.events if isinstance(event, MessageSent | MessageReceived)]
    found = [(parse(event.data), event.remote.host) for event in events]
    return {
        host
        for message, host in found
        if isinstance(message, Request)
        and message.method != "ACK"
        and ";tag=" in (message.headers.get("To") or "")
    }


@udp_and_tcp
def test_the_phone_calls_and_hangs_up(transport: Transport, play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL["udp"])
        await scene.is_heard(call)
        await scene.hang_up(call)

    play(transport, story)


@udp_and_tcp
def test_the_phone_calls_and_baresip_hangs_up(transport: Transport, play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL["udp"])
        await scene.baresip.do("hangup")
        await call.over()
        answered(call)

    play(transport, story)


@udp_and_tcp
def test_baresip_calls_and_hangs_up(transport: Transport, play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called(MANUAL["udp"])
        await scene.is_heard(call)
        await scene.baresip.do("hangup")
        await call.over()
        answered(call)

    play(transport, story)


@udp_and_tcp
def test_baresip_calls_and_the_phone_hangs_up(transport: Transport, play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.called(MANUAL["udp"])
        await scene.hang_up(call)

    play(transport, story)


@udp_and_tcp
def test_both_hold_and_resume(transport: Transport, play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL["udp"])
        await call.hold()
        await call.resume()
        await scene.is_held_and_resumed()
        await scene.hang_up(call)

    play(transport, story)


@udp_and_tcp
def test_early_media(transport: Transport, play: Play) -> None:
    async def story(scene: Scene) -> None:
        call = scene.live.phone.dial(EARLY["udp"])
        await scene.baresip.told("CALL_RTPESTAB")
        assert (call.state, call.result) == (CallState.RINGING, None)
        await scene.be(EARLY["udp"])
        await scene.baresip.do("accept")
        assert await call.settled() == "answered"
        await scene.tone(call)
        await scene.hang_up(call)

    play(transport, story)


@udp_and_tcp
def test_the_phone_transfers_baresip(transport: Transport, play: Play) -> None:
    """REFER and NOTIFY go straight; the INVITE that follows goes by the server."""

    async def story(scene: Scene) -> None:
        call = await scene.talking(MANUAL["udp"])
        await scene.transfers(call, FORKED["udp"])

    play(transport, story)


@udp_and_tcp
def test_baresip_transfers_the_phone(transport: Transport, play: Play) -> None:
    async def story(scene: Scene) -> None:
        first = await scene.talking(MANUAL["udp"])
        await scene.is_transferred(first, FORKED["udp"])

    play(transport, story)
