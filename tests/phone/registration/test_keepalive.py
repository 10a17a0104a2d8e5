"""Keeping NATs open (``account.X.nat.udp_update_enable``)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import MessageSent
from phone_emulator.sip.message import Request
from tests.lab.peers import SERVER
from tests.phone.far_end import Play, play
from tests.phone.presence.watching import registered

PING = b"\r\n\r\n"


def packets(on: Play) -> list[float]:
    assert {data for _, data in on.far.keepalives} <= {PING}
    return [round(at, 3) for at, _ in on.far.keepalives]


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, [30.0, 60.0, 90.0]),
        ({"account__1__nat__udp_update_enable": 1, "account__1__nat__udp_update_time": 45}, [45.0, 90.0]),
        ({"account__1__nat__udp_update_enable": 0}, []),
    ],
)
def test_short_packets(settings: dict[str, Any], times: list[float]) -> None:
    async def story(on: Play) -> None:
        await registered(on)
        sent = sum(isinstance(event, MessageSent) for event in on.events)
        await asyncio.sleep(100)
        assert packets(on) == times
        assert sum(isinstance(event, MessageSent) for event in on.events) == sent

    play(story, **settings)


def test_nothing_is_kept_alive_that_is_not_registered() -> None:
    async def story(on: Play) -> None:
        await asyncio.sleep(100)
        registering = asyncio.create_task(on.phone.register())
        on.far.answer(await on.far.heard("REGISTER"), 403)
        await registering
        await asyncio.sleep(29)
        on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "200")])  # at 130 s
        await asyncio.sleep(100)
        assert packets(on) == [160.0, 190.0, 220.0]
        await asyncio.sleep(110)  # the refresh at 270 s draws no answer, and the binding is lost at 302 s
        assert packets(on)[3:] == [250.0, 280.0]
        assert on.phone.line(1).bindings.targets == []
        await asyncio.sleep(600)
        assert packets(on)[5:] == []

    play(story)


def test_requests_as_keep_alives() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        await asyncio.sleep(29)
        first = await on.far.heard("OPTIONS")
        assert on.world.now() == pytest.approx(30.0, abs=0.001)
        on.far.answer(first, 405)
        await asyncio.sleep(29.9)
        second = await on.far.heard("OPTIONS")
        assert second.call_id != first.call_id
        assert [name for name, _ in second.headers] == [  # T11
            "Via",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
            "Max-Forwards",
            "User-Agent",
            "Content-Length",
        ]
        assert second.uri == f"sip:1001@{SERVER}"
        assert packets(on) == []

    play(story, account__1__nat__udp_update_enable=2)


def test_notifies_as_keep_alives() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        await asyncio.sleep(29)
        notify = await on.far.heard("NOTIFY")
        assert notify.headers.get("Event") == "keep-alive"
        await asyncio.sleep(100)  # no answer: it is repeated and given up, and changes nothing
        assert [each.role for each in on.phone.line(1).bindings.targets] == ["primary"]

    play(story, account__1__nat__udp_update_enable=3)


@pytest.mark.parametrize(("by_socket", "times"), [(1, [30.0, 60.0]), (0, [])])
def test_connections_are_kept_alive(by_socket: int, times: list[float]) -> None:
    """RFC 5626 section 3.5.1."""
    heard: list[float] = []

    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        register = await on.far.heard("REGISTER")
        received = on.far.data_received

        def note(data: bytes) -> None:
            if data == PING:
                heard.append(round(on.world.now(), 3))
            received(data)

        on.far.data_received = note  # type: ignore[method-assign]
        on.far.answer(register, 200, extra=[("Expires", "600")])
        await registering
        await asyncio.sleep(80)
        assert heard == times

    tcp: dict[str, Any] = {"account__1__sip_server__1__transport_type": 1}
    play(story, **tcp, sip__send_keepalive_by_socket=by_socket, account__1__nat__udp_update_enable=2)


def test_a_stopped_phone_is_quiet() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        stopping = asyncio.create_task(on.phone.stop())
        on.far.answer(await on.far.heard("REGISTER"), 200)
        await stopping
        await asyncio.sleep(100)
        assert packets(on) == []

    play(story, stop=False)


def test_both_servers_are_kept_alive() -> None:
    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        for _ in range(2):
            request = await on.far.request()
            assert isinstance(request, Request)
            on.far.answer(request, 200, extra=[("Expires", "600")])
        await registering
        await asyncio.sleep(31)
        assert packets(on) == [30.0]  # one address, one packet

    play(story, account__1__sip_server__2__address=SERVER.host, account__1__sip_server__2__port=5060)


def test_a_server_behind_the_second_proxy_is_kept_alive() -> None:
    # rule O1: two proxies may lead to one SIP server
    async def story(on: Play) -> None:
        await registered(on)  # the first proxy does not respond
        [target] = on.phone.line(1).bindings.targets
        assert target.server == 2
        await asyncio.sleep(29)
        keepalive = await on.far.heard("OPTIONS")
        assert keepalive.uri == f"sip:1001@{SERVER}"

    play(
        story,
        account__1__nat__udp_update_enable=2,
        account__1__outbound_proxy_enable=1,
        account__1__outbound_proxy__1__address="192.168.1.99",
        account__1__outbound_proxy__2__address=SERVER.host,
    )
