"""The audio of a call: in virtual time between two phones, and once over loopback, read by tshark."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import struct
import subprocess
from array import array
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from phone_emulator.events import Address
from phone_emulator.media import dtmf, g711, rtp, tones
from phone_emulator.media.codecs import CODECS
from phone_emulator.media.inband import digit_tone
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import Speech
from phone_emulator.phone.calls.audio import COMFORT, Audio, AudioCounts
from phone_emulator.phone.calls.digits import AudioError, DigitStyle
from phone_emulator.world import RealWorld, SimulatedWorld, World, WorldError
from tests.media.listening import amplitude, decibels, loudest, tone
from tests.patience import NET, patient

HERE, THERE = Address("192.168.1.21", 11780), Address("192.168.1.80", 30000)


class Ear:
    """A far end that keeps what it hears."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.heard: list[tuple[float, rtp.Packet]] = []
        self.raw: list[bytes] = []
        self.more = asyncio.Event()

    def datagram_received(self, data: bytes, remote: Address) -> None:
        self.raw.append(data)
        self.heard.append((round(self.world.now(), 6), rtp.parse(data)))
        self.more.set()

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        raise AssertionError(reason)

    async def has_heard(self, count: int) -> None:
        """Wait for *count* packets in all."""
        while len(self.heard) < count:
            self.more.clear()
            await self.more.wait()

    @property
    def packets(self) -> list[rtp.Packet]:
        return [packet for _, packet in self.heard]

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.heard]


def run(
    main: Callable[[SimulatedWorld, Audio, Ear], Coroutine[Any, Any, None]], **options: Any
) -> SimulatedWorld:
    """Run *main* with an open Audio and a far end, which is not yet its remote; nothing may be left over."""
    world = SimulatedWorld(seed=1)

    async def everything() -> None:
        ear = Ear(world)
        await world.open_udp(THERE, ear)
        audio = Audio(world, HERE, **options)
        await audio.open()
        await main(world, audio, ear)
        audio.close()

    world.run(everything())
    assert world.pending_tasks() == []
    assert world.pending_timers() == []
    return world


def steps(numbers: list[int], modulus: int) -> set[int]:
    return {(after - before) % modulus for before, after in itertools.pairwise(numbers)}


def test_an_idle_call_sends_nothing() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        await asyncio.sleep(3600)
        assert ear.heard == []
        assert world.pending_timers() == []

    run(main)


def test_one_digit() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, dtmf_payload=97)
        await asyncio.sleep(5)
        await audio.send_dtmf("5")
        assert ear.times == [5.0, 5.02, 5.04, 5.06, 5.08, 5.1]
        await asyncio.sleep(1)
        assert ear.times == [5.0, 5.02, 5.04, 5.06, 5.08, 5.1, 5.12]
        assert [packet.payload.hex() for packet in ear.packets] == [
            "050a00a0", "050a0140", "050a01e0", "050a0280", "058a0320", "058a0320", "058a0320"
        ]  # fmt: skip
        assert [packet.marker for packet in ear.packets] == [True] + [False] * 6
        assert {packet.payload_type for packet in ear.packets} == {97}
        assert len({(packet.timestamp, packet.ssrc) for packet in ear.packets}) == 1
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}

    run(main)


def test_digits_keep_their_distance_and_their_timestamps_follow_the_clock() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        await asyncio.gather(audio.send_dtmf("12"), audio.send_dtmf("#"))
        await asyncio.sleep(1)
        begun = [(at, packet.timestamp) for at, packet in ear.heard if packet.marker]
        assert [at for at, _ in begun] == [0.0, 0.3, 0.6]
        assert steps([timestamp for _, timestamp in begun], 1 << 32) == {2400}
        receiver = dtmf.DigitReceiver()
        assert "".join(receiver.receive(packet) or "" for packet in ear.packets) == "12#"

    run(main, digit_style=DigitStyle(duration=200, interval=100))


