"""Whose sound a call takes, and where it sends its own: real RTP in both worlds."""

from __future__ import annotations

import asyncio
from array import array
from ipaddress import ip_network

import pytest

from phone_emulator.events import Address, CallState, MediaChanged, RtpIgnored
from phone_emulator.media import dtmf, g711, rtp
from phone_emulator.media.sound import Sound
from phone_emulator.phone import CallError, PhoneOptions
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.world.base import World
from tests.addresses import own_address
from tests.hostile.scene import Play, Scene, Somebody, Up
from tests.patience import patient, until
from tests.phone.far_end import offer

SOUND = Sound(8000, array("h", [1000] * 4000))
LONG = [("X-Long", "x" * 1000)]
"""Bytes that are worth an answer with a description, and repetitions of it."""


class Ear:
    """An RTP port of somebody: counts what reaches it, and speaks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bytes_heard = 0
        self._sequence = 0

    async def at(self, place: Address) -> Ear:
        """Listen at *place*."""
        self.socket = await self.world.open_udp(place, self)
        return self

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.bytes_heard += len(data)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """The call is over."""

    def say(self, audio: Audio, sample: int) -> None:
        """20 ms of *sample*, to the phone's *audio*."""
        self._sequence += 1
        payload = g711.encode_ulaw(array("h", [sample] * 160))
        packet = rtp.Packet(0, self._sequence, self._sequence * 160, sample, payload)
        self.socket.send(packet.pack(), audio.local)

    def press(self, audio: Audio, digit: int) -> None:
        """A telephone event, to the phone's *audio*."""
        self._sequence += 1
        event = dtmf.Event(digit, True, 10, 160).pack()
        packet = rtp.Packet(101, self._sequence, self._sequence * 160, digit, event)
        self.socket.send(packet.pack(), audio.local)


async def ears(on: Scene) -> tuple[Ear, Ear, Ear]:
    """The RTP ports of the server, the stranger and the bystander: those that `Somebody.sdp` describes."""
    opened = [await ear_of(each) for each in (on.server, on.stranger, on.bystander)]
    return opened[0], opened[1], opened[2]


async def ear_of(who: Somebody, port: int = 4000) -> Ear:
    return await Ear(who.world).at(Address(who.place.host, port))


def audio_of(up: Up) -> Audio:
    audio = up.call.voice.audio
    assert audio is not None
    return audio


def told(on: Scene) -> list[MediaChanged]:
    return [event for event in on.events if isinstance(event, MediaChanged)]


def ignored(on: Scene) -> list[RtpIgnored]:
    return [event for event in on.events if isinstance(event, RtpIgnored)]


async def received(audio: Audio, packets: int) -> None:
    await until(lambda: audio.counts.received >= packets, f"{packets} packets of RTP")


async def turned_away(audio: Audio, datagrams: int) -> None:
    await until(lambda: audio.counts.strangers >= datagrams, f"{datagrams} datagrams of strangers")


# -- who is heard --------------------------------------------------------------------------------------------


def test_a_stranger_is_neither_recorded_nor_told_to_be_the_far_end(play: Play) -> None:
    async def story(on: Scene) -> None:
        server, stranger, _ = await ears(on)
        described = offer("sendrecv", events=101).replace(b"192.168.1.13", on.server.place.host.encode())
        up = await on.up(on.server, body=described)
        audio = audio_of(up)
        audio.record(60)
        server.say(audio, 1000)
        await received(audio, 1)
        heard_at = audio.heard_at
        for number in range(5):
            stranger.say(audio, 9000)
            stranger.press(audio, number)
        await turned_away(audio, 10)
        assert audio.heard_at == heard_at
        server.say(audio, 1000)
        server.press(audio, 5)
        await received(audio, 3)
        assert audio.digits == "5"
        assert {round(sample, -2) for sample in audio.recording.samples} == {1000}
        source, far = Address(on.stranger.place.host, 4000), Address(on.server.place.host, 4000)
        assert [str(event) for event in ignored(on)] == [
            f"sound from {source} is not heard: the far end's comes from {far}"
        ]

    play(story)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"features__rtp_symmetric__enable": 1}, "features.rtp_symmetric.enable = 1"),
        ({"features__rtp_symmetric__enable": 3}, "features.rtp_symmetric.enable = 3"),
        ({"sip__trust_ctrl": 1}, "sip.trust_ctrl = 1"),
        ({}, ""),
        ({"features__rtp_symmetric__enable": 2}, ""),
    ],
)
def test_a_first_source_that_was_not_negotiated(play: Play, settings: dict[str, int], setting: str) -> None:
    """At the default it is heard: the far end's NAT, or its gateway."""

    async def story(on: Scene) -> None:
        _, gateway, _ = await ears(on)
        audio = audio_of(await on.up(on.server))
        gateway.say(audio, 1000)
        if not setting:
            await received(audio, 1)
            return
        await turned_away(audio, 1)
        negotiated = Address(on.server.place.host, 4000)
        (event,) = ignored(on)
        assert event.reason == f"{negotiated} is agreed ({setting})"
        assert (audio.counts.received, audio.heard_at) == (0, None)

    play(story, **settings)


