"""What keeps strangers out hinders nobody else: proxies of two addresses, presence servers, direct far ends.

The bystander is whoever the servers name, or another address of theirs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from phone_emulator.config import load_text
from phone_emulator.events import Address, Bus, CallState, CheckSync, Event
from phone_emulator.phone import IncomingCall, Phone, PhoneOptions
from phone_emulator.sip.message import response_to
from phone_emulator.world.simulated import SimulatedWorld
from tests.hostile.scene import Play, Scene, Somebody, Up, neighbour, play
from tests.patience import until

NAMED: dict[str, Any] = {
    "account__1__sip_server__2__address": "second.example.com",
    "account__1__sip_server__2__port": 5060,
    "dns_cache_a__1__name": "second.example.com",
    "dns_cache_a__1__ip": neighbour(77),
    "account__1__dns_cache_type": 2,
}
"""A second server, which the cfg gives by its name: nobody has looked that up before it is needed."""


async def registered(on: Scene) -> None:
    """Let the phone register at its server."""
    on.phone.spawn(on.phone.register(), "registering")
    register = await on.server.heard("REGISTER")
    on.server.answer(register, 200, contact=f"{register.headers.get('Contact')};expires=3600")


# -- whom a server names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "watching",
    [
        {"account__1__subscribe_mwi": 1},
        {"linekey__1__type": 16, "linekey__1__value": "1005", "linekey__1__line": 1},
    ],
    ids=["message-summary", "dialog"],
)
def test_a_first_notify_of_a_presence_server_waits_for_the_answer(
    play: Play, watching: dict[str, Any]
) -> None:
    """It comes from whom the Contact of the 200 to the SUBSCRIBE names, which is still on its way."""

    async def story(on: Scene) -> None:
        await registered(on)
        subscribe = await on.server.heard("SUBSCRIBE")
        own, phone = f"{subscribe.headers.get('To')};tag=far-tag", subscribe.headers.get("From") or ""
        extra = [
            ("Event", subscribe.headers.get("Event") or ""),
            ("Subscription-State", "active;expires=3600"),
        ]
        on.bystander.send(on.bystander.within("NOTIFY", own, phone, subscribe.call_id, 1, extra=extra))
        await on.passed()
        contact = f"<sip:presence@{on.bystander.place}>"
        on.server.answer(subscribe, 200, contact=contact, extra=[("Expires", "3600")])
        await on.bystander.response(200, "NOTIFY")

    play(story, **watching)


def test_a_late_answer_through_the_server_is_ended_where_its_contact_says() -> None:
    """RFC 3261 section 13.2.2.4, through a proxy that records no route."""

    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        await call.over()
        contact = ("Contact", f"<sip:1002@{on.bystander.place}>")
        on.server.send(response_to(invite, 200, to_tag="late", extra=[contact]))
        await on.bystander.heard("ACK")
        await on.bystander.heard("BYE")

    play("simulated", story)


def test_a_further_fork_through_the_server_is_ended_where_its_contact_says(play: Play) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        on.server.answer(invite, 200)
        await on.server.heard("ACK")
        await call.settled()
        contact = ("Contact", f"<sip:1002@{on.bystander.place}>")
        on.server.send(response_to(invite, 200, to_tag="fork", extra=[contact]))
        await on.bystander.heard("ACK")
        await on.bystander.heard("BYE")
        assert call.state is CallState.TALKING

    play(story)


def test_a_prack_goes_where_the_contact_says(play: Play) -> None:
    async def story(on: Scene) -> None:
        on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        extra = [("Contact", f"<sip:1002@{on.bystander.place}>"), ("Require", "100rel"), ("RSeq", "1")]
        on.server.send(response_to(invite, 183, to_tag="early", extra=extra))
        await on.bystander.heard("PRACK")

    play(story, account__1__100rel_enable=1)


def test_under_trust_ctrl_an_answer_from_another_port_counts(play: Play) -> None:
    """Addresses only, never ports: a NAT changes those."""

    async def story(on: Scene) -> None:
        up = await on.up(on.server, contact=f"<sip:1002@{on.bystander.place}>")
        other = await on.another(on.bystander.place.host, 6000)
        up.call.spawn(up.call.hang_up(), "BYE")
        other.send(response_to(await on.bystander.heard("BYE"), 200))
        await up.call.over()
        assert on.refused == []

    play(story, sip__trust_ctrl=1)


# -- a second server -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("register", [False, True])
def test_a_second_server_by_name_may_end_a_call(play: Play, register: bool) -> None:
    """The first server is gone in the middle of a call, and the far end hangs up through the second one."""

    async def story(on: Scene) -> None:
        if register:
            await registered(on)
        up = await on.up(on.server)
        on.bystander.send(up.request(on.bystander, "BYE", 101))
        await on.bystander.response(200, "BYE")
        await up.call.over()

    play(story, account__1__fallback__redundancy_type=1, **NAMED)


@pytest.mark.parametrize("event", ["check-sync", "talk"])
def test_a_second_server_by_name_may_operate_the_phone(play: Play, event: str) -> None:
    async def story(on: Scene) -> None:
        _, _, call = await on.incoming(on.server)
        on.bystander.send(on.bystander.ask("NOTIFY", call_id="operating", extra=[("Event", event)]))
        await on.bystander.response(200, "NOTIFY")
        if event == "talk":
            await on.server.response(200, "INVITE")
        assert call.state is (CallState.TALKING if event == "talk" else CallState.RINGING)
        assert any(isinstance(each, CheckSync) for each in on.events) == (event == "check-sync")

    play(story, **NAMED)


def test_a_gateway_behind_a_second_server_by_name_is_heard(play: Play) -> None:
    async def story(on: Scene) -> None:
        up = await on.up(on.bystander, body=on.bystander.sdp(neighbour(99)))
        audio = up.call.voice.audio
        assert audio is not None
        assert audio.can_send

    play(story, **NAMED)


# -- a proxy of two addresses --------------------------------------------------------------------------------


def test_a_proxy_of_two_addresses_serves_a_call(play: Play) -> None:
    """It is asked at one address, answers from another that nobody has named, and goes on from there."""

    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        contact = f"<sip:1002@{on.server.place}>"
        on.bystander.answer(invite, 200, contact=contact)
        await on.server.heard("ACK")
        await call.settled()
        own, phone = f"{invite.headers.get('To')};tag=far-tag", invite.headers.get("From") or ""
        sdp = on.server.sdp(neighbour(99))
        again = on.bystander.within("INVITE", own, phone, invite.call_id, 5, contact=contact, body=sdp)
        on.bystander.send(again)
        await on.bystander.response(200, "INVITE")
        on.bystander.send(on.bystander.within("ACK", own, phone, invite.call_id, 5))
        await on.passed()
        audio = call.voice.audio
        assert audio is not None
        assert audio.can_send
        on.bystander.send(on.bystander.within("BYE", own, phone, invite.call_id, 6))
        await on.bystander.response(200, "BYE")
        await call.over()

    play(story)


def test_a_proxy_of_two_addresses_hangs_up_from_the_other(play: Play) -> None:
    """Its Record-Route names it, beside a further proxy."""

    async def story(on: Scene) -> None:
        route = f"<sip:{on.bystander.place.host};lr>, <sip:{neighbour(55)};lr>"
        up = await on.up(on.server, extra=[("Record-Route", route)])
        on.bystander.send(up.request(on.bystander, "BYE", 101))
        await on.bystander.response(200, "BYE")
        await up.call.over()

    play(story)


@pytest.mark.parametrize("server", ["2001:DB8:0::13", "2001:db8::13"])
@pytest.mark.parametrize("named", ["[2001:DB8:0::77]", "[2001:db8::77]"])
def test_an_ipv6_address_is_known_in_any_spelling(server: str, named: str) -> None:
    keys = {"enable": 1, "user_name": 1001, "sip_server.1.address": server, "codec.pcmu.enable": 1}
    text = "#!version:1.0.0.1\n" + "".join(f"account.1.{key} = {value}\n" for key, value in keys.items())
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)
    world = SimulatedWorld(seed=7, phone_host="2001:db8::21")
    there = Address("2001:db8::21", 5060)

    async def main() -> None:
        phone = Phone(
            load_text(text, name="x.cfg").config, world, bus, PhoneOptions(local_address=there.host)
        )
        await phone.start()
        people = [
            await Somebody(world).at(Address(f"2001:db8::{last}", 5060), there) for last in (13, 66, 77)
        ]
        on = Scene(world, phone, events, people)
        sdp = on.server.sdp().replace(b"IP4", b"IP6")
        up = await on.up(on.server, contact=f"<sip:1002@{named}>", body=sdp)
        on.stranger.send(up.request(on.stranger, "BYE", 101))
        await on.stranger.response(481, "BYE")
        on.bystander.send(up.request(on.bystander, "OPTIONS", 102))
        await on.bystander.response(200, "OPTIONS")
        up.call.spawn(up.call.hang_up(), "BYE")
        on.bystander.answer(await on.bystander.heard("BYE"), 200)
        await up.call.over()
        await phone.stop(unregister=False)
        for each in people:
            each.socket.close()

    world.run(main())


def test_a_line_calls_another_one_of_the_same_phone(play: Play) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial(f"sip:2001@{on.phone_at}")
        await until(lambda: len(on.phone.calls) == 2, "the other line to ring")
        there = on.phone.calls[-1]
        assert isinstance(there, IncomingCall)
        there.answer()
        await call.settled()
        for each in (call, there):
            audio = each.voice.audio
            assert audio is not None
            await until(partial(getattr, audio, "can_send"), "its sound to leave")
        await call.hang_up()
        await there.over()
        assert on.refused == []

    play(
        story,
        account__2__enable=1,
        account__2__user_name=2001,
        account__2__sip_server__1__address=neighbour(13),
    )


def test_whom_the_server_names_acknowledges_and_is_heard(play: Play) -> None:
    """A proxy that records no route: the ACK comes from the caller itself, and sound goes there."""

    async def story(on: Scene) -> None:
        contact = f"<sip:1002@{on.bystander.place}>"
        invite, _, call = await on.incoming(on.server, contact=contact, body=on.bystander.sdp())
        call.answer()
        answer = await on.server.response(200, "INVITE")
        own, phone = invite.headers.get("From") or "", answer.headers.get("To") or ""
        on.bystander.send(on.bystander.within("ACK", own, phone, invite.call_id, 1))
        audio = call.voice.audio
        assert audio is not None
        await until(lambda: audio.can_send, "the ACK to count")

    play(story)


@pytest.mark.parametrize("said", [True, False])
def test_a_server_that_repeats_where_the_dialog_leads_names_it(play: Play, said: bool) -> None:
    """Somebody else's answer has led it there before; a server that says nothing of it names nobody."""

    async def story(on: Scene) -> None:
        call, there = on.phone.dial("1002"), f"<sip:1002@{on.bystander.place}>"
        invite = await on.server.heard("INVITE")
        answer = on.stranger.answer(invite, 200, contact=there)
        await on.server.heard("ACK")
        await call.settled()
        up = Up(call, answer.headers.get("To") or "", invite.headers.get("From") or "", invite.call_id)
        on.bystander.send(up.request(on.bystander, "OPTIONS"))
        await on.bystander.response(481, "OPTIONS")
        update = up.request(on.server, "UPDATE", contact=there)
        if not said:
            update.headers.remove("Contact")
        on.server.send(update)
        await on.server.response(200, "UPDATE")
        on.bystander.send(up.request(on.bystander, "BYE", 101))
        await on.bystander.response(200 if said else 481, "BYE")
        assert call.state is (CallState.ENDED if said else CallState.TALKING)

    play(story)
