"""WAV files, good and bad."""

from __future__ import annotations

import contextlib
import wave
from array import array
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phone_emulator.media import wav
from phone_emulator.media.sound import Sound

SOUND = Sound(8000, array("h", [0, 1, -1, 32767, -32768, 258]))


def _write(path: Path, rate: int = 8000, width: int = 2, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as writer:
        writer.setparams((channels, width, rate, 0, "NONE", ""))
        writer.writeframes(bytes(width * channels * 4))


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


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"rate": 44100}, "44100 Hz, 16 bit, mono"),
        ({"width": 1}, "8000 Hz, 8 bit, mono"),
        ({"channels": 2}, "8000 Hz, 16 bit, 2 channels"),
    ],
)
def test_another_shape_is_named(tmp_path: Path, shape: dict[str, int], said: str) -> None:
    path = tmp_path / "hold.wav"
    _write(path, **shape)
    with pytest.raises(
        wav.WavError, match=f"hold.wav: the phone plays 8000 or 16000 Hz, 16 bit, mono; this file is {said}"
    ):
        wav.read_wav(path)


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
        assert len(wav.read_wav(path).samples) <= len(SOUND.samples)
