"""The detector against the limits of ITU-T Q.24, and against speech, music and noise, which are no digits."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterable

import pytest

from phone_emulator.media import g711
from phone_emulator.media.detector import LOST, Detector
from phone_emulator.media.dtmf import DIGITS
from phone_emulator.media.g722 import G722
from phone_emulator.media.inband import DigitTones
from phone_emulator.media.resample import Resampler
from phone_emulator.media.tones import DTMF, FULL_SCALE_DBM0, RATE, silence

PLACES = range(0, 64, 7)
"""Samples by which a tone comes later: where it meets the detector's windows is left to chance."""


def heard(sound: array[int], piece: int = 160) -> str:
    detector = Detector()
    return "".join(detector.feed(sound[at : at + piece]) for at in range(0, len(sound), piece))


def two(
    digit: str,
    milliseconds: float = 50.0,
    *,
    row: float = -13.0,
    column: float = -13.0,
    row_off: Callable[[float], float] = lambda hertz: hertz,
    column_off: Callable[[float], float] = lambda hertz: hertz,
) -> array[int]:
    """Both tones of *digit*, each at its level (dBm0) and moved from its frequency."""
    low, high = DTMF[digit]
    parts = [(row_off(low), row, 0.3), (column_off(high), column, 1.1)]
    waves = [
        (32767 * 10 ** ((level - FULL_SCALE_DBM0) / 20), 2 * math.pi * hertz / RATE, phase)
        for hertz, level, phase in parts
    ]
    return array(
        "h",
        [
            round(sum(a * math.sin(turn * n + phase) for a, turn, phase in waves))
            for n in range(round(milliseconds * RATE / 1000))
        ],
    )


def each(make: Callable[[str], array[int]], digits: str = DIGITS) -> tuple[set[bool], set[bool]]:
    """Whether *digits* are taken, and whether nothing is, wherever they begin."""
    taken, nothing = set(), set()
    for digit in digits:
        for place in PLACES:
            found = heard(silence(20) + array("h", bytes(2 * place)) + make(digit) + silence(60))
            taken.add(found == digit)
            nothing.add(found == "")
    return taken, nothing


def always(make: Callable[[str], array[int]], digits: str = DIGITS) -> bool:
    return each(make, digits)[0] == {True}


def never(make: Callable[[str], array[int]], digits: str = DIGITS) -> bool:
    return each(make, digits)[1] == {True}


# -- Q.24, table A.1 -----------------------------------------------------------------------------------------


def test_every_digit() -> None:
    assert always(two)


@pytest.mark.parametrize("piece", [1, 7, 80, 160, 480, 100_000])
def test_sound_in_pieces_of_any_length(piece: int) -> None:
    tones = DigitTones(DIGITS, duration_ms=100, interval_ms=50, level=-10)
    assert heard(tones.take(150 * len(DIGITS), RATE) + silence(40), piece) == DIGITS


@pytest.mark.parametrize("sign", [1, -1])
def test_frequencies_that_are_off(sign: int) -> None:
    def slightly(hertz: float) -> float:
        return hertz + sign * (0.015 * hertz + 2)

    def much(hertz: float) -> float:
        return hertz + sign * 0.035 * hertz

    assert always(lambda digit: two(digit, 40, row_off=slightly, column_off=slightly))
    for off in (much, lambda hertz: hertz + sign * 0.06 * hertz):
        assert never(lambda digit: two(digit, row_off=off))  # noqa: B023
        assert never(lambda digit: two(digit, column_off=off))  # noqa: B023


def test_how_long_a_digit_is() -> None:
    assert always(lambda digit: two(digit, 40))
    assert never(lambda digit: two(digit, 23))
    assert never(lambda digit: two(digit, 10))


@pytest.mark.parametrize(("pause", "found"), [(5, "5"), (10, "5"), (30, "55"), (40, "55")])
def test_pauses_and_breaks(pause: int, found: str) -> None:
    for place in PLACES:
        sound = array("h", bytes(2 * place)) + two("5") + silence(pause) + two("5") + silence(60)
        assert heard(sound) == found


def test_digits_that_follow_each_other_every_80_ms() -> None:
    """Q.24 asks for 93 ms at most."""
    tones = DigitTones(DIGITS, duration_ms=40, interval_ms=40, level=-10)
    assert heard(tones.take(80 * len(DIGITS), RATE) + silence(40)) == DIGITS


