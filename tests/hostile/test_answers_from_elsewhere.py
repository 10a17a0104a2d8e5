"""Answers, acknowledgements and repetitions from elsewhere, and what a stranger's calls lead to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from phone_emulator.events import Address, CallState, MessageSent
from phone_emulator.phone import CallError
from phone_emulator.phone.transfer.transfer import transfer_blind
from phone_emulator.sip.message import response_to
from phone_emulator.world.base import Stream
from tests.hostile.scene import ASKS, Play, Scene, Silent, play
from tests.lab.peers import Peer, ack_to, answer_to
from tests.patience import until

ELSEWHERE = "it came from {}, and its request went to {}"


# -- within a dialog -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401, 481])
@pytest.mark.parametrize("way", ["called", "up", "a stranger's"])
def test_an_answer_within_a_call_is_told_and_moves_nothing(play: Play, way: str, status: int) -> None:
    """The bystander knows the branch; neither a server nor the far end has named it."""

    async def story(on: Scene) -> None:
        far = on.stranger if way == "a stranger's" else on.server
        up = await on.called() if way == "called" else await on.up(far)
        assert up.call.dialog is not None
        before = (up.call.dialog.remote_target, up.call.voice.agreed)
        task = up.call.spawn(up.call.hold(), "hold")
        request = await far.heard("INVITE")
        extra = [ASKS[401]] if status == 401 else []
        on.bystander.answer(request, status, extra=extra)
        why = ELSEWHERE.format(on.bystander.place, far.place)
        await until(lambda: bool(on.refused), "the answer to be told")
        assert on.refused == [(None, on.bystander.place, why)]
        assert (up.call.dialog.remote_target, up.call.voice.agreed) == before
        on.bystander.send(up.request(on.bystander, "BYE", 200))
        await on.bystander.response(481, "BYE")
        assert (up.call.state, task.done()) == (CallState.TALKING, False)
        far.answer(request, 200)
        await far.heard("ACK")
        await task
        assert not on.credentials

    play(story)


def test_an_answer_in_a_victims_name_sends_no_sound_there(play: Play) -> None:
    """The stranger answers the phone's re-INVITE from the victim's address, then describes sound there."""

    async def story(on: Scene) -> None:
        victim = await on.another(on.bystander.place.host, 4000, Silent)
        up = await on.up(on.stranger)
        task = up.call.spawn(up.call.hold(), "hold")
        request = await on.stranger.heard("INVITE")
        on.bystander.answer(request, 200, contact=f"<sip:1002@{on.stranger.place}>")
        on.stranger.answer(request, 200)
        await on.stranger.heard("ACK")
        await task
        task = up.call.spawn(up.call.resume(), "resume")
        on.stranger.answer(await on.stranger.heard("INVITE"), 200)
        await on.stranger.heard("ACK")
        await task
        sdp = on.stranger.sdp(victim.place.host)
        on.stranger.send(up.request(on.stranger, "INVITE", 101, body=sdp))
        await on.stranger.response(200, "INVITE")
        on.stranger.send(up.request(on.stranger, "ACK", 101))
        await on.passed()
        audio = up.call.voice.audio
        assert audio is not None
        assert (audio.can_send, victim.bytes_heard) == (False, 0)

    play(story)


@pytest.mark.parametrize("method", ["BYE", "UPDATE", "PRACK", "INFO", "INVITE", "NOTIFY", "REFER", "CANCEL"])
def test_nothing_is_done_within_an_early_dialog(play: Play, method: str) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        contact = ("Contact", f"<sip:1002@{on.server.place}>")
        on.server.send(response_to(invite, 180, to_tag="early", extra=[contact]))
        await until(lambda: call.state is CallState.RINGING, "the 180")
        own, phone = f"{invite.headers.get('To')};tag=early", invite.headers.get("From") or ""
        extra = [("Event", "hold"), ("Refer-To", "<sip:1009@192.0.2.9>")]
        on.stranger.send(on.stranger.within(method, own, phone, invite.call_id, 5, extra=extra))
        await on.stranger.response(481, method)
        assert call.state is CallState.RINGING
        assert on.phone.calls == [call]

    play(story)


# -- outside of dialogs --------------------------------------------------------------------------------------


def test_a_branch_alone_answers_nothing(play: Play) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        refusal = response_to(invite, 603, to_tag="far-tag")
        refusal.headers.set("Call-ID", "guessed")
        on.stranger.send(refusal)
        await on.passed()
        assert call.state is CallState.CALLING
        why = "its Call-ID is not that of the request with its branch"
        assert on.refused == [(None, on.stranger.place, why)]

    play(story)


def test_a_datagram_answers_for_no_server_that_is_reached_over_tcp(play: Play) -> None:
    async def story(on: Scene) -> None:
        heard: list[Peer] = []

        def accept(stream: Stream) -> Peer:
            peer = Peer(on.world)
            peer.raw, peer.close = stream.send, stream.close
            heard.append(peer)
            return peer

        listener = await on.world.listen(on.server.place, accept)
        call = on.phone.dial("1002")
        await until(lambda: bool(heard), "the connection")
        invite = await heard[0].request()
        on.stranger.send(response_to(invite, 603, to_tag="far-tag"))
        await until(lambda: bool(on.refused), "the answer to be told")
        assert call.state is CallState.CALLING
        why = "a datagram answers no request that went over TCP"
        assert on.refused == [(None, on.stranger.place, why)]
        heard[0].send(response_to(invite, 486, to_tag="far-tag"))
        await call.over()
        assert call.status == 486
        listener.close()

    play(story, account__1__sip_server__1__transport_type=1)


# -- requests with somebody else's branch --------------------------------------------------------------------


@pytest.mark.parametrize("trust", [0, 1])
def test_an_acknowledgement_from_elsewhere_ends_no_repetitions(trust: int) -> None:
    """The ACK to a refusal has the branch of the INVITE (RFC 3261 section 17.1.1.3)."""

    async def story(on: Scene) -> None:
        invite, _, call = await on.incoming(on.server)
        call.reject(486)
        ack = ack_to(invite, await on.server.response(486))
        on.stranger.send(ack)
        await on.server.response(486)  # it is repeated
        on.server.send(ack)
        await on.server.nothing()
        first, host = on.server.place.host, on.stranger.place.host
        why = f"it came from {host}, and the INVITE with its branch from {first}"
        assert on.refused[1:] == [(None, on.stranger.place, why)]

    play("simulated", story, sip__trust_ctrl=trust)


@pytest.mark.parametrize("parameter", ["", ";rport", ";received={elsewhere}"])
def test_a_repetition_from_elsewhere_is_not_answered(play: Play, parameter: str) -> None:
    """Neither where the Via of the first one says that it came from there."""

    async def story(on: Scene) -> None:
        elsewhere, first = on.stranger.place.host, on.bystander.place.host
        request = on.bystander.ask("OPTIONS", call_id="mine")
        via = request.headers.get("Via") or ""
        request.headers.set("Via", via + parameter.format(elsewhere=elsewhere))
        on.bystander.send(request)
        await on.bystander.response(200)
        on.stranger.send(request)
        await on.passed()
        assert on.sent_to(elsewhere) == []
        why = f"it came from {elsewhere}, and the OPTIONS with its branch from {first}"
        assert on.refused == [(None, on.stranger.place, why)]
        on.bystander.send(request)
        await on.bystander.response(200)

    play(story)


def test_strangers_do_not_use_up_the_nonces_of_the_servers(play: Play) -> None:
    async def story(on: Scene) -> None:
        invite = on.server.ask("INVITE", call_id="mine")
        on.server.send(invite)
        asked = await on.server.response(401)
        on.server.send(ack_to(invite, asked))
        for number in range(100):
            on.stranger.send(on.stranger.ask("OPTIONS", call_id=f"many-{number}"))
            await on.stranger.response(401, "OPTIONS")
        on.server.send(answer_to(invite, asked))
        await on.server.response(180)

    play(story, sip__request_validation__digest__list="INVITE,OPTIONS")


# -- direct calls --------------------------------------------------------------------------------------------


async def until_told(order: Coroutine[Any, Any, object]) -> None:
    """Let *order* be carried out, whatever becomes of it."""
    with contextlib.suppress(CallError):
        await order


@pytest.mark.parametrize("status", ASKS)
@pytest.mark.parametrize("route", [False, True], ids=["straight", "over the server"])
@pytest.mark.parametrize("method", ["BYE", "INVITE", "REFER"])
def test_whom_a_direct_call_reaches_gets_no_digest(play: Play, method: str, route: bool, status: int) -> None:
    """Neither where its Record-Route leads over the line's server."""

    async def story(on: Scene) -> None:
        call = on.phone.dial(f"sip:9@{on.stranger.place}")
        extra = [("Record-Route", f"<sip:{on.server.place};lr>")] if route else []
        on.stranger.answer(await on.stranger.heard("INVITE"), 200, extra=extra)
        asked = on.server if route else on.stranger
        await asked.heard("ACK")
        await call.settled()
        orders: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "BYE": call.hang_up,
            "INVITE": call.hold,
            "REFER": partial(transfer_blind, call, "1009"),
        }
        task = call.spawn(until_told(orders[method]()), method)
        request = await asked.request()
        if method == "REFER":  # the hold that goes first
            asked.answer(request, 200)
            await asked.heard("ACK")
            request = await asked.request()
        assert request.method == method
        asked.answer(request, status, extra=[ASKS[status]])
        if method == "REFER":
            asked.answer(await asked.heard("INVITE"), 200)  # the call is taken back
        await task
        assert not on.credentials

    play(story)


