"""The numbers of a call's sound: told every few seconds while it flows, and when the call is over.

Theory of operation: once the call is up a timer of the world rings every EVERY seconds. It tells nothing
where nothing was sent or heard since it rang last, as on hold. In virtual time where no sound flows, there is
no timer, and nothing is told.
"""

from __future__ import annotations

from phone_emulator.events import MediaMeasured, MediaNumbers
from phone_emulator.phone.seat import Seat
from phone_emulator.world import Tasks, TimerHandle

from .voice import Voice

EVERY = 5.0
"""Seconds, as often as RTCP tells (RFC 3550 section 6.2)."""


class Measuring:
    """Tells the numbers of one call.

    Args:
        seat: its line's.
        call: its id.
        tasks: of the call.
        voice: what it says and hears.
    """

    def __init__(self, seat: Seat, call: str, tasks: Tasks, voice: Voice) -> None:
        self._seat = seat
        self._call = call
        self._tasks = tasks
        self._voice = voice
        self._ring: TimerHandle | None = None
        self._told = (0, 0)
        """Packets, sent and heard, when the numbers were told last."""
        self._over = False

    def begin(self) -> None:
        """The call is up."""
        if self._ring is None and not self._over and self._flows:
            self._arm()

    def end(self) -> None:
        """The call is over: tell its last numbers, once, where it had any sound."""
        if self._ring is not None:
            self._ring.cancel()
            self._ring = None
        numbers, over, self._over = self._voice.numbers, self._over, True
        if self._flows and not over and numbers is not None and numbers.flowed:
            self._tell(numbers, last=True)

    @property
    def _flows(self) -> bool:
        return self._seat.context.sound_flows

    def _arm(self) -> None:
        due = self._seat.now + EVERY
        # Numbers that cannot be told are a fault, but no reason to end the call.
        self._ring = self._tasks.call_at(due, self._rang, "measuring", on_fault=lambda error: None)

    def _rang(self) -> None:
        self._arm()
        numbers = self._voice.numbers
        if numbers is not None and (numbers.sent.packets, numbers.heard.packets) != self._told:
            self._tell(numbers, last=False)

    def _tell(self, numbers: MediaNumbers, *, last: bool) -> None:
        self._told = numbers.sent.packets, numbers.heard.packets
        seat, agreed = self._seat, self._voice.agreed
        seat.tell(
            MediaMeasured(
                at=seat.now,
                line=seat.number,
                call=self._call,
                codec="" if agreed is None else agreed.codec.encoding,
                encrypted=self._voice.encrypted,
                numbers=numbers,
                last=last,
            )
        )
