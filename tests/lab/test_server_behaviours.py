"""The ways in which a lab server can behave."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.events import ServerChanged, Transport
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.sip.digest import challenges
from phone_emulator.sip.message import response_to
from phone_emulator.world.base import ConnectFailed
from tests.lab.peers import (
    DOMAIN,
    TCP,
    UDP,
    Lab,
    ack_to,
    ladder,
)


def test_a_status_for_everything_with_retry_after() -> None:
    # rule C2
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        for method in ("REGISTER", "INVITE", "OPTIONS", "BYE"):
            phone.send(phone.make(method, f"sip:{DOMAIN}"))
            unavailable = await phone.response(503, method)
            assert unavailable.headers.get("Retry-After") == "30"
            assert unavailable.reason == "Service Unavailable"
        await lab.server.behave(Behaviour.parse("ok"))
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}", cseq=2))
        await phone.response(200)
        assert [e for e in lab.events if isinstance(e, ServerChanged)] == [
            ServerChanged(at=lab.world.now(), server="primary", behaviour="ok")
        ]

    ladder(story, behaviour=Behaviour.parse({"status": 503, "retry_after": 30}))


def test_a_status_for_one_method() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        invite = phone.make("INVITE")
        phone.send(invite)
        phone.send(ack_to(invite, await phone.response(486)))
        await phone.nothing()
        await phone.register()

    ladder(story, behaviour=Behaviour.parse({"INVITE": 486, "REGISTER": "ok"}))


def test_a_401_for_everything_is_a_challenge_that_no_answer_satisfies() -> None:
    # rule R10
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(await phone.authenticated(phone.make("REGISTER", f"sip:{DOMAIN}")))
        [challenge] = challenges(await phone.response(401))
        assert not challenge.stale

    ladder(story, behaviour=Behaviour.parse(401))


@pytest.mark.parametrize("transport", [UDP, TCP])
def test_silent_reads_and_answers_nothing(transport: Transport) -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(transport), await lab.callee()
        phone.send(phone.make("INVITE", user="2001"))
        offered = await callee.request()
        await lab.server.behave(Behaviour.parse("silent"))
        callee.send(response_to(offered, 200, to_tag="to-1"))
        for method in ("REGISTER", "INVITE", "OPTIONS", "ACK", "CANCEL", "BYE"):
            phone.send(phone.make(method))
        await phone.nothing()
        await callee.nothing(1)
        assert phone.icmp == phone.lost == []
        assert lab.server.received["OPTIONS"] == 1

    ladder(story)


def test_silent_for_one_method_only() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(phone.make("INVITE"))
        await phone.nothing()
        await phone.register()

    ladder(story, behaviour=Behaviour.parse({"INVITE": "silent"}))


def test_refuse_closes_the_sockets_and_opens_them_again() -> None:
    # rule C2
    async def story(lab: Lab) -> None:
        phone, connected = await lab.phone(), await lab.phone(TCP)
        await lab.server.behave(Behaviour.parse("refuse"))
        await asyncio.sleep(1)
        assert connected.lost == ["connection reset by peer"]
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        await asyncio.sleep(1)
        assert phone.icmp == ["ICMP port unreachable"]
        with pytest.raises(ConnectFailed, match="refused"):
            await lab.phone(TCP)
        await lab.server.behave(Behaviour.parse("ok"))
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        await phone.response(200)
        again = await lab.phone(TCP)
        again.send(again.make("OPTIONS", f"sip:{DOMAIN}"))
        await again.response(200)

    ladder(story)


def test_refuse_from_the_start() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        await phone.nothing(1)
        assert phone.icmp == ["ICMP port unreachable"]

    ladder(story, behaviour=Behaviour.parse("refuse"))


def test_trying_says_100_and_nothing_else() -> None:
    # rule C4
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        await phone.register()
        invite = phone.make("INVITE")
        phone.send(invite)
        assert (await phone.response(100)).to_tag is None
        await phone.nothing()
        phone.send(phone.make("CANCEL", branch=invite.branch or ""))
        await phone.response(200, "CANCEL")
        await phone.nothing()
        await callee.nothing(1)

    ladder(story, behaviour=Behaviour.parse("trying"))


@pytest.mark.parametrize("behaviour", ["ringing", {"INVITE": "ringing"}])
def test_ringing_rings_until_it_is_cancelled(behaviour: object) -> None:
    # rule C4
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        invite = phone.make("INVITE")
        phone.send(invite)
        await phone.response(100)
        ringing = await phone.response(180)
        await phone.nothing()
        phone.send(phone.make("CANCEL", branch=invite.branch or ""))
        cancelled = await phone.response(200, "CANCEL")
        terminated = await phone.response(487, "INVITE")
        assert ringing.to_tag == cancelled.to_tag == terminated.to_tag is not None
        phone.send(ack_to(invite, terminated))
        await phone.nothing()
        await callee.nothing(1)

    ladder(story, behaviour=Behaviour.parse(behaviour))


def test_delay_holds_back_answers_and_forwarded_messages() -> None:
    async def story(lab: Lab) -> None:
        phone, callee = await lab.phone(), await lab.callee()
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        await phone.response(200)
        assert lab.world.now() == 2.0
        phone.send(phone.make("MESSAGE"))
        message = await callee.request()
        assert lab.world.now() == 4.0
        callee.send(response_to(message, 200, to_tag="to-1"))
        await phone.response(200)
        assert lab.world.now() == 6.0

    ladder(story, behaviour=Behaviour.parse({"delay": "2s"}))


def test_what_is_held_back_when_the_server_stops_is_never_sent() -> None:
    async def story(lab: Lab) -> None:
        phone = await lab.phone()
        phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}"))
        await asyncio.sleep(1)
        await lab.server.stop()
        await phone.nothing()

    ladder(story, behaviour=Behaviour.parse({"delay": "2s"}))


def test_loss_loses_datagrams_both_ways_and_nothing_of_a_connection() -> None:
    async def story(lab: Lab) -> None:
        phone, connected = await lab.phone(), await lab.phone(TCP)
        for n in range(400):
            phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}", cseq=n + 1))
        connected.send(connected.make("OPTIONS", f"sip:{DOMAIN}"))
        await connected.response(200)
        await asyncio.sleep(1)
        assert 150 < lab.server.received["OPTIONS"] - 1 < 250
        assert 60 < phone.inbox.qsize() < 140

    ladder(story, behaviour=Behaviour.parse({"loss": 0.5}))


def test_duplicates_and_reordering_both_ways() -> None:
    async def story(lab: Lab) -> None:
        phone, connected = await lab.phone(), await lab.phone(TCP)
        for n in range(200):
            phone.send(phone.make("OPTIONS", f"sip:{DOMAIN}", cseq=n + 1))
        connected.send(connected.make("OPTIONS", f"sip:{DOMAIN}"))
        await connected.response(200)
        await asyncio.sleep(1)
        assert connected.inbox.empty()
        assert 260 < lab.server.received["OPTIONS"] - 1 < 340
        numbers = [phone.inbox.get_nowait().cseq.number for _ in range(phone.inbox.qsize())]
        assert set(numbers) == set(range(1, 201))
        assert numbers != sorted(numbers)
        assert len(numbers) > lab.server.received["OPTIONS"]

    ladder(story, behaviour=Behaviour.parse({"duplicate": 0.5, "reorder": 0.2}))