@pytest.mark.parametrize("trust", [0, 1])
def test_the_far_end_may_send_from_another_port(play: Play, trust: int) -> None:
    async def story(on: Scene) -> None:
        audio = audio_of(await on.up(on.server))
        one, other = await ear_of(on.server, 4002), await ear_of(on.server, 4004)
        one.say(audio, 1000)
        await received(audio, 1)
        heard = audio.counts.received

        def moved() -> bool:
            other.say(audio, 1000)  # the NAT has changed ports: from here on nothing comes from the old one
            return audio.counts.received > heard

        await until(moved, "the other port to be heard")

    play(story, sip__trust_ctrl=trust)


def test_a_re_invite_lets_somebody_else_be_heard(play: Play) -> None:
    async def story(on: Scene) -> None:
        server, _, gateway = await ears(on)
        up = await on.up(on.server)
        audio = audio_of(up)
        server.say(audio, 1000)
        await received(audio, 1)
        gateway.say(audio, 1000)
        await turned_away(audio, 1)
        for cseq, host in ((201, on.server.place.host), (202, on.bystander.place.host)):
            on.server.send(up.request(on.server, "INVITE", cseq, body=on.server.sdp(host)))
            await on.server.response(200, "INVITE")
            on.server.send(up.request(on.server, "ACK", cseq))
            await on.passed()
            before = audio.counts
            gateway.say(audio, 1000)
            if host == on.server.place.host:  # what was agreed on has not changed
                await turned_away(audio, before.strangers + 1)
            else:
                await received(audio, before.received + 1)
        server.say(audio, 1000)
        await turned_away(audio, 3)

    play(story)


# -- whom sound is sent to -----------------------------------------------------------------------------------


async def sent_to_its_own_host(on: Scene, up: Up, ear: Ear, cseq: int) -> None:
    """The stranger has sound sent to its own address, and gets it."""
    on.stranger.send(up.request(on.stranger, "INVITE", cseq, body=on.stranger.sdp()))
    await on.stranger.response(200, "INVITE")
    on.stranger.send(up.request(on.stranger, "ACK", cseq))
    audio_of(up).play(SOUND)
    await until(lambda: ear.bytes_heard > 500, "sound")


def refusal_of(on: Scene) -> str:
    return f"no sound is sent to {on.bystander.place.host}, which only a stranger names"


@pytest.mark.parametrize("way", ["INVITE", "re-INVITE", "UPDATE", "ACK"])
def test_no_description_of_a_stranger_leads_to_a_third_host(play: Play, way: str) -> None:
    async def story(on: Scene) -> None:
        _, own, victim = await ears(on)
        third = on.stranger.sdp(on.bystander.place.host)
        if way == "INVITE":
            up = await on.up(on.stranger, body=third)
        elif way == "ACK":
            invite, _, ringing = await on.incoming(on.stranger, body=b"", extra=LONG)
            ringing.answer()
            response = await on.stranger.response(200, "INVITE")
            names = invite.headers.get("From") or "", response.headers.get("To") or ""
            up = Up(ringing, *names, invite.call_id)
            on.stranger.send(up.request(on.stranger, "ACK", invite.cseq.number, body=third))
            await on.passed()
        else:
            up = await on.up(on.stranger)
            on.stranger.send(up.request(on.stranger, way.removeprefix("re-"), 150, body=third))
            await on.stranger.response(200)
            if way == "re-INVITE":
                on.stranger.send(up.request(on.stranger, "ACK", 150))
            await on.passed()
        call, audio = up.call, audio_of(up)
        assert (call.state, call.voice.withheld) == (CallState.TALKING, refusal_of(on))
        assert [(event.withheld, event.reason) for event in told(on)] == [(refusal_of(on), refusal_of(on))]
        if way in ("INVITE", "ACK"):
            assert call.reason == f"answered by this phone, {refusal_of(on)}"
        audio.play(SOUND)
        with pytest.raises(CallError, match="no sound is sent to"):
            await call.send_dtmf("1")
        await sent_to_its_own_host(on, up, own, 300)
        assert victim.bytes_heard == 0
        assert told(on)[-1].reason == "sound may be sent again"

    play(story)


