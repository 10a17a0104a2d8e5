"""INFO within a call: the digits that the far end sends (``account.X.dtmf.type`` 2 and 3)."""

from __future__ import annotations

import re

from phone_emulator.events import DigitWay
from phone_emulator.media import dtmf
from phone_emulator.numbers import number
from phone_emulator.phone.calls.call import Call
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.phone.wire.content import read_body
from phone_emulator.sip.body import media_type
from phone_emulator.sip.message import Request

RELAY = "application/dtmf-relay"
EVENT = "audio/telephone-event"
TYPES = (RELAY, "application/dtmf", EVENT)
LONGEST = 1000
"""Bytes of a body that are looked at."""
LONGEST_DIGIT = 999_999
"""Milliseconds; a digit that lasts longer has no duration."""
_SIGNAL = re.compile(r"^\s*Signal\s*=\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
_DURATION = re.compile(r"^\s*Duration\s*=\s*([0-9]+)\s*$", re.IGNORECASE | re.MULTILINE)


def received(call: Call, request: Request) -> Answer:
    """Take the INFO *request* of *call*; its answer.

    One without a body is a question whether the call is still up (RFC 2976); packages (RFC 6086) are none of
    the phone's.
    """
    if "Info-Package" in request.headers:
        return Answer(469, (("Recv-Info", ""),))
    part, refusal = read_body(request, *TYPES)
    if part is None:
        return refusal or Answer(200)
    try:
        digit, duration = _digit(media_type(part.content_type), part.body[:LONGEST])
    except dtmf.DtmfError:
        return Answer(400)
    call.session.pressed(digit, DigitWay.INFO, duration)
    return Answer(200)


def _digit(kind: str, body: bytes) -> tuple[str, int]:
    """The digit in *body*, and its milliseconds; raises DtmfError."""
    if kind == EVENT:
        event = dtmf.parse_event(body)
        if event.event >= len(dtmf.DIGITS):
            raise dtmf.DtmfError(f"telephone event {event.event} is no digit")
        return dtmf.DIGITS[event.event], event.duration // 8
    text = body.decode("utf-8", "replace")
    if kind != RELAY:
        return dtmf.DIGITS[dtmf.event_of(text.strip())], 0
    signal, duration = _SIGNAL.search(text), _DURATION.search(text)
    if signal is None:
        raise dtmf.DtmfError("no Signal")
    return dtmf.DIGITS[dtmf.event_of(signal[1])], (number(duration[1], LONGEST_DIGIT) or 0) if duration else 0
