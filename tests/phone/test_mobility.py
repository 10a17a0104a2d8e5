"""The phone's own address changes, or goes: it registers from the new one, and calls go on from there."""

from __future__ import annotations

import asyncio
import errno
from array import array
from collections.abc import Sequence

import pytest

from phone_emulator.events import (
    Address,
    AddressChanged,
    CallState,
    EndedBy,
    RegistrationChanged,
    SubscriptionChanged,
)
from phone_emulator.media import rtp
from phone_emulator.media.sound import Sound
from phone_emulator.phone import CallResult, PhoneOptions
from phone_emulator.scarcity import numbered
from phone_emulator.sip.headers import after_address, parameter
from phone_emulator.sip.message import Request
from phone_emulator.world import WorldError
from tests.lab.peers import PHONE, SERVER, Peer
from tests.phone.calls.test_reliable import SPOKEN, prack
from tests.phone.far_end import Play, lines, offer
from tests.phone.far_end import play as play_alone
from tests.phone.presence.test_notifier import told as told_watcher
from tests.phone.presence.test_notifier import watched
from tests.phone.presence.watching import registered
from tests.phone.stage import SUCCESSIVE, Answer, Stage, play, server_1

HERE, THERE = "192.168.1.21", "192.168.1.22"
CHANGED = f"the phone's address has changed from {HERE} to {THERE}"
GONE = "the phone has no address: no way to 192.168.1.13: network is unreachable"
BACK = f"the phone has an address again: {THERE}"
PINNED = f"the phone has no address: no such local address {HERE} (--local-address)"
QUIET = {"account.1.nat.udp_update_enable": "0", "account.1.subscribe_mwi": "0"}


def contacts(request: Request) -> list[tuple[str, str | None]]:
    """The host of each Contact, and its own ``expires``."""
    values = request.headers.values("Contact")
    return [
        (contact.uri.host, parameter(after_address(value), "expires"))
        for contact, value in zip(request.contacts, values, strict=True)
    ]


def held(stage: Stage, *names: str) -> dict[str, list[str]]:
    """The hosts that the registrars hold for the line."""
    return {
        name: sorted(
            binding.uri.partition("@")[2].partition(":")[0]
            for binding in stage.lab.servers[name].bindings.get("1001", ())
        )
        for name in names
    }


def told(events: Sequence[object]) -> list[tuple[tuple[str, ...], tuple[str, ...], str]]:
    return [(event.before, event.now, event.reason) for event in events if isinstance(event, AddressChanged)]


# -- registrations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_line_registers_from_its_new_address_and_removes_the_old_one(transport: str) -> None:
    # rules R1, R12, R13
    settings = {"udp": {}, "tcp": server_1(port=5060, transport_type=1), "tls": server_1(transport_type=2)}

    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(100)
        stage.mark()
        await stage.phone.move(THERE)
        assert told(stage.events) == [((HERE,), (THERE,), CHANGED)]
        assert stage.registered() == ["primary", "fallback"]
        assert held(stage, "primary", "fallback") == {"primary": [THERE], "fallback": [THERE]}
        first = stage.requests("REGISTER", ".13")[0]
        assert contacts(first) == [(THERE, None), (HERE, "0")]
        assert first.via.host == THERE
        outcomes = {attempt.target.role: str(attempt.outcome) for attempt in stage.registers()}
        assert outcomes == {"primary": "answered", "fallback": "answered"}
        await stage.phone.stop()
        assert held(stage, "primary", "fallback") == {"primary": [], "fallback": []}
        assert contacts(stage.requests("REGISTER", ".13")[-1]) == [(THERE, None)]

    play(story, {**QUIET, **settings[transport]})


def test_the_line_says_until_then_that_it_may_be_unreachable() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary={"delay": "1s"})
        moving = asyncio.create_task(stage.phone.move(THERE))
        await asyncio.sleep(0.5)
        assert stage.phone.line(1).health().unreachable == f"may be unreachable: {CHANGED}"
        await moving
        assert stage.phone.line(1).health().unreachable == ""

    play(story, {**QUIET, "account.1.sip_server.2.address": ""})


