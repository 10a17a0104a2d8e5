"""The parser: bytes in, messages out (RFC 3261 section 7).

It checks what everybody relies on (start line, the headers each message must have, the length of the body)
and leaves the values as text.
"""

from __future__ import annotations

import re
from functools import lru_cache

from . import line_ends, values
from . import message as messages
from .framing import MAX_SIZE, content_length
from .headers import BEGINNINGS, LWS, TOKEN, Headers, MessageError, key_of, mended, value_of
from .message import MAX_REMEMBERED, METHODS, Request, Response

MAX_HEADERS = 200
VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)
STATUSES = {str(status): status for status in range(100, 700)}

REQUIRED = {"via": "Via", "from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}
"""What every message carries (RFC 3261 sections 8.1.1 and 8.2.6.2)."""

SINGLE = {**REQUIRED, "content-length": "Content-Length", "max-forwards": "Max-Forwards"}
del SINGLE["via"]


def parse(data: bytes) -> Request | Response:
    """One whole message, as in a datagram.

    Empty lines before it are passed over; without Content-Length the body is all that follows the headers,
    with one the excess is dropped (RFC 3261 sections 7.5 and 18.3). Line ends that other phones take are
    taken (`line_ends`). Raises MessageError.
    """
    if len(data) > MAX_SIZE:
        raise MessageError(f"{len(data)} bytes are more than a message may have ({MAX_SIZE})")
    try:
        return _parse(data, data)
    except MessageError:
        mended = line_ends.mended(data)
        if mended is None:
            raise
    return _parse(mended, data)


def _parse(data: bytes, raw: bytes) -> Request | Response:
    """The message in *data*, which came as *raw*."""
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
    message = _start(start, headers, body, raw)
    call_id = value_of(first["call-id"])
    if not call_id or not call_id.isascii():
        raise MessageError("Call-ID: expected ASCII text")
    method = message.cseq.method
    if isinstance(message, Request) and method != message.method:
        raise MessageError(f"CSeq names {method[:20]}, but the request is {message.method[:20]}")
    return message


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


def _length(line: str) -> int:
    return content_length(value_of(line))


_remembered_length = lru_cache(maxsize=values.REMEMBERED)(_length)


def forget() -> None:
    """Forget the header lines that are remembered; for measuring."""
    _remembered_length.cache_clear()
    messages.forget()
