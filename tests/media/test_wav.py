"""WAV files, good and bad."""

from __future__ import annotations

import contextlib
import math
import re
import struct
import wave
from array import array
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phone_emulator.media import wav
from phone_emulator.media.judgement import level
from phone_emulator.media.judgement import tone as heard
from phone_emulator.media.sound import Sound
from tests.media.listening import amplitude, tone

SOUND = Sound(8000, array("h", [0, 1, -1, 32767, -32768, 258]))


@pytest.mark.parametrize("rate", wav.RATES)
def test_what_is_written_is_read_again(tmp_path: Path, rate: int) -> None:
    path, sound = tmp_path / "a.wav", Sound(rate, SOUND.samples)
    wav.write_wav(path, sound)
    assert wav.read_wav(path) == sound


def test_bytes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wav.write_wav(path, Sound(8000, array("h", [1, -2])))
    assert path.read_bytes() == bytes.fromhex(
        "52494646 28000000 57415645 666d7420 10000000 0100 0100 401f0000 803e0000 0200 1000"
        "64617461 04000000 0100 feff"
    )


def riff(kind: int, voices: int, rate: int, bits: int, data: bytes, *, extensible: bool = False) -> bytes:
    """A WAV file, written by hand."""
    block = voices * bits // 8
    form = struct.pack(
        "<HHIIHH", 0xFFFE if extensible else kind, voices, rate, rate * block & 0xFFFFFFFF, block, bits
    )
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, kind) + bytes.fromhex("000000001000800000aa00389b71")
    chunks = b"".join(
        name + struct.pack("<I", len(each)) + each + bytes(len(each) % 2)
        for name, each in ((b"fmt ", form), (b"LIST", b"odd"), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


SINE = [math.sin(2 * math.pi * 440 / 8000 * n) * 0.25 for n in range(8000)]
WIDTHS = {
    8: lambda value: struct.pack("<B", 128 + round(127 * value)),
    16: lambda value: struct.pack("<h", round(32767 * value)),
    24: lambda value: struct.pack("<i", round(0x7FFFFF00 * value))[1:],
    32: lambda value: struct.pack("<i", round(0x7FFFFFFF * value)),
}


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("voices", [1, 2])
@pytest.mark.parametrize("bits", WIDTHS)
def test_every_width_is_read(tmp_path: Path, bits: int, voices: int, extensible: bool) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(
        riff(1, voices, 8000, bits, b"".join(WIDTHS[bits](v) * voices for v in SINE), extensible=extensible)
    )
    sound = wav.read_wav(path)
    assert (sound.rate, len(sound.samples)) == (8000, 8000)
    assert amplitude(sound, 440) == pytest.approx(8192, rel=0.01)
    assert level(sound.samples) == pytest.approx(-15.05, abs=0.1)


def test_floating_point_is_read_and_clipped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(3, 1, 8000, 32, struct.pack("<5f", 0.5, -0.5, 2.0, -9.0, math.nan)))
    assert list(wav.read_wav(path).samples) == [16384, -16384, 32767, -32767, 0]


def test_voices_become_one(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(1, 2, 8000, 16, struct.pack("<4h", 100, 300, -100, 100)))
    assert list(wav.read_wav(path).samples) == [200, 0]


@pytest.mark.parametrize("rate", [4000, 11025, 22050, 32000, 44100, 44101, 48000, 96000])
def test_every_rate_is_read(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    wav.write_wav(path, tone(rate, 440, 1.0))
    sound = wav.read_wav(path)
    assert sound.rate == (8000 if rate <= 8000 else 16000)
    assert sound.seconds == pytest.approx(1.0, abs=0.001)
    assert heard(sound, 440) == pytest.approx(1.0, abs=0.06)
    assert amplitude(sound, 440) == pytest.approx(8000, rel=0.01)


def test_what_is_too_high_for_the_codecs_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wav.write_wav(path, tone(44100, 9000, 1.0))
    assert level(wav.read_wav(path).samples[800:-800]) < -60


def test_two_sides_are_written_in_stereo(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wav.write_wav(path, Sound(8000, array("h", [1, 2, 3])), Sound(8000, array("h", [-1])))
    with wave.open(str(path)) as reader:
        assert reader.getparams()[:4] == (2, 2, 8000, 3)
        assert array("h", reader.readframes(9)).tolist() == [1, -1, 2, 0, 3, 0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            riff(6, 1, 8000, 8, b"12"),
            "8, 16, 24 and 32 bit can be read; this is 8000 Hz, 8 bit, format 6, 1 voices",
        ),
        (riff(3, 1, 8000, 64, b"12"), "this is 8000 Hz, 64 bit, floating point"),
        (riff(1, 1, 8000, 12, b"12"), "this is 8000 Hz, 12 bit, PCM"),
        (riff(1, 0, 8000, 16, b"12"), "up to 8 voices can be read; this is 8000 Hz, 16 bit, PCM, 0 voices"),
        (riff(1, 9, 8000, 16, b"12"), "9 voices"),
        (riff(1, 1, 0, 16, b"12"), "1000 to 384000 Hz"),
        (riff(1, 1, 2**32 - 1, 16, b"12"), "1000 to 384000 Hz"),
        (riff(1, 1, 8000, 16, b"12")[:30], "it ends too soon"),
        (riff(1, 1, 8000, 16, b"12")[:36], "it ends before its samples"),
        (b"RIFF0000WAVE", "nothing in it says what its samples are"),
    ],
)
def test_a_shape_that_cannot_be_read_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "hold.wav"
    path.write_bytes(data)
    with pytest.raises(wav.WavError, match=re.escape(said)) as error:
        wav.read_wav(path)
    assert str(error.value).startswith(f"{path}: no WAV file with PCM samples: ")


def test_a_streams_length_is_not_known_and_its_end_is(tmp_path: Path) -> None:
    """A program that writes to a pipe says the largest size there is."""
    path, data = tmp_path / "a.wav", riff(1, 1, 8000, 16, struct.pack("<3h", 1, 2, 3))
    path.write_bytes(data[:-10] + b"\xff\xff\xff\xff" + data[-6:])
    assert list(wav.read_wav(path).samples) == [1, 2, 3]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(wav.WavError, match=r"none\.wav: No such file"):
        wav.read_wav(tmp_path / "none.wav")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        wav.write_wav(tmp_path / "none" / "a.wav", SOUND)


def test_a_file_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wav, "LONGEST", 1)
    path = tmp_path / "long.wav"
    wav.write_wav(path, Sound(8000, array("h", bytes(2 * 16000))))
    with pytest.raises(wav.WavError, match=r"long\.wav: 2 s are more than 1 s"):
        wav.read_wav(path)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"#!/bin/sh\n" * 9])
def test_what_is_no_wav_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(wav.WavError, match=r"a\.wav: no WAV file with PCM samples"):
        wav.read_wav(path)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=200,
)
@given(st.data())
def test_a_damaged_file_raises_nothing_but_wav_error(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "a.wav"
    wav.write_wav(path, SOUND)
    octets = bytearray(path.read_bytes())
    for place, octet in data.draw(
        st.lists(st.tuples(st.integers(0, len(octets) - 1), st.integers(0, 255)), max_size=4)
    ):
        octets[place] = octet
    path.write_bytes(octets[: data.draw(st.integers(0, len(octets)))])
    with contextlib.suppress(wav.WavError):
        assert len(wav.read_wav(path).samples) <= 16 * len(SOUND.samples)