def test_a_hold_by_no_address_is_a_hold(play: Play) -> None:
    """c=IN IP4 0.0.0.0 (RFC 2543) names nobody: there is nothing to keep from them."""

    async def story(on: Scene) -> None:
        up = await on.up(on.stranger)
        on.stranger.send(up.request(on.stranger, "INVITE", 200, body=on.stranger.sdp("0.0.0.0")))
        await on.stranger.response(200, "INVITE")
        assert [(event.withheld, event.reason) for event in told(on)] == [("", "held by the far end")]

    play(story)


def test_digits_wait_for_the_ack_of_a_stranger(play: Play) -> None:
    async def story(on: Scene) -> None:
        _, ear, _ = await ears(on)
        described = offer("sendrecv", events=101).replace(b"192.168.1.13", on.stranger.place.host.encode())
        invite, _, call = await on.incoming(on.stranger, body=described, extra=LONG)
        call.answer()
        response = await on.stranger.response(200, "INVITE")
        sending = asyncio.ensure_future(call.send_dtmf("5"))
        await on.stranger.response(200, "INVITE")  # once more, half a second later
        assert (ear.bytes_heard, sending.done()) == (0, False)
        names = invite.headers.get("From") or "", response.headers.get("To") or ""
        on.stranger.send(Up(call, *names, invite.call_id).request(on.stranger, "ACK", 1))
        await patient(sending)
        await until(lambda: ear.bytes_heard > 0, "the digit")

    play(story)


def test_no_prack_of_a_stranger_leads_to_a_third_host(play: Play) -> None:
    async def story(on: Scene) -> None:
        _, _, victim = await ears(on)
        extra = [("Supported", "100rel"), *LONG]
        invite, ringing, call = await on.incoming(on.stranger, body=b"", extra=extra)
        up = Up(call, invite.headers.get("From") or "", ringing.headers.get("To") or "", invite.call_id)
        rack = [("RAck", f"{ringing.headers.get('RSeq')} 1 INVITE")]
        third = on.stranger.sdp(on.bystander.place.host)
        on.stranger.send(up.request(on.stranger, "PRACK", 2, extra=rack, body=third))
        await on.stranger.response(200, "PRACK")
        call.answer()
        await on.stranger.response(200, "INVITE")
        on.stranger.send(up.request(on.stranger, "ACK", 1))
        await on.passed()
        audio_of(up).play(SOUND)
        assert (call.voice.withheld, audio_of(up).can_send) == (refusal_of(on), False)
        assert victim.bytes_heard == 0

    play(story, account__1__100rel_enable=1)


def test_who_was_not_seen_yet_is_sent_no_sound(play: Play) -> None:
    """An INVITE may say that it comes from anywhere: the ACK carries the phone's tag."""

    async def story(on: Scene) -> None:
        _, victim, _ = await ears(on)
        invite, _, call = await on.incoming(on.stranger, extra=LONG)
        call.answer()
        response = await on.stranger.response(200, "INVITE")
        up = Up(call, invite.headers.get("From") or "", response.headers.get("To") or "", invite.call_id)
        audio = audio_of(up)
        audio.play(SOUND)
        for _ in range(2):
            await on.stranger.response(200, "INVITE")  # once more: after 0.5 s, after 1.5 s
        assert (victim.bytes_heard, audio.counts.sent, audio.playing) == (0, 0, True)
        on.stranger.send(up.request(on.stranger, "ACK", 1))
        await until(lambda: victim.bytes_heard > 500, "sound")

    play(story)


def test_a_network_that_is_known_has_sound_sent_where_it_likes(play: Play) -> None:
    async def story(on: Scene) -> None:
        _, _, gateway = await ears(on)
        up = await on.up(on.stranger, body=on.stranger.sdp(on.bystander.place.host))
        audio_of(up).play(SOUND)
        await until(lambda: gateway.bytes_heard > 500, "sound")

    known = ip_network(f"{own_address().rpartition('.')[0]}.66/32")
    play(story, PhoneOptions(local_address=own_address(), known=(known,)))