def test_a_digit_that_is_held_is_one() -> None:
    assert heard(two("9", 5000)) == "9"


@pytest.mark.parametrize("level", [-3.0, -25.0, -36.0])
def test_levels_that_are_taken(level: float) -> None:
    """-36 is the quietest that this phone sends (``features.dtmf.volume = -33``)."""
    assert always(lambda digit: two(digit, 40, row=level, column=level))


def test_a_level_that_is_not_taken() -> None:
    assert never(lambda digit: two(digit, row=-55, column=-55))


@pytest.mark.parametrize("twist", [4, -8])
def test_twist_that_is_taken(twist: int) -> None:
    """How much louder the upper tone is than the lower one, in dB."""
    assert always(lambda digit: two(digit, 40, row=-13 - max(-twist, 0) / 2, column=-13 + twist))


@pytest.mark.parametrize("twist", [9, -13])
def test_twist_that_is_none_of_a_keypad(twist: int) -> None:
    assert never(lambda digit: two(digit, row=-20, column=-20 + twist))


def test_one_tone_is_no_digit() -> None:
    assert never(lambda digit: two(digit, 100, column=-80))
    assert never(lambda digit: two(digit, 100, row=-80))


def with_noise(sound: Iterable[int], chance: random.Random, ratio: float) -> array[int]:
    """*sound* with white noise *ratio* dB below it."""
    samples = list(sound)
    power = sum(sample * sample for sample in samples) / len(samples)
    spread = math.sqrt(power / 10 ** (ratio / 10))
    return array("h", [min(max(round(s + chance.gauss(0, spread)), -32768), 32767) for s in samples])


@pytest.mark.parametrize("ratio", [20, 15])
def test_digits_in_noise(ratio: int) -> None:
    chance = random.Random(24)
    assert always(lambda digit: with_noise(two(digit, 40), chance, ratio))


# -- through codecs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
@pytest.mark.parametrize("level", [0, -10, -33])
def test_digits_through_g711(law: g711.Law, level: int) -> None:
    tones = DigitTones(DIGITS, duration_ms=50, interval_ms=50, level=level)
    sound = tones.take(100 * len(DIGITS), RATE) + silence(40)
    assert heard(law.decode(law.encode(sound))) == DIGITS


@pytest.mark.parametrize("level", [0, -10, -33])
def test_digits_through_g722(level: int) -> None:
    tones = DigitTones(DIGITS, duration_ms=50, interval_ms=50, level=level)
    sound = tones.take(100 * len(DIGITS), 16000) + silence(40, rate=16000)
    wide = G722().decode(G722().encode(sound))
    assert heard(Resampler(16000, RATE).feed(wide)) == DIGITS


def lossy(digits: str, share: float, chance: random.Random, **how: int) -> str:
    """What is heard of *digits* where that *share* of packets of 20 ms is lost."""
    tones, detector, found = DigitTones(digits, level=-10, **how), Detector(), ""
    while not tones.over:
        samples = tones.take(20, RATE)
        if chance.random() < share:
            detector.lose(20)
        else:
            found += detector.feed(samples)
    return found


@pytest.mark.parametrize("share", [0.01, 0.02])
def test_digits_with_losses(share: float) -> None:
    """At the phone's own default of 100 ms every digit comes once."""
    chance = random.Random(1)
    for _ in range(10):
        assert lossy(DIGITS * 2, share, chance, duration_ms=100, interval_ms=60) == DIGITS * 2


def test_nobody_knows_what_was_in_a_long_loss() -> None:
    detector = Detector()
    assert detector.feed(two("5")) == "5"
    detector.lose(LOST)
    assert detector.feed(two("5")) == ""
    detector.lose(LOST + 20)
    assert detector.feed(two("5")) == "5"


# -- talk-off ------------------------------------------------------------------------------------------------

VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "ae": (660, 1720, 2410),
    "er": (490, 1350, 1690),
    "uh": (640, 1190, 2390),
}
"""Formants in Hz (Peterson and Barney, 1952, of men); those of others are up to a third higher."""


