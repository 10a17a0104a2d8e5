"""What is said of sound: of generated tones, and of the same through the codecs that are spoken."""

from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media import tones
from phone_emulator.media.codecs import CODECS, spoken
from phone_emulator.media.judgement import (
    NOTHING,
    SILENCE,
    Stretch,
    level,
    longest_silence,
    silences,
    strongest,
    tone,
)
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import Speech

CODEC_NAMES = spoken(CODECS)


def sound(*parts: array[int], rate: int = 8000) -> Sound:
    whole = array("h")
    for part in parts:
        whole.extend(part)
    return Sound(rate, whole)


def sine(*hertz: float, ms: int = 1000, dbov: float = -20.0, rate: int = 8000) -> array[int]:
    """Sines of *hertz*, each at *dbov*."""
    return tones.sine(hertz, ms, dbov + 3.01 + tones.FULL_SCALE_DBM0, rate=rate)


def through(codec: str, samples: array[int]) -> Sound:
    """*samples*, of the codec's own rate, as its other end hears them."""
    make = CODECS[codec].coder
    assert make is not None
    speech = Speech(CODECS[codec], make)
    sound, heard = Sound(speech.codec.rate, samples), array("h")
    for place in range(0, len(samples), sound.rate // 50):
        heard += speech.hear(speech.say(sound, place, 20), 1, sound.rate)
    return Sound(sound.rate, heard)


def noise(ms: int, dbov: float, seed: int = 1) -> array[int]:
    dice, amplitude = random.Random(seed), 32768 * 10 ** (dbov / 20)
    return array("h", [max(-32768, min(32767, round(dice.gauss(0, amplitude)))) for _ in range(8 * ms)])


# -- how loud ------------------------------------------------------------------------------------------------


def test_dbov_is_next_to_the_loudest_square_wave() -> None:
    """RFC 6464 section 3: 0 is overload, and nothing at all is -127."""
    assert level(array("h", [-32768] * 80)) == 0
    assert level(tones.sine((1000,), 100, tones.FULL_SCALE_DBM0)) == pytest.approx(-3.01, abs=0.01)
    assert level(array("h", bytes(160))) == level(array("h")) == NOTHING


@pytest.mark.parametrize("codec", CODEC_NAMES)
@pytest.mark.parametrize("dbov", [-10, -20, -30, -40])
def test_a_codec_keeps_the_level(codec: str, dbov: int) -> None:
    samples = sine(440, dbov=dbov, rate=CODECS[codec].rate)
    assert level(through(codec, samples).samples) == pytest.approx(dbov, abs=0.5)


# -- which tones ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODEC_NAMES)
@pytest.mark.parametrize("hertz", [100, 440, 550, 660, 1000, 3400])
@pytest.mark.parametrize("dbov", [-6, -20, -40])
def test_a_tone_is_heard_through_a_codec_and_no_other_one_is(codec: str, hertz: int, dbov: int) -> None:
    rate = CODECS[codec].rate
    heard = through(codec, sine(hertz, dbov=dbov, rate=rate))
    assert tone(heard, hertz) == pytest.approx(1.0, abs=0.1)
    others = {110, 220, 425, 440, 450, 550, 660, 880, 1000, 1010, 3000} - {hertz}
    assert [other for other in others if tone(heard, other)] == []
    assert strongest(heard) == hertz


def test_wide_tones_are_heard_in_a_wide_codec_only() -> None:
    assert tone(through("g722", sine(6000, rate=16000)), 6000) > 0.9
    assert tone(through("pcmu", sine(3000)), 6000) == 0


@given(off=st.floats(-4, 4), dbov=st.floats(-40, -6), hertz=st.integers(150, 3300))
def test_a_tone_may_be_a_little_off(off: float, dbov: float, hertz: int) -> None:
    assert tone(sound(sine(hertz + off, ms=400, dbov=dbov)), hertz)


@given(off=st.floats(6, 60), hertz=st.integers(250, 3200), above=st.booleans())
def test_a_tone_that_is_further_off_is_another_one(off: float, hertz: int, above: bool) -> None:
    assert not tone(sound(sine(hertz + (off if above else -off), ms=400)), hertz)


@given(before=st.integers(0, 200), ms=st.integers(200, 600), after=st.integers(0, 200))
def test_a_tone_of_200_ms_is_heard_wherever_it_stands(before: int, ms: int, after: int) -> None:
    heard = tone(sound(tones.silence(before), sine(440, ms=ms), tones.silence(after)), 440)
    assert heard == pytest.approx(ms / 1000, abs=0.06)


@given(before=st.integers(0, 200), ms=st.integers(0, 100), after=st.integers(100, 200))
def test_a_tone_of_100_ms_is_not(before: int, ms: int, after: int) -> None:
    assert not tone(sound(tones.silence(before), sine(440, ms=ms), tones.silence(after)), 440)


def test_beeps_are_no_tone() -> None:
    beeps = [part for _ in range(9) for part in (sine(440, ms=100), tones.silence(100))]
    assert not tone(sound(*beeps), 440)


def test_the_longest_time_without_a_break_counts() -> None:
    parts = sine(440, ms=500), tones.silence(300), sine(440, ms=1000), tones.silence(300)
    assert tone(sound(*parts), 440) == pytest.approx(1.0, abs=0.06)


def test_each_of_several_tones_is_heard() -> None:
    heard = sound(sine(440, 660, 1000, dbov=-25))
    assert all(tone(heard, hertz) for hertz in (440, 660, 1000))
    assert not tone(heard, 550)


def test_a_tone_is_heard_in_noise_and_not_in_noise_alone() -> None:
    hiss = noise(1000, -30)
    heard = sound(array("h", map(sum, zip(sine(440, dbov=-26), hiss, strict=True))))
    assert tone(heard, 440)
    assert [hertz for hertz in range(100, 3500, 10) if tone(sound(hiss), hertz)] == []


def test_what_is_quieter_than_silence_is_not_heard() -> None:
    assert not tone(sound(sine(440, dbov=SILENCE - 3)), 440)
    assert strongest(sound(sine(440, dbov=SILENCE - 3))) == 0


def test_sound_that_is_too_short_says_nothing() -> None:
    assert tone(Sound(8000), 440) == 0
    assert strongest(Sound(8000, sine(440, ms=50))) == 0


# -- where it is silent --------------------------------------------------------------------------------------


def test_silences_between_before_and_after_sound() -> None:
    heard = sound(tones.silence(300), sine(440, ms=500), tones.silence(4100), sine(440, ms=100))
    heard.samples.extend(tones.silence(50))
    assert silences(heard) == [
        pytest.approx(each) for each in (Stretch(0, 0.3), Stretch(0.8, 4.1), Stretch(5.0, 0.05))
    ]
    assert longest_silence(heard) == pytest.approx(Stretch(0.8, 4.1))
    assert [each.start for each in silences(heard, least=0.2)] == pytest.approx([0, 0.8])
    assert longest_silence(heard).end == pytest.approx(4.9)


def test_sound_without_a_break_has_no_silence() -> None:
    assert silences(sound(sine(440))) == []
    assert longest_silence(sound(sine(440))) == Stretch(0, 0)


def test_silence_is_one_silence() -> None:
    assert silences(sound(tones.silence(1000))) == [Stretch(0, 1)]
    assert silences(Sound(8000)) == []


@pytest.mark.parametrize("codec", CODEC_NAMES)
def test_a_codecs_own_noise_is_silence(codec: str) -> None:
    rate = CODECS[codec].rate
    heard = through(codec, sine(440, rate=rate) + tones.silence(1000, rate=rate) + sine(440, rate=rate))
    assert longest_silence(heard) == pytest.approx(Stretch(1.0, 1.0), abs=0.02)


@given(before=st.integers(1, 40), silent=st.integers(2, 40), after=st.integers(1, 40))
def test_a_silence_is_found_to_10_ms(before: int, silent: int, after: int) -> None:
    heard = sound(sine(440, ms=10 * before), tones.silence(10 * silent), sine(440, ms=10 * after))
    assert longest_silence(heard) == pytest.approx(Stretch(before / 100, silent / 100))
