"""A user agent moves to another IP address: its sockets, its connections, what waits for an answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from phone_emulator.events import Address, Outcome, Transport
from phone_emulator.sip.client import Moved, RequestFailed
from phone_emulator.sip.flow import Flow
from phone_emulator.sip.message import response_to
from phone_emulator.world.base import ConnectFailed, SendFailed, WorldError
from tests.sip.ends import HERE, THERE, Ends, Far, request, run

UDP, TCP = Transport.UDP, Transport.TCP
NEW = "192.168.1.22"
WHY = "it has moved"


def response(ends: Ends, far: Far, index: int = -1) -> bytes:
    """What answers the request that *far* heard."""
    message: Any = far.heard[index]
    return response_to(message, 200, to_tag="2").to_bytes()


def test_sockets_are_at_the_new_address_and_no_more_at_the_old_one() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        await ends.endpoint.move(NEW, why=WHY)
        old, new = ends.world.network.host(HERE.host), ends.world.network.host(NEW)
        assert (list(old.udp), list(old.listeners)) == ([], [])
        assert (list(new.udp), list(new.listeners)) == ([5060], [5060])
        layer = ends.endpoint.transports
        assert (layer.hosts, layer.local(UDP)) == ((NEW,), Address(NEW, 5060))
        client = ends.endpoint.clients.request(request("OPTIONS"), await layer.flow(UDP, THERE))
        await asyncio.sleep(0.1)
        assert client.request.via.host == NEW
        far.raw(b"")  # whatever comes goes to the old address, where nobody is
        await asyncio.sleep(0.1)
        assert far.icmp == ["ICMP port unreachable"]

    run(story)


def test_a_way_of_before_leads_from_the_new_address() -> None:
    async def story(ends: Ends) -> None:
        layer = ends.endpoint.transports
        before = await layer.flow(UDP, THERE)
        before.any_size = True
        assert layer.as_of_now(before) is before
        await ends.endpoint.move(NEW, why=WHY)
        now = layer.as_of_now(before)
        assert (now.local, now.remote, now.any_size) == (Address(NEW, 5060), THERE, True)
        stream = Flow(TCP, before.local, THERE, stream=object())  # type: ignore[arg-type]
        assert layer.as_of_now(stream) is stream

    run(story)


def test_connections_end_and_who_waits_there_is_told() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).listen()
        layer = ends.endpoint.transports
        flow = await layer.flow(TCP, THERE)
        client = ends.endpoint.clients.request(request("OPTIONS"), flow)
        connecting = asyncio.create_task(layer.flow(TCP, Address("192.168.1.99", 5060)))
        await asyncio.sleep(0.1)
        await ends.endpoint.move(NEW, why=WHY)
        assert flow.lost
        with pytest.raises(RequestFailed, match=WHY):
            await client.final()
        with pytest.raises(ConnectFailed, match=WHY):
            await connecting
        await asyncio.sleep(0.1)
        assert far.lost == [""]
        assert (await layer.flow(TCP, THERE)).local == Address(NEW, 5060)

    run(story)


def test_changes_of_a_session_fail_and_all_else_waits_on() -> None:
    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        ask = ends.endpoint.clients.request
        inside = [ask(request(each, to="<sip:b@x>;tag=2"), flow) for each in ("INVITE", "UPDATE")]
        others = [ask(request("INVITE", "c2"), flow), ask(request("INFO", "c3", to="<sip:b@x>;tag=2"), flow)]
        answered = ask(request("INVITE", "c4", to="<sip:b@x>;tag=2"), flow)
        await asyncio.sleep(0.1)
        far.raw(response(ends, far))
        await answered.final()
        await ends.endpoint.move(NEW, why=WHY)
        for client in inside:
            with pytest.raises(Moved, match=WHY) as moved:
                await client.final()
            assert moved.value.outcome is Outcome.SEND_FAILED
        assert [client.over for client in others] == [False, False]
        repeated: list[object] = []
        answered.on_late = repeated.append
        far.raw = ends.world.network.host(THERE.host).udp[5060].send  # type: ignore[assignment]
        far.raw(response(ends, far), Address(NEW, 5060))  # type: ignore[call-arg]
        await asyncio.sleep(0.1)
        assert len(repeated) == 1  # its ACK may have been lost

    run(story)


def test_without_an_address_nothing_leaves() -> None:
    async def story(ends: Ends) -> None:
        layer = ends.endpoint.transports
        flow = await layer.flow(UDP, THERE)
        await ends.endpoint.move("", why="the cable is out")
        with pytest.raises(SendFailed, match="the cable is out"):
            layer.send(request("OPTIONS", via="SIP/2.0/UDP x;branch=z9hG4bK1"), flow)
        with pytest.raises(ConnectFailed, match="the cable is out"):
            await layer.flow(TCP, THERE)
        layer.ping(UDP, THERE)
        assert list(ends.world.network.host(HERE.host).udp) == []
        await ends.endpoint.move(HERE.host, why="it is back")
        layer.send(request("OPTIONS", via="SIP/2.0/UDP x;branch=z9hG4bK1"), flow)

    run(story)


def test_a_port_that_is_taken_there() -> None:
    async def story(ends: Ends) -> None:
        taken = await ends.world.open_udp(Address(NEW, 5060), Far(ends.world))
        with pytest.raises(WorldError, match="address already in use"):
            await ends.endpoint.move(NEW, why=WHY)
        assert list(ends.world.network.host(HERE.host).udp) == []
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        with pytest.raises(SendFailed, match="address already in use"):
            ends.endpoint.transports.send(request("OPTIONS", via="SIP/2.0/UDP x;branch=z9hG4bK1"), flow)
        taken.close()
        await ends.endpoint.move(NEW, why=WHY)
        assert list(ends.world.network.host(NEW).udp) == [5060]

    run(story)


def test_an_answer_that_names_an_address_of_before_is_its_own() -> None:
    """RFC 3261 section 18.1.2: the Via is that of the request, which left from there."""

    async def story(ends: Ends) -> None:
        far = await Far(ends.world).bind()
        flow = await ends.endpoint.transports.flow(UDP, THERE)
        client = ends.endpoint.clients.request(request("OPTIONS"), flow)
        await asyncio.sleep(0.1)
        await ends.endpoint.move(NEW, why=WHY)
        await asyncio.sleep(0.5)  # the request once more, from there
        ends.world.network.host(THERE.host).udp[5060].send(response(ends, far), Address(NEW, 5060))
        assert (await client.final()).status == 200

    run(story)