def test_what_is_played_is_heard_to_the_sample() -> None:
    samples = tones.sine((440,), 1010)

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, payload_type=8, codec="pcma")
        audio.play(Sound(8000, samples))
        at_first = audio.playing
        await asyncio.sleep(10)
        assert (at_first, audio.playing) == (True, False)
        assert ear.times == [round(n * 0.02, 6) for n in range(51)]
        assert {packet.payload_type for packet in ear.packets} == {8}
        assert b"".join(packet.payload for packet in ear.packets) == g711.encode_alaw(samples) + b"\xd5" * 80
        assert [packet.marker for packet in ear.packets] == [True] + [False] * 50
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}
        assert steps([packet.timestamp for packet in ear.packets], 1 << 32) == {160}
        assert audio.counts.sent == 51
        assert audio.counts.sent_octets == 51 * 160

    run(main)


def test_a_digit_takes_the_place_of_sound_in_one_sequence() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.play(Sound(8000, tones.sine((440,), 400)))
        await asyncio.sleep(0.09)
        await audio.send_dtmf("0")
        await asyncio.sleep(1)
        kinds = "".join("e" if packet.payload_type == 101 else "s" for packet in ear.packets)
        assert kinds == "s" * 5 + "e" * 7 + "s" * 15
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}
        assert [packet.marker for packet in ear.packets].count(True) == 3
        assert ear.times == [round(n * 0.02, 6) for n in range(27)]

    run(main)


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 50, 60])
@pytest.mark.parametrize("codec", ["pcmu", "g722"])
def test_each_packet_holds_what_was_agreed(codec: str, ptime: int) -> None:
    sound = tone(8000, 440, 0.6)
    heard = Sound(CODECS[codec].rate)

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, 9, codec, ptime=ptime)
        audio.play(sound)
        await asyncio.sleep(1)
        assert ear.times == [round(n * ptime / 1000, 6) for n in range(600 // ptime)]
        assert {len(packet.payload) for packet in ear.packets} == {8 * ptime}
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}
        assert steps([packet.timestamp for packet in ear.packets], 1 << 32) == {8 * ptime}
        maker = CODECS[codec].coder
        assert maker is not None
        speech = Speech(CODECS[codec], maker)
        for packet in ear.packets:
            heard.samples.extend(speech.hear(packet.payload, 1, heard.rate))

    run(main)
    steady = Sound(heard.rate, heard.samples[heard.rate // 10 :])
    assert loudest(steady) == 440
    assert decibels(amplitude(steady, 440), 8000) == pytest.approx(0, abs=0.5)


def test_another_packet_time_in_mid_call() -> None:
    """The sound goes on where it was, and so do the numbers."""
    samples = tones.sine((440,), 200)

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, 8, "pcma")
        audio.play(Sound(8000, samples))
        await asyncio.sleep(0.05)
        audio.set_remote(THERE, 8, "pcma", ptime=40)
        await asyncio.sleep(1)
        assert ear.times == [0.0, 0.02, 0.04, 0.06, 0.1, 0.14, 0.18]
        assert [len(packet.payload) for packet in ear.packets] == [160] * 3 + [320] * 4
        assert b"".join(packet.payload for packet in ear.packets)[:1600] == g711.encode_alaw(samples)
        first = ear.packets[0]
        assert [packet.timestamp - first.timestamp & 0xFFFFFFFF for packet in ear.packets] == [
            0, 160, 320, 480, 800, 1120, 1440
        ]  # fmt: skip
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}

    run(main)


@pytest.mark.parametrize("ptime", [10, 30, 60])
def test_digits_keep_right_with_another_packet_time(ptime: int) -> None:
    """RFC 4733 section 2.5.1: the packets grow by what is between them, and the digit is as long as ever."""

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, ptime=ptime)
        await audio.send_dtmf("12#")
        await asyncio.sleep(1)
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}
        begun = [at for at, packet in ear.heard if packet.marker]
        assert all(after - before >= 0.15 for before, after in itertools.pairwise(begun))
        receiver = dtmf.DigitReceiver()
        assert "".join(receiver.receive(packet) or "" for packet in ear.packets) == "12#"
        for stamp in {packet.timestamp for packet in ear.packets}:
            sent = [dtmf.parse_event(each.payload) for each in ear.packets if each.timestamp == stamp]
            growing = [8 * at for at in range(ptime, 100, ptime)]
            assert [event.duration for event in sent] == growing + [800] * 3
            assert [event.end for event in sent] == [False] * len(growing) + [True] * 3

    run(main)


