"""SIP messages: bytes in, objects out, and back (RFC 3261 section 7).

Reading checks what everybody relies on (start line, the headers each message must have, the length of the
body) and leaves the values as text. What needs the full grammar is parsed when asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, NoReturn

import sipmessage

from phone_emulator.sip import values
from phone_emulator.sip.framing import MAX_SIZE, Framer, content_length
from phone_emulator.sip.headers import (
    BEGINNINGS,
    LWS,
    TOKEN,
    Headers,
    MessageError,
    key_of,
    line_of,
    mended,
    parameter,
    split,
    tag_in,
    value_of,
)

__all__ = [
    "REASONS",
    "CSeq",
    "Framer",
    "Headers",
    "Message",
    "MessageError",
    "Request",
    "Response",
    "parse",
    "response_to",
]

MAX_HEADERS = 200
MAX_REMEMBERED = 256
"""Characters of a header line whose value is remembered: a dialog repeats those of its first message."""
SCHEMES = ("sip", "sips", "tel")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)
STATUSES = {str(status): status for status in range(100, 700)}

METHODS = {
    *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER"),
    *("REGISTER", "SUBSCRIBE", "UPDATE"),
}
"""The usual methods; any other token is one as well."""

REASONS: dict[int, str] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    417: "Unknown Resource-Priority",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    424: "Bad Location Information",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    469: "Bad Info Package",
    470: "Consent Needed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    555: "Push Notification Service Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}

REQUIRED = {"via": "Via", "from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}
"""What every message carries (RFC 3261 sections 8.1.1 and 8.2.6.2)."""

SINGLE = {**REQUIRED, "content-length": "Content-Length", "max-forwards": "Max-Forwards"}
del SINGLE["via"]


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


def parse(data: bytes) -> Request | Response:
    """One whole message, as in a datagram.

    Empty lines before it are passed over; without Content-Length the body is all that follows the headers,
    with one the excess is dropped (RFC 3261 sections 7.5 and 18.3). Raises MessageError.
    """
    if len(data) > MAX_SIZE:
        raise MessageError(f"{len(data)} bytes are more than a message may have ({MAX_SIZE})")
    text = data if data[:1] not in b"\r\n" else data.lstrip(b"\r\n")
    head, end, body = text.partition(b"\r\n\r\n")
    if not end:
        raise MessageError(
            "no empty line ends the headers" if text else "empty: no message, only line ends at most"
        )
    start, headers = _head(head.decode("utf-8", "surrogateescape"))
    first = headers.first
    if not ("via" in first and "from" in first and "to" in first and "call-id" in first and "cseq" in first):
        missing = ", ".join(name for key, name in REQUIRED.items() if key not in first)
        raise MessageError(f"{missing}: missing")
    if not headers.unique:
        _check_single(headers.lines)
    if "content-length" in first:
        named = first["content-length"]
        length = _remembered_length(named) if len(named) <= MAX_REMEMBERED else _length(named)
        if length > len(body):
            raise MessageError(f"Content-Length is {length}, but only {len(body)} bytes of body came")
        body = body[:length]
    message = _start(start, headers, body, data)
    call_id = value_of(first["call-id"])
    if not call_id or not call_id.isascii():
        raise MessageError("Call-ID: expected ASCII text")
    method = _read_cseq(first["cseq"]).method
    if isinstance(message, Request) and method != message.method:
        raise MessageError(f"CSeq names {method[:20]}, but the request is {message.method[:20]}")
    return message


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


def _head(head: str) -> tuple[str, Headers]:
    """Start line and headers of what comes before the empty line."""
    texts = head.split("\r\n")
    flat = "".join(texts)
    if "\r" in flat or "\n" in flat:
        raise MessageError("a line of the headers ends in CR or LF alone; SIP lines end in CRLF")
    if "\0" in flat and "\0" in flat.replace("\\\0", ""):
        raise MessageError("the headers hold a NUL byte")
    start = texts.pop(0)
    try:
        first = {BEGINNINGS[line.partition(" ")[0]]: line for line in texts}
    except KeyError:
        lines = _unusual_lines(texts)
    else:
        if len(first) == len(texts) <= MAX_HEADERS:
            return start, Headers.from_unique(first)
        lines = [(BEGINNINGS[line.partition(" ")[0]], line) for line in texts]
    if len(lines) > MAX_HEADERS:
        raise MessageError(f"{len(lines)} header lines are more than {MAX_HEADERS}")
    return start, Headers.from_lines(lines)


def _unusual_lines(texts: list[str]) -> list[tuple[str, str]]:
    """(key, line) pairs with names unusual or lines folded; a folded line stays one (section 7.3.1)."""
    lines: list[tuple[str, str]] = []
    folds: dict[int, list[str]] = {}
    for text in texts:
        if text[:1] in (" ", "\t"):
            if not lines:
                raise MessageError("the first header line begins with a blank, but continues nothing")
            folds.setdefault(len(lines) - 1, [lines[-1][1]]).append(text)
            continue
        name, colon, _ = text.partition(":")
        name = name.rstrip(LWS)
        if not colon or not TOKEN.fullmatch(name):
            raise MessageError(f"header line {len(lines) + 1} does not begin with a name and a colon")
        lines.append((key_of(name), text))
    for place, parts in folds.items():
        lines[place] = (lines[place][0], "\r\n".join(parts))
    return lines


def _check_single(lines: list[tuple[str, str]]) -> None:
    keys = [key for key, _ in lines]
    for key, name in SINGLE.items():
        if keys.count(key) > 1:
            raise MessageError(f"{name}: there may be one only, {keys.count(key)} came")


def _start(line: str, headers: Headers, body: bytes, raw: bytes) -> Request | Response:
    """Take the start line apart. Its text is not quoted in errors: a URI may hold a password."""
    head, _, rest = line.partition(" ")
    if head not in METHODS and head[:4].upper() == "SIP/":
        if head.upper() != "SIP/2.0":
            raise MessageError(f"SIP version: expected SIP/2.0, got {head[:20]!r}")
        digits, _, reason = rest.partition(" ")
        if digits not in STATUSES:
            raise MessageError(f"status: expected 100 to 699, got {digits[:20]!r}")
        return Response(STATUSES[digits], mended(reason), headers, body, raw)
    uri, _, version = rest.rpartition(" ")
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        got = repr(version[:20]) if version[:4].upper() == "SIP/" else "something else"
        raise MessageError(
            f"SIP version: expected SIP/2.0 at the end of the first line, got {got}",
            505 if VERSION.fullmatch(version) else 400,
        )
    if head not in METHODS and not TOKEN.fullmatch(head):
        raise MessageError("the first line does not begin with a method")
    if not uri or " " in uri or "\t" in uri or uri[0] == "<" or not uri.isascii():
        raise MessageError("Request-URI: expected one URI, in ASCII, without blanks or angle brackets")
    return Request(head, uri, headers, body, raw)


def _cseq(line: str) -> CSeq:
    value = value_of(line)
    words = value.split()
    if len(words) != 2 or len(value) > 100 or not TOKEN.fullmatch(words[1]):
        raise MessageError("CSeq: expected a number and a method, like '1 INVITE'")
    if not (words[0].isascii() and words[0].isdigit() and int(words[0]) < 2**32):
        raise MessageError(f"CSeq: expected a number below 2**32, got {words[0][:20]!r}")
    return CSeq(int(words[0]), words[1])


def _length(line: str) -> int:
    return content_length(value_of(line))


_remembered_address = lru_cache(maxsize=values.REMEMBERED)(values.address_in)
_remembered_cseq = lru_cache(maxsize=values.REMEMBERED)(_cseq)
_remembered_length = lru_cache(maxsize=values.REMEMBERED)(_length)


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
    for remembered in (_remembered_address, _remembered_cseq, _remembered_length):
        remembered.cache_clear()
    values.forget()


def _missing(name: str) -> NoReturn:
    raise MessageError(f"{name}: missing or empty") from None


def _no(name: str) -> MessageError:
    return MessageError(f"{name}: does not follow the grammar of RFC 3261")
