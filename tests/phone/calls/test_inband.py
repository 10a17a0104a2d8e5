"""Digits in the sound itself, both ways: as packets, and in a call (``account.X.dtmf.type = 0``)."""

from __future__ import annotations

import asyncio
import itertools
import random
from array import array
from collections.abc import Callable

import pytest

from phone_emulator.events import Address, DigitReceived, DigitWay
from phone_emulator.media import dtmf, g711, rtp, tones
from phone_emulator.media.inband import DigitTones, digit_tone
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call, CallError
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.phone.calls.digits import AudioError, DigitStyle
from phone_emulator.world import SimulatedWorld
from tests.phone.calls.test_audio import HERE, THERE, Ear, run
from tests.phone.far_end import Play, offer, play

Digits = list[tuple[str, DigitWay]]
IN_BAND = DigitWay.IN_BAND


def sound_of(ear: Ear, kind: int = 0) -> Sound:
    """What the packets that *ear* has heard say, which are of the payload type *kind*."""
    assert {packet.payload_type for packet in ear.packets} <= {kind}
    decode = {0: g711.decode_ulaw, 8: g711.decode_alaw}[kind]
    return Sound(8000, decode(b"".join(packet.payload for packet in ear.packets)))


# -- sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_digits_are_sounds_with_silence_between(stream: bool) -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, dtmf_payload=None)
        await audio.send_dtmf("5#", in_band=True)
        await asyncio.sleep(0.001)
        wanted = digit_tone("5", 70, -20) + tones.silence(45) + digit_tone("#", 70, -20) + tones.silence(15)
        assert sound_of(ear).samples == g711.decode_ulaw(g711.encode_ulaw(wanted))
        assert ear.times == [round(n * 0.02, 6) for n in range(10)]
        assert [packet.marker for packet in ear.packets] == [True] + [False] * 9
        stamps = [packet.timestamp for packet in ear.packets]
        assert {(after - before) % (1 << 32) for before, after in itertools.pairwise(stamps)} == {160}
        await asyncio.sleep(1)
        assert len(ear.heard) == (60 if stream else 10)

    run(main, stream=stream, digit_style=DigitStyle(duration=70, interval=45, volume=20))


def test_the_next_order_keeps_its_distance() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        await asyncio.gather(audio.send_dtmf("1", in_band=True), audio.send_dtmf("2", in_band=True))
        await asyncio.sleep(0.001)
        assert ear.times == [0.0, 0.02, 0.04, 0.06, 0.08, 0.2, 0.22, 0.24, 0.26, 0.28]

    run(main, digit_style=DigitStyle(interval=100))


def test_nothing_else_is_said_meanwhile_and_goes_on_after_it() -> None:
    played = Sound(8000, tones.sine((440,), 400))

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.play(played)
        await asyncio.sleep(0.09)
        await audio.send_dtmf("12", in_band=True)
        await asyncio.sleep(1)
        sound = sound_of(ear).samples
        begun, lasted = 5 * 160, 13 * 160
        said = sound[:begun] + sound[begun + lasted :]
        assert said == g711.decode_ulaw(g711.encode_ulaw(played.samples))
        wanted = digit_tone("1", 100) + tones.silence(50) + digit_tone("2", 100) + tones.silence(10)
        assert sound[begun : begun + lasted] == g711.decode_ulaw(g711.encode_ulaw(wanted))

    run(main)


def test_the_codec_may_change_within_a_digit() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        sending = asyncio.create_task(audio.send_dtmf("5", in_band=True))
        await asyncio.sleep(0.05)
        audio.set_remote(THERE, payload_type=8, codec="pcma")
        await sending
        assert [packet.payload_type for packet in ear.packets] == [0, 0, 0, 8, 8]
        sound = array("h")
        for packet in ear.packets:
            sound += (g711.decode_alaw if packet.payload_type else g711.decode_ulaw)(packet.payload)
        wanted = digit_tone("5", 100)
        assert max(abs(one - other) for one, other in zip(sound, wanted, strict=True)) < 400

    run(main)


