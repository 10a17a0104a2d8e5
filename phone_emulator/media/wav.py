"""WAV files: PCM of any rate and width is read (RIFF, Microsoft's WAVE), 16 bit of one or two voices written.

The standard library's reader knows no extensible header before Python 3.12, which is how 24 bit are written.
"""

from __future__ import annotations

import struct
import sys
import wave
from array import array
from pathlib import Path
from typing import BinaryIO, NamedTuple

from phone_emulator.saving import saved
from phone_emulator.scarcity import raise_shortage

from .resample import converted
from .sound import Sound

RATES = (8000, 16000)
"""Samples a second of the sound that is read: those of the codecs that are spoken."""
LONGEST = 600
"""Seconds that are read of one file at most."""
SLOWEST, FASTEST = 1000, 384_000
"""Samples a second of a file that can be read."""
MOST_VOICES = 8

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FORM = struct.Struct("<HHIIHH")
_LARGEST_FORM = 40
_READ = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32)}
_TO_SIGNED = bytes(octet ^ 0x80 for octet in range(256))


class WavError(Exception):
    """A WAV file cannot be read; the text names it and says why."""


class _Form(NamedTuple):
    """What a file says of its samples."""

    kind: int
    voices: int
    rate: int
    bits: int

    def __str__(self) -> str:
        kind = {_PCM: "PCM", _FLOAT: "floating point"}.get(self.kind, f"format {self.kind}")
        return f"{self.rate} Hz, {self.bits} bit, {kind}, {self.voices} voices"

    @property
    def block(self) -> int:
        """Octets of all voices' samples of one moment."""
        return self.voices * self.bits // 8


def read_wav(path: Path) -> Sound:
    """The sound in the file *path*, at one of RATES, all its voices as one; raises WavError."""
    try:
        with path.open("rb") as file:
            form, data = _parsed(file, path)
    except OSError as error:
        raise_shortage(error, str(path))
        raise WavError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise WavError(f"{path}: no WAV file with PCM samples: {error}") from None
    samples = _as_one(_as_16_bit(data[: len(data) // form.block * form.block], form), form.voices)
    rate = min((rate for rate in RATES if rate >= form.rate), default=RATES[-1])
    return Sound(rate, converted(samples, form.rate, rate))


def write_wav(path: Path, sound: Sound, right: Sound | None = None) -> None:
    """Write *sound* to the file *path*, replacing it; with *right*, of the same rate, in stereo.

    :raises OSError: when it cannot be written.
    """
    samples = sound.samples[:] if right is None else _side_by_side(sound.samples, right.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    voices = 1 if right is None else 2
    with saved(path, private=True) as file, wave.open(file, "wb") as writer:
        writer.setparams((voices, 2, sound.rate, len(samples) // voices, "NONE", ""))
        writer.writeframes(samples.tobytes())


def _parsed(file: BinaryIO, path: Path) -> tuple[_Form, bytes]:
    """The form of the samples, and the samples; raises ValueError, WavError."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise ValueError("it does not begin with RIFF and WAVE")
    form = None
    while len(chunk := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data" and form is not None:
            most = LONGEST * form.rate * form.block
            data = file.read(min(size, most + 1))
            if len(data) > most:
                raise WavError(f"{path}: {size / form.block / form.rate:.0f} s are more than {LONGEST} s")
            return form, data
        if name == b"fmt ":
            form = _form(file.read(min(size, _LARGEST_FORM)))
            size = max(0, size - _LARGEST_FORM)
        file.seek(size + size % 2, 1)
    raise ValueError("it ends before its samples" if form else "nothing in it says what its samples are")


def _form(data: bytes) -> _Form:
    if len(data) < _FORM.size:
        raise ValueError("it ends too soon")
    kind, voices, rate, _, _, bits = _FORM.unpack_from(data)
    if kind == _EXTENSIBLE and len(data) == _LARGEST_FORM:
        (kind,) = struct.unpack_from("<H", data, 24)
    form = _Form(kind, voices, rate, bits)
    if (kind, bits) not in _READ:
        raise ValueError(f"8, 16, 24 and 32 bit can be read; this is {form}")
    if not (SLOWEST <= rate <= FASTEST and 1 <= voices <= MOST_VOICES):
        raise ValueError(
            f"{SLOWEST} to {FASTEST} Hz and up to {MOST_VOICES} voices can be read; this is {form}"
        )
    return form


def _as_16_bit(data: bytes, form: _Form) -> array[int]:
    """The samples in *data*, each as 16 bit."""
    if form.kind == _FLOAT:
        floats = array("f", data)
        if sys.byteorder == "big":
            floats.byteswap()
        # What is no number (NaN) is silence.
        return array(
            "h", [round(32767 * max(-1.0, min(1.0, each))) if each == each else 0 for each in floats]
        )
    width = form.bits // 8
    octets = bytearray(2 * (len(data) // width))
    octets[1::2] = data.translate(_TO_SIGNED) if width == 1 else data[width - 1 :: width]
    if width > 1:
        octets[0::2] = data[width - 2 :: width]
    samples = array("h", bytes(octets))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _as_one(samples: array[int], voices: int) -> array[int]:
    """The mean of all voices."""
    if voices == 1:
        return samples
    together = zip(*(samples[voice::voices] for voice in range(voices)), strict=True)
    return array("h", [sum(each) // voices for each in together])


def _side_by_side(left: array[int], right: array[int]) -> array[int]:
    """Both as one, sample by sample; the shorter one ends in silence."""
    samples = array("h", bytes(4 * max(len(left), len(right))))
    samples[0 : 2 * len(left) : 2] = left
    samples[1 : 2 * len(right) : 2] = right
    return samples
