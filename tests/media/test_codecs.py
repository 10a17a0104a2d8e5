"""The table of codecs: what is spoken has a coder that works, and nothing else is offered or taken."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.catalogue import catalogue
from phone_emulator.media import codecs, sdp
from phone_emulator.media.codecs import CODECS, Codec, Offer
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import Speech

from .listening import amplitude, decibels, loudest, tone

SPOKEN = [codec for codec in CODECS.values() if codec.coder is not None]
BY_SAMPLES = [CODECS[each] for each in ("pcmu", "pcma", "g722")]
"""Those whose octets are as many as there is sound."""
UNSPOKEN = [codec for codec in CODECS.values() if codec.coder is None]


def name(codec: object) -> str:
    return codec.name if isinstance(codec, Codec) else str(codec)


def speech(codec: Codec) -> Speech:
    assert codec.coder is not None
    return Speech(codec, codec.coder)


def conveyed(codec: Codec, sound: Sound, rate: int) -> Sound:
    """What another end of a stream of *codec* hears of *sound*, at *rate*."""
    one, other, heard = speech(codec), speech(codec), Sound(rate)
    step = sound.rate // 50
    for place in range(0, len(sound.samples), step):
        heard.samples.extend(other.hear(one.say(sound, place, 20), 1, rate))
    return heard


def test_g711_and_g722_are_spoken() -> None:
    assert codecs.spoken(["g729", "g722", "ilbc", "pcmu", "nonsense", "pcma"]) == ["g722", "pcmu", "pcma"]
    assert codecs.unspoken_titles(["g722", "g729", "ilbc", "nonsense"]) == ["G.729", "iLBC"]


def test_every_codec_of_the_catalogue_is_in_the_table() -> None:
    start, end = "account.X.codec.", ".enable"
    named = {
        key.removeprefix(start).removesuffix(end).lower()
        for key in catalogue().parameters
        if key.startswith(start) and key.endswith(end)
    }
    assert named - {"y"} <= {*CODECS}


@pytest.mark.parametrize("codec", SPOKEN, ids=name)
@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("hertz", [440, 1000, 3000])
def test_a_tone_goes_through_at_its_level(codec: Codec, rate: int, hertz: int) -> None:
    heard = conveyed(codec, tone(rate, hertz, 0.2), rate)
    assert heard.seconds == pytest.approx(0.2)
    steady = Sound(rate, heard.samples[rate // 10 :])
    level = amplitude(steady, hertz)
    assert decibels(level, 8000) == pytest.approx(0, abs=0.5)
    noise = [amplitude(steady, other) for other in range(200, 3600, 170) if abs(other - hertz) > 100]
    assert decibels(level, max(noise)) > 30
    assert loudest(steady, range(hertz - 40, hertz + 41, 10)) == hertz


def test_g722_carries_what_g711_cannot() -> None:
    heard = conveyed(CODECS["g722"], tone(16000, 6000, 0.4), 16000)
    assert decibels(amplitude(Sound(16000, heard.samples[1600:]), 6000), 8000) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("codec", BY_SAMPLES, ids=name)
def test_silence_is_silent_and_as_long_as_sound(codec: Codec) -> None:
    one, other = speech(codec), speech(codec)
    payloads = [one.say(Sound(8000), 0, 20) for _ in range(5)]
    assert {len(payload) for payload in payloads} == {160}
    assert max(abs(sample) for payload in payloads for sample in other.hear(payload, 1, codec.rate)) <= 8


@pytest.mark.parametrize("codec", BY_SAMPLES, ids=name)
def test_the_end_of_a_sound_is_filled_up_with_silence(codec: Codec) -> None:
    sound = tone(8000, 440, 0.03)
    one = speech(codec)
    assert [len(one.say(sound, place, 20)) for place in (0, 160, 320)] == [160, 160, 160]


def test_streams_of_g722_do_not_know_each_other() -> None:
    sound = tone(16000, 440, 0.2)
    alone = conveyed(CODECS["g722"], sound, 16000)
    one, other, ear = (speech(CODECS["g722"]) for _ in range(3))
    noise = tone(16000, 3333, 0.2, 30000)
    heard = array("h")
    for place in range(0, len(sound.samples), 320):
        other.say(noise, place, 20)
        heard.extend(ear.hear(one.say(sound, place, 20), 1, 16000))
    assert heard == alone.samples


def test_another_stream_begins_afresh() -> None:
    payloads = [speech(CODECS["g722"]).say(tone(16000, 440, 0.02), 0, 20)] * 2
    ear = speech(CODECS["g722"])
    first = ear.hear(payloads[0], 1, 16000)
    assert ear.hear(payloads[1], 2, 16000) == first
    assert ear.hear(payloads[1], 2, 16000) != first


@pytest.mark.parametrize("codec", BY_SAMPLES, ids=name)
@settings(max_examples=100)
@given(payloads=st.lists(st.binary(max_size=400), max_size=4))
def test_any_octets_are_sound(codec: Codec, payloads: list[bytes]) -> None:
    ear = speech(codec)
    for payload in payloads:
        for rate in (8000, 16000):
            assert len(ear.hear(payload, 1, rate)) == len(payload) * rate // 8000


@pytest.mark.parametrize("codec", UNSPOKEN, ids=name)
def test_what_cannot_be_spoken_is_neither_offered_nor_taken(codec: Codec) -> None:
    offered = sdp.parse(sdp.offer("10.0.0.9", 4000, [codec.name], 1, 1, 20, 101))
    own = codecs.spoken([codec.name, "pcmu"])
    (media,) = sdp.parse(sdp.offer("10.0.0.9", 4000, own, 1, 1, 20, 101)).media
    assert media.formats == ("0", "101")
    assert sdp.answer(offered, "10.0.0.5", 4000, own, 1, 1, 101) is None


def test_what_is_told_of_them() -> None:
    told = codecs.told_of_unspoken
    assert told(["pcmu", "g722"]) == ""
    assert told(["pcmu", "g729"]) == "G.729 is enabled and cannot be spoken here: it is not offered"
    assert told(["g729", "ilbc"]) == "G.729, iLBC are enabled and cannot be spoken here: they are not offered"
    assert told(["g729"], Offer.DECLARED) == ("G.729 is offered and cannot be spoken here (--offer declared)")
