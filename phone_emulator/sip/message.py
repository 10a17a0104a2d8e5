"""SIP messages: bytes in, objects out, and back (RFC 3261 section 7).

Reading checks what everybody relies on (start line, the headers each message must have, the length of the
body) and leaves the values as text. What needs the full grammar is parsed when asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import sipmessage

from phone_emulator.sip import values
from phone_emulator.sip.framing import MAX_SIZE, Framer, content_length
from phone_emulator.sip.headers import (
    KEYS,
    LWS,
    TOKEN,
    Headers,
    MessageError,
    key_of,
    mended,
    parameter,
    split,
    tag_of,
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
REMEMBERED = 4096
"""Header lines whose values are remembered: every message of a dialog repeats those of the first."""
MAX_REMEMBERED = 256
"""Characters of such a line."""
SCHEMES = ("sip", "sips", "tel")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)

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
        lines = [start]
        for key, line in self.headers.lines:
            if key == "content-length" and value_of(line) != str(len(self.body)):
                line = f"{line.partition(':')[0]}: {len(self.body)}"
            lines.append(line)
        if "Content-Length" not in self.headers:
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append("\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body

    @property
    def call_id(self) -> str:
        """Call-ID (RFC 3261 section 20.8)."""
        return self._required("Call-ID")

    @property
    def cseq(self) -> CSeq:
        """CSeq, taken apart. Raises MessageError when it is not a number below 2**32 and a method."""
        return _cseq(self._required("CSeq"))

    @property
    def branch(self) -> str | None:
        """The branch of the top Via, without the full grammar (RFC 3261 section 8.1.1.7)."""
        via = self.headers.get("Via") or ""
        return parameter(split(via, ",")[0] if "," in via else via, "branch") or None

    @property
    def from_tag(self) -> str | None:
        """The tag of From, without the full grammar."""
        return tag_of(self.headers.get("From") or "")

    @property
    def to_tag(self) -> str | None:
        """The tag of To, without the full grammar."""
        return tag_of(self.headers.get("To") or "")

    @property
    def top_via(self) -> sipmessage.Via:
        """The first Via. Raises MessageError when it breaks the grammar (RFC 3261 section 20.42)."""
        return _read_via(self.headers.first.get("via", ""))

    @property
    def from_address(self) -> sipmessage.Address:
        """From. Raises MessageError when it breaks the grammar (RFC 3261 section 20.20)."""
        return self._address("from", "From")

    @property
    def to_address(self) -> sipmessage.Address:
        """To. Raises MessageError when it breaks the grammar (RFC 3261 section 20.39)."""
        return self._address("to", "To")

    @property
    def contacts(self) -> list[sipmessage.Address]:
        """All Contacts; ``*`` is none. Raises MessageError when one breaks the grammar (section 20.10)."""
        headers = self.headers
        line = headers.first.get("contact")
        if line is None:
            return []
        if "," not in line and "*" not in line and len(headers.first) == len(headers):
            return [_read_address(line, "Contact")]
        texts = headers.values("Contact")
        return [_read_address(f"Contact:{text}", "Contact") for text in texts if text != "*"]

    def _address(self, key: str, name: str) -> sipmessage.Address:
        line = self.headers.first.get(key)
        if line is None:
            raise MessageError(f"{name}: missing or empty")
        return _read_address(line, name)

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if not value:
            raise MessageError(f"{name}: missing or empty")
        return value


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
    end = text.find(b"\r\n\r\n")
    if end < 0:
        raise MessageError(
            "no empty line ends the headers" if text else "empty: no message, only line ends at most"
        )
    start, lines = _lines(text[:end].decode("utf-8", "surrogateescape"))
    headers = Headers.from_lines(lines)
    first = headers.first
    if not first.keys() >= REQUIRED.keys():
        missing = ", ".join(name for key, name in REQUIRED.items() if key not in first)
        raise MessageError(f"{missing}: missing")
    if len(first) != len(lines):
        _check_single(lines)
    body = text[end + 4 :]
    if "content-length" in first:
        length = content_length(value_of(first["content-length"]))
        if length > len(body):
            raise MessageError(f"Content-Length is {length}, but only {len(body)} bytes of body came")
        body = body[:length]
    message = _start(start, headers, body, data)
    call_id = value_of(first["call-id"])
    if not call_id or not call_id.isascii():
        raise MessageError("Call-ID: expected ASCII text")
    method = _cseq(value_of(first["cseq"])).method
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
    names = ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"]
    if not 180 <= status <= 299:
        names.remove("Record-Route")
    if status == 100:
        names.append("Timestamp")
    headers = request.headers.select(*names)
    to = headers.get("To")
    if to_tag and to and request.to_tag is None:
        headers.set("To", f"{to};tag={to_tag}")
    for name, value in extra:
        headers.add(name, value)
    return Response(status, REASONS.get(status, "") if reason is None else reason, headers, body)


def _lines(head: str) -> tuple[str, list[tuple[str, str]]]:
    """Start line and (key, line) pairs of a header block."""
    texts = head.split("\r\n")
    flat = "".join(texts)
    if "\r" in flat or "\n" in flat:
        raise MessageError("a line of the headers ends in CR or LF alone; SIP lines end in CRLF")
    if "\0" in flat and "\0" in flat.replace("\\\0", ""):
        raise MessageError("the headers hold a NUL byte")
    start = texts.pop(0)
    try:
        lines = [(KEYS[name], line) for line in texts for name, _ in (line.split(":", 1),)]
    except (KeyError, ValueError):
        lines = _unusual_lines(texts)
    if len(lines) > MAX_HEADERS:
        raise MessageError(f"{len(lines)} header lines are more than {MAX_HEADERS}")
    return start, lines


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


@lru_cache(maxsize=1024)
def _cseq(value: str) -> CSeq:
    words = value.split()
    if len(words) != 2 or len(value) > 100 or not TOKEN.fullmatch(words[1]):
        raise MessageError("CSeq: expected a number and a method, like '1 INVITE'")
    if not (words[0].isascii() and words[0].isdigit() and int(words[0]) < 2**32):
        raise MessageError(f"CSeq: expected a number below 2**32, got {words[0][:20]!r}")
    return CSeq(int(words[0]), words[1])


def _check_single(lines: list[tuple[str, str]]) -> None:
    keys = [key for key, _ in lines]
    for key, name in SINGLE.items():
        if keys.count(key) > 1:
            raise MessageError(f"{name}: there may be one only, {keys.count(key)} came")


def _start(line: str, headers: Headers, body: bytes, raw: bytes) -> Request | Response:
    """Take the start line apart. Its text is not quoted in errors: a URI may hold a password."""
    head, _, rest = line.partition(" ")
    if head[:4].upper() == "SIP/":
        if head.upper() != "SIP/2.0":
            raise MessageError(f"SIP version: expected SIP/2.0, got {head[:20]!r}")
        digits, _, reason = rest.partition(" ")
        if not (len(digits) == 3 and digits.isascii() and digits.isdigit() and "100" <= digits <= "699"):
            raise MessageError(f"status: expected 100 to 699, got {digits[:20]!r}")
        return Response(int(digits), mended(reason), headers, body, raw)
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


@lru_cache(maxsize=REMEMBERED)
def _remembered_address(line: str) -> sipmessage.Address:
    return values.address(value_of(line))


@lru_cache(maxsize=REMEMBERED)
def _remembered_via(line: str) -> sipmessage.Via:
    return values.via(split(value_of(line), ",")[0])


def _read_address(line: str, name: str) -> sipmessage.Address:
    try:
        if len(line) <= MAX_REMEMBERED:
            return _remembered_address(line)
        return values.address(value_of(line))
    except ValueError:
        if not value_of(line):
            raise MessageError(f"{name}: missing or empty") from None
        raise _no(name) from None


def _read_via(line: str) -> sipmessage.Via:
    try:
        if len(line) <= MAX_REMEMBERED:
            return _remembered_via(line)
        return values.via(split(value_of(line), ",")[0])
    except ValueError:
        raise _no("Via") from None


def forget() -> None:
    """Forget the header lines that are remembered; for measuring."""
    for remembered in (_remembered_address, _remembered_via, _cseq):
        remembered.cache_clear()


def _no(name: str) -> MessageError:
    return MessageError(f"{name}: does not follow the grammar of RFC 3261")
