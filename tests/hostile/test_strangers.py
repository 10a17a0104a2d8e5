"""What a stranger gets the phone to do: one test for each line of the table in SECURITY.md, in both worlds.

The stranger knows everything: tags, Call-IDs, branches. The phone's settings are the defaults, where a test
does not say otherwise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest

from phone_emulator.events import Address, CallState, CheckSync, MediaChanged, Outcome, RtpIgnored
from phone_emulator.media.dtmf import digit_packets
from phone_emulator.phone import CallError, PhoneOptions
from phone_emulator.phone.transfer.transfer import transfer_blind
from phone_emulator.sip.message import Request
from phone_emulator.world.base import Stream, World
from phone_emulator.world.reasons import ICMP_PORT_UNREACHABLE
from tests.addresses import own_address
from tests.hostile.scene import ASKS, Play, Scene, neighbour, play
from tests.lab.peers import Peer
from tests.patience import until
from tests.world.mersenne import NEEDED, foretold

UNKNOWN = "is known in no dialog: neither a server of the line, nor named by one"
NO_SERVER = "is none of the line's servers"


# -- what it may: make the phone ring ------------------------------------------------------------------------


@pytest.mark.parametrize(("trust", "status"), [(0, 180), (1, 403)])
def test_rings_the_phone(play: Play, trust: int, status: int) -> None:
    async def story(on: Scene) -> None:
        on.stranger.send(on.stranger.ask("INVITE"))
        await on.stranger.response(status, "INVITE")

    play(story, sip__trust_ctrl=trust)


@pytest.mark.parametrize(("trust", "status"), [(0, 200), (1, 403)])
@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE"])
def test_asks_what_the_phone_is_and_leaves_a_text(play: Play, method: str, trust: int, status: int) -> None:
    async def story(on: Scene) -> None:
        on.stranger.send(on.stranger.ask(method))
        await on.stranger.response(status, method)

    play(story, sip__trust_ctrl=trust)


@pytest.mark.parametrize(("trust", "status"), [(0, 200), (1, 403)])
def test_sets_the_message_lamp(play: Play, trust: int, status: int) -> None:
    async def story(on: Scene) -> None:
        on.stranger.send(on.stranger.ask("NOTIFY", extra=[("Event", "message-summary")]))
        await on.stranger.response(status, "NOTIFY")

    play(story, sip__trust_ctrl=trust)


# -- taking over and spying ----------------------------------------------------------------------------------

BY_ITSELF = [
    ("Alert-Info", "<http://x>;info=alert-autoanswer;delay=0"),
    ("Call-Info", "<sip:x>;answer-after=0"),
]


@pytest.mark.parametrize("header", BY_ITSELF)
def test_is_not_answered_because_a_header_asks_for_it(play: Play, header: tuple[str, str]) -> None:
    async def story(on: Scene) -> None:
        _, _, call = await on.incoming(on.stranger, extra=[header])
        await on.passed()
        assert call.state is CallState.RINGING
        await call.hang_up()
        await on.stranger.response(on.phone.config.normal_refuse_code, "INVITE")
        on.server.send(on.server.ask("INVITE", call_id="asked-by-the-server", extra=[header]))
        await on.server.response(180)
        await on.server.response(200, "INVITE")

    play(story)


def test_the_cfg_may_answer_whoever_calls(play: Play) -> None:
    async def story(on: Scene) -> None:
        await on.incoming(on.stranger)
        await on.stranger.response(200, "INVITE")

    play(story, account__1__auto_answer=1, account__1__auto_answer_delay=0)


@pytest.mark.parametrize("event", ["talk", "hold", "check-sync", "check-sync;reboot=true", "dialog"])
def test_does_not_operate_the_phone(play: Play, event: str) -> None:
    async def story(on: Scene) -> None:
        _, _, call = await on.incoming(on.server)
        on.stranger.send(on.stranger.ask("NOTIFY", call_id=on.phone.calls[0].id, extra=[("Event", event)]))
        await on.stranger.response(403, "NOTIFY")
        assert call.state is CallState.RINGING
        assert not [each for each in on.events if isinstance(each, CheckSync)]
        assert on.refused == [(403, on.stranger.place, f"{on.stranger.place.host} {NO_SERVER}")]

    play(story)


def test_does_not_watch_calls(play: Play) -> None:
    async def story(on: Scene) -> None:
        await on.incoming(on.server)
        on.stranger.send(on.stranger.ask("SUBSCRIBE", extra=[("Event", "dialog"), ("Expires", "600")]))
        await on.stranger.response(403, "SUBSCRIBE")
        await on.passed()
        assert on.phone.notifier.watchers == 0
        assert len(on.sent_to(on.stranger.place.host)) == 1

    play(story)


SPELLINGS = [
    [("Event", "{};id=1")],
    [("Event", "\t{}\t;x")],
    [("Event", '"{}"')],
    [("Event", "foo, {}")],
    [("Event", "foo"), ("Event", "{}")],
    [("Event", "{}"), ("o", "foo")],
    [("o", "{}")],
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("method", "event"), [("NOTIFY", "talk"), ("SUBSCRIBE", "dialog")])
@pytest.mark.parametrize("user", ["1001@", "nobody@", ""])
def test_an_event_in_another_spelling_opens_nothing(
    play: Play, user: str, method: str, event: str, spelling: list[tuple[str, str]]
) -> None:
    async def story(on: Scene) -> None:
        _, _, call = await on.incoming(on.server)
        extra = [(name, value.format(event)) for name, value in spelling]
        request = on.stranger.ask(method, call_id="another", extra=[*extra, ("Expires", "600")])
        request.uri = f"sip:{user}{on.phone_at}"
        on.stranger.send(request)
        await on.stranger.hear()
        await on.passed()
        assert (call.state, on.phone.notifier.watchers) == (CallState.RINGING, 0)

    play(story)


@pytest.mark.parametrize("way", ["called", "up"])
def test_does_not_take_the_place_of_a_call(play: Play, way: str) -> None:
    async def story(on: Scene) -> None:
        up = await on.called() if way == "called" else await on.up(on.server)
        tags = [up.phone.rpartition("tag=")[2], up.own.rpartition("tag=")[2]]
        replaces = f"{up.call_id};to-tag={tags[0]};from-tag={tags[1]}"
        on.stranger.send(on.stranger.ask("INVITE", call_id="replacing", extra=[("Replaces", replaces)]))
        await on.stranger.response(403, "INVITE")
        assert up.call.state is CallState.TALKING
        assert on.phone.calls == [up.call]
        on.server.send(on.server.ask("INVITE", call_id="mine", extra=[("Replaces", replaces)]))
        await on.server.response(200, "INVITE")

    play(story)


IN_CALL: list[tuple[str, dict[str, Any]]] = [
    ("BYE", {}),
    ("INVITE", {"body": b"sdp"}),
    ("INVITE", {}),
    ("UPDATE", {"body": b"sdp"}),
    ("INFO", {"extra": [("Content-Type", "application/dtmf-relay")]}),
    ("MESSAGE", {}),
    ("OPTIONS", {}),
    ("REFER", {"extra": [("Refer-To", "<sip:1009@192.0.2.9>")]}),
    ("NOTIFY", {"extra": [("Event", "hold")]}),
    ("NOTIFY", {"extra": [("Event", "refer")]}),
    ("SUBSCRIBE", {"extra": [("Event", "refer")]}),
    ("PRACK", {"extra": [("RAck", "1 1 INVITE")]}),
    ("FOO", {}),
]


@pytest.mark.parametrize(("method", "how"), IN_CALL)
@pytest.mark.parametrize("way", ["called", "up"])
def test_does_nothing_within_a_call(play: Play, way: str, method: str, how: dict[str, Any]) -> None:
    async def story(on: Scene) -> None:
        up = await on.called() if way == "called" else await on.up(on.server)
        assert up.call.dialog is not None
        before = (up.call.dialog.remote_target, up.call.voice.agreed, up.call.dialog.remote_cseq)
        body = {"body": on.stranger.sdp()} if how.get("body") else {}
        on.stranger.send(up.request(on.stranger, method, **(how | body)))
        await on.stranger.response(481, method)
        assert up.call.state is CallState.TALKING
        assert (up.call.dialog.remote_target, up.call.voice.agreed, up.call.dialog.remote_cseq) == before
        assert on.refused == [(481, on.stranger.place, f"{on.stranger.place.host} {UNKNOWN}")]
        assert on.phone.calls == [up.call]

    play(story)


def test_does_not_end_a_call_that_rings(play: Play) -> None:
    async def story(on: Scene) -> None:
        invite, _, call = await on.incoming(on.server)
        cancel = Request("CANCEL", invite.uri, invite.headers.copy())
        cancel.headers.set("CSeq", f"{invite.cseq.number} CANCEL")
        for name in ("Contact", "Content-Type"):
            cancel.headers.remove(name)
        on.stranger.send(cancel)
        await on.passed()
        assert call.state is CallState.RINGING
        [(status, came_from, why)] = on.refused
        assert (status, came_from) == (481, on.stranger.place)
        assert why.startswith(
            f"it came from {on.stranger.place.host}, and the INVITE that it would cancel from"
        )

    play(story)


def test_does_not_acknowledge_for_another(play: Play) -> None:
    async def story(on: Scene) -> None:
        invite, _, call = await on.incoming(on.server)
        call.answer()
        answer = await on.server.response(200, "INVITE")
        own, phone = invite.headers.get("From") or "", answer.headers.get("To") or ""
        on.stranger.send(on.stranger.within("ACK", own, phone, invite.call_id, 1))
        await on.server.response(200, "INVITE")  # it is repeated
        assert on.refused[0][1:] == (on.stranger.place, f"{on.stranger.place.host} {UNKNOWN}")

    play(story)


def test_has_the_phone_call_nobody(play: Play) -> None:
    async def story(on: Scene) -> None:
        on.stranger.send(on.stranger.ask("REFER", extra=[("Refer-To", "<sip:1009@192.0.2.9>")]))
        await on.stranger.response(603, "REFER")
        await on.passed()
        assert on.phone.calls == []

    play(story)


def test_tells_nothing_within_a_subscription(play: Play) -> None:
    async def story(on: Scene) -> None:
        on.phone.spawn(on.phone.register(), "registering")
        register = await on.server.heard("REGISTER")
        contact = f"{register.headers.get('Contact')};expires=3600"
        on.server.answer(register, 200, contact=contact)
        subscribe = await on.server.heard("SUBSCRIBE")
        event = subscribe.headers.get("Event") or ""
        extra = [("Event", event), ("Subscription-State", "active;expires=3600")]
        own, phone = f"{subscribe.headers.get('To')};tag=far-tag", subscribe.headers.get("From") or ""
        # Before the answer: whoever it is waits for that, which names nobody but the server.
        early = on.stranger.within("NOTIFY", own, phone, subscribe.call_id, 1, extra=extra)
        on.stranger.send(early)
        on.server.answer(subscribe, 200, extra=[("Expires", "3600")])
        on.server.send(on.server.within("NOTIFY", own, phone, subscribe.call_id, 1, extra=extra))
        await on.server.response(200, "NOTIFY")
        on.stranger.send(on.stranger.within("NOTIFY", own, phone, subscribe.call_id, 2, extra=extra))
        await on.stranger.response(481, "NOTIFY")

    play(story, account__1__subscribe_mwi=1)


# -- credentials ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ASKS)
def test_a_challenge_from_elsewhere_is_not_answered(play: Play, status: int) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        on.stranger.answer(invite, status, extra=[ASKS[status]])
        await call.over()
        assert not on.credentials
        [attempt] = call.route
        assert attempt.answered_by == on.stranger.place
        assert "none of the line's servers, the only ones to get its credentials" in attempt.detail

    play(story)


@pytest.mark.parametrize("status", ASKS)
@pytest.mark.parametrize("method", ["BYE", "REFER", "INVITE"])
def test_who_calls_gets_no_digest(play: Play, method: str, status: int) -> None:
    async def story(on: Scene) -> None:
        up = await on.up(on.stranger)
        orders: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "BYE": up.call.hang_up,
            "REFER": partial(transfer_blind, up.call, "1009"),
            "INVITE": up.call.hold,
        }
        task = up.call.spawn(until_told(orders[method]), method)
        request = await on.stranger.request()
        if method == "REFER" and request.method == "INVITE":  # the hold that goes first
            on.stranger.answer(request, 200)
            await on.stranger.heard("ACK")
            request = await on.stranger.request()
        assert request.method == method
        on.stranger.answer(request, status, extra=[ASKS[status]])
        if method == "REFER":
            on.stranger.answer(await on.stranger.heard("INVITE"), 200)  # the call is taken back
        await task
        assert not on.credentials

    play(story)


async def until_told(order: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Give *order*, whatever becomes of it."""
    with contextlib.suppress(CallError):
        await order()


