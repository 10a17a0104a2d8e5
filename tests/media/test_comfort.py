"""Comfort noise and silence that is not sent (RFC 3389, ``voice.vad``)."""

from __future__ import annotations

import math
from array import array

import pytest

from phone_emulator.media.comfort import HANG, Activity, Noise
from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import sine

from .listening import amplitude


def level(samples: array[int]) -> float:
    """dBov (RFC 3389 section 3): against a square wave of the largest sample."""
    return 10 * math.log10(sum(sample * sample for sample in samples) / len(samples) / 32767**2)


@pytest.mark.parametrize("dbov", [10, 30, 50, 70])
def test_noise_has_the_level_that_the_packet_says(dbov: int) -> None:
    """Section 3: 7 bits, without the minus sign."""
    samples = Noise(bytes([dbov])).samples(8000)
    assert level(samples) == pytest.approx(-dbov, abs=0.3)


def test_the_upper_bit_and_the_spectrum_are_passed_over() -> None:
    assert Noise(bytes([0x80 | 40, 10, 20])).samples(100) == Noise(bytes([40])).samples(100)


@pytest.mark.parametrize("payload", [b"", b"\x7f"])
def test_the_lowest_level_is_silence(payload: bytes) -> None:
    assert not any(Noise(payload).samples(9000))


def test_no_tone_stands_out_of_the_noise() -> None:
    sound = Sound(8000, Noise(b"\x14").samples(8000))
    found = [amplitude(sound, hertz) for hertz in range(100, 4000, 50)]
    assert max(found) < 4 * sum(found) / len(found)


def test_the_noise_goes_on_piece_by_piece() -> None:
    whole, pieces = Noise(b"\x1e").samples(9000), Noise(b"\x1e")
    assert pieces.samples(160) + pieces.samples(8840) == whole


def test_a_pause_within_a_sentence_is_sent_and_a_longer_one_is_not() -> None:
    voice, speech, silence = Activity(), sine((440,), 20), array("h", bytes(320))
    assert voice.speaks(speech, 20)
    assert [voice.speaks(silence, 20) for _ in range(12)] == [True] * (HANG // 20) + [False] * 2
    assert voice.speaks(speech, 20)
    assert voice.speaks(array("h"), 20)


def test_what_is_quieter_than_a_room_is_silence() -> None:
    voice = Activity()
    for _ in range(20):
        quiet = voice.speaks(sine((440,), 20, -60), 20)
    assert not quiet
    assert voice.speaks(sine((440,), 20, -40), 20)
