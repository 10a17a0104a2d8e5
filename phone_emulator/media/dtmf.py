"""DTMF digits as telephone events in RTP (RFC 4733, which replaced RFC 2833) and in bodies of INFO."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from .rtp import Packet

DIGITS = "0123456789*#ABCD"
"""Each digit at the place of its event (RFC 4733 section 3.2)."""

_EVENT = struct.Struct("!BBH")
_REMEMBERED = 16
"""Events whose packets may still come late."""
CLOCK = 8000
"""Units of a duration in a second (``telephone-event/8000``)."""
_RATE = CLOCK // 1000
"""Units of the clock in a millisecond."""
LONGEST_MS = 0xFFFF // _RATE
"""A single event is no longer than its duration field says."""


class DtmfError(ValueError):
    """No digit, or no telephone event; the text says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """The payload of a telephone event (RFC 4733 section 2.3)."""

    event: int
    """0..255; 0..15 are the digits."""
    end: bool
    volume: int
    """dBm0 without the minus sign, 0..63."""
    duration: int
    """Since the event began, in units of the clock."""

    def pack(self) -> bytes:
        """The four octets; raises DtmfError for a number that does not fit."""
        if not 0 <= self.volume < 64:
            raise DtmfError(f"the volume of a telephone event is 0..63, not {self.volume}")
        try:
            return _EVENT.pack(self.event, self.end << 7 | self.volume, self.duration)
        except struct.error as error:
            raise DtmfError(f"a number does not fit the telephone event: {error}") from None


def event_of(digit: str) -> int:
    """The event of *digit*, 0..15; raises DtmfError."""
    event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if event < 0:
        raise DtmfError(f"{digit!r} is no DTMF digit; they are {DIGITS}")
    return event


def parse_event(payload: bytes) -> Event:
    """The event in *payload*, the first if there are several; raises DtmfError."""
    if len(payload) < _EVENT.size:
        raise DtmfError(f"{len(payload)} bytes are too few for a telephone event of {_EVENT.size}")
    event, flags, duration = _EVENT.unpack_from(payload)
    return Event(event, bool(flags & 0x80), flags & 0x3F, duration)


def digit_packets(
    digit: str,
    *,
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    duration_ms: int = 100,
    ptime_ms: int = 20,
    repetition: int = 3,
    volume: int = 10,
) -> list[Packet]:
    """The packets of one digit, to be sent *ptime_ms* apart (RFC 4733 section 2.5.1); raises DtmfError.

    Args:
        digit: one of DIGITS.
        payload_type: of the telephone events (``account.X.dtmf.dtmf_payload``).
        sequence: of the first packet; the others follow, those of the end too.
        timestamp: of the digit's beginning; the same in all packets.
        duration_ms: ``features.dtmf.duration``.
        repetition: how often the packet of the end is sent (``features.dtmf.repetition``).
        volume: dBm0 without the minus sign (``features.dtmf.volume``).
    """
    event = event_of(digit)
    if not 0 < duration_ms <= LONGEST_MS:
        raise DtmfError(f"a digit lasts 1..{LONGEST_MS} ms, not {duration_ms}")
    growing = [Event(event, False, volume, at * _RATE) for at in range(ptime_ms, duration_ms, ptime_ms)]
    ending = [Event(event, True, volume, duration_ms * _RATE)] * max(repetition, 1)
    return [
        Packet(payload_type, (sequence + n) & 0xFFFF, timestamp, ssrc, state.pack(), marker=n == 0)
        for n, state in enumerate(growing + ending)
    ]


class DigitReceiver:
    """Finds the digits in telephone events: each once, however many of its packets come, in any order."""

    def __init__(self) -> None:
        self._heard: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def receive(self, packet: Packet) -> str | None:
        """The digit that begins with *packet*; None if it has begun before or is none.

        Raises DtmfError for a payload that is no telephone event.
        """
        event = parse_event(packet.payload)
        key = packet.ssrc, packet.timestamp
        if event.event >= len(DIGITS) or key in self._heard:
            return None
        self._heard.append(key)
        return DIGITS[event.event]


def info_body(digit: str, duration_ms: int, info_type: int, volume: int = 10) -> tuple[str, bytes]:
    """The Content-Type and body of an INFO for *digit*; raises DtmfError.

    The body of type 3 is documented nowhere; this is the payload of RFC 4733 under its registered type.

    Args:
        digit: one of DIGITS.
        duration_ms: ``features.dtmf.duration``.
        info_type: ``account.X.dtmf.info_type``: 1 DTMF-Relay, 2 DTMF, 3 Telephone-Event.
        volume: dBm0 without the minus sign (``features.dtmf.volume``); only type 3 tells it.
    """
    event = event_of(digit)
    match info_type:
        case 1:
            return "application/dtmf-relay", f"Signal={DIGITS[event]}\r\nDuration={duration_ms}\r\n".encode()
        case 2:
            return "application/dtmf", DIGITS[event].encode()
        case 3:
            return "audio/telephone-event", Event(event, True, volume, duration_ms * _RATE).pack()
    raise DtmfError(f"account.X.dtmf.info_type is 1, 2 or 3, not {info_type}")
