"""What is sent and heard when an offer in mid-call changes codec or packet time, on the wire."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from phone_emulator.events import Address, DigitWay
from phone_emulator.media import rtp
from phone_emulator.media.codecs import CODECS
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import Speech
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.world import SimulatedWorld
from tests.lab.peers import PHONE, SERVER
from tests.media.listening import amplitude, decibels, loudest, tone
from tests.media.opus import needs_opus
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


@needs_opus
def test_another_clock_in_mid_call_goes_on_from_where_it_was() -> None:
    """RFC 7160: from PCMU's 8 kHz to the 48 kHz of Opus (RFC 7587 section 4.1) and back, in one stream."""

    async def story(on: Play) -> None:
        ear = Ear()
        await on.world.open_udp(ROOM, ear)
        invite, call = await on.talking(body=described("0"))
        audio = call.voice.audio
        assert audio is not None
        audio.play(tone(8000, 440, 3))
        for number, body in enumerate((described("111", "rtpmap:111 opus/48000/2"), described("0"))):
            await asyncio.sleep(0.5)
            on.far.send(on.from_far("UPDATE", invite, 101 + number, body=body))
            await on.far.response(200, "UPDATE")
        await asyncio.sleep(0.5)
        steps = [
            (before.payload_type, after.payload_type, (after.timestamp - before.timestamp) & 0xFFFFFFFF)
            for before, after in itertools.pairwise(ear.packets)
        ]
        told = [step for step, _ in itertools.groupby(steps)]
        assert told == [(0, 0, 160), (0, 111, 160), (111, 111, 960), (111, 0, 960), (0, 0, 160)]
        numbers = [each.sequence for each in ear.packets]
        assert {(after - before) & 0xFFFF for before, after in itertools.pairwise(numbers)} == {1}
        assert len({each.ssrc for each in ear.packets}) == 1

    play(story, account__1__codec__opus__enable=1, **ALL)


@needs_opus
@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_opus_both_ways_with_digits_as_events_and_as_sounds(ptime: int) -> None:
    """Two ends of this program: tone, telephone events in the stream's own time, and digits in the sound."""
    heard: list[tuple[str, DigitWay]] = []
    world = SimulatedWorld(seed=1)

    async def story() -> None:
        one = Audio(world, Address(PHONE.host, 4000), stream=True)
        other = Audio(
            world, Address(SERVER.host, 4000), stream=True, on_digit=lambda *each: heard.append(each)
        )
        for end, far in ((one, other), (other, one)):
            await end.open()
            end.set_remote(far.local, 111, "opus", ptime=ptime, in_band=True)
        other.record(5)
        one.play(tone(8000, 440, 1))
        await asyncio.sleep(1)
        await one.send_dtmf("19", in_band=True)
        await one.send_dtmf("5#")
        await asyncio.sleep(0.5)
        recorded = other.recording
        part = Sound(16000, recorded.samples[3200:14400])
        assert recorded.rate == 16000
        assert decibels(amplitude(part, 440), 8000) == pytest.approx(0, abs=0.5)
        assert loudest(part) == 440
        counts = other.counts
        assert (counts.lost, counts.ignored) == (0, 0)
        assert counts.jitter == pytest.approx(0, abs=1e-6)
        one.close()
        other.close()

    world.run(story())
    assert heard == [(digit, DigitWay.IN_BAND) for digit in "19"] + [
        (digit, DigitWay.RFC4733) for digit in "5#"
    ]
