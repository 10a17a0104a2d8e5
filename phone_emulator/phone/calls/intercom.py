"""Calls that the phone takes by itself: intercom (``features.intercom.*``) and auto answer."""

from __future__ import annotations

import re

from phone_emulator.numbers import number
from phone_emulator.sip.headers import after_address, parameter, split, unquoted
from phone_emulator.sip.message import Request

LONGEST = 30
"""Seconds; a caller who asks for a later answer is not heard."""
_INTERCOM = re.compile(r";\s*intercom\s*=\s*true\s*(?:[;?>]|$)", re.IGNORECASE)
"""The parameter of a URI."""


def asked_delay(request: Request) -> float | None:
    """Seconds after which the caller asks the phone to answer by itself; None where it does not ask.

    ``intercom=true`` in the Request-URI or To, ``Alert-Info: Auto Answer``, ``info=alert-autoanswer``, or
    ``answer-after=N`` in Alert-Info or Call-Info.
    """
    to = request.headers.get("To") or ""
    if any(map(_INTERCOM.search, (request.uri, to))):
        return 0.0
    for name in ("Alert-Info", "Call-Info"):
        for value in request.headers.get_all(name):
            for part in split(value, ","):
                delay = _delay(part)
                if delay is not None:
                    return delay
    return None


def _delay(value: str) -> float | None:
    words = value.strip().lower()
    if words.startswith("auto answer"):
        return 0.0
    parameters = after_address(words)
    if unquoted(parameter(parameters, "info") or "") == "alert-autoanswer":
        return 0.0
    after = number(parameter(parameters, "answer-after") or "", LONGEST)
    return None if after is None else float(after)
