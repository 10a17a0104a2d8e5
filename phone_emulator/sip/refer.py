"""The words of a transfer: Refer-To (RFC 3515), Replaces (RFC 3891), message/sipfrag (RFC 3420).

Texts in, values out, and back; what a transfer does with them is :mod:`phone_emulator.phone.transfer`.
Everything read here was written by a peer: it is bounded, and raises MessageError where it cannot be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from . import values
from .headers import LWS, TOKEN
from .message import Headers, MessageError
from .statuses import REASONS
from .uri_request import MAX_LENGTH, UriRequest, request_of

SIPFRAG = "message/sipfrag"
SIPFRAG_2_0 = f"{SIPFRAG};version=2.0"
"""How it is written (RFC 3420 section 4)."""

_CALL_ID = re.compile(r"[!-+\--:<-~]+")
"""What a Call-ID within Replaces may hold: anything printable but a comma and a semicolon."""
_STATUS_LINE = re.compile(
    r"[\r\n]*SIP/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+([^\r\n]{0,200}))?[ \t]*(?:\r?\n|$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog that an INVITE is to take the place of, as its recipient knows it (RFC 3891 section 6.1)."""

    call_id: str
    to_tag: str
    """The recipient's own tag."""
    from_tag: str
    """The tag of the recipient's peer."""
    early_only: bool = False
    """Only while that dialog is early."""

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    def names(self, call_id: str, local_tag: str, remote_tag: str) -> bool:
        """Whether it means the dialog with these; a tag of 0 also means that there is none (section 3)."""
        return (
            self.call_id == call_id
            and self.to_tag in (local_tag, *([] if local_tag else ["0"]))
            and self.from_tag in (remote_tag, *([] if remote_tag else ["0"]))
        )


def refer_to(uri: str, replaces: Replaces | None = None) -> str:
    """A Refer-To value for *uri*; the new call is to take the place of *replaces*."""
    if replaces is None:
        return f"<{uri}>"
    return f"<{uri}?Replaces={quote(str(replaces), safe='')}>"


def parse_refer_to(text: str) -> UriRequest:
    """A Refer-To value; raises MessageError: 400, or 416 for a scheme that the phone cannot call."""
    if len(text) > MAX_LENGTH:
        raise MessageError(f"Refer-To is longer than {MAX_LENGTH} characters")
    try:
        uri = values.uri_text(text)
    except ValueError as error:
        raise MessageError(f"Refer-To: {error}") from None
    return request_of(uri, "Refer-To")


def parse_replaces(text: str) -> Replaces:
    """A Replaces value; raises MessageError."""
    if len(text) > MAX_LENGTH:
        raise MessageError(f"Replaces is longer than {MAX_LENGTH} characters")
    # Without regard to quotes and brackets: a Call-ID may hold any of them (RFC 3261 section 25.1, word).
    call_id, *parameters = (part.strip(LWS) for part in text.split(";"))
    if not _CALL_ID.fullmatch(call_id):
        raise MessageError("Replaces: no Call-ID")
    found: dict[str, str] = {}
    for each in parameters:
        name, _, value = each.partition("=")
        name, value = name.strip(LWS).lower(), value.strip(LWS)
        if name in found:
            raise MessageError(f"Replaces: {name} stands there twice")
        found[name] = value
    for name in ("to-tag", "from-tag"):
        if not TOKEN.fullmatch(found.get(name, "")):
            raise MessageError(f"Replaces: no {name}")
    return Replaces(call_id, found["to-tag"], found["from-tag"], "early-only" in found)


def replaces_of(headers: Headers) -> Replaces | None:
    """What a request is to replace; raises MessageError for two, for one beside Join, or a bad one."""
    given = headers.get_all("Replaces")
    if not given:
        return None
    if len(given) > 1 or "," in given[0]:
        raise MessageError("Replaces: a request can replace one dialog only")
    if "Join" in headers:
        raise MessageError("Replaces and Join exclude each other")
    return parse_replaces(given[0])


def sipfrag(status: int, reason: str = "") -> bytes:
    """The body of a NOTIFY that tells how far a referred call is: a status line (RFC 3515 section 2.4.4)."""
    words = reason or REASONS.get(status, "")
    return f"SIP/2.0 {status} {words}\r\n".encode()


def parse_sipfrag(body: bytes) -> tuple[int, str] | None:
    """Status and reason of the response that *body* tells, or None where it tells none."""
    match = _STATUS_LINE.match(body[:MAX_LENGTH].decode("utf-8", "replace"))
    if match is None:
        return None
    reason = "".join(character for character in match[2] or "" if character.isprintable())
    return int(match[1]), reason.strip() or REASONS.get(int(match[1]), "")
