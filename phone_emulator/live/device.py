"""A microphone and a loudspeaker: what is needed of them, and those of this machine."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from array import array
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import miniaudio

RATE = 16000
"""Samples a second: wide band, as G.722 has it."""
PERIOD = 20
"""Milliseconds between two exchanges."""
EXTRA = "phone-emulator[audio]"

Exchange = Callable[["array[int]"], "array[int]"]
"""Takes what the microphone has heard, and gives as many samples for the loudspeaker."""


class NoDevice(Exception):
    """There is no microphone and loudspeaker; the text says why, for people."""


class Device(Protocol):
    """Both, open, at RATE samples a second, 16 bit, one channel."""

    name: str
    """For people."""

    def start(self, exchange: Exchange) -> None:
        """Call *exchange* every PERIOD or so, in a thread of the device's own; raises NoDevice."""

    def stop(self) -> None:
        """Call it no more, and close the device. It waits for the thread, and may be called again."""


class MachineDevice:
    """The microphone and the loudspeaker that the machine uses where nothing else is said (miniaudio).

    Args:
        backends: the sound systems that are tried; None: those of the machine, but for JACK, whose library
            writes to the screen.

    Raises:
        NoDevice: miniaudio is not installed, or there are none.
    """

    def __init__(self, backends: list[miniaudio.Backend] | None = None) -> None:
        try:
            import miniaudio
        except ImportError:
            raise NoDevice(f"miniaudio is not installed (pip install '{EXTRA}')") from None
        self._error = miniaudio.MiniaudioError
        if sys.platform == "linux":
            _silence_alsa()
            backends = backends or [miniaudio.Backend.PULSEAUDIO, miniaudio.Backend.ALSA]
        try:
            self._stream = miniaudio.DuplexStream(
                playback_channels=1,
                capture_channels=1,
                sample_rate=RATE,
                buffersize_msec=PERIOD,
                backends=backends,
                app_name="phone-emulator",
            )
        except miniaudio.MiniaudioError as error:
            raise NoDevice(f"no microphone and loudspeaker can be opened: {error.args[0]}") from None
        self.name = self._stream.backend

    def start(self, exchange: Exchange) -> None:
        """See `Device`."""
        sound = _exchanging(exchange)
        next(sound)
        try:
            self._stream.start(sound)
        except self._error as error:
            raise NoDevice(f"the microphone and the loudspeaker do not start: {error.args[0]}") from None

    def stop(self) -> None:
        """See `Device`."""
        self._stream.close()


_Told = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
_say_nothing = _Told(lambda *what: None)
"""What ALSA calls in place of writing to stderr, where the terminal phone is drawn."""


def _silence_alsa() -> None:
    with contextlib.suppress(OSError, AttributeError):  # there is no ALSA: nothing is written either
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_say_nothing)


def _exchanging(exchange: Exchange) -> Generator[bytes, bytes, None]:
    """What miniaudio calls with what was heard, and takes what is to be heard from."""
    heard = yield b""
    while True:
        heard = yield exchange(array("h", bytes(heard))).tobytes()
