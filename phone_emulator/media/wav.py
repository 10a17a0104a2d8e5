"""WAV files with 16-bit mono PCM at 8 kHz, what G.711 carries."""

from __future__ import annotations

import struct
import sys
import wave
from array import array
from pathlib import Path

RATE = 8000
LONGEST = 600
"""Seconds that are read of one file at most."""
_SHAPE = "8000 Hz, 16 bit, mono"


class WavError(Exception):
    """A WAV file cannot be read or written; the text names it and says why."""


def read_wav(path: Path) -> array[int]:
    """The samples in the file *path*; raises WavError unless it is 8 kHz, 16 bit, mono, at most LONGEST."""
    try:
        with path.open("rb") as file, wave.open(file, "rb") as reader:
            shape = _describe(reader.getframerate(), 8 * reader.getsampwidth(), reader.getnchannels())
            if shape != _SHAPE:
                raise WavError(f"{path}: the phone plays {_SHAPE}; this file is {shape}")
            if reader.getnframes() > LONGEST * RATE:
                raise WavError(f"{path}: {reader.getnframes() / RATE:.0f} s are more than {LONGEST} s")
            data = reader.readframes(LONGEST * RATE)
    except OSError as error:
        raise WavError(f"{path}: {error.strerror or error}") from None
    except (wave.Error, EOFError, RuntimeError, ValueError, ArithmeticError, struct.error) as error:
        raise WavError(f"{path}: no WAV file with PCM samples: {str(error) or 'it ends too soon'}") from None
    samples = array("h", data[: len(data) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def write_wav(path: Path, samples: array[int]) -> None:
    """Write *samples* to the file *path*, replacing it; raises WavError."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    try:
        with path.open("wb") as file, wave.open(file, "wb") as writer:
            writer.setparams((1, 2, RATE, len(samples), "NONE", ""))
            writer.writeframes(samples.tobytes())
    except OSError as error:
        raise WavError(f"{path}: {error.strerror or error}") from None


def _describe(rate: int, bits: int, channels: int) -> str:
    return f"{rate} Hz, {bits} bit, {'mono' if channels == 1 else f'{channels} channels'}"