def test_a_register_that_is_under_way_is_cut_short() -> None:
    # rules R13, R16
    async def story(stage: Stage) -> None:
        registering = asyncio.create_task(stage.phone.register())
        await asyncio.sleep(1)
        await stage.behave(primary="ok")
        await stage.phone.move(THERE)
        await registering
        assert [(each.target.role, str(each.outcome), each.detail) for each in stage.registers()] == [
            ("primary", "cancelled", f"cut short: {CHANGED}"),
            ("primary", "answered", "200 OK"),
        ]
        # It may have been granted: its Contact goes with the next one.
        assert contacts(stage.requests("REGISTER")[-1]) == [(THERE, None), (HERE, "0")]

    play(story, {**QUIET, "account.1.sip_server.2.address": ""}, primary="silent")


def test_the_walk_begins_at_the_primary_and_what_a_dead_one_holds_is_removed_at_the_end() -> None:
    # rules R1, R12
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.behave(primary="silent")
        stage.mark()
        await stage.phone.move(THERE)
        assert stage.route(stage.registers()) == [
            ("primary", "no-response", 0.0, 7.5),
            ("secondary", "answered", 7.5, 7.5),
        ]
        assert held(stage, "primary", "secondary") == {"primary": [HERE], "secondary": [THERE]}
        await stage.behave(primary="ok")
        await stage.phone.stop()
        assert held(stage, "primary", "secondary") == {"primary": [], "secondary": []}

    play(story, {**QUIET, "account.1.sip_server.2.address": ""})


def test_what_a_server_that_was_left_still_holds_is_removed_where_it_answers() -> None:
    # rule R12
    async def story(stage: Stage) -> None:
        await stage.behave(primary=503)
        await stage.phone.register()
        await stage.behave(primary="ok")
        await asyncio.sleep(3550)
        assert held(stage, "primary", "secondary") == {"primary": [HERE], "secondary": [HERE]}
        stage.mark()
        await stage.phone.move(THERE)
        assert held(stage, "primary", "secondary") == {"primary": [THERE], "secondary": []}
        (_, removal) = stage.registers()
        assert (removal.target.role, removal.why) == (
            "secondary",
            "the phone's address of before: it is there no more: its lease was left there",
        )

    play(story, {**QUIET, "account.1.sip_server.2.address": ""})


def test_a_registrar_that_takes_one_contact_only_is_asked_again() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.phone.move(THERE)
        assert stage.registered() == ["primary"]
        _, refused, taken, removal = stage.requests("REGISTER", ".13")
        assert (contacts(refused), contacts(taken)) == ([(THERE, None), (HERE, "0")], [(THERE, None)])
        assert (contacts(removal), removal.headers.get("Expires")) == ([(HERE, None)], "0")

    ok, bad = [Answer(0.0, 200)], [Answer(0.0, 400)]
    play(
        story,
        {**QUIET, "account.1.sip_server.2.address": ""},
        actors={"primary": {"REGISTER": [ok, bad, ok]}},
    )


def test_a_successive_line_stays_at_server_2_while_that_works() -> None:
    # rules R4, R5
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        await stage.phone.move(THERE)
        assert [attempt.target.role for attempt in stage.registers()] == ["fallback"]

    play(story, {**QUIET, **SUCCESSIVE}, primary=503, secondary=503)


def test_a_line_that_was_unregistered_stays_so() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await stage.phone.line(1).registrar.unregister()
        stage.mark()
        await stage.phone.move(THERE)
        await asyncio.sleep(100)
        assert stage.sent("REGISTER") == []

    play(story, QUIET)


def test_moves_in_a_row_end_at_the_last_address() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        moves = [asyncio.create_task(stage.phone.move(f"192.168.1.{last}")) for last in (22, 23, 24)]
        await asyncio.gather(*moves)
        await asyncio.sleep(1)
        assert held(stage, "primary", "fallback") == {
            "primary": ["192.168.1.24"],
            "fallback": ["192.168.1.24"],
        }
        await stage.phone.stop()
        assert held(stage, "primary", "fallback") == {"primary": [], "fallback": []}

    play(story, QUIET)


# -- no address --------------------------------------------------------------------------------------------