@pytest.mark.parametrize("ptime", [10, 30, 60])
@pytest.mark.parametrize("codec", ["pcmu", "g722"])
def test_digits_as_sounds_keep_right_with_another_packet_time(codec: str, ptime: int) -> None:
    heard: list[str] = []

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, 9, codec, ptime=ptime)
        await audio.send_dtmf("12#", in_band=True)
        await asyncio.sleep(1)
        other = Audio(world, Address(HERE.host, 11790), on_digit=lambda digit, by: heard.append(digit))
        await other.open()
        other.set_remote(THERE, 9, codec, in_band=True)
        for datagram in ear.raw:
            other.datagram_received(datagram, THERE)
        other.close()

    run(main, stream=True)
    assert heard == ["1", "2", "#"]


def test_any_packet_time_is_heard() -> None:
    lengths = (5, 10, 20, 40, 80, 7, 100, 60)
    sound, at, datagrams = tones.sine((440,), sum(lengths)), 0, []
    for number, milliseconds in enumerate(lengths):
        payload = g711.encode_ulaw(sound[at : at + 8 * milliseconds])
        datagrams.append(rtp.Packet(0, number, at, 7, payload).pack())
        at += 8 * milliseconds

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.record(1)
        for datagram in datagrams:
            audio.datagram_received(datagram, THERE)
        assert audio.recording.samples == g711.decode_ulaw(g711.encode_ulaw(sound))

    run(main)


def test_hushed_it_streams_silence_and_takes_no_digits() -> None:
    """While this phone holds: what is played goes on behind it."""

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.play(Sound(8000, tones.sine((440,), 200)))
        await asyncio.sleep(0.09)
        audio.hush(hushed=True)
        with pytest.raises(AudioError, match="held"):
            await audio.send_dtmf("1")
        await asyncio.sleep(0.2)
        audio.hush(hushed=False)
        await asyncio.sleep(0.2)
        silent = [set(packet.payload) == {0xFF} for packet in ear.packets]
        assert silent[:5] + silent[-5:] == [False] * 5 + [True] * 5
        assert silent.count(False) == 10
        assert silent[5:15] == [True] * 10
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}

    run(main, stream=True)


def test_streaming_sends_silence_until_closed() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        await asyncio.sleep(0.99)
        audio.close()
        audio.close()
        await asyncio.sleep(1)
        assert len(ear.heard) == 50
        assert {packet.payload for packet in ear.packets} == {b"\xff" * 160}

    run(main, stream=True)


@pytest.mark.parametrize(
    ("address", "direction"),
    [
        (THERE, "recvonly"),
        (THERE, "inactive"),
        (None, "sendrecv"),
        (Address("0.0.0.0", 30000), "sendrecv"),
        (Address(THERE.host, 0), "sendrecv"),
    ],
)
def test_held_nothing_is_sent_and_digits_are_refused(address: Address | None, direction: str) -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(address, direction=direction)
        audio.play(Sound(8000, tones.sine((440,), 100)))
        await asyncio.sleep(1)
        with pytest.raises(AudioError, match="held or has no audio"):
            await audio.send_dtmf("1")
        assert ear.heard == []
        audio.set_remote(THERE, direction="sendonly")
        await asyncio.sleep(1)
        assert len(ear.heard) == 5

    run(main)


def test_digits_that_a_hold_overtakes_fail() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        sending = asyncio.create_task(audio.send_dtmf("12"))
        await asyncio.sleep(0.2)
        audio.set_remote(THERE, direction="inactive")
        with pytest.raises(AudioError, match="not every digit was sent: the far end is on hold"):
            await sending
        held_at = len(ear.heard)
        await asyncio.sleep(1)
        assert len(ear.heard) == held_at
        audio.set_remote(THERE)
        await audio.send_dtmf("3")
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}

    run(main)


def test_closing_ends_the_wait_for_digits() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        sending = asyncio.create_task(audio.send_dtmf("123"))
        await asyncio.sleep(0.05)
        audio.close()
        with pytest.raises(AudioError, match="the call has ended"):
            await sending
        with pytest.raises(AudioError):
            await audio.send_dtmf("1")

    run(main)


