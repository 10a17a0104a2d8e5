"""The words in which the end of a call is told; its JSON is fixed (``docs/guide.md``, "JSON")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

GONE = 481
"""The far end knows of no such call: it is over there (RFC 3261 section 15.1.2)."""


class EndedBy(StrEnum):
    """Who or what ended a call."""

    US = "us"
    """This phone, or whoever operates it."""
    THEM = "them"
    """The far end, or a server on the way."""
    TIMEOUT = "timeout"
    """Nobody: something did not come in time."""
    TRANSPORT = "transport"
    """Nobody: nothing could be sent."""


@dataclass(slots=True)
class Ended:
    """How a call ended; filled in while the message that ends it waits for its answer."""

    at: float
    """When it was ended: when that message left or came in, in seconds since the world began."""
    by: EndedBy
    detail: str
    """In one sentence for people."""
    method: str | None = None
    """Of the request that ended it, ``BYE`` or ``CANCEL``; None where none did."""
    answered: bool | None = None
    """Whether that request was answered; None where there was none, or while its answer is awaited."""
    reason: str = ""
    """What the far end gave as its Reason (RFC 3326): ``SIP 200 "Call completed elsewhere"``."""
    elsewhere: bool = False
    """Whether it said so that the call was answered elsewhere."""
    status: int | None = None
    """What it was answered with."""
    last_heard: float | None = None
    """When anything of the far end, a message or its sound, was heard last; None for never."""

    @property
    def accepted(self) -> bool:
        """Whether the request that ended it was answered so that it is over at the far end, too."""
        return self.status is not None and (self.status < 300 or self.status == GONE)

    @property
    def smooth(self) -> bool:
        """Whether this phone has hung up, and the far end knows it."""
        return self.by is EndedBy.US and self.answered is True and self.accepted

    def as_json(self) -> dict[str, Any]:
        """The end as the program prints it, within a call."""
        return {
            "at": round(self.at, 6),
            "by": str(self.by),
            "method": self.method,
            "answered": self.answered,
            "detail": self.detail,
            "reason": self.reason or None,
            "last_heard": None if self.last_heard is None else round(self.last_heard, 6),
        }
