"""SIP messages as objects, and back to bytes (RFC 3261 section 7); ``parser`` makes them of bytes.

The values of headers are text. What needs the full grammar is parsed when asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, NoReturn

import sipmessage

from phone_emulator.numbers import MAX_UINT32, number
from phone_emulator.sip import values
from phone_emulator.sip.headers import (
    LWS,
    TOKEN,
    Headers,
    MessageError,
    line_of,
    parameter,
    split,
    tag_in,
    value_of,
)
from phone_emulator.sip.statuses import REASONS

__all__ = [
    "CSeq",
    "Headers",
    "Message",
    "MessageError",
    "Request",
    "Response",
    "response_to",
]

MAX_REMEMBERED = 256
"""Characters of a header line whose value is remembered: a dialog repeats those of its first message."""
SCHEMES = ("sip", "sips", "tel")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")

METHODS = {
    *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER"),
    *("REGISTER", "SUBSCRIBE", "UPDATE"),
}
"""The usual methods; any other token is one as well."""

_COPIED = ("via", "from", "to", "call-id", "cseq")
"""What a response copies."""
_COPIED_BY = {
    100: (*_COPIED, "timestamp"),
    **dict.fromkeys(range(180, 300), ("via", "record-route", *_COPIED[1:])),
}
"""The same of a 100, and of those with which a dialog may begin."""


class CSeq(NamedTuple):
    """RFC 3261 section 20.16."""

    number: int
    method: str


class Message:
    """What requests and responses share."""

    __slots__ = ("body", "headers", "raw")

    headers: Headers
    body: bytes
    raw: bytes | None
    """The bytes as received; None for a message made here."""

    def start_line(self) -> str:
        """The first line, without its line end."""
        raise NotImplementedError

    def to_bytes(self) -> bytes:
        """The message as it goes out. Content-Length is made right, and added last when absent.

        Raises MessageError when the start line holds a line break.
        """
        start = self.start_line()
        if "\r" in start or "\n" in start:
            raise MessageError("the start line cannot hold a line break")
        headers, length = self.headers, len(self.body)
        named = headers.first.get("content-length")
        if named is None:
            lines = (start, *headers.texts, f"{headers.LENGTH}: {length}", "\r\n")
        elif value_of(named) == str(length):
            lines = (start, *headers.texts, "\r\n")
        else:
            right = f"{named.partition(':')[0]}: {length}"
            texts = (right if key == "content-length" else line for key, line in headers.lines)
            lines = (start, *texts, "\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body

    @property
    def call_id(self) -> str:
        """Call-ID (RFC 3261 section 20.8)."""
        return value_of(self.headers.first.get("call-id", "")) or _missing("Call-ID")

    @property
    def cseq(self) -> CSeq:
        """CSeq, taken apart. Raises MessageError when it is not a number below 2**32 and a method."""
        line = self.headers.first.get("cseq")
        return _read_cseq(line) if line else _missing("CSeq")

    @property
    def branch(self) -> str | None:
        """The branch of the top Via, without the full grammar (RFC 3261 section 8.1.1.7)."""
        line = self.headers.first.get("via", "")
        _, found, rest = line.partition(";branch=")
        if found and "," not in line and '"' not in line and "\r" not in line:
            return rest.partition(";")[0].strip(LWS) or None
        return parameter(split(value_of(line), ",")[0], "branch") or None

    @property
    def from_tag(self) -> str | None:
        """The tag of From, without the full grammar."""
        return tag_in(self.headers.first.get("from", ""))

    @property
    def to_tag(self) -> str | None:
        """The tag of To, without the full grammar."""
        return tag_in(self.headers.first.get("to", ""))

    @property
    def via(self) -> values.Via:
        """The first Via in its parts. Raises MessageError when it breaks the grammar (section 20.42)."""
        try:
            return values.top_via(self.headers.first.get("via", ""))
        except ValueError:
            raise _no("Via") from None

    @property
    def from_(self) -> values.Address:
        """From in its parts. Raises MessageError when it breaks the grammar (RFC 3261 section 20.20)."""
        return _read_address(self.headers.first.get("from", ""), "From")

    @property
    def to(self) -> values.Address:
        """To in its parts. Raises MessageError when it breaks the grammar (RFC 3261 section 20.39)."""
        return _read_address(self.headers.first.get("to", ""), "To")

    @property
    def contact_list(self) -> list[values.Address]:
        """All Contacts in their parts; ``*`` is none. Raises MessageError when one breaks the grammar."""
        headers = self.headers
        line = headers.first.get("contact")
        if line is None:
            return []
        if "," not in line and "*" not in line and headers.unique:
            return [_read_address(line, "Contact")]
        texts = headers.values("Contact")
        return [_read_address(f"Contact:{text}", "Contact") for text in texts if text != "*"]

    @property
    def top_via(self) -> sipmessage.Via:
        """The first Via as an object of ``sipmessage``. Raises MessageError as ``via`` does."""
        return self.via.object()

    @property
    def from_address(self) -> sipmessage.Address:
        """From as an object of ``sipmessage``. Raises MessageError as ``from_`` does."""
        return self.from_.object()

    @property
    def to_address(self) -> sipmessage.Address:
        """To as an object of ``sipmessage``. Raises MessageError as ``to`` does."""
        return self.to.object()

    @property
    def contacts(self) -> list[sipmessage.Address]:
        """All Contacts as objects of ``sipmessage``. Raises MessageError as ``contact_list`` does."""
        return [contact.object() for contact in self.contact_list]


class Request(Message):
    """A request (RFC 3261 section 7.1)."""

    __slots__ = ("method", "uri")

    def __init__(
        self,
        method: str,
        uri: str,
        headers: Headers | None = None,
        body: bytes = b"",
        raw: bytes | None = None,
    ) -> None:
        self.method = method
        self.uri = uri
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.raw = raw

    def start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"

    @property
    def request_uri(self) -> sipmessage.URI:
        """``uri`` parsed. Raises MessageError when it is no SIP, SIPS or TEL URI (416 for other schemes)."""
        scheme, colon, _ = self.uri.partition(":")
        if colon and scheme.lower() not in SCHEMES and SCHEME.fullmatch(scheme):
            raise MessageError(f"Request-URI: expected sip, sips or tel, got {scheme[:20]}", 416)
        try:
            return values.uri(self.uri)
        except ValueError:
            raise _no("Request-URI") from None

    def __repr__(self) -> str:
        return f"<Request {self.method}>"


class Response(Message):
    """A response (RFC 3261 section 7.2)."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str,
        headers: Headers | None = None,
        body: bytes = b"",
        raw: bytes | None = None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.raw = raw

    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