def test_a_way_that_a_stranger_chose_gets_no_digest(play: Play) -> None:
    """Its Record-Route leads over the line's own server, whose challenges are answered elsewhere."""

    async def story(on: Scene) -> None:
        up = await on.up(on.stranger, extra=[("Record-Route", f"<sip:{on.server.place};lr>")])
        up.call.spawn(up.call.hang_up(), "BYE")
        on.stranger.answer(await on.stranger.heard("BYE"), 407, extra=[ASKS[407]])
        await up.call.over()
        assert not on.credentials

    play(story)


def test_the_server_gets_one_for_whatever_it_asks(play: Play) -> None:
    async def story(on: Scene) -> None:
        up = await on.called()
        up.call.spawn(up.call.hang_up(), "BYE")
        on.server.answer(await on.server.heard("BYE"), 407, extra=[ASKS[407]])
        bye = await on.server.heard("BYE")
        assert "Proxy-Authorization" in bye.headers
        on.server.answer(bye, 200)
        await up.call.over()

    play(story)


# -- attribution ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 486])
def test_an_answer_from_elsewhere_is_told(play: Play, status: int) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        on.stranger.answer(await on.server.heard("INVITE"), status)
        await call.settled()
        [attempt] = call.route
        assert f"the answer came from {on.stranger.place}, which is not the target asked" in attempt.detail
        assert attempt.as_json()["answered_by"] == str(on.stranger.place)

    play(story)