def speech(seconds: float, pitch: float, size: float, chance: random.Random) -> array[int]:
    """Vowels that glide into each other, from a voice that rises and falls, with hisses and pauses between.

    *pitch* is of the voice in Hz; *size* is by how much its formants are higher than a man's.
    """
    sound = array("h")
    states = [[0.0, 0.0] for _ in range(3)]
    phase, before = 0.0, VOWELS["uh"]
    while len(sound) < seconds * RATE:
        after = VOWELS[chance.choice(sorted(VOWELS))]
        length = round(chance.uniform(0.08, 0.35) * RATE)
        start, end = (pitch * chance.uniform(0.8, 1.35) for _ in range(2))
        hiss = chance.random() < 0.2
        for n in range(length):
            along = n / length
            phase += (start + (end - start) * along) / RATE
            pulse = chance.gauss(0, 0.4) if hiss else 0.0
            if phase >= 1:
                phase -= 1
                pulse += 0.0 if hiss else 12.0
            value = pulse
            glide = min(1.0, 3 * along)
            for state, low, high, width in zip(states, before, after, (60, 90, 120), strict=True):
                hertz = min((low + (high - low) * glide) * size, 3700)
                keep = math.exp(-math.pi * width / RATE)
                value += 2 * keep * math.cos(2 * math.pi * hertz / RATE) * state[0] - keep**2 * state[1]
                state[1], state[0] = state[0], value
            loud = math.sin(math.pi * along) ** 0.5
            sound.append(min(max(round(90 * loud * value), -32768), 32767))
        before = after
        if chance.random() < 0.3:
            sound.extend(silence(chance.randrange(30, 150)))
    return sound


@pytest.mark.parametrize(("pitch", "size"), [(85, 1.0), (120, 1.0), (170, 1.1), (220, 1.17), (300, 1.33)])
def test_no_digit_in_speech(pitch: int, size: float) -> None:
    sound = speech(30, pitch, size, random.Random(pitch))
    assert max(map(abs, sound)) > 3000
    assert heard(sound) == ""
    assert heard(g711.decode_alaw(g711.encode_alaw(sound))) == ""


def song(seconds: float, voices: int, overtones: int, chance: random.Random) -> array[int]:
    """Notes of the scale, some at a time, each with its overtones, and dying away."""
    sound = array("h")
    while len(sound) < seconds * RATE:
        notes = [220 * 2 ** (chance.randrange(-12, 25) / 12) for _ in range(voices)]
        length = round(chance.choice((0.125, 0.25, 0.5)) * RATE)
        waves = [
            (2 * math.pi * note * over / RATE, 1 / over)
            for note in notes
            for over in range(1, overtones + 1)
            if note * over < 3500
        ]
        sound.extend(
            round(
                9000 / voices * math.exp(-2 * n / length) * sum(a * math.sin(turn * n) for turn, a in waves)
            )
            for n in range(length)
        )
    return sound


@pytest.mark.parametrize(("voices", "overtones"), [(1, 6), (2, 4), (3, 4), (4, 6)])
def test_no_digit_in_music(voices: int, overtones: int) -> None:
    assert heard(song(15, voices, overtones, random.Random(voices))) == ""


@pytest.mark.parametrize("spread", [30, 1000, 8000])
def test_no_digit_in_noise(spread: int) -> None:
    chance = random.Random(spread)
    noise = array("h", [min(max(round(chance.gauss(0, spread)), -32768), 32767) for _ in range(15 * RATE)])
    assert heard(noise) == ""


def test_no_digit_in_a_sweep() -> None:
    """One tone from 300 to 3400 Hz within a second, and two of them that are an octave apart."""
    count = 4 * RATE
    turns = [2 * math.pi * (300 + 3100 * (n % RATE) / RATE) / RATE for n in range(count)]
    phases, phase = [], 0.0
    for turn in turns:
        phase += turn
        phases.append(phase)
    assert heard(array("h", [round(8000 * math.sin(each)) for each in phases])) == ""
    both = [round(8000 * (math.sin(each) + math.sin(each / 2))) for each in phases]
    assert heard(array("h", both)) == ""


def test_no_digit_in_the_tones_of_a_telephone() -> None:
    """425 Hz and the two-tone ones of North America: dial, ringback, busy; a fax's 1100 and 2100 Hz."""
    for pair in ((425, 425), (350, 440), (440, 480), (480, 620), (1100, 1100), (2100, 2100), (440, 350)):
        turns = [2 * math.pi * hertz / RATE for hertz in pair]
        sound = array("h", [round(5000 * sum(math.sin(turn * n) for turn in turns)) for n in range(2 * RATE)])
        assert heard(sound) == ""