def test_a_cancelled_wait_ends_the_present_digit_and_drops_the_rest() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        sending = asyncio.create_task(audio.send_dtmf("19"))
        await asyncio.sleep(0.03)
        sending.cancel()
        await asyncio.sleep(1)
        events = [dtmf.parse_event(packet.payload) for packet in ear.packets]
        assert [event.event for event in events] == [1] * 7
        assert events[-1].end

    run(main)


def test_what_is_no_digit_is_refused_before_anything_is_sent() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        with pytest.raises(dtmf.DtmfError, match="'x' is no DTMF digit"):
            await audio.send_dtmf("12x")
        await asyncio.sleep(1)
        assert ear.heard == []

    run(main)


def test_digits_go_out_in_a_codec_that_is_not_spoken() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, payload_type=18, codec="g729")
        await asyncio.sleep(1)
        await audio.send_dtmf("1")
        await asyncio.sleep(1)
        assert {packet.payload_type for packet in ear.packets} == {101}

    run(main, stream=True)


def test_two_phones_hear_each_other() -> None:
    world = SimulatedWorld(seed=3)
    sound = tones.sine((440,), 200)
    digits: list[str] = []

    async def main() -> None:
        one, other = Audio(world, HERE), Audio(world, THERE, on_digit=lambda digit, by: digits.append(digit))
        await one.open()
        await other.open()
        one.set_remote(other.local)
        other.set_remote(one.local)
        other.record(1.0)
        await asyncio.sleep(0.5)
        one.play(Sound(8000, sound))
        await asyncio.sleep(0.3)
        await one.send_dtmf("42*")
        await asyncio.sleep(2)
        assert other.recording.samples == g711.decode_ulaw(g711.encode_ulaw(sound))
        assert other.digits == "42*"
        assert digits == ["4", "2", "*"]
        counts = other.counts
        assert (counts.received, counts.received_octets, counts.lost) == (31, 10 * 160 + 21 * 4, 0)
        assert counts.jitter == pytest.approx(0.0, abs=1e-6)
        assert (counts.ignored, counts.problem) == (0, "")
        assert one.counts.received == 50  # the silence that is sent while recording
        one.close()
        other.close()

    world.run(main())
    assert world.pending_tasks() + world.pending_timers() == []


@pytest.mark.parametrize("rate", [8000, 16000])
def test_g722_goes_both_ways_on_a_clock_of_8_khz(rate: int) -> None:
    world = SimulatedWorld(seed=3)
    counted: list[AudioCounts] = []

    async def main() -> None:
        one, other = Audio(world, HERE), Audio(world, THERE)
        for audio, hertz, far in ((one, 440, THERE), (other, 700, HERE)):
            await audio.open()
            audio.set_remote(far, payload_type=9, codec="g722")
            audio.record(0.5)
            audio.play(tone(rate, hertz, 0.5))
        await asyncio.sleep(1)
        for audio, hertz in ((one, 700), (other, 440)):
            heard = audio.recording
            assert (heard.rate, heard.seconds) == (16000, 0.5)
            steady = Sound(heard.rate, heard.samples[1600:])
            assert loudest(steady) == hertz
            assert decibels(amplitude(steady, hertz), 8000) == pytest.approx(0, abs=0.5)
            counted.append(audio.counts)
            audio.close()

    world.run(main())
    assert [(each.sent, each.sent_octets, each.received) for each in counted] == [(25, 25 * 160, 25)] * 2
    assert [each.jitter for each in counted] == pytest.approx([0, 0], abs=1e-6)


def test_the_timestamps_of_g722_count_by_8_khz() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, payload_type=9, codec="g722")
        audio.play(tone(16000, 440, 1))
        await asyncio.sleep(2)
        assert steps([packet.timestamp for packet in ear.packets], 1 << 32) == {160}
        assert {len(packet.payload) for packet in ear.packets} == {160}
        assert len(ear.packets) == 50

    run(main)


def test_a_recording_goes_on_at_its_rate_when_the_codec_changes() -> None:
    world = SimulatedWorld(seed=3)

    async def main() -> None:
        one, other = Audio(world, HERE), Audio(world, THERE)
        await one.open()
        await other.open()
        for codec, payload in (("g722", 9), ("pcmu", 0), ("g722", 9)):
            one.set_remote(THERE, payload_type=payload, codec=codec)
            other.set_remote(HERE, payload_type=payload, codec=codec)
            if codec == "g722" and not other.recording.samples:
                other.record(3)
                one.play(tone(8000, 440, 3))
            await asyncio.sleep(1)
        heard = other.recording
        assert (heard.rate, heard.seconds) == (16000, 3.0)
        for second in range(3):
            part = Sound(16000, heard.samples[second * 16000 + 1600 : (second + 1) * 16000 - 1600])
            assert decibels(amplitude(part, 440), 8000) == pytest.approx(0, abs=0.5)
        one.close()
        other.close()

    world.run(main())