def test_ringing_from_elsewhere_is_told(play: Play) -> None:
    """It keeps the phone from asking the next server (C4)."""

    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        on.stranger.answer(invite, 180)
        await until(lambda: call.state is CallState.RINGING, "the 180")
        on.server.answer(invite, 486)
        await call.over()
        [attempt] = call.route
        told = f"a 180 came from {on.stranger.place}, which is not the target asked"
        assert (attempt.answered_by, told in attempt.detail) == (None, True)

    play(story)


@pytest.mark.parametrize("status", [180, 200, 401, 486, 503])
def test_an_answer_from_elsewhere_counts_for_nothing_under_trust_ctrl(play: Play, status: int) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        on.stranger.answer(invite, status)
        await on.passed()
        assert call.state is CallState.CALLING
        on.server.answer(invite, 486)
        await on.server.heard("ACK")
        await call.over()
        assert (call.status, call.route[0].answered_by) == (486, None)
        told = f"it came from {on.stranger.place}, and its request went to {on.server.place}"
        assert on.refused[0][2] == told

    play(story, sip__trust_ctrl=1)


@pytest.mark.parametrize("trust", [0, 1])
def test_another_address_of_the_servers_answers_for_it(play: Play, trust: int) -> None:
    """A proxy of several addresses, one of which DNS gave."""

    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        on.bystander.answer(invite, 486)
        await call.over()
        assert call.route[0].answered_by == on.bystander.place

    play(story, sip__trust_ctrl=trust, account__1__sip_server__2__address=neighbour(77))


