"""Which tone of the phone's own its user hears, as a call stands (``voice.tone.*``).

Early media takes the place of the ringback, and gives it back as `early_sound.py` says. What a call that has
failed sounds like is [R]: the guides say what the busy and the congestion tone are for, but not for which
responses; nor for how long they are heard, as a user puts the handset down.
"""

from __future__ import annotations

from typing import NamedTuple

from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import CallState, Direction, ToneHeard, ToneKind
from phone_emulator.media.call_tone import parse
from phone_emulator.media.country_tones import COUNTRIES, CUSTOM
from phone_emulator.phone.seat import Seat

BUSY = frozenset({486, 600})
"""Responses of a far end that is busy (RFC 3261 sections 21.4.24 and 21.6.1)."""
AFTER_FAILURE = 5.0
"""Seconds of the tone of a call that could not be made."""


class Standing(NamedTuple):
    """What the tone depends on."""

    state: CallState
    direction: Direction
    rings: bool = False
    """Whether the far end has said that it rings: a 180."""
    early: bool = False
    """Whether the far end is heard before it answers."""
    was_up: bool = False
    failed: bool = False
    """Whether it was rejected or has failed."""
    status: int | None = None
    hung_up: bool = False
    """Whether the far end has ended it."""
    another_talks: bool = False
    """Whether the user talks in another call."""


def tone_of(call: Standing) -> ToneKind | None:
    """The tone that is heard while *call* stands so."""
    outgoing = call.direction is Direction.OUTGOING
    match call.state:
        case CallState.RINGING if outgoing:
            return ToneKind.RINGBACK if call.rings and not call.early else None
        case CallState.RINGING:
            return ToneKind.CALL_WAITING if call.another_talks else None
        case CallState.ENDED if call.was_up:
            return ToneKind.BUSY if call.hung_up else None
        case CallState.ENDED if outgoing and call.failed:
            return ToneKind.BUSY if call.status in BUSY else ToneKind.CONGESTION
    return None


def seconds_of(tone: ToneKind | None, call: Standing, config: PhoneConfig) -> float:
    """How long *tone* lasts where *call* is over (``features.busy_tone_delay``); else 0: as long as it is."""
    if tone is None or call.state is not CallState.ENDED:
        return 0.0
    return float(config.busy_tone_delay) if call.was_up else AFTER_FAILURE


def sound_of(tone: ToneKind, config: PhoneConfig) -> str:
    """How *tone* sounds (``voice.tone.country``), as ``voice.tone.*`` writes it."""
    country = COUNTRIES[config.tone_country]
    own, given = {
        ToneKind.RINGBACK: (country.ringback, config.tone_ring),
        ToneKind.BUSY: (country.busy, config.tone_busy),
        ToneKind.CONGESTION: (country.congestion, config.tone_congestion),
        ToneKind.CALL_WAITING: (country.call_waiting, config.tone_callwaiting),
    }[tone]
    return given or own if config.tone_country == CUSTOM else own


class Progress:
    """Tells the tone of one call, as it changes.

    Args:
        seat: its line.
        call: its id.
    """

    def __init__(self, seat: Seat, call: str) -> None:
        self._seat = seat
        self._call = call
        self.tone: ToneKind | None = None
        """What is heard now; of a call that is over, for a while."""
        self.heard: list[ToneKind] = []
        """What was heard, in that order."""

    def update(self, call: Standing) -> None:
        """The call stands as *call* says."""
        config = self._seat.context.config
        tone = tone_of(call)
        seconds = seconds_of(tone, call, config)
        if tone is ToneKind.CALL_WAITING and not config.call_waiting_tone:
            tone = None
        sound = "" if tone is None else sound_of(tone, config)
        if (tone is not None and parse(sound).silent) or (call.state is CallState.ENDED and not seconds):
            tone = None
        if tone is self.tone:
            return
        self.tone = tone
        if tone is not None:
            self.heard.append(tone)
        seat = self._seat
        seat.tell(
            ToneHeard(
                at=seat.now,
                line=seat.number,
                call=self._call,
                tone=tone,
                sound=sound if tone is not None else "",
                seconds=seconds if tone is not None else 0.0,
            )
        )