def response_to(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    extra: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """The response to *request*: Via, Record-Route (18x and 2xx), From, To, Call-ID, CSeq, then *extra*.

    *to_tag* is added to To unless it has a tag already (RFC 3261 section 8.2.6).
    """
    headers = request.headers.select(_COPIED_BY.get(status, _COPIED))
    if to_tag:
        _tag(headers, to_tag)
    for name, value in extra:
        headers.add(name, value)
    return Response(status, REASONS.get(status, "") if reason is None else reason, headers, body)


def _tag(headers: Headers, tag: str) -> None:
    """Add *tag* to To, where it has none."""
    line = headers.first.get("to", "")
    if line[-1:] == ">" and line[:4] == "To: " and tag.isalnum():
        headers.set_line("to", f"{line};tag={tag}")  # as nearly all are
    elif tag_in(line) is None and (value := value_of(line)):
        headers.set_line("to", line_of("To", f"{value};tag={tag}"))


def _cseq(line: str) -> CSeq:
    value = value_of(line)
    words = value.split()
    if len(words) != 2 or len(value) > 100 or not TOKEN.fullmatch(words[1]):
        raise MessageError("CSeq: expected a number and a method, like '1 INVITE'")
    count = number(words[0], MAX_UINT32)
    if count is None:
        raise MessageError(f"CSeq: expected a number below 2**32, got {words[0][:20]!r}")
    return CSeq(count, words[1])


_remembered_address = lru_cache(maxsize=values.REMEMBERED)(values.address_in)
_remembered_cseq = lru_cache(maxsize=values.REMEMBERED)(_cseq)


def _read_address(line: str, name: str) -> values.Address:
    try:
        return _remembered_address(line) if len(line) <= MAX_REMEMBERED else values.address_in(line)
    except ValueError:
        if not value_of(line):
            _missing(name)
        raise _no(name) from None


def _read_cseq(line: str) -> CSeq:
    return _remembered_cseq(line) if len(line) <= MAX_REMEMBERED else _cseq(line)


def forget() -> None:
    """Forget the header lines that are remembered; for measuring."""
    for remembered in (_remembered_address, _remembered_cseq):
        remembered.cache_clear()
    values.forget()


def _missing(name: str) -> NoReturn:
    raise MessageError(f"{name}: missing or empty") from None


def _no(name: str) -> MessageError:
    return MessageError(f"{name}: does not follow the grammar of RFC 3261")
