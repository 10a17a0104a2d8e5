"""Tones that tell how a call stands: how they are written, what is heard of them, and each country's."""

from __future__ import annotations

from array import array
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.config.catalogue import catalogue
from phone_emulator.media.call_tone import CallTone, Part, ToneError, parse
from phone_emulator.media.country_tones import COUNTRIES, Tones
from phone_emulator.media.sound import Sound
from tests.media.listening import amplitude, decibels

UNITED_STATES = parse("440+480/2000,0/4000")


def cadence(samples: array[int], rate: int = 8000) -> list[tuple[bool, int]]:
    """Whether anything is heard, and for how many ms, of 10 ms each."""
    step = rate // 100
    heard = [any(samples[place : place + step]) for place in range(0, len(samples), step)]
    return [(loud, 10 * len(list(run))) for loud, run in groupby(heard)]


@pytest.mark.parametrize(
    ("text", "tone"),
    [
        ("0", CallTone()),
        ("425", CallTone((), (Part((425,), 0),))),
        ("350+440", CallTone((), (Part((350, 440), 0),))),
        (" 440+480/2000 , 0/4000", CallTone((), (Part((440, 480), 2000), Part((), 4000)))),
        (
            "!250/200,0/1000,!200+300/500",
            CallTone((Part((250,), 200), Part((200, 300), 500)), (Part((), 1000),)),
        ),
        ("600+700+800+1000/30000", CallTone((), (Part((600, 700, 800, 1000), 30000),))),
    ],
)
def test_how_a_tone_is_written(text: str, tone: CallTone) -> None:
    assert parse(text) == tone


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "425/",
        "425/0",
        "425/30001",
        "199/100",
        "7001/100",
        "425+0/100",
        "425++450/100",
        "1+2+3+4+5/100",
        "200+300+400+500+600/100",
        "425/100,",
        "425/100,0",
        "!425",
        "425*16/100",
        ",".join(["425/100"] * 9),
        "４２５/100",
        "9" * 5000,
    ],
)
def test_what_is_no_tone(text: str) -> None:
    with pytest.raises(ToneError, match=r"^expected "):
        parse(text)


@given(st.text("0123456789+/,!* x", max_size=60))
def test_whatever_is_written_is_a_tone_or_told(text: str) -> None:
    try:
        tone = parse(text)
    except ToneError:
        return
    assert len(tone.samples(12_345, 20)) == 160


def test_its_frequencies_and_its_cadence() -> None:
    samples = UNITED_STATES.samples(0, 8000)
    assert cadence(samples) == [(True, 2000), (False, 4000), (True, 2000)]
    heard = Sound(8000, samples[:8000])
    assert amplitude(heard, 440) == pytest.approx(amplitude(heard, 480), rel=0.01)
    assert decibels(amplitude(heard, 440), 32767) == pytest.approx(-19.14, abs=0.1)
    assert decibels(amplitude(heard, 620), 32767) < -60


def test_what_is_once_is_not_repeated() -> None:
    assert cadence(parse("!425/100,0/200").samples(0, 2000)) == [(True, 100), (False, 1900)]
    assert cadence(parse("!425/100,!0/200,!425/50").samples(0, 20_000)) == [
        (True, 100), (False, 200), (True, 50), (False, 19_650),
    ]  # fmt: skip


@given(
    st.sampled_from([text for tones in COUNTRIES.values() for text in tones[1:]]),
    st.lists(st.integers(1, 700), min_size=1, max_size=20),
    st.sampled_from([8000, 16000]),
)
def test_pieces_are_the_whole(text: str, pieces: list[int], rate: int) -> None:
    tone, together, place = parse(text), array("h"), 0
    for piece in pieces:
        together.extend(tone.samples(place, piece, rate=rate))
        place += piece
    assert together == tone.samples(0, place, rate=rate)


@pytest.mark.parametrize("country", COUNTRIES)
def test_each_country_has_its_tones(country: str) -> None:
    tones = COUNTRIES[country]
    assert tones.source
    for kind, text in zip(Tones._fields[1:], tones[1:], strict=True):
        tone = parse(text)
        assert not tone.silent, kind
        assert bool(tone.repeated) or kind == "call_waiting", "it is heard as long as the call stands so"


def test_the_catalogue_knows_the_same_countries() -> None:
    assert catalogue().parameters["voice.tone.country"].values == tuple(COUNTRIES)


def test_no_tone() -> None:
    assert CallTone().silent
    assert not any(CallTone().samples(5, 100))
