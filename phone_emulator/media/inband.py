"""DTMF digits in the sound itself, sent and received: two tones each (ITU-T Q.23), and pauses between."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable

from .detector import Detector
from .dtmf import DIGITS, event_of
from .rtp import Packet, ahead, elapsed
from .tones import DTMF, RATE, silence, sine

_BOTH = 3.0103
"""dB by which two equal tones are louder than one of them."""
_LONG = 100
"""Milliseconds of silence after which no digit is pressed any more."""


def digit_tone(
    digit: str, milliseconds: int, level: float = -10.0, *, rate: int = 8000, start: int = 0
) -> array[int]:
    """A piece of the sound of *digit*; raises DtmfError for what is no digit.

    Args:
        digit: one of DIGITS.
        milliseconds: of the piece.
        level: dBm0 of both tones together, as telephone events have it (RFC 4733 section 2.3.3); 0 at most.
        rate: samples a second.
        start: milliseconds of the digit that went before: pieces join without a step.
    """
    return sine(DTMF[DIGITS[event_of(digit)]], milliseconds, level - _BOTH, rate=rate, start=start)


class DigitTones:
    """The sound of digits one after the other, taken piece by piece, at the rate of the codec of the moment.

    Args:
        digits: of DIGITS.
        duration_ms: of each (``features.dtmf.duration``).
        interval_ms: of the silence between two (``features.dtmf.min_interval``).
        level: dBm0 of each (``features.dtmf.volume``).
    """

    def __init__(self, digits: Iterable[str], *, duration_ms: int, interval_ms: int, level: float) -> None:
        self._digits = deque(digits)
        self._duration = duration_ms
        self._interval = interval_ms
        self._level = level
        self._place = 0
        """Milliseconds since the present digit began."""

    @property
    def over(self) -> bool:
        """Whether the last digit has been taken."""
        return not self._digits

    def cut(self) -> bool:
        """Leave out the digits that have not begun; whether one has, and is not over."""
        begun = 0 < self._place < self._duration
        self._digits = deque([self._digits[0]] if self._digits and begun else [])
        return begun

    def take(self, milliseconds: int, rate: int) -> array[int]:
        """The next piece, at *rate* samples a second; behind the last digit there is silence."""
        taken = array("h")
        while milliseconds and self._digits:
            sounding = self._place < self._duration
            end = self._duration if sounding else self._duration + self._interval
            piece = min(milliseconds, end - self._place)
            if sounding:
                digit = self._digits[0]
                taken += digit_tone(digit, piece, self._level, rate=rate, start=self._place)
            else:
                taken += silence(piece, rate=rate)
            self._place += piece
            milliseconds -= piece
            if self._place >= self._duration and len(self._digits) == 1:
                self._digits.clear()
            elif self._place >= self._duration + self._interval:
                self._digits.popleft()
                self._place = 0
        return taken + silence(milliseconds, rate=rate)


class InBandReceiver:
    """Finds the digits in the sound of a stream's packets, whatever of them comes, in whatever order."""

    def __init__(self) -> None:
        self._detector = Detector()
        self._last: Packet | None = None
        """The one with the highest number so far."""
        self._due = 0
        """The timestamp of what follows it."""

    def receive(self, packet: Packet, samples: array[int], clock: int = RATE) -> str:
        """The digits that are heard for the first time in *packet*, whose sound is *samples* at 8 kHz.

        The packet's timestamps count *clock* a second. What was not sent is silence (the numbers go on); what
        was lost, or comes too late, is neither.
        """
        found, last = "", self._last
        if last is None or packet.ssrc != last.ssrc:
            self._detector = Detector()
        else:
            step = ahead(packet.sequence, last.sequence)
            gap = elapsed(packet.timestamp, self._due)
            if step <= 0:
                return ""
            if step > 1 or gap < 0:
                self._detector.lose(max(gap, 0) * 1000 // clock)
            else:
                found = self._detector.feed(silence(min(gap * 1000 // clock, _LONG)))
        self._last, self._due = packet, packet.timestamp + len(samples) * clock // RATE
        return found + self._detector.feed(samples)