def test_a_cancelled_wait_ends_the_present_digit_and_drops_the_rest() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        sending = asyncio.create_task(audio.send_dtmf("19", in_band=True))
        await asyncio.sleep(0.03)
        sending.cancel()
        await asyncio.sleep(1)
        assert sound_of(ear).samples == g711.decode_ulaw(g711.encode_ulaw(digit_tone("1", 100)))

    run(main)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda audio: audio.set_remote(None), "the far end is on hold"),
        (lambda audio: audio.hush(hushed=True), "this phone holds the call"),
        (lambda audio: audio.close(), "the call has ended"),
        (
            lambda audio: audio.set_remote(THERE, payload_type=18, codec="g729"),
            "no codec is agreed that can be spoken here",
        ),
    ],
)
def test_what_stops_digits(change: Callable[[Audio], None], why: str) -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        sending = asyncio.create_task(audio.send_dtmf("12", in_band=True))
        await asyncio.sleep(0.05)
        change(audio)
        with pytest.raises(AudioError, match=f"not every digit was sent: {why}"):
            await sending
        heard = len(ear.heard)
        await asyncio.sleep(1)
        assert len(ear.heard) == heard == 3

    run(main)


def test_a_codec_that_is_not_spoken_carries_none() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, payload_type=18, codec="g729")
        with pytest.raises(AudioError, match="no codec is agreed that can be spoken here"):
            await audio.send_dtmf("1", in_band=True)

    run(main)


def test_a_far_end_that_takes_events_no_longer_has_no_say_in_sounds() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        sending = asyncio.create_task(audio.send_dtmf("12", in_band=True))
        await asyncio.sleep(0.05)
        audio.set_remote(THERE, dtmf_payload=None)
        await sending
        assert len(ear.heard) == 13

    run(main)


# -- heard ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("codec", "number"), [("pcmu", 0), ("pcma", 8), ("g722", 9)])
@pytest.mark.parametrize("records", [False, True])
def test_one_phone_hears_the_other(codec: str, number: int, records: bool) -> None:
    world, heard = SimulatedWorld(seed=3), Digits()

    async def main() -> None:
        one = Audio(world, HERE, digit_style=DigitStyle(volume=33))
        other = Audio(world, THERE, on_digit=lambda digit, by: heard.append((digit, by)))
        await one.open()
        await other.open()
        one.set_remote(THERE, number, codec, None)
        other.set_remote(HERE, number, codec, None, in_band=True)
        if records:
            other.record(1)
        await one.send_dtmf("0011*#D", in_band=True)
        await asyncio.sleep(0.1)
        assert other.digits == "0011*#D"
        one.close()
        other.close()

    world.run(main())
    assert heard == [(digit, IN_BAND) for digit in "0011*#D"]


def press(audio: Audio, digits: str, first: int = 0, ssrc: int = 5) -> int:
    """*audio* gets *digits* as sounds at once, from the packet *first* on; the number of the next one."""
    sounds, number = DigitTones(digits, duration_ms=100, interval_ms=60, level=-10), first
    while not sounds.over:
        payload = g711.encode_ulaw(sounds.take(20, 8000))
        packet = rtp.Packet(0, number, number * 160, ssrc, payload)
        audio.datagram_received(packet.pack(), THERE)
        number += 1
    return number + 10


def event(audio: Audio, digit: int, number: int) -> int:
    """*audio* gets a telephone event; the number of the next packet."""
    payload = dtmf.Event(digit, True, 10, 800).pack()
    audio.datagram_received(rtp.Packet(101, number, number * 160, 5, payload).pack(), THERE)
    return number + 10


def test_nobody_listens_where_it_is_not_asked_for() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        press(audio, "1")
        assert audio.digits == ""

    run(main)


def test_held_nobody_listens() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, direction="sendonly", in_band=True)
        press(audio, "1")
        assert audio.digits == ""

    run(main)


def test_who_sends_events_sends_no_sounds() -> None:
    """A gateway leaves some of each tone in the sound: a digit is not to come twice."""

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, in_band=True)
        number = press(audio, "1")
        number = event(audio, 2, number)
        number = press(audio, "2", number)
        assert audio.digits == "12"
        audio.set_remote(THERE, in_band=True)
        press(audio, "3", number)
        assert audio.digits == "123", "what is agreed anew may be about another device"

    run(main)


