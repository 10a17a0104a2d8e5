"""How the phone's packets go: large ones over TCP, all of them marked, connections kept while registered."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import MessageSent, Transport
from phone_emulator.sip.connection import IDLE
from phone_emulator.sip.message import Request
from phone_emulator.sip.parser import parse
from tests.phone.stage import Stage, play, server_1

LONG = {"account.1.display_name": "x" * 600}


def ways(stage: Stage, *methods: str) -> list[tuple[str, str, Transport]]:
    """Method, far end and transport of each request that the phone sent."""
    sent = [(parse(event.data), event) for event in stage.events if isinstance(event, MessageSent)]
    return [
        (message.method, event.remote.host.rpartition(".")[2], event.transport)
        for message, event in sent
        if isinstance(message, Request) and message.method in methods
    ]


def test_a_large_invite_goes_over_tcp_and_the_route_says_why() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        (attempt,) = call.route
        assert attempt.target.transport is Transport.UDP
        assert attempt.detail.startswith("200 OK (over TCP: its ")
        assert attempt.detail.endswith(" bytes are too many for UDP)")
        await call.hang_up()
        assert set(ways(stage, "INVITE")) == {("INVITE", "13", Transport.TCP)}
        invite = stage.requests("INVITE")[0]
        assert (invite.headers.get("Via") or "").startswith("SIP/2.0/TCP ")
        assert invite.contacts[0].uri.parameters.get("transport") is None, "only the next hop is another"

    play(story, LONG)


def test_a_large_invite_is_cancelled_where_it_went() -> None:
    # rule C11
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(0.1)
        await call.hang_up()
        await call.over()
        assert ways(stage, "CANCEL") == [("CANCEL", "13", Transport.TCP)]

    play(story, LONG, primary="trying")


@pytest.mark.parametrize(
    ("behaviour", "outcome"), [("refuse", "icmp"), ("silent", "no-response"), (503, "unavailable")]
)
def test_a_large_invite_fails_over_like_any_other(behaviour: object, outcome: str) -> None:
    # rule C1, rule C2
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await call.settled()
        assert [str(attempt.outcome) for attempt in call.route] == [outcome, "answered"]
        remarks = [attempt.remark for attempt in call.route]
        assert remarks[0].startswith("over UDP with its " if behaviour == "refuse" else "over TCP: its ")
        assert call.route[0].detail.endswith(f"({remarks[0]})")
        await call.hang_up()

    play(story, LONG, primary=behaviour)


def test_packets_are_marked_as_the_file_says() -> None:
    async def story(stage: Stage) -> None:
        host = stage.world.network.host(stage.phone.context.host)
        call = stage.phone.dial("1002")
        await call.settled()
        audio = call.voice.audio
        assert audio is not None
        assert host.udp[audio.local.port].dscp == 10
        assert host.udp[5060].dscp == 40
        assert host.listeners[5060].dscp == 40
        assert {stream.dscp for stream in host.streams} == {40}
        await call.hang_up()

    settings = {"static.network.qos.signaltos": "40", "network.qos.audiotos": "10"}
    play(story, {**settings, **server_1(transport_type=1)})


def test_packets_are_marked_as_documented_where_no_file_says() -> None:
    async def story(stage: Stage) -> None:
        host = stage.world.network.host(stage.phone.context.host)
        call = stage.phone.dial("1002")
        await call.settled()
        audio = call.voice.audio
        assert audio is not None
        assert (host.udp[5060].dscp, host.udp[audio.local.port].dscp) == (26, 46)
        await call.hang_up()

    play(story)


@pytest.mark.parametrize("registered", [False, True])
def test_the_connection_of_a_registration_stays_open(registered: bool) -> None:
    """Calls come in over it; one that only carried a call is closed when nothing goes over it any more."""

    async def story(stage: Stage) -> None:
        if registered:
            await stage.phone.register()
        call = stage.phone.dial("1002")
        await call.settled()
        await call.hang_up()
        host = stage.world.network.host(stage.phone.context.host)
        assert any(stream.remote.host == "192.168.1.13" for stream in host.streams)
        await asyncio.sleep(IDLE + 1)
        assert any(stream.remote.host == "192.168.1.13" for stream in host.streams) is registered

    play(story, server_1(transport_type=1, port=5060))