def test_without_an_address_nothing_is_tried_until_there_is_one_again() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        stage.world.readdress(HERE, "")
        await asyncio.sleep(200)
        assert told(stage.events) == [((HERE,), (), PINNED)]
        assert stage.sent("REGISTER") == []
        health = stage.phone.line(1).health()
        assert (health.unreachable, health.next) == (f"unreachable: {PINNED}", ())
        stage.world.readdress("", HERE)
        await asyncio.sleep(1)
        assert told(stage.events)[1:] == [((), (HERE,), f"the phone has an address again: {HERE}")]
        assert stage.registered() == ["primary", "fallback"]
        assert stage.phone.line(1).health().unreachable == ""

    play(story, QUIET)


def test_a_lease_that_runs_out_meanwhile_is_told() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.world.readdress(HERE, "")
        await asyncio.sleep(4000)
        health = stage.phone.line(1).health()
        assert (health.registered, health.registered_nowhere) == ((), True)
        last = [event for event in stage.events if isinstance(event, RegistrationChanged)][-1]
        assert (str(last.state), last.reason) == ("failed", f"its lease has run out: {PINNED}")

    play(story, QUIET)


def test_an_address_that_the_user_has_given_is_not_given_up_for_another() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        stage.mark()
        stage.world.readdress(HERE, THERE)
        await asyncio.sleep(100)
        assert told(stage.events) == [((HERE,), (), PINNED)]

    play(story, QUIET)


def test_a_port_that_is_taken_at_the_new_address_is_waited_for() -> None:
    async def story(on: Play) -> None:
        other = await on.world.open_udp(Address(THERE, PHONE.port), Peer(on.world))
        on.world.readdress(HERE, THERE)
        await on.rest()
        taken = f"the phone has no address: cannot bind {THERE}:5060/udp: address already in use"
        assert told(on.events) == [((HERE,), (THERE,), CHANGED), ((THERE,), (), taken)]
        other.close()
        on.world.readdress("", THERE)
        await on.rest()
        assert told(on.events)[2:] == [((), (THERE,), BACK)]

    play_alone(story)


def test_a_machine_without_descriptors_has_lost_no_address() -> None:
    async def story(on: Play) -> None:
        def refuse(remote: str) -> str:
            raise numbered(WorldError(f"no way to {remote}"), OSError(errno.EMFILE, "too many"))

        on.world.local_address_for = refuse  # type: ignore[method-assign]
        on.world.readdress("", "192.168.1.99")  # worth a look
        await on.rest()
        assert told(on.events) == []

    play_alone(story)


# -- calls -------------------------------------------------------------------------------------------------


async def moved(on: Play, to: str = THERE) -> None:
    on.world.readdress(HERE, to)
    await on.rest()


