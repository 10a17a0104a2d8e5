"""WAV files with 16-bit mono PCM at 8 or 16 kHz, the rates of the codecs that are spoken."""

from __future__ import annotations

import struct
import sys
import wave
from array import array
from pathlib import Path

from phone_emulator.saving import saved
from phone_emulator.scarcity import raise_shortage

from .sound import Sound

RATES = (8000, 16000)
"""Samples a second."""
LONGEST = 600
"""Seconds that are read of one file at most."""


class WavError(Exception):
    """A WAV file cannot be read; the text names it and says why."""


def read_wav(path: Path) -> Sound:
    """The sound in the file *path*; raises WavError unless it is 8 or 16 kHz, 16 bit, mono, not too long."""
    try:
        with path.open("rb") as file, wave.open(file, "rb") as reader:
            rate, bits, channels = reader.getframerate(), 8 * reader.getsampwidth(), reader.getnchannels()
            if rate not in RATES or (bits, channels) != (16, 1):
                played, shape = " or ".join(map(str, RATES)), _describe(rate, bits, channels)
                raise WavError(f"{path}: the phone plays {played} Hz, 16 bit, mono; this file is {shape}")
            if reader.getnframes() > LONGEST * rate:
                raise WavError(f"{path}: {reader.getnframes() / rate:.0f} s are more than {LONGEST} s")
            data = reader.readframes(LONGEST * rate)
    except OSError as error:
        raise_shortage(error, str(path))
        raise WavError(f"{path}: {error.strerror or error}") from None
    except (wave.Error, EOFError, RuntimeError, ValueError, ArithmeticError, struct.error) as error:
        raise WavError(f"{path}: no WAV file with PCM samples: {str(error) or 'it ends too soon'}") from None
    samples = array("h", data[: len(data) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return Sound(rate, samples)


def write_wav(path: Path, sound: Sound) -> None:
    """Write *sound* to the file *path*, replacing it. :raises OSError: when it cannot be written."""
    samples = sound.samples
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    with saved(path, private=True) as file, wave.open(file, "wb") as writer:
        writer.setparams((1, 2, sound.rate, len(samples), "NONE", ""))
        writer.writeframes(samples.tobytes())


def _describe(rate: int, bits: int, channels: int) -> str:
    return f"{rate} Hz, {bits} bit, {'mono' if channels == 1 else f'{channels} channels'}"
