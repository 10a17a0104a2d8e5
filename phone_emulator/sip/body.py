"""Message bodies: which part of one is of the type that is asked for (RFC 5621, RFC 2046 section 5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from phone_emulator.sip.headers import before_parameters, unquoted

from .headers import FOLD, LWS, MessageError, key_of, parameter
from .message import Message, Response

SDP = "application/sdp"
MULTIPART = "multipart/"
MAX_PARTS = 20
"""Parts of one body that are looked at."""
MAX_DEPTH = 3
"""How deep parts may lie within parts."""
LAST = b"--"

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body in several (RFC 2046 section 5.1)."""

    headers: Mapping[str, str]
    """By name, in lower case."""
    body: bytes

    @property
    def content_type(self) -> str:
        """What it says of its type; plain text where it says nothing."""
        return self.headers.get("content-type", "text/plain")


def media_type(content_type: str) -> str:
    """The type in a Content-Type value, in lower case and without parameters."""
    return before_parameters(content_type).lower()


def type_of(message: Message) -> str:
    """The type of the body of *message*, as `media_type` says it; empty where it says none."""
    return media_type(message.headers.get("Content-Type") or "")


def accepts(message: Message, wanted: str) -> bool:
    """Whether the sender of *message* takes a body of the type *wanted*; where it says nothing, it does.

    RFC 3261 section 20.1.
    """
    if "Accept" not in message.headers:
        return True
    ranges = {media_type(value) for value in message.headers.values("Accept")}
    return not ranges.isdisjoint((wanted, f"{wanted.partition('/')[0]}/*", "*/*"))


def encoded(message: Message) -> bool:
    """Whether the body of *message* is in an encoding, which nothing here reads (RFC 3261 section 20.12)."""
    codings = message.headers.values("Content-Encoding")
    return bool(message.body) and any(coding.lower() != "identity" for coding in codings)


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
    try:
        _, *pieces = split(body, content_type)
    except MessageError:
        return None
    for piece in pieces[:MAX_PARTS]:
        if piece.startswith(LAST):
            return None
        part = part_in(piece)
        found = None if part is None else _find(part.body, part.content_type, wanted, depth - 1)
        if found is not None:
            return found
    return None


def split(body: bytes, content_type: str) -> list[bytes]:
    """What stands between the delimiters of a multipart *body*; first what stands before them.

    What begins with LAST stands behind the last one. Raises MessageError where *content_type* names no
    boundary (RFC 2046 section 5.1.1).
    """
    boundary = unquoted(parameter(content_type, "boundary") or "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MessageError("expected a boundary of the parts in Content-Type")
    return (b"\r\n" + body).split(b"\r\n--" + boundary.encode())


def part_in(piece: bytes) -> Part | None:
    """The part that *piece* of `split` is; None where no empty line ends its headers."""
    head, empty_line, content = piece.partition(b"\r\n\r\n")
    return Part(_headers(head), content) if empty_line else None


def _headers(head: bytes) -> dict[str, str]:
    lines = FOLD.sub(" ", head.decode("utf-8", "replace")).split("\r\n")
    fields = (line.partition(":") for line in lines)
    return {key_of(name.strip(LWS)): value.strip(LWS) for name, _, value in fields}