def speech(sequence: int, timestamp: int, sample: int = 1000, ssrc: int = 5) -> bytes:
    payload = g711.encode_ulaw(array("h", [sample] * 160))
    return rtp.Packet(0, sequence, timestamp & 0xFFFFFFFF, ssrc, payload).pack()


def recorded(*datagrams: bytes, seconds: float = 1.0) -> list[int]:
    """The first sample of each 20 ms that is recorded of *datagrams*."""
    heard: list[int] = []

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, direction="recvonly")
        audio.record(seconds)
        for datagram in datagrams:
            audio.datagram_received(datagram, THERE)
        heard.extend(audio.recording.samples[::160])

    run(main)
    return [round(sample, -2) for sample in heard]


def test_a_recording_puts_packets_in_order_and_silence_in_gaps() -> None:
    start = 0xFFFFFFFF - 200  # wraps on the way
    assert recorded(
        speech(1, start, 1000),
        speech(3, start + 320, 3000),
        speech(2, start + 160, 2000),
        speech(5, start + 640, 5000),
    ) == pytest.approx([1000, 2000, 3000, 0, 5000], abs=100)


def noise(sequence: int, timestamp: int, dbov: int, payload_type: int = 13) -> bytes:
    return rtp.Packet(payload_type, sequence, timestamp, 5, bytes([dbov])).pack()


@pytest.mark.parametrize(("cng", "dbov", "level"), [(True, 30, 1036), (True, 127, 0), (False, 30, 0)])
@pytest.mark.parametrize("number", [13, 98])
def test_comfort_noise_is_heard_at_its_level_until_sound_comes(
    number: int, cng: bool, dbov: int, level: float
) -> None:
    """RFC 3389; the packets in between are none that are lost, or unknown."""

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, heard={0: "pcmu", number: COMFORT}, direction="recvonly")
        audio.record(5)
        for datagram in (
            speech(1, 0, 5000),
            noise(2, 160, dbov, number),
            noise(3, 1760, dbov, number),
            speech(4, 3360, 5000),
        ):
            audio.datagram_received(datagram, THERE)
        samples = audio.recording.samples
        assert len(samples) == 3520
        between = samples[160:3360]
        assert (sum(each * each for each in between) / 3200) ** 0.5 == pytest.approx(level, rel=0.05)
        assert min(samples[3360:]) > 4500
        assert (audio.counts.lost, audio.counts.ignored) == (0, 0)

    run(main, cng=cng)


@pytest.mark.parametrize(
    "datagrams",
    [
        [noise(1, 0, 30), speech(2, 11 * 8000, 5000)],
        [noise(1, 0, 30), speech(2, 0, 5000)],
        [noise(1, 0, 30), speech(2, 1600, 5000, ssrc=6)],
        [rtp.Packet(13, 1, 0, 5).pack(), speech(2, 160, 5000)],
    ],
)
def test_noise_is_not_made_up(datagrams: list[bytes]) -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, heard={0: "pcmu", 13: COMFORT}, direction="recvonly")
        audio.record(5)
        for datagram in datagrams:
            audio.datagram_received(datagram, THERE)
        assert {each for each in audio.recording.samples if each < 4500} <= {0}

    run(main)


def test_a_digit_in_the_sound_goes_by_comfort_noise() -> None:
    heard: list[str] = []

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, heard={0: "pcmu", 13: COMFORT}, in_band=True)
        sequence = at = 0
        for digit in "55":
            sound = digit_tone(digit, 100)
            for place in range(0, 800, 160):
                payload = g711.encode_ulaw(sound[place : place + 160])
                audio.datagram_received(rtp.Packet(0, sequence, at, 5, payload).pack(), THERE)
                sequence, at = sequence + 1, at + 160
            audio.datagram_received(noise(sequence, at, 60), THERE)
            sequence, at = sequence + 1, at + 800
        audio.datagram_received(speech(sequence, at), THERE)

    run(main, on_digit=lambda digit, by: heard.append(digit))
    assert heard == ["5", "5"]


