"""Several voices as one: each hears the others and never itself, at its own pace."""

from __future__ import annotations

from array import array
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.media.codecs import CODECS
from phone_emulator.media.mixer import KEPT, Mixer
from phone_emulator.media.sound import Sound
from phone_emulator.media.speech import Speech

from .listening import amplitude, decibels, tone

TONES = {"anna": 300.0, "berta": 700.0, "clara": 1100.0, "dora": 1900.0}


def conversation(mixer: Mixer, voices: dict[str, Sound], piece: float = 0.02) -> dict[str, Sound]:
    """What each of *voices* hears of the others, who all speak in pieces of so many seconds."""
    heard = {name: Sound(mixer.rate) for name in voices}
    for name in voices:
        mixer.join(name)
    count = round(piece * mixer.rate)
    for start in range(0, mixer.rate, count):
        for name, sound in voices.items():
            mixer.say(name, sound.samples[start : start + count], start / mixer.rate)
        for name, hears in heard.items():
            hears.samples.extend(mixer.without({name}, start / mixer.rate, piece))
    return heard


def spoken(name: str) -> Speech:
    codec = CODECS[name]
    assert codec.coder is not None
    return Speech(codec, codec.coder)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("number", [2, 3, 4])
def test_each_hears_exactly_the_others(number: int, rate: int) -> None:
    voices = {name: tone(rate, hertz, 1.0, 4000.0) for name, hertz in list(TONES.items())[:number]}
    heard = conversation(Mixer(rate), voices)
    for name, other in [*combinations(voices, 2), *((b, a) for a, b in combinations(voices, 2))]:
        assert decibels(amplitude(heard[name], TONES[other]), 4000) == pytest.approx(0, abs=0.1)
    for name in voices:
        assert decibels(amplitude(heard[name], TONES[name]), 4000) < -60


def test_codecs_of_different_rates() -> None:
    """One speaks G.711, 8 kHz, two speak G.722, 16 kHz: each hears the other two through its own codec."""
    mixer, heard = Mixer(16000), dict[str, Sound]()
    codecs = {"anna": "pcmu", "berta": "g722", "clara": "g722"}
    ends, fars = ({name: spoken(codec) for name, codec in codecs.items()} for _ in range(2))
    for name, codec in codecs.items():
        mixer.join(name)
        heard[name] = Sound(CODECS[codec].rate)
    sounds = {name: tone(CODECS[codec].rate, TONES[name], 1.0, 4000.0) for name, codec in codecs.items()}
    for tick in range(50):
        at = tick * 0.02
        for name, far in fars.items():
            payload = far.say(sounds[name], tick * sounds[name].rate // 50, 20)
            mixer.say(name, ends[name].hear(payload, 1, mixer.rate), at)
        for name, end in ends.items():
            payload = end.say(Sound(mixer.rate, mixer.without({name}, at, 0.02)), 0, 20)
            heard[name].samples.extend(fars[name].hear(payload, 2, heard[name].rate))
    for name, sound in heard.items():
        later = Sound(sound.rate, sound.samples[sound.rate // 10 :])
        for other, hertz in TONES.items():
            loud = decibels(amplitude(later, hertz), 4000)
            assert loud == pytest.approx(0, abs=1) if other in codecs and other != name else loud < -40


def test_pieces_need_not_fit_each_other() -> None:
    """One speaks in 30 ms, another in 20 ms, each at times of its own; who listens takes 10 ms."""
    mixer, one, other = Mixer(8000), tone(8000, 300, 1.2), tone(8000, 700, 1.2)
    mixer.join("one")
    mixer.join("other")
    for start in range(0, 9600, 240):
        mixer.say("one", one.samples[start : start + 240], 10.003 + start / 8000)
    for start in range(0, 9600, 160):
        mixer.say("other", other.samples[start : start + 160], 10.011 + start / 8000)
    heard = array("h")
    for tick in range(30):
        heard.extend(mixer.without((), 10.5 + tick * 0.01, 0.01))
    begins = (round(10.5 * 8000) - round(10.003 * 8000), round(10.5 * 8000) - round(10.011 * 8000))
    assert heard == array(
        "h", (one.samples[begins[0] + n] + other.samples[begins[1] + n] for n in range(len(heard)))
    )


def test_what_is_louder_than_16_bits_is_cut_not_wrapped() -> None:
    mixer = Mixer(8000)
    for name, samples in (
        ("a", [30000, -30000, 30000, 5]),
        ("b", [30000, -30000, -30000, 6]),
        ("c", [30000, -30000, -3, 7]),
    ):
        mixer.join(name)
        mixer.say(name, array("h", samples), 0.0)
    assert list(mixer.without((), 0.0, 4 / 8000)) == [32767, -32768, -3, 18]
    assert list(mixer.without("a", 0.0, 4 / 8000)) == [32767, -32768, -30003, 13]


def test_who_leaves_is_not_heard_any_more() -> None:
    mixer = Mixer(8000)
    mixer.join("a")
    mixer.say("a", array("h", [1, 2, 3]), 1.0)
    assert mixer.sounds((), 1.0)
    mixer.leave("a")
    mixer.leave("a")
    assert not mixer.sounds((), 1.0)
    assert list(mixer.without((), 1.0, 3 / 8000)) == [0, 0, 0]


def test_a_voice_sounds_until_its_end_and_not_to_itself() -> None:
    mixer = Mixer(8000)
    mixer.join("a")
    mixer.join("b")
    mixer.say("a", array("h", [0] * 160), 5.0)  # silence that is said is sound, too: it came
    assert mixer.sounds({"b"}, 4.0)
    assert mixer.sounds({"b"}, 5.0199)
    assert not mixer.sounds({"b"}, 5.02)
    assert not mixer.sounds({"a"}, 5.0)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40_000), st.lists(st.integers(-32768, 32767), min_size=1, max_size=400)),
        max_size=20,
    )
)
def test_what_is_heard_is_what_was_said_last_at_that_time(said: list[tuple[int, list[int]]]) -> None:
    """Against a tape as long as time; no more of it is kept than is needed."""
    mixer, tape = Mixer(8000), [0] * 41_000
    mixer.join("a")
    for place, samples in sorted(said, key=lambda each: each[0]):
        mixer.say("a", array("h", samples), place / 8000)
        tape[place : place + len(samples)] = samples
        now = place / 8000
        assert list(mixer.without((), now, 0.05)) == tape[place : place + 400]
        assert len(mixer._voices["a"]._samples) <= 3 * KEPT * 8000


def test_memory_is_bounded() -> None:
    mixer = Mixer(8000)
    mixer.join("a")
    mixer.say("a", array("h", bytes(2 * 1_000_000)), 0.0)
    for second in range(0, 100_000, 7):
        mixer.say("a", array("h", bytes(3200)), second * 0.01)
        mixer.say("a", array("h", bytes(3200)), second * 0.01 + 3.0)
        mixer.say("a", array("h", bytes(3200)), 0.0)
        assert len(mixer._voices["a"]._samples) <= 3 * KEPT * 8000
