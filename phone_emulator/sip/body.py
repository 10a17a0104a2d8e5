"""Message bodies: which part of one is of the type that is asked for (RFC 5621, RFC 2046 section 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .headers import FOLD, LWS, parameter
from .message import Message, Response

SDP = "application/sdp"
MULTIPART = "multipart/"
MAX_PARTS = 20
"""Parts of one body that are looked at."""
MAX_DEPTH = 3
"""How deep parts may lie within parts."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


def media_type(content_type: str) -> str:
    """The type in a Content-Type value, in lower case and without parameters."""
    return content_type.partition(";")[0].strip(LWS).lower()


def part_of(message: Message, wanted: str) -> bytes:
    """The body of *message*, or the first part of it, that is of the type *wanted*; empty where none is.

    A response whose body says nothing of its type is taken at its word: it is what was asked for.
    """
    if not message.body:
        return b""
    unsaid = wanted if isinstance(message, Response) else ""
    found = _find(message.body, message.headers.get("Content-Type") or unsaid, wanted, MAX_DEPTH)
    return b"" if found is None else found


def sdp_of(message: Message) -> bytes:
    """The session description that *message* carries; empty where there is none."""
    return part_of(message, SDP)


def _find(body: bytes, content_type: str, wanted: str, depth: int) -> bytes | None:
    kind = media_type(content_type)
    if kind == wanted:
        return body
    if not kind.startswith(MULTIPART) or not depth:
        return None
    boundary = (parameter(content_type, "boundary") or "").strip('"')
    if not _BOUNDARY.fullmatch(boundary):
        return None
    for own_type, content in _parts(body, boundary):
        found = _find(content, own_type, wanted, depth - 1)
        if found is not None:
            return found
    return None


def _parts(body: bytes, boundary: str) -> Iterator[tuple[str, bytes]]:
    """(Content-Type, content) of each part; one that says no type is plain text (RFC 2046 section 5.1)."""
    delimiter = b"\r\n--" + boundary.encode()
    _, *pieces = (b"\r\n" + body).split(delimiter, MAX_PARTS + 1)
    for piece in pieces[:MAX_PARTS]:
        if piece.startswith(b"--"):  # the last delimiter
            return
        head, empty_line, content = piece.partition(b"\r\n\r\n")
        if empty_line:
            yield _type_in(head), content


def _type_in(head: bytes) -> str:
    for line in FOLD.sub(" ", head.decode("utf-8", "replace")).split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip(LWS).lower() in ("content-type", "c"):
            return value.strip(LWS)
    return "text/plain"
