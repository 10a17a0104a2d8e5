"""G.711 and tones against the numbers of the recommendation."""

from __future__ import annotations

import math
import subprocess
import sys
from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate

import pytest

from phone_emulator.media import g711, tones

LAWS = [g711.PCMU, g711.PCMA]
MILLIWATT = {g711.PCMU: "1e0b0b1e9e8b8b9e", g711.PCMA: "34212134b4a1a1b4"}
"""The periodic sequences of G.711 tables 5 and 6: 1 kHz at 0 dBm0."""
LOUDEST = {g711.PCMU: 32636 / 10 ** (3.17 / 20), g711.PCMA: 32768 / 10 ** (3.14 / 20)}
"""Amplitude of 0 dBm0, from the levels at which G.711 says the laws overload."""


@pytest.mark.parametrize("law", LAWS)
def test_digital_milliwatt(law: g711.Law) -> None:
    wave = array("h", [round(-LOUDEST[law] * math.sin((2 * n + 1) * math.pi / 8)) for n in range(8)])
    assert law.encode(wave).hex() == MILLIWATT[law]


@pytest.mark.parametrize(
    ("law", "octet", "value"),
    [
        (g711.PCMU, 0x80, 32124),  # 8031 of 14 bits: the largest output of table 2a
        (g711.PCMU, 0x00, -32124),
        (g711.PCMU, 0xFF, 0),
        (g711.PCMU, 0x7F, 0),
        (g711.PCMU, 0xFE, 8),
        (g711.PCMA, 0xAA, 32256),  # 4032 of 13 bits: the largest output of table 1a
        (g711.PCMA, 0x2A, -32256),
        (g711.PCMA, 0xD5, 8),
        (g711.PCMA, 0x55, -8),
    ],
)
def test_decoded_values(law: g711.Law, octet: int, value: int) -> None:
    assert law.decode(bytes([octet])) == array("h", [value])


@pytest.mark.parametrize("law", LAWS)
def test_every_octet_survives_the_way_there_and_back(law: g711.Law) -> None:
    octets = bytes(range(256))
    again = law.encode(law.decode(octets))
    if law is g711.PCMU:
        octets = octets.replace(b"\x7f", b"\xff")  # the two zeros are one value
    assert again == octets


def decision_values(law: g711.Law) -> list[int]:
    """The magnitudes between the intervals, column 6 of tables 1 and 2 (13 bits of PCMA, 14 of PCMU)."""
    doubled = range(8) if law is g711.PCMU else (0, *range(7))
    steps = [2 << exponent for exponent in doubled for _ in range(16)]
    if law is g711.PCMU:
        steps[0] = 1
    return [0, *accumulate(steps)]


def test_the_decision_values_are_the_tables_ends_of_segments() -> None:
    assert decision_values(g711.PCMU)[16::16] == [31, 95, 223, 479, 991, 2015, 4063, 8159]
    assert decision_values(g711.PCMA)[16::16] == [32, 64, 128, 256, 512, 1024, 2048, 4096]


@pytest.mark.parametrize(("law", "unit"), [(g711.PCMU, 4), (g711.PCMA, 8)])
def test_every_sample_is_in_the_interval_of_the_tables(law: g711.Law, unit: int) -> None:
    """A decision value belongs to the interval behind it; a negative one to that before, as in G.191."""
    values = [value * unit for value in decision_values(law)]
    samples = array("h", range(-32768, 32768))
    for sample, octet in zip(samples, law.encode(samples), strict=True):
        beyond = bisect_right(values, sample) if sample >= 0 else bisect_left(values, -sample)
        interval = min(max(beyond - 1, 0), 127)
        if law is g711.PCMU:
            expected = 0xFF - interval - (0x80 if sample < 0 else 0)
        else:
            expected = (interval | (0x80 if sample >= 0 else 0)) ^ 0x55
        assert octet == expected, sample


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("count", [0, 1, 7, 160])
def test_any_number_of_samples(law: g711.Law, count: int) -> None:
    samples = array("h", [-n * 99 for n in range(count)])
    assert len(law.encode(samples)) == count
    assert len(law.decode(law.encode(samples))) == count


@pytest.mark.parametrize(("law", "clipped_above"), [(g711.PCMU, 32635), (g711.PCMA, 32767)])
def test_no_sample_is_further_off_than_half_its_interval(law: g711.Law, clipped_above: int) -> None:
    samples = array("h", range(-clipped_above, clipped_above + 1))
    octets = law.encode(samples)
    for sample, octet, decoded in zip(samples, octets, law.decode(octets), strict=True):
        segment = (octet ^ law.zero) >> 4 & 7
        half = 4 << segment if law is g711.PCMU else 8 << max(segment - 1, 0)
        assert abs(decoded - sample) <= half, sample


@pytest.mark.parametrize("law", LAWS)
def test_silence(law: g711.Law) -> None:
    assert law.silence(3) == law.encode(array("h", [0, 0, 0]))


def _level(samples: array[int], frequency: float) -> float:
    """The part of *frequency* in *samples*, 0..1 of full scale."""
    turn = 2j * math.pi * frequency / tones.RATE
    total = sum(
        sample * complex(math.cos(turn.imag * n), -math.sin(turn.imag * n))
        for n, sample in enumerate(samples)
    )
    return 2 * abs(total) / len(samples) / 32767


def test_a_tone_is_never_louder_than_the_samples_hold() -> None:
    assert max(tones.sine((400, 401), 100, level=3.0)) == 32767


def test_who_takes_warnings_for_errors_can_import_it() -> None:
    """``audioop`` is deprecated in Python 3.11 and 3.12."""
    code = "from phone_emulator.media import g711"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