def test_silence_is_not_sent_where_the_phone_leaves_it_out() -> None:
    """voice.vad: what begins again has the marker (RFC 3551 section 4.1), at the time at which it is said."""
    said = tones.sine((440,), 100) + tones.silence(600) + tones.sine((440,), 100)

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.play(Sound(8000, said))
        await asyncio.sleep(2)
        assert ear.times == [round(n * 0.02, 6) for n in [*range(15), *range(35, 50)]]
        assert [n for n, packet in enumerate(ear.packets) if packet.marker] == [0, 15]
        first = ear.packets[0].timestamp
        assert (ear.packets[15].timestamp - first) & 0xFFFFFFFF == 35 * 160
        assert steps([packet.sequence for packet in ear.packets], 1 << 16) == {1}
        audio.hush(hushed=True)
        audio.play(Sound(8000, said))
        await asyncio.sleep(1)
        assert len(ear.packets) == 30

    run(main, stream=True, vad=True)


def test_a_recording_goes_on_with_another_stream() -> None:
    assert recorded(speech(1, 0, 1000), speech(9, 10**9, 2000, ssrc=6)) == pytest.approx(
        [1000, 2000], abs=100
    )


def test_a_recording_takes_no_more_than_its_seconds_whatever_the_timestamps() -> None:
    far = [speech(n, n * 9 * 8000) for n in range(50)]
    assert len(recorded(*far, seconds=0.1)) <= 5


def test_a_recording_ends_by_itself() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.record(0.5)
        await asyncio.sleep(10)
        assert len(ear.heard) == 25
        audio.datagram_received(speech(1, 0), THERE)
        assert not audio.recording.samples

    run(main)


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", "version 2 was expected"),
        (rtp.Packet(101, 1, 2, 3, b"\x05").pack(), "too few for a telephone event"),
        (b"", "0 bytes are too few"),
    ],
)
def test_garbage_is_counted_and_told(datagram: bytes, said: str) -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.datagram_received(datagram, THERE)
        assert audio.counts.ignored == 1
        assert audio.counts.problem.startswith(f"ignored a datagram from {THERE}: ")
        assert said in audio.counts.problem

    run(main)


STRANGER = Address("203.0.113.9", 4000)


def test_ten_strangers_are_told_and_all_are_counted() -> None:
    told: list[tuple[Address, str]] = []

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.record(1)
        audio.datagram_received(speech(1, 0), THERE)
        for number in range(1, 255):
            for port in (4000, 4002):
                audio.datagram_received(speech(1, 0, 9000), Address(f"203.0.113.{number}", port))
        audio.datagram_received(speech(2, 160), THERE)
        assert audio.counts.strangers == 508
        assert [round(sample, -2) for sample in audio.recording.samples[::160]] == [1000, 1000]

    run(main, on_stranger=lambda *each: told.append(each))
    why = f"the far end's comes from {THERE}"
    assert told == [(Address(f"203.0.113.{number}", 4000), why) for number in range(1, 11)]


def test_what_is_no_rtp_is_no_sender() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        audio.datagram_received(b"OPTIONS", STRANGER)
        audio.datagram_received(speech(1, 0), Address("198.51.100.7", 31000))
        assert (audio.counts.ignored, audio.counts.received, audio.counts.strangers) == (1, 1, 0)

    run(main)


def test_nothing_is_sent_where_nothing_may_be_sent() -> None:
    why = "nothing may be sent to where the far end wants it"

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        begun = asyncio.ensure_future(audio.send_dtmf("5"))
        await asyncio.sleep(0.01)
        heard = len(ear.heard)
        audio.set_remote(THERE, mute=True)
        with pytest.raises(AudioError, match=f"not every digit was sent: {why}"):
            await begun
        with pytest.raises(AudioError, match=f"DTMF cannot be sent: {why}"):
            await audio.send_dtmf("1")
        audio.play(Sound(8000, tones.sine((440,), 100)))
        await asyncio.sleep(1)
        assert (len(ear.heard), audio.can_send, audio.playing) == (heard, False, True)
        audio.unmute()
        await asyncio.sleep(0.1)
        assert not audio.playing

    run(main, stream=True)