def test_the_numbers_of_the_phone_foretell_nothing() -> None:
    """624 tags of answers to OPTIONS, and the next one is another than they foretell."""

    async def story(on: Scene) -> None:
        tags = []
        for number in range(NEEDED + 1):
            on.stranger.send(on.stranger.ask("OPTIONS", call_id=f"tag-{number}"))
            tags.append(int((await on.stranger.response(200, "OPTIONS")).to_tag or "0"))
        assert foretold(tags[:NEEDED]).getrandbits(32) != tags[NEEDED]

    play("real", story)


QUOTES = {
    "a request": b"INVITE sip:1002@nowhere SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
    "a response": b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n\r\n",
    "rubbish": b"\xff\x00rubbish",
}


@pytest.mark.parametrize("quoted", QUOTES)
def test_a_forged_icmp_error_moves_no_call(play: Play, quoted: str) -> None:
    async def story(on: Scene) -> None:
        call = on.phone.dial("1002")
        invite = await on.server.heard("INVITE")
        layer = on.phone.context.endpoint.transports
        layer.datagram_failed(on.server.place, ICMP_PORT_UNREACHABLE, QUOTES[quoted])
        assert call.route[0].outcome is None
        told = "but what it quotes is not known to have been sent there lately"
        assert [why for _, _, why in on.refused] == [f"{ICMP_PORT_UNREACHABLE}, {told}"]
        for guess in (b"", invite.to_bytes()[:60]):  # what anybody can foretell
            layer.datagram_failed(on.server.place, ICMP_PORT_UNREACHABLE, guess)
        assert call.route[0].outcome is None
        layer.datagram_failed(on.server.place, ICMP_PORT_UNREACHABLE, invite.to_bytes())
        await call.over()
        assert call.route[0].outcome is Outcome.ICMP

    play(story)


