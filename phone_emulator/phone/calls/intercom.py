"""Calls that the phone takes by itself: intercom (``features.intercom.*``) and auto answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phone_emulator.numbers import number
from phone_emulator.sip import values
from phone_emulator.sip.headers import after_address, split
from phone_emulator.sip.message import Request

LONGEST = 30
"""Seconds; a caller who asks for a later answer is not heard."""
ASKING = ("Alert-Info", "Call-Info")
"""Headers that say how a call is to be taken."""
AT_ONCE = frozenset({"auto answer", "auto-answer", "alert-autoanswer"})
"""What they say then, alone or as ``info``."""
_BLANKS = re.compile(r"\s+")
_ENDS = re.compile("[;<>]")
_QUOTING = re.compile(r"[\"'\\]")


def asked_delay(request: Request) -> float | None:
    """Seconds after which the caller asks the phone to answer by itself; None where it does not ask.

    ``intercom=true`` in the Request-URI, To, Alert-Info or Call-Info; in the latter two also ``Auto Answer``,
    ``info=alert-autoanswer`` (after ``delay=N`` seconds) and ``answer-after=N``.
    """
    if any(words(text).get("intercom") == "true" for text in _called(request)):
        return 0.0
    for name in ASKING:
        for value in request.headers.get_all(name):
            for part in split(value, ","):
                delay = _delay(words(part))
                if delay is not None:
                    return delay
    return None


def words(text: str) -> dict[str, str]:
    """What *text* says in words and parameters, in lower case: name -> value, empty for a bare word.

    The servers that send such headers agree on the words only: they stand alone, quoted, in brackets, as
    parameters of a URI that means nothing, or of no URI at all, with blanks anywhere.
    """
    said: dict[str, str] = {}
    for part in _ENDS.split(_QUOTING.sub("", text.lower())):
        name, _, value = (_BLANKS.sub(" ", each).strip() for each in part.partition("="))
        said.setdefault(name, value)
    return said


def _called(request: Request) -> Iterator[str]:
    """The parameters of those URIs that say whom the caller calls."""
    yield request.uri.rpartition("@")[2]
    to = request.headers.get("To") or ""
    yield after_address(to)
    try:
        yield values.uri_text(to).rpartition("@")[2].partition("?")[0]
    except ValueError:
        return


def _delay(said: dict[str, str]) -> float | None:
    """Seconds that one value of Alert-Info or Call-Info asks for."""
    if "answer-after" in said:
        asked = said["answer-after"]
    elif said.get("intercom") == "true" or said.get("info") in AT_ONCE or not AT_ONCE.isdisjoint(said):
        asked = said.get("delay", "0")
    else:
        return None
    after = number(asked, LONGEST)
    return None if after is None else float(after)