def test_digits_kept_are_bounded() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE)
        for n in range(3000):
            payload = dtmf.Event(n % 10, False, 10, 160).pack()
            audio.datagram_received(rtp.Packet(101, n, n * 160, 3, payload).pack(), THERE)
        assert len(audio.digits) == 1024
        assert audio.digits.endswith("789")

    run(main)


def test_a_far_end_that_is_not_there_is_told() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(Address(THERE.host, 4))
        await audio.send_dtmf("1")
        await asyncio.sleep(1)
        assert audio.counts.problem == "192.168.1.80:4: ICMP port unreachable"
        audio.set_remote(Address("fd00::1", 4))
        await audio.send_dtmf("1")
        assert audio.counts.problem.startswith("cannot send to [fd00::1]:4: ")

    run(main)


def test_a_port_in_use_is_told() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        with pytest.raises(WorldError, match="already in use"):
            await Audio(world, HERE).open()

    run(main)


def test_an_audio_that_is_closed_stays_closed() -> None:
    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        other = Audio(world, Address(HERE.host, 11782))
        other.close()
        with pytest.raises(WorldError, match="closed before it was open"):
            await other.open()
        await world.open_udp(Address(HERE.host, 11782), ear)

    run(main)


def test_streams_begin_at_random_and_the_same_with_the_same_seed() -> None:
    def first(seed: int) -> rtp.Packet:
        world = SimulatedWorld(seed=seed)
        ear = Ear(world)

        async def main() -> None:
            await world.open_udp(THERE, ear)
            audio = Audio(world, HERE)
            await audio.open()
            audio.set_remote(THERE)
            await audio.send_dtmf("1")
            audio.close()

        world.run(main())
        return ear.packets[0]

    assert first(1) == first(1)
    one, other = first(1), first(2)
    assert one.ssrc != other.ssrc
    assert one.sequence != other.sequence
    assert one.timestamp != other.timestamp


def _pcap(path: Path, source: Address, target: Address, datagrams: list[bytes]) -> None:
    """Write *datagrams* as captured IPv4 packets (pcap, LINKTYPE_RAW)."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for n, payload in enumerate(datagrams):
        udp = struct.pack("!HHHH", source.port, target.port, 8 + len(payload), 0) + payload
        addresses = bytes(map(int, f"{source.host}.{target.host}".split(".")))
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0) + addresses + udp
        data += struct.pack("<IIII", n // 50, n % 50 * 20000, len(packet), len(packet)) + packet
    path.write_bytes(data)


@pytest.mark.integration
def test_tshark_reads_what_crossed_loopback(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    world = RealWorld(seed=1)
    ear = Ear(world)

    async def main() -> Address:
        far = await world.open_udp(Address("127.0.0.1", 0), ear)
        audio = Audio(world, Address("127.0.0.1", 0), stream=True)
        await audio.open()
        audio.set_remote(far.local)
        await patient(audio.send_dtmf("7#"))
        await patient(ear.has_heard(20))
        local = audio.local
        audio.close()
        far.close()
        return local

    local = world.run(main())
    _pcap(tmp_path / "rtp.pcap", local, Address("127.0.0.1", 30000), ear.raw)
    fields = ["rtp.p_type", "rtp.marker", "rtpevent.event_id", "rtpevent.end_of_event", "rtpevent.duration"]
    said = subprocess.run(
        [tshark, "-r", str(tmp_path / "rtp.pcap"), "-d", "udp.port==30000,rtp"]
        + ["-o", "rtpevent.event_payload_type_value:101", "-T", "fields", "-E", "separator=,"]
        + [part for name in fields for part in ("-e", name)],
        capture_output=True,
        text=True,
        timeout=NET,
        check=True,
    ).stdout.split()
    events = [
        line.lower().replace("true", "1").replace("false", "0") for line in said if line.startswith("101,")
    ]
    assert events == [
        f"101,{int(n == 0)},{digit},{int(n > 3)},{min(160 * (n + 1), 800)}"
        for digit in (7, 11)
        for n in range(7)
    ]
    assert sum(line.startswith("0,") for line in said) >= 2