def test_a_late_answer_of_a_direct_call_gets_no_digest() -> None:
    """Its Record-Route leads over the line's server, which asks for one."""

    async def story(on: Scene) -> None:
        call = on.phone.dial(f"sip:9@{on.stranger.place}")
        invite = await on.stranger.heard("INVITE")
        await call.over()
        extra = [("Contact", "<sip:a@b>"), ("Record-Route", f"<sip:{on.server.place};lr>")]
        on.stranger.send(response_to(invite, 200, to_tag="late", extra=extra))
        await on.server.heard("ACK")
        on.server.answer(await on.server.heard("BYE"), 407, extra=[ASKS[407]])
        await on.server.nothing()
        assert not on.credentials

    play("simulated", story)


# -- whereto a stranger leads --------------------------------------------------------------------------------

CONTACTS = ["<sip:1@{server}:22;transport=tcp>", "<sip:1@{server}:5070>", "<sip:1@192.0.2.1;maddr={server}>"]


@pytest.mark.parametrize("contact", CONTACTS)
def test_a_strangers_contact_makes_no_connection_to_the_server(play: Play, contact: str) -> None:
    """Requests of its dialog go back where its INVITE came from, whatever host stands there."""

    async def story(on: Scene) -> None:
        connections: list[Stream] = []

        def accept(stream: Stream) -> Peer:
            connections.append(stream)
            return on.server

        listener = await on.world.listen(Address(on.server.place.host, 22), accept)
        up = await on.up(on.stranger, contact=contact.format(server=on.server.place.host))
        before = on.server.bytes_heard
        up.call.spawn(up.call.hang_up(), "BYE")
        on.stranger.answer(await on.stranger.heard("BYE"), 200)
        await up.call.over()
        assert (on.server.bytes_heard, connections) == (before, [])
        listener.close()

    play(story)


