"""The audio of a call under SRTP: what is on the wire, in both worlds, and what a flood of noise does."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.events import Address
from phone_emulator.media import rtp
from phone_emulator.media.crypto import SUITES, Key, Security, Suite
from phone_emulator.phone.calls.audio import Audio
from phone_emulator.world import RealWorld, SimulatedWorld
from tests.media.listening import loudest, tone
from tests.media.srtp_reference import protected
from tests.patience import until
from tests.phone.calls.test_audio import HERE, THERE, Ear, run

SHA1_80 = SUITES["AES_CM_128_HMAC_SHA1_80"]


def secured(suite: Suite = SHA1_80) -> tuple[Security, Security]:
    """The same agreement as each end sees it."""
    one, other = Key(bytes(suite.octets)), Key(bytes(range(suite.octets)))
    return Security(suite, one, other), Security(suite, other, one)


def has_heard(audio: Audio) -> bool:
    return audio.recording.seconds >= 0.4


def test_what_is_on_the_wire() -> None:
    own, _ = secured()

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        audio.set_remote(THERE, security=own)
        audio.play(tone(8000, 440, 0.1, 8000.0))
        await asyncio.sleep(1)
        audio.set_remote(THERE)
        audio.play(tone(8000, 440, 0.1, 8000.0))
        await asyncio.sleep(1)
        encrypted, plain = ear.raw[:5], ear.raw[5:]
        assert [len(each) for each in encrypted] == [182] * 5
        for sealed, clear in zip(encrypted, plain, strict=True):
            assert sealed == protected(SHA1_80, own.own, sealed[:12] + clear[12:])
        assert rtp.parse(encrypted[0]).sequence < 32768

    run(main)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
@pytest.mark.parametrize("make", [RealWorld, SimulatedWorld])
def test_each_hears_the_tone_of_the_other(make: type[RealWorld] | type[SimulatedWorld], suite: Suite) -> None:
    world = make(seed=1)
    places = (HERE, THERE) if make is SimulatedWorld else (Address("127.0.0.1", 0),) * 2

    async def main() -> None:
        one, other = (Audio(world, place, stream=True) for place in places)
        await one.open()
        await other.open()
        mine, theirs = secured(suite)
        one.set_remote(other.local, security=mine)
        other.set_remote(one.local, security=theirs)
        for audio, hertz in ((one, 440), (other, 700)):
            audio.record(10)
            audio.play(tone(8000, hertz, 0.4, 8000.0))
        if world.virtual:
            await asyncio.sleep(0.5)
        for audio in (one, other):
            await until(partial(has_heard, audio), "a tone")
        assert (loudest(one.recording), loudest(other.recording)) == (700, 440)
        for audio in (one, other):
            assert (audio.counts.undecrypted, audio.counts.ignored, audio.counts.lost) == (0, 0, 0)
            audio.close()

    world.run(main())


@settings(max_examples=30)
@given(st.lists(st.tuples(st.binary(max_size=1600), st.booleans()), max_size=200))
def test_noise_harms_no_call(noise: list[tuple[bytes, bool]]) -> None:
    own, far = secured()
    told: list[str] = []

    async def main(world: SimulatedWorld, audio: Audio, ear: Ear) -> None:
        other = Audio(world, Address("192.168.1.90", 4000))
        await other.open()
        other.set_remote(HERE, security=far)
        audio.set_remote(other.local, security=own)
        for data, marked in noise:
            audio.datagram_received(b"\x80\x00" + data if marked else data, THERE)
        await other.send_dtmf("5")
        await asyncio.sleep(0.1)
        assert audio.digits == "5"
        counts = audio.counts
        assert counts.undecrypted + counts.ignored == len(noise)
        other.close()

    run(main, on_stranger=lambda source, why: told.append(why))
    assert len(told) <= 1
