"""Digits as sounds: the frequencies and levels of ITU-T Q.23 by measurement, and how pieces join."""

from __future__ import annotations

import cmath
import math
from array import array

import pytest

from phone_emulator.media.dtmf import DIGITS, DtmfError
from phone_emulator.media.inband import DigitTones, InBandReceiver, digit_tone
from phone_emulator.media.rtp import Packet
from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import FULL_SCALE_DBM0, silence
from tests.media.listening import amplitude, decibels, loudest

KEYPAD = ("123A", "456B", "789C", "*0#D")
ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
RATES = [8000, 16000]


def nominal(digit: str) -> tuple[int, int]:
    """The frequencies of *digit* (Q.23)."""
    [row] = [number for number, keys in enumerate(KEYPAD) if digit in keys]
    return ROWS[row], COLUMNS[KEYPAD[row].index(digit)]


def measured(sound: Sound, around: float) -> float:
    """The frequency of the tone in *sound* near to *around*: what its phase does from half to half."""
    half = len(sound.samples) // 2
    window = [1 - math.cos(2 * math.pi * (n + 0.5) / half) for n in range(half)]
    turn = 2j * math.pi * around / sound.rate
    first, second = (
        sum(s * w * cmath.exp(-turn * (n + start)) for n, (s, w) in enumerate(zip(part, window, strict=True)))
        for start, part in ((0, sound.samples[:half]), (half, sound.samples[half : 2 * half]))
    )
    return around + cmath.phase(second * first.conjugate()) * sound.rate / (2 * math.pi * half)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("digit", DIGITS)
def test_two_tones_at_their_frequencies(digit: str, rate: int) -> None:
    """Within 1.5 % is what Q.23 asks for; here they are exact."""
    sound = Sound(rate, digit_tone(digit, 100, rate=rate))
    assert (loudest(sound, ROWS), loudest(sound, COLUMNS)) == nominal(digit)
    for hertz in nominal(digit):
        assert measured(sound, hertz) == pytest.approx(hertz, abs=0.5)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("level", [0, -10, -33])
def test_both_tones_together_have_the_level(level: int, rate: int) -> None:
    """As the volume of a telephone event (RFC 4733 section 2.3.3); each is 3 dB below, without twist."""
    for digit in "1D":
        sound = Sound(rate, digit_tone(digit, 200, level, rate=rate))
        row, column = (amplitude(sound, hertz) for hertz in nominal(digit))
        assert decibels(row, column) == pytest.approx(0, abs=0.05)
        power = sum(sample * sample for sample in sound.samples) / len(sound.samples)
        dbm0 = 10 * math.log10(power / (32767**2 / 2)) + FULL_SCALE_DBM0
        assert dbm0 == pytest.approx(level, abs=0.1)
        assert max(map(abs, sound.samples)) < 32767, "nothing is clipped, not even the loudest"


def test_no_tone_for_what_is_no_digit() -> None:
    with pytest.raises(DtmfError, match="'x' is no DTMF digit"):
        digit_tone("x", 100)


@pytest.mark.parametrize("rate", RATES)
def test_pieces_join_without_a_step(rate: int) -> None:
    whole = digit_tone("5", 100, rate=rate)
    assert taken(DigitTones("5", duration_ms=100, interval_ms=50, level=-10), rate, 20, 100) == whole
    assert taken(DigitTones("5", duration_ms=100, interval_ms=50, level=-10), rate, 7, 100) == whole


def taken(tones: DigitTones, rate: int, piece: int, milliseconds: int) -> array[int]:
    """That much of *tones*, taken by pieces."""
    found = array("h")
    for _ in range(0, milliseconds, piece):
        found += tones.take(piece, rate)
    return found[: milliseconds * rate // 1000]


def test_digits_and_pauses_are_exact_whatever_the_packets() -> None:
    tones = DigitTones("12", duration_ms=70, interval_ms=45, level=-10)
    wanted = digit_tone("1", 70) + silence(45) + digit_tone("2", 70) + silence(15)
    assert taken(tones, 8000, 20, 200) == wanted
    assert tones.over


def test_the_rate_may_change_within_a_digit() -> None:
    tones = DigitTones("1", duration_ms=40, interval_ms=50, level=-10)
    assert tones.take(20, 8000) == digit_tone("1", 20)
    assert not tones.over
    assert tones.take(20, 16000) == digit_tone("1", 20, rate=16000, start=20)
    assert tones.over


def test_what_has_begun_is_ended_and_the_rest_left_out() -> None:
    tones = DigitTones("12", duration_ms=100, interval_ms=50, level=-10)
    tones.take(20, 8000)
    assert tones.cut()
    assert tones.take(160, 8000) == digit_tone("1", 80, start=20) + silence(80)
    assert tones.over
    between = DigitTones("12", duration_ms=100, interval_ms=50, level=-10)
    between.take(120, 8000)
    assert not between.cut()
    assert between.over


# -- received by packets -------------------------------------------------------------------------------------


def packets(digits: str, **how: int) -> list[tuple[Packet, array[int]]]:
    """The packets of *digits*, each with its sound."""
    tones = DigitTones(digits, **{"duration_ms": 100, "interval_ms": 60, "level": -10, **how})
    made: list[tuple[Packet, array[int]]] = []
    while not tones.over or len(made) % 8:
        number = len(made)
        made.append((Packet(0, 65530 + number & 0xFFFF, 160 * number, 1), tones.take(20, 8000)))
    return made


def heard(made: list[tuple[Packet, array[int]]]) -> str:
    receiver = InBandReceiver()
    return "".join(receiver.receive(packet, samples) for packet, samples in made)


def test_digits_by_packets() -> None:
    assert heard(packets("1155##*0D")) == "1155##*0D"


@pytest.mark.parametrize("lost", range(8))
def test_a_lost_packet_makes_one_digit_neither_two_nor_none(lost: int) -> None:
    made = packets("7755")
    assert heard([each for number, each in enumerate(made) if number % 8 != lost]) == "7755"


def test_packets_that_come_twice_or_late_change_nothing() -> None:
    made = packets("75")
    doubled = [each for pair in zip(made, made, strict=True) for each in pair]
    assert heard(doubled) == "75"
    late = [*made[:3], made[4], made[3], *made[5:]]
    assert heard(late) == "75"


def test_what_is_not_sent_is_silence() -> None:
    """An end that sends nothing between two digits numbers its packets on."""
    sound = [made for made in packets("55") if any(made[1])]
    renumbered = [
        (Packet(0, number, packet.timestamp, 1), samples) for number, (packet, samples) in enumerate(sound)
    ]
    assert heard(renumbered) == "55"


def test_another_stream_begins_anew() -> None:
    made = packets("5")
    other = [(Packet(0, packet.sequence, packet.timestamp, 2), samples) for packet, samples in made]
    assert heard(made[:4] + other) == "55"


def test_a_long_loss_may_hide_the_next_digit() -> None:
    made = packets("5", duration_ms=400)
    assert heard(made[:5] + made[7:]) == "5"
    assert heard(made[:5] + made[9:]) == "55"