# -- no reflector --------------------------------------------------------------------------------------------

NAMES: dict[str, Callable[[Address], dict[str, Any]]] = {
    "its Contact": lambda third: {"contact": f"<sip:1002@{third}>"},
    "its Contact, over TCP": lambda third: {"contact": f"<sip:1002@{third};transport=tcp>"},
    "its Contact, over TLS": lambda third: {"contact": f"<sips:1002@{third}>"},
    "its maddr": lambda third: {"contact": f"<sip:1002@192.0.2.1;maddr={third.host}>"},
    "its route": lambda third: {"extra": [("Record-Route", f"<sip:{third};lr>")]},
}


@pytest.mark.parametrize("named", NAMES)
def test_has_nothing_sent_to_a_third_host(play: Play, named: str) -> None:
    async def story(on: Scene) -> None:
        connections: list[object] = []

        def accept(stream: Stream) -> Peer:
            connections.append(stream)
            return on.bystander

        listener = await on.world.listen(on.bystander.place, accept)
        up = await on.up(on.stranger, **NAMES[named](on.bystander.place))
        up.call.spawn(up.call.hang_up(), "BYE")
        on.stranger.answer(await on.stranger.heard("BYE"), 200)
        await up.call.over()
        assert (on.bystander.bytes_heard, connections) == (0, [])
        listener.close()

    play(story)


@pytest.mark.parametrize(
    "via", ["{third}", "{own};maddr={host}", "{own};maddr={host};rport", "{third};rport"]
)
def test_has_no_response_sent_to_a_third_host(play: Play, via: str) -> None:
    async def story(on: Scene) -> None:
        third, own = on.bystander.place, on.stranger.place
        request = on.stranger.ask("OPTIONS")
        sent_by = via.format(third=third, own=own, host=third.host)
        request.headers.set("Via", f"SIP/2.0/UDP {sent_by};branch=z9hG4bKthird")
        on.stranger.send(request)
        await on.stranger.response(200, "OPTIONS")
        await on.passed()
        assert on.bystander.bytes_heard == 0

    play(story)


def test_a_server_may_name_whom_it_likes(play: Play) -> None:
    """A proxy that records no route: both ends talk to each other directly."""

    async def story(on: Scene) -> None:
        up = await on.up(on.server, contact=f"<sip:1002@{on.bystander.place}>")
        on.bystander.send(up.request(on.bystander, "OPTIONS", 101))
        await on.bystander.response(200, "OPTIONS")
        up.call.spawn(up.call.hang_up(), "BYE")
        on.bystander.answer(await on.bystander.heard("BYE"), 200)
        await up.call.over()

    play(story)


def test_a_call_goes_on_through_another_server(play: Play) -> None:
    """The server that the call was set up through is gone; the far end says so through the next one."""

    async def story(on: Scene) -> None:
        up = await on.up(on.server)
        on.bystander.send(up.request(on.bystander, "INVITE", 101, body=on.bystander.sdp()))
        await on.bystander.response(200, "INVITE")
        on.bystander.send(up.request(on.bystander, "ACK", 101))
        on.bystander.send(up.request(on.bystander, "BYE", 102))
        await on.bystander.response(200, "BYE")
        await up.call.over()

    play(story, account__1__sip_server__2__address=neighbour(77))


def test_a_network_may_be_known() -> None:
    async def story(on: Scene) -> None:
        up = await on.up(on.server)
        on.stranger.send(up.request(on.stranger, "BYE"))
        await on.stranger.response(200, "BYE")
        await up.call.over()

    pool = ip_network(f"{neighbour(64)}/28")
    play("simulated", story, PhoneOptions(local_address=own_address(), known=(pool,)))


def test_a_hundred_calls_leave_room_for_the_servers(play: Play) -> None:
    async def story(on: Scene) -> None:
        rang = 0
        for number in range(100):
            on.stranger.send(on.stranger.ask("INVITE", call_id=f"many-{number}", extra=[]))
            message = await on.stranger.hear()
            rang += getattr(message, "status", 0) == 180
        assert rang == 10
        on.server.send(on.server.ask("INVITE", call_id="mine"))
        await on.server.response(180, "INVITE")

    play(story)


