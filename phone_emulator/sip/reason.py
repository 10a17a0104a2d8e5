"""Why a call was ended or refused, as the far end gives it: Reason (RFC 3326)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from phone_emulator.cleaning import clean
from phone_emulator.numbers import number

from .headers import LWS, TOKEN, mended, parameter, unquoted
from .message import Message, Response

MAX_REASONS = 8
"""Values of one message that are read."""
MAX_TEXT = 200
"""Characters of each that are told."""
MAX_CAUSE = 999
"""No protocol has a cause of more digits."""
ELSEWHERE = frozenset({("sip", 200), ("q.850", 26)})
"""Somebody else has taken the call: a server's "call completed elsewhere", "non-selected user clearing"."""


class Reason(NamedTuple):
    """One value."""

    protocol: str
    """``SIP``, ``Q.850``, as it was spelt."""
    cause: int | None
    """A status of that protocol."""
    text: str
    """For people; may be in any language."""

    def __str__(self) -> str:
        cause = "" if self.cause is None else f" {self.cause}"
        text = f' "{self.text}"' if self.text else ""
        return f"{self.protocol}{cause}{text}"


def reasons_of(message: Message) -> list[Reason]:
    """What *message* gives as its reasons; values that cannot be read are passed over."""
    if "Reason" not in message.headers:
        return []
    found = []
    for value in message.headers.values("Reason")[:MAX_REASONS]:
        protocol = value.partition(";")[0].strip(LWS)
        if TOKEN.fullmatch(protocol):
            cause = number(parameter(value, "cause") or "", MAX_CAUSE)
            text = mended(unquoted(parameter(value, "text") or ""))
            found.append(Reason(clean(protocol, MAX_TEXT), cause, clean(text.strip(), MAX_TEXT)))
    return found


def told(reasons: Iterable[Reason]) -> str:
    """*reasons* for people; empty for none."""
    return ", ".join(map(str, reasons))


def said_by(response: Response) -> str:
    """What *response* says, for people: ``486 Busy Here (Q.850 17 "User busy")``."""
    given = told(reasons_of(response))
    return f"{response.status} {response.reason}" + (f" ({given})" if given else "")


def completed_elsewhere(reasons: Iterable[Reason]) -> bool:
    """Whether *reasons* say that somebody else has taken the call."""
    return any((each.protocol.lower(), each.cause) in ELSEWHERE for each in reasons)
