"""Whose sound a call takes through its life: holds, early media, forks."""

from __future__ import annotations

from array import array

import pytest

from phone_emulator.events import Address, RtpIgnored
from phone_emulator.media import g711, rtp
from phone_emulator.phone import Call
from tests.phone.far_end import Play, offer, play

GATEWAY, CALLEE, NAT = (
    Address("192.0.2.10", 6000),
    Address("192.0.2.11", 7000),
    Address("198.51.100.7", 31000),
)
NOWHERE = offer().replace(b"c=IN IP4 192.168.1.13", b"c=IN IP4 0.0.0.0")


def at(place: Address, direction: str = "sendrecv") -> bytes:
    """A session description whose sound is at *place*."""
    described = offer(direction).replace(b"c=IN IP4 192.168.1.13", f"c=IN IP4 {place.host}".encode())
    return described.replace(b"4000", str(place.port).encode())


def takes(call: Call, source: Address) -> bool:
    """Whether *call* takes sound from *source*, which says something."""
    audio = call.voice.audio
    assert audio is not None
    before = audio.counts.received
    packet = rtp.Packet(0, before, before * 160, 5, g711.encode_ulaw(array("h", [1000] * 160)))
    audio.datagram_received(packet.pack(), source)
    return audio.counts.received > before


@pytest.mark.parametrize("held_by", [offer("sendonly"), offer("inactive"), NOWHERE])
def test_a_hold_and_a_refresh_leave_who_is_heard(held_by: bytes) -> None:
    async def story(on: Play) -> None:
        invite, call = await on.talking()
        assert takes(call, NAT)
        for number, body in enumerate((held_by, offer(), offer())):
            again = on.from_far("INVITE", invite, 101 + number, body=body)
            on.far.send(again)
            on.far.send(on.far.ack(again, await on.far.response(200, "INVITE")))
            await on.rest()
            assert (takes(call, CALLEE), takes(call, NAT)) == (False, True)

    play(story)


def test_early_media_of_a_gateway_and_the_call_with_another() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, body=at(GATEWAY))
        await on.rest()
        assert (takes(call, GATEWAY), takes(call, CALLEE)) == (True, False)
        on.far.answer(invite, 200, body=at(CALLEE))
        await on.far.heard("ACK")
        assert (takes(call, CALLEE), takes(call, GATEWAY)) == (True, False)
        told = [event for event in on.events if isinstance(event, RtpIgnored)]
        assert [(event.remote, event.reason) for event in told] == [
            (CALLEE, f"the far end's comes from {GATEWAY}"),
            (GATEWAY, f"the far end's comes from {CALLEE}"),
        ]

    play(story)


def test_who_speaks_before_anything_is_agreed_is_not_the_far_end() -> None:
    """An RTP port is open while the far end rings: whoever has found it does not keep it."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        takes(call, CALLEE)
        assert call.voice.audio is not None
        assert call.voice.audio.heard_at is None
        on.far.answer(invite, 200, body=offer())
        await on.far.heard("ACK")
        assert (takes(call, NAT), takes(call, CALLEE)) == (True, False)
        assert call.voice.audio.heard_at == on.world.now()

    play(story)


def test_the_fork_that_is_talked_to_is_heard() -> None:
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 183, tag="one", body=at(GATEWAY))
        await on.rest()
        assert takes(call, GATEWAY)
        on.far.answer(invite, 183, tag="two", body=at(CALLEE))
        await on.rest()
        assert (takes(call, CALLEE), takes(call, GATEWAY)) == (True, False)
        on.far.answer(invite, 200, tag="one")
        await on.far.heard("ACK")
        assert (takes(call, GATEWAY), takes(call, CALLEE)) == (True, False)

    play(story)
