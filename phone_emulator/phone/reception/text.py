"""Text messages that come in (RFC 3428)."""

from __future__ import annotations

from phone_emulator.events import TextReceived
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.answer import Answer
from phone_emulator.sip.body import encoded, part_of
from phone_emulator.sip.headers import mended, parameter, unquoted
from phone_emulator.sip.message import Request

CONTENT_TYPE = "text/plain"
LONGEST = 2000
"""Characters of a message that are told."""
CHARSETS = frozenset({"us-ascii", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16"})
"""Read beside UTF-8, which all else counts as: Python knows codecs that cost, and remembers unknown names."""


def received(seat: Seat, request: Request) -> Answer:
    """Tell the MESSAGE *request* to the line of *seat*; its answer.

    Raises MessageError where its sender cannot be read.
    """
    declared = request.headers.get("Content-Type") or CONTENT_TYPE
    body = part_of(request, CONTENT_TYPE) if "Content-Type" in request.headers else request.body
    if request.body and not body:
        return Answer(415, (("Accept", CONTENT_TYPE),))
    if encoded(request):
        return Answer(415, (("Accept-Encoding", "identity"),))
    sender = request.from_address
    seat.tell(
        TextReceived(
            at=seat.now,
            line=seat.number,
            sender=mended(sender.uri.user or str(sender.uri)),
            text=_decoded(body, parameter(declared, "charset") or "utf-8")[:LONGEST],
        )
    )
    return Answer(200)


def _decoded(body: bytes, charset: str) -> str:
    named = unquoted(charset).lower()
    return body.decode(named if named in CHARSETS else "utf-8", "replace")
