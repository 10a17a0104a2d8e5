"""What is sent and heard when an offer in mid-call changes codec or packet time, on the wire."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from phone_emulator.events import Address
from phone_emulator.media import rtp
from phone_emulator.media.codecs import CODECS
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import Speech
from tests.lab.peers import PHONE, SERVER
from tests.media.listening import amplitude, decibels, tone
from tests.phone.far_end import Play, offer, play

ALL: dict[str, Any] = {f"account__1__codec__{name}__enable": 1 for name in ("pcmu", "pcma", "g722")}
ROOM = Address(SERVER.host, 4000)
"""Where the far end's descriptions say that it listens."""


class Ear:
    """The far end's RTP port."""

    def __init__(self) -> None:
        self.packets: list[rtp.Packet] = []

    def datagram_received(self, data: bytes, remote: Address) -> None:
        assert remote == Address(PHONE.host, 11780)
        self.packets.append(rtp.parse(data))

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(reason)


def described(formats: str, *attributes: str) -> bytes:
    """A description of the far end with other *formats*, and further *attributes*."""
    extra = "".join(f"a={each}\r\n" for each in attributes).encode()
    return offer().replace(b"RTP/AVP 0\r\n", f"RTP/AVP {formats}\r\n".encode()) + extra


def speech(name: str) -> Speech:
    maker = CODECS[name].coder
    assert maker is not None
    return Speech(CODECS[name], maker)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_an_offer_in_mid_call_changes_codec_and_packet_time(method: str) -> None:
    """RFC 3264 section 8.3.2; the stream goes on in the same numbers."""

    async def story(on: Play) -> None:
        ear = Ear()
        await on.world.open_udp(ROOM, ear)
        invite, call = await on.talking(body=described("0"))
        audio = call.voice.audio
        assert audio is not None
        audio.play(tone(8000, 440, 2))
        await asyncio.sleep(0.5)
        change = on.from_far(method, invite, 101, body=described("9", "ptime:30"))
        on.far.send(change)
        response = await on.far.response(200, method)
        if method == "INVITE":
            on.far.send(on.far.ack(change, response))
        await asyncio.sleep(0.5)
        told = [(each.payload_type, len(each.payload)) for each in ear.packets]
        assert set(told[:20]) == {(0, 160)}
        assert set(told[-10:]) == {(9, 240)}
        numbers = [each.sequence for each in ear.packets]
        assert {(after - before) & 0xFFFF for before, after in itertools.pairwise(numbers)} == {1}
        assert len({each.ssrc for each in ear.packets}) == 1
        ear_for, heard = speech("g722"), Sound(16000)
        for packet in ear.packets:
            if packet.payload_type == 9:
                heard.samples.extend(ear_for.hear(packet.payload, 1, 16000))
        assert decibels(amplitude(Sound(16000, heard.samples[3200:]), 440), 8000) == pytest.approx(0, abs=0.5)

    play(story, **ALL)


def test_all_agreed_codecs_are_heard_at_once() -> None:
    """RFC 3264 section 6.1: the other end may send each of them at any time."""

    async def story(on: Play) -> None:
        _, call = await on.talking(body=described("8 9 0"))
        audio = call.voice.audio
        assert audio is not None
        audio.record(5)
        rate = audio.recording.rate
        mouths = {payload: speech(name) for payload, name in ((8, "pcma"), (9, "g722"), (0, "pcmu"))}
        sound = tone(8000, 440, 1.2)
        for number in range(60):
            payload = (8, 9, 0)[number // 20]
            data = mouths[payload].say(sound, 160 * number, 20)
            audio.datagram_received(rtp.Packet(payload, number, 160 * number, 5, data).pack(), ROOM)
        heard = audio.recording
        assert len(heard.samples) == 60 * rate // 50
        for start in (0.1, 0.5, 0.9):
            part = Sound(rate, heard.samples[round(start * rate) :][: rate // 4])
            assert decibels(amplitude(part, 440), 8000) == pytest.approx(0, abs=0.5), start

    play(story, **ALL)


def test_the_other_end_changes_its_codec_without_a_word() -> None:
    """What was agreed last is what counts: a codec that is agreed no more is not heard."""

    async def story(on: Play) -> None:
        invite, call = await on.talking(body=described("8 0"))
        audio = call.voice.audio
        assert audio is not None
        on.far.send(on.from_far("UPDATE", invite, 101, body=described("0")))
        await on.far.response(200, "UPDATE")
        audio.record(5)
        sound = tone(8000, 440, 0.2)
        for number in range(10):
            data = speech("pcma").say(sound, 160 * number, 20)
            audio.datagram_received(rtp.Packet(8, number, 160 * number, 5, data).pack(), ROOM)
        assert not audio.recording.samples

    play(story, **ALL)