def test_a_strangers_transfer_calls_nobody(play: Play) -> None:
    """Whoever is called would hear the line's name, and the server the line's digest."""

    async def story(on: Scene) -> None:
        up = await on.up(on.stranger)
        refer_to = ("Refer-To", "<sip:+900123@premium.example.com>")
        on.stranger.send(up.request(on.stranger, "REFER", 101, extra=[refer_to]))
        await on.stranger.response(603, "REFER")
        await on.passed()
        assert on.phone.calls == [up.call]
        assert up.call.state is CallState.TALKING

    play(story)


@pytest.mark.parametrize("transport", [0, 2])
def test_one_datagram_in_the_servers_name_makes_no_stream(transport: int) -> None:
    """Its header has the phone answer, its SDP wants the sound elsewhere; nobody says ACK."""

    async def story(on: Scene) -> None:
        victim = await on.another(on.bystander.place.host, 4000, Silent)
        extra = [("Call-Info", "<sip:x>;answer-after=0")]
        on.server.send(on.server.ask("INVITE", extra=extra, body=on.server.sdp(victim.place.host)))
        await until(lambda: len(answers(on)) > 1, "the 200 to be repeated")
        [call] = on.phone.calls
        audio = call.voice.audio
        assert audio is not None
        assert (audio.can_send, audio.counts.sent, victim.bytes_heard) == (False, 0, 0)

    play("real", story, account__1__sip_server__1__transport_type=transport)


def answers(on: Scene) -> list[bytes]:
    """Each 200 to an INVITE that the phone has sent, and its repetitions."""
    sent = [each.data for each in on.events if isinstance(each, MessageSent)]
    return [data for data in sent if data.startswith(b"SIP/2.0 200 ") and b" INVITE\r\n" in data]