# -- sound ---------------------------------------------------------------------------------------------------


class Ear:
    """An RTP port: counts what comes, and says what a test has it say."""

    def __init__(self) -> None:
        self.packets = 0

    async def at(self, world: World, place: Address) -> Ear:
        self.socket = await world.open_udp(place, self)
        return self

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.packets += 1

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        pass

    def press(self, digit: str, phone: Address) -> None:
        """Send *digit* as a telephone event."""
        for packet in digit_packets(digit, payload_type=101, sequence=1, timestamp=160, ssrc=ord(digit)):
            self.socket.send(packet.pack(), phone)


def rtp_port(place: Address) -> Address:
    """Where `Somebody.sdp` wants sound."""
    return Address(place.host, 4000)


@pytest.mark.parametrize("symmetric", [0, 1, 2, 3])
def test_is_not_heard_in_a_call(play: Play, symmetric: int) -> None:
    async def story(on: Scene) -> None:
        server = await Ear().at(on.world, rtp_port(on.server.place))
        stranger = await Ear().at(on.world, Address(on.stranger.place.host, 4004))
        invite, _, call = await on.incoming(on.server, body=with_events(on.server.sdp()))
        call.answer()
        answer = await on.server.response(200, "INVITE")
        own, phone = invite.headers.get("From") or "", answer.headers.get("To") or ""
        on.server.send(on.server.within("ACK", own, phone, invite.call_id, 1))
        audio = call.voice.audio
        assert audio is not None
        await until(lambda: call.result is not None, "the call to be up")
        server.press("1", audio.local)
        await until(lambda: audio.digits == "1", "the digit of the far end")
        stranger.press("9", audio.local)
        await until(lambda: audio.counts.strangers > 0, "the packets of the stranger")
        server.press("2", audio.local)
        await until(lambda: audio.digits == "12", "the next digit of the far end")
        told = [each for each in on.events if isinstance(each, RtpIgnored)]
        assert [(each.call, each.remote) for each in told] == [(call.id, stranger.socket.local)]
        for ear in (server, stranger):
            ear.socket.close()

    play(story, features__rtp_symmetric__enable=symmetric)


def with_events(sdp: bytes) -> bytes:
    """*sdp* with telephone events under the number 101."""
    return sdp.replace(b"AVP 0\r\n", b"AVP 0 101\r\n") + b"a=rtpmap:101 telephone-event/8000\r\n"


def test_has_no_sound_sent_to_a_third_host(play: Play) -> None:
    async def story(on: Scene) -> None:
        victim = await Ear().at(on.world, rtp_port(on.bystander.place))
        up = await on.up(on.stranger, body=on.stranger.sdp(on.bystander.place.host))
        why = f"no sound is sent to {on.bystander.place.host}, which only a stranger names"
        assert [each.withheld for each in on.events if isinstance(each, MediaChanged)] == [why]
        audio = up.call.voice.audio
        assert audio is not None
        assert (audio.can_send, audio.counts.sent, victim.packets) == (False, 0, 0)
        victim.socket.close()

    play(story)


def test_a_server_has_sound_sent_where_it_says(play: Play) -> None:
    async def story(on: Scene) -> None:
        up = await on.up(on.server, body=on.server.sdp(on.bystander.place.host))
        audio = up.call.voice.audio
        assert audio is not None
        assert audio.can_send

    play(story)


def test_gets_no_sound_before_it_has_shown_to_be_there(play: Play) -> None:
    async def story(on: Scene) -> None:
        invite, _, call = await on.incoming(
            on.stranger, extra=[("Subject", "long enough for three answers" * 20)]
        )
        call.answer()
        answer = await on.stranger.response(200, "INVITE")
        await on.stranger.response(200, "INVITE")  # repeated, half a second later
        audio = call.voice.audio
        assert audio is not None
        assert (audio.can_send, audio.counts.sent) == (False, 0)
        own, phone = invite.headers.get("From") or "", answer.headers.get("To") or ""
        on.stranger.send(on.stranger.within("ACK", own, phone, invite.call_id, 1))
        await until(lambda: audio.can_send, "the ACK to count")
        if not on.world.virtual:  # in virtual time silence is not sent
            await until(lambda: audio.counts.sent > 0, "sound")

    play(story)
