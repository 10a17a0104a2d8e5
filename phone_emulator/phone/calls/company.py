"""The others of a conference, as one call's sound knows them."""

from __future__ import annotations

from array import array
from typing import Protocol

from phone_emulator.media.alignment import Alignment
from phone_emulator.media.resample import Resampler
from phone_emulator.media.rtp import Packet
from phone_emulator.media.sound import Sound


class Company(Protocol):
    """Who hears the far end of a call besides this phone, and is heard by it; times are the world's."""

    @property
    def rate(self) -> int:
        """Samples a second of all that is said here."""

    def hear(self, samples: array[int], at: float) -> None:
        """The far end says *samples*, heard from *at* on."""

    def say(self, samples: array[int], at: float) -> None:
        """This phone says *samples* to the far end, from *at* on."""

    def others(self, at: float, seconds: float) -> array[int]:
        """What the far end hears of the others in the *seconds* from *at* on."""

    def sounds(self, at: float) -> bool:
        """Whether the others say something at *at* or later."""


class PassingOn:
    """What is heard in one call, on its way to the others.

    Args:
        company: who hears it, too.
    """

    def __init__(self, company: Company) -> None:
        self._company = company
        self._alignment = Alignment()
        self._resampler = Resampler(company.rate, company.rate)

    @property
    def rate(self) -> int:
        """Samples a second that it takes best."""
        return self._company.rate

    def hear(self, packet: Packet, sound: Sound, clock: int, now: float) -> None:
        """*sound* is that of *packet*, which comes at *now*, and whose timestamps count *clock* a second."""
        if self._resampler.rate != sound.rate:
            self._resampler = Resampler(sound.rate, self.rate)
        samples = self._resampler.feed(sound.samples)
        at = self._alignment.time_of(packet, clock, now)
        if at is not None:
            self._company.hear(samples, at)