def test_a_call_that_is_up_goes_on_from_the_new_address() -> None:
    """RFC 3261 sections 12.2.1.2 and 14.1: Contact and session description name it."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        assert call.voice.audio is not None
        port = call.voice.audio.local.port
        await moved(on)
        invite = await on.far.heard("INVITE")
        assert on.far.remote == Address(THERE, 5060)
        assert invite.to_tag is not None
        assert (invite.via.host, invite.contacts[0].uri.host) == (THERE, THERE)
        assert lines(invite.body, "c=", "a=send") == [f"c=IN IP4 {THERE}", "a=sendrecv"]
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        await on.rest()
        assert call.voice.audio.local == Address(THERE, port)
        assert on.states[-1] == f"talking: goes on: {CHANGED}"
        # What the far end asks from now on is answered from there, too.
        on.far.send(on.from_far("UPDATE", invite, body=offer()))
        response = await on.far.response(200, "UPDATE")
        assert response.contacts[0].uri.host == THERE

    play_alone(story)


def test_sound_goes_on_from_a_new_socket_as_a_new_source() -> None:
    """RFC 3550 section 8: one that changes its address chooses another SSRC."""

    class Ear:
        def __init__(self) -> None:
            self.heard: list[tuple[str, int]] = []

        def datagram_received(self, data: bytes, remote: Address) -> None:
            self.heard.append((remote.host, rtp.parse(data).ssrc))

        def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
            raise AssertionError(f"{remote}: {reason}")

    async def story(on: Play) -> None:
        ear = Ear()
        await on.world.open_udp(Address(SERVER.host, 4000), ear)
        _, call = await on.talking()
        assert call.voice.audio is not None
        call.voice.audio.play(Sound(8000, array("h", [1000] * 16000)))
        await asyncio.sleep(1.01)
        on.world.readdress(HERE, THERE)
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
        await on.far.heard("ACK")
        await asyncio.sleep(2)
        (here, first), *_, (there, last) = ear.heard
        assert (here, there, len(ear.heard)) == (HERE, THERE, 100)
        assert first != last

    play_alone(story)


def test_a_held_call_stays_held() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        holding = asyncio.create_task(call.hold())
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await holding
        await moved(on)
        invite = await on.far.heard("INVITE")
        assert lines(invite.body, "a=send") == ["a=sendonly"]
        on.far.answer(invite, 200, body=offer("recvonly"))
        await on.far.heard("ACK")
        await on.rest()
        assert call.state is CallState.HELD

    play_alone(story)


@pytest.mark.parametrize("status", [488, 606])
def test_a_far_end_that_does_not_take_the_new_address_cannot_be_heard(status: int) -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        await moved(on)
        on.far.answer(await on.far.heard("INVITE"), status)
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("BYE"), 200)
        await call.over()
        assert call.end is not None
        assert call.end.by is EndedBy.TRANSPORT
        assert call.end.detail.startswith(f"{CHANGED}, and the far end refused: {status}")

    play_alone(story)


def test_a_change_that_waits_for_its_answer_when_the_phone_moves_on() -> None:
    """The answer goes to the address of before; another re-INVITE leaves from the last one."""

    async def story(on: Play) -> None:
        _, call = await on.talking()
        await moved(on)
        await on.far.heard("INVITE")
        on.world.readdress(THERE, "192.168.1.23")
        invite = await on.far.heard("INVITE")
        assert lines(invite.body, "c=") == ["c=IN IP4 192.168.1.23"]
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        await on.rest()
        assert call.state is CallState.TALKING

    play_alone(story)


def test_a_call_that_rings_here_rings_on_and_is_answered_from_the_new_address() -> None:
    async def story(on: Play) -> None:
        invite, _, call = await on.ringing()
        await moved(on)
        call.answer()
        response = await on.far.response(200, "INVITE")
        assert response.contacts[0].uri.host == THERE
        assert lines(response.body, "c=") == [f"c=IN IP4 {THERE}"]
        on.far.send(on.far.ack(invite, response))
        await on.rest()
        assert call.result is CallResult.ANSWERED

    play_alone(story)


def test_a_call_that_was_described_before_the_move_is_described_anew_once_it_is_up() -> None:
    """The offer of a reliable 180 names the old address (RFC 3262 section 5)."""

    async def story(on: Play) -> None:
        invite, ringing, call = await on.ringing(body=b"", extra=SPOKEN)
        await prack(on, invite, ringing, body=offer())
        await on.far.response(200, "PRACK")
        await moved(on)
        call.answer()
        on.far.send(on.far.ack(invite, await on.far.response(200, "INVITE")))
        again = await on.far.heard("INVITE")
        assert lines(again.body, "c=") == [f"c=IN IP4 {THERE}"]
        on.far.answer(again, 200, body=offer())
        await on.far.heard("ACK")

    play_alone(story, account__1__100rel_enable=1)


def test_a_call_that_rings_at_the_far_end_fails_and_is_cancelled_from_the_new_address() -> None:
    """Its answer would go to the address of before, where nobody hears it (RFC 3261 section 18.2.2)."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await moved(on)
        cancel = await on.far.heard("CANCEL")
        assert on.far.remote == Address(THERE, 5060)
        assert cancel.headers.get("Via") == invite.headers.get("Via")
        await call.over()
        assert (call.result, call.reason) == (CallResult.FAILED, CHANGED)
        (attempt,) = call.route
        assert (str(attempt.outcome), attempt.detail) == ("send-failed", CHANGED)
        assert call.end is not None
        assert call.end.by is EndedBy.TRANSPORT

    play_alone(story)


