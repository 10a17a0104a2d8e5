"""Sound from 8 to 16 kHz and back."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.media.resample import ResampleError, Resampler
from phone_emulator.media.sound import Sound

from .listening import amplitude, decibels, tone


def resampled(sound: Sound, wanted: int, piece_ms: int = 20) -> Sound:
    """*sound* at the rate *wanted*, fed piece by piece."""
    way, result = Resampler(sound.rate, wanted), Sound(wanted)
    piece = sound.rate * piece_ms // 1000
    for start in range(0, len(sound.samples), piece):
        result.samples.extend(way.feed(sound.samples[start : start + piece]))
    return result


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (16000, 8000), (8000, 8000), (16000, 16000)])
@pytest.mark.parametrize("hertz", [300, 1000, 2500, 3400])
def test_what_is_heard_stays_as_loud_and_nothing_comes_with_it(rate: int, wanted: int, hertz: int) -> None:
    sound = resampled(tone(rate, hertz, 0.2), wanted)
    assert sound.seconds == pytest.approx(0.2)
    heard = Sound(wanted, sound.samples[wanted // 50 :])  # behind the filter's start
    assert decibels(amplitude(heard, hertz), 8000) == pytest.approx(0, abs=0.1)
    if wanted == 16000:
        assert decibels(amplitude(heard, 8000 - hertz), 8000) < -50


@pytest.mark.parametrize("hertz", [4800, 5500, 6500, 7700])
def test_what_eight_kilohertz_cannot_hold_is_not_mirrored(hertz: int) -> None:
    sound = resampled(tone(16000, hertz, 0.2), 8000)
    assert decibels(amplitude(Sound(8000, sound.samples[200:]), 8000 - hertz), 8000) < -50


@pytest.mark.parametrize(("rate", "wanted"), [(8000, 16000), (16000, 8000)])
@settings(max_examples=30)
@given(st.data())
def test_pieces_make_no_difference(rate: int, wanted: int, data: st.DataObject) -> None:
    samples = array("h", data.draw(st.lists(st.integers(-32768, 32767), max_size=200)))
    samples = samples[: len(samples) & ~1]
    whole, pieces = Resampler(rate, wanted), Resampler(rate, wanted)
    cut = 2 * data.draw(st.integers(0, len(samples) // 2))
    assert whole.feed(samples) == pieces.feed(samples[:cut]) + pieces.feed(samples[cut:])


def test_the_loudest_sound_is_not_turned_over() -> None:
    square = Sound(8000, array("h", [32767] * 8 + [-32768] * 8) * 20)
    doubled = resampled(square, 16000)
    assert max(doubled.samples) == 32767
    assert resampled(doubled, 8000).seconds == square.seconds


def test_no_other_rates() -> None:
    with pytest.raises(ResampleError, match="no way from 44100 Hz to 8000 Hz"):
        Resampler(44100, 8000)