def test_a_re_invite_within_a_digit_makes_no_second_one() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, dtmf_payload=None, in_band=True)
        sounds = DigitTones("5", duration_ms=400, interval_ms=50, level=-10)
        for number in range(20):
            if number == 10:
                audio.set_remote(THERE, dtmf_payload=None, in_band=True)
            payload = g711.encode_ulaw(sounds.take(20, 8000))
            audio.datagram_received(rtp.Packet(0, number, number * 160, 5, payload).pack(), THERE)
        assert audio.digits == "5"

    run(main)


# -- in a call -----------------------------------------------------------------------------------------------


def told(on: Play) -> list[tuple[str, DigitWay]]:
    return [(each.digit, each.by) for each in on.events if isinstance(each, DigitReceived)]


async def up(on: Play, events: int | None) -> tuple[Call, Audio, Ear]:
    """The phone is in a call with a far end that takes the telephone events of that number."""
    ear = Ear(on.world)
    await on.world.open_udp(Address("192.168.1.13", 4000), ear)
    _, call = await on.talking(body=offer(events=events))
    assert call.voice.audio is not None
    return call, call.voice.audio, ear


@pytest.mark.parametrize("events", [None, 101])
def test_a_call_sends_them_whatever_is_agreed(events: int | None) -> None:
    async def story(on: Play) -> None:
        call, _, ear = await up(on, events)
        await call.send_dtmf("5")
        await on.rest()
        assert sound_of(ear).samples == g711.decode_ulaw(g711.encode_ulaw(digit_tone("5", 100)))
        assert on.sent("INFO") == []

    play(story, account__1__dtmf__type=0)


@pytest.mark.parametrize(
    ("kind", "events", "listens"),
    [(0, 101, True), (0, None, True), (1, None, True), (2, None, True), (1, 101, False), (3, 101, False)],
)
def test_when_a_call_listens_for_them(kind: int, events: int | None, listens: bool) -> None:
    async def story(on: Play) -> None:
        call, audio, _ = await up(on, events)
        sounds = DigitTones("47", duration_ms=100, interval_ms=60, level=-10)
        for number in range(13):
            payload = g711.encode_ulaw(sounds.take(20, 8000))
            packet = rtp.Packet(0, number, number * 160, 5, payload)
            audio.datagram_received(packet.pack(), Address("192.168.1.13", 4000))
        assert told(on) == ([("4", IN_BAND), ("7", IN_BAND)] if listens else [])
        assert call.digits_heard == ("47" if listens else "")

    play(story, account__1__dtmf__type=kind)


def test_an_event_is_told() -> None:
    async def story(on: Play) -> None:
        call, audio, _ = await up(on, 101)
        payload = dtmf.Event(11, True, 10, 800).pack()
        for number in range(3):
            packet = rtp.Packet(101, number, 1, 5, payload)
            audio.datagram_received(packet.pack(), Address("192.168.1.13", 4000))
        [said] = [each for each in on.events if isinstance(each, DigitReceived)]
        assert (said.line, said.call, said.digit, said.duration, said.by) == (1, call.id, "#", 0, "rfc4733")
        assert str(said) == "the far end pressed # (as a telephone event)"
        assert call.digits_heard == "#"

    play(story)


def test_a_call_without_sound_sends_none() -> None:
    async def story(on: Play) -> None:
        call, _, ear = await up(on, 101)
        call.voice.silence()
        with pytest.raises(CallError, match=r"no codec is agreed .*: no digits can be sent \(account\.1\.dt"):
            await call.send_dtmf("1")
        assert ear.heard == []

    play(story, account__1__dtmf__type=0)


@pytest.mark.parametrize(("codec", "number"), [("pcmu", 0), ("pcma", 8), ("g722", 9)])
def test_no_packet_harms_who_listens(codec: str, number: int) -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        chance = random.Random(number)
        audio.set_remote(THERE, number, codec, 101, in_band=True)
        for _ in range(1500):
            payload = chance.randbytes(chance.choice((0, 1, 3, 80, 160, 161, 480, 1400)))
            kind = chance.choice((number, number, number, 13, 99))
            stamp, ssrc = chance.choice((0, 160, 1 << 31, (1 << 32) - 1)), chance.choice((1, 1, 1, 2))
            packet = rtp.Packet(kind, chance.randrange(1 << 16), stamp, ssrc, payload)
            audio.datagram_received(packet.pack(), THERE)
        assert audio.digits == ""
        assert audio.counts.received == 1500

    run(main)
