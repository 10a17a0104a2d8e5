"""Calls that come in from a real caller through a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from phone_emulator.events import CallChanged, CallState, Direction
from phone_emulator.phone import Call, IncomingCall
from tests.integration.harness.capture import Capture, Place, Reading
from tests.integration.harness.kamailio import USERS, Kamailio
from tests.integration.harness.live import LivePhone
from tests.integration.harness.net import Net
from tests.integration.harness.sipp import Ending, SippCaller
from tests.patience import until

pytestmark = pytest.mark.integration

BY_TRANSPORT = {
    "udp": {"account.1.sip_server.1.port": "5060", "account.1.sip_server.1.transport_type": "0"},
    "tcp": {"account.1.sip_server.1.port": "5060", "account.1.sip_server.1.transport_type": "1"},
}
BUSY_HERE = {"features.normal_refuse_code": "486"}


@pytest.fixture
def caller(net: Net, tmp_path: Path) -> SippCaller:
    """1002, with its password."""
    return SippCaller(net.peer, tmp_path, user="1002", password=USERS["1002"])


async def ringing(live: LivePhone) -> IncomingCall:
    """The call that rings, as soon as one does."""
    call = await live.called()
    assert call.remote == "1002"
    return call


def states(live: LivePhone) -> list[CallState]:
    """What the phone's call went through."""
    changes = live.told(CallChanged)
    assert {change.direction for change in changes} == {Direction.INCOMING}
    return [change.state for change in changes]


def receive(
    live: LivePhone, server: Kamailio, caller: SippCaller, ending: Ending, transport: str
) -> tuple[Call, bool]:
    """A call to the phone that ends as *ending* says, and whether the caller saw it end so."""
    placed: list[tuple[Call, bool]] = []

    async def story() -> None:
        await live.phone.register()
        at = f"{server.address}:{server.port}"
        calling = live.beside(lambda: caller.call(at, "1001", ending=ending))
        call = await ringing(live)
        if ending == "is-refused":
            call.reject()
        elif ending != "cancels":
            call.answer()
        if ending == "waits":
            await until(lambda: call.state is CallState.TALKING, "the call to be up")
            await call.hang_up()
        await call.over()
        placed.append((call, await calling))

    live.play(story, BY_TRANSPORT[transport] | BUSY_HERE)
    return placed[0]


def delivered(wire: Reading, net: Net, transport: str) -> str:
    """The INVITE went from the server to where the phone registered from; returns its Call-ID."""
    register = wire.requests("REGISTER", source=net.phone, destination=net.primary)[0]
    (invite,) = wire.requests("INVITE", destination=net.phone)
    assert (invite.source.host, invite.transport) == (net.primary, transport)
    assert invite.destination == (Place(net.phone, 5060) if transport == "udp" else register.source), (
        wire.ladder()
    )
    return invite.call_id


@pytest.mark.parametrize("transport", BY_TRANSPORT)
def test_the_caller_hangs_up(
    transport: str, primary: Kamailio, net: Net, live: LivePhone, caller: SippCaller, capture: Capture
) -> None:
    call, content = receive(live, primary, caller, "hangs-up", transport)
    wire = capture.read()
    assert content, caller.messages
    delivered(wire, net, transport)
    assert states(live) == [CallState.RINGING, CallState.TALKING, CallState.ENDED]
    assert (call.result, call.status) == ("answered", 200)
    answers = [message.status for message in wire.messages if message.source.host == net.phone]
    assert [status for status in answers if status][-3:] == [180, 200, 200], "INVITE, and BYE"
    (bye,) = wire.requests("BYE", destination=net.phone)
    assert bye.transport == transport


@pytest.mark.parametrize("transport", BY_TRANSPORT)
def test_the_phone_hangs_up(
    transport: str, primary: Kamailio, net: Net, live: LivePhone, caller: SippCaller, capture: Capture
) -> None:
    _, content = receive(live, primary, caller, "waits", transport)
    wire = capture.read()
    assert content, caller.messages
    call_id = delivered(wire, net, transport)
    assert states(live) == [CallState.RINGING, CallState.TALKING, CallState.ENDING, CallState.ENDED]
    # Along the route set: through the server, which is in the path. rule C11
    bye, relayed = wire.requests("BYE")
    assert (bye.source.host, bye.destination.host, bye.transport) == (net.phone, net.primary, transport)
    assert (relayed.source.host, relayed.destination.host) == (net.primary, net.peer)
    assert bye.call_id == call_id


@pytest.mark.parametrize("transport", BY_TRANSPORT)
def test_the_caller_cancels(
    transport: str, primary: Kamailio, net: Net, live: LivePhone, caller: SippCaller, capture: Capture
) -> None:
    call, content = receive(live, primary, caller, "cancels", transport)
    wire = capture.read()
    assert content, caller.messages
    delivered(wire, net, transport)
    assert states(live) == [CallState.RINGING, CallState.ENDED]
    assert (call.result, call.status) == ("cancelled", 487)
    (invite,) = wire.requests("INVITE", destination=net.phone)
    (cancel,) = wire.requests("CANCEL", destination=net.phone)
    assert cancel.branch == invite.branch
    assert len(wire.responses(200, "CANCEL", source=net.phone)) == 1
    (terminated,) = wire.responses(487, "INVITE", source=net.phone)
    acks = wire.requests("ACK", destination=net.phone)
    assert [(ack.branch, ack.to_tag) for ack in acks] == [(terminated.branch, terminated.to_tag)]


def test_the_phone_refuses(
    primary: Kamailio, net: Net, live: LivePhone, caller: SippCaller, capture: Capture
) -> None:
    call, content = receive(live, primary, caller, "is-refused", "udp")
    wire = capture.read()
    assert content, caller.messages
    assert states(live) == [CallState.RINGING, CallState.ENDED]
    assert (call.result, call.status) == ("rejected", 486)
    assert len(wire.responses(486, "INVITE", source=net.phone)) == 1


def test_a_call_comes_in_through_the_secondary_while_the_primary_is_dead(
    secondary: Kamailio, net: Net, live: LivePhone, caller: SippCaller, capture: Capture
) -> None:
    _, content = receive(live, secondary, caller, "waits", "udp")
    wire = capture.read()
    assert content, caller.messages
    (invite,) = wire.requests("INVITE", destination=net.phone)
    assert invite.source.host == net.secondary
    bye = wire.requests("BYE", source=net.phone)[0]
    assert bye.destination.host == net.secondary  # rule C11