def test_a_call_that_rings_over_tcp_is_cancelled_over_a_new_connection() -> None:
    """RFC 3261 section 9.1: with the Via of the INVITE, whose connection is gone."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await moved(on)
        cancel = await on.far.heard("CANCEL")
        assert cancel.headers.get("Via") == invite.headers.get("Via")
        assert [stream.remote.host for stream in on.far.streams] == [HERE, THERE]
        await call.over()

    play_alone(story, account__1__sip_server__1__transport_type=1)


def test_a_call_that_nobody_has_answered_moves_on_to_no_other_server() -> None:
    async def story(stage: Stage) -> None:
        call = stage.phone.dial("1002")
        await asyncio.sleep(1)
        await stage.phone.move(THERE)
        await call.over()
        assert [(each.target.role, str(each.outcome)) for each in call.route] == [("primary", "send-failed")]

    play(story, {**QUIET, **server_1(port=5060, transport_type=1)}, primary="silent")


def test_a_call_whose_invite_has_not_left_yet_goes_on_from_the_new_address() -> None:
    async def story(stage: Stage) -> None:
        stage.lab.nameservers[0].delay = 1.0
        call = stage.phone.dial("1002")
        await asyncio.sleep(0.5)
        await stage.phone.move(THERE)
        await call.settled()
        assert call.result is CallResult.ANSWERED
        (invite, *_) = stage.requests("INVITE")
        assert invite.contacts[0].uri.host == THERE
        assert lines(invite.body, "c=") == [f"c=IN IP4 {THERE}"]

    play(story, QUIET)


def test_a_call_waits_for_an_address() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        on.world.readdress(HERE, "")
        await asyncio.sleep(31)
        assert on.states[-1] == f"talking: {GONE}"
        on.world.readdress("", THERE)
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
        await on.far.heard("ACK")
        await asyncio.sleep(10)
        assert call.state is CallState.TALKING

    play_alone(story)


def test_a_call_waits_for_an_address_no_longer_than_64_t1() -> None:
    async def story(on: Play) -> None:
        _, call = await on.talking()
        began = on.world.now()
        on.world.readdress(HERE, "")
        await call.over()
        assert on.world.now() - began == pytest.approx(32.0, abs=0.01)
        assert call.end is not None
        assert (call.end.by, call.end.detail) == (EndedBy.TRANSPORT, f"{GONE}, for 64*T1 = 32.0 s")

    play_alone(story)


def test_without_an_address_a_call_fails_at_once() -> None:
    async def story(on: Play) -> None:
        ringing = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 180)
        await on.rest()
        on.world.readdress(HERE, "")
        await ringing.over()
        assert (ringing.result, ringing.reason) == (CallResult.FAILED, GONE)
        call = on.phone.dial("1003")
        await call.over()
        assert (call.result, call.reason) == (CallResult.FAILED, GONE)

    play_alone(story)


# -- all else ----------------------------------------------------------------------------------------------


def test_subscriptions_are_refreshed_from_the_new_address() -> None:
    async def story(stage: Stage) -> None:
        await stage.phone.register()
        await asyncio.sleep(10)
        stage.mark()
        await stage.phone.move(THERE)
        await asyncio.sleep(1)
        (refresh,) = stage.requests("SUBSCRIBE")
        assert refresh.to_tag is not None
        assert refresh.contacts[0].uri.host == THERE
        ended = [event for event in stage.events if isinstance(event, SubscriptionChanged)]
        assert ended == []

    play(story, {"account.1.nat.udp_update_enable": "0", "account.1.subscribe_mwi": "1"})


def test_who_watches_the_phone_hears_from_the_new_address() -> None:
    async def story(on: Play) -> None:
        await watched(on)
        await on.rest()
        await moved(on)
        notify, _ = await told_watcher(on)
        assert on.far.remote == Address(THERE, 5060)
        assert notify.contacts[0].uri.host == THERE

    play_alone(story)


def test_two_ip_versions_move_by_themselves() -> None:
    async def story(on: Play) -> None:
        await registered(on)
        await on.talking()
        on.world.readdress("fd00::21", "fd00::22")
        await on.rest()
        assert told(on.events)[0][:2] == ((HERE, "fd00::21"), (HERE, "fd00::22"))
        assert on.far.inbox.empty()  # it is registered, and talks, from the other one
        on.world.readdress("fd00::22", "")
        await on.rest()
        assert told(on.events)[1][:2] == ((HERE, "fd00::22"), (HERE,))
        assert on.phone.context.hosts == (HERE,)

    play_alone(story, static__network__ip_address_mode=2)


def test_a_phone_that_has_stopped_looks_no_more() -> None:
    async def story(on: Play) -> None:
        await on.phone.stop()
        await moved(on)
        assert told(on.events) == []

    play_alone(story, PhoneOptions())
