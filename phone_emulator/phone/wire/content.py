"""Bodies of requests that the phone refuses because it does not understand them (RFC 3261 section 8.2.3)."""

from __future__ import annotations

from phone_emulator.sip.body import BESIDE, SDP, NotUnderstood, Part, read
from phone_emulator.sip.message import Request

from .answer import Answer

HARMLESS = (SDP, BESIDE)
"""Types that are understood where the body of a request is of no use to the phone."""


def read_body(request: Request, *types: str, unsaid: str = "") -> tuple[Part | None, Answer | None]:
    """The part of *request* that is of one of *types*, and what it is refused with; None for none.

    A part is refused where it must be understood, which it must unless its Content-Disposition says
    ``handling=optional`` (section 20.11), and is of another type, or encoded.

    Args:
        request: with a body or without.
        types: that are understood.
        unsaid: the type of a body that does not say it; empty where it has to.
    """
    try:
        return read(request, *types, unsaid=unsaid), None
    except NotUnderstood as error:
        return None, Answer(415, (error.header,))


def unreadable(request: Request, *types: str, unsaid: str = "") -> Answer | None:
    """What *request* is refused with for its body, where it is."""
    return read_body(request, *types, unsaid=unsaid)[1]


def unread(request: Request) -> Answer | None:
    """The same where the phone has no use for a body."""
    return unreadable(request, *HARMLESS, unsaid=BESIDE)
