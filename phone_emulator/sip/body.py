"""Message bodies: which part of one is of the type that is asked for (RFC 5621, RFC 2046 section 5.1)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from phone_emulator.sip.headers import before_parameters, unquoted

from .headers import FOLD, LWS, MessageError, key_of, parameter
from .message import Message, Response

SDP = "application/sdp"
MULTIPART = "multipart/"
ALTERNATIVE = "multipart/alternative"
BESIDE = "text/plain"
"""What people may read beside the rest: only where it says so must it be understood."""
PURPOSES = frozenset({"", "session", "render"})
"""Disposition types of what is read here: a description of the session, something to be shown."""
PLAIN = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that change no byte."""
DESCRIBING = ("content-type", "content-disposition", "content-encoding", "content-transfer-encoding")
"""Headers of a message that are about its body."""
MAX_PARTS = 20
"""Parts of one body that are looked at."""
MAX_DEPTH = 3
"""How deep parts may lie within parts."""
LAST = b"--"

_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


@dataclass(frozen=True, slots=True)
class Part:
    """A body, or one part of a body in several (RFC 2046 section 5.1)."""

    headers: Mapping[str, str]
    """By name, in lower case."""
    body: bytes

    @property
    def content_type(self) -> str:
        """What it says of its type; plain text where it says nothing."""
        return self.headers.get("content-type", "text/plain")

    @property
    def required(self) -> bool:
        """Whether it must be understood: where it does not say, it must (RFC 3261 section 20.11)."""
        said = self.handling
        return said != "optional" and (said == "required" or media_type(self.content_type) != BESIDE)

    @property
    def purpose(self) -> str:
        """Its disposition type, in lower case; empty where it says none."""
        return before_parameters(self.headers.get("content-disposition", "")).lower()

    @property
    def encoded(self) -> bool:
        """Whether its bytes are not what its type says (sections 20.12 and 7.4; RFC 2045 section 6)."""
        encoding = self.headers.get("content-encoding", "identity").strip(LWS).lower()
        transfer = self.headers.get("content-transfer-encoding", "binary").strip(LWS).lower()
        return encoding not in ("", "identity") or transfer not in PLAIN

    @property
    def handling(self) -> str:
        """``optional`` or ``required``, in lower case; empty where it does not say."""
        disposition = self.headers.get("content-disposition", "")
        return unquoted(parameter(disposition, "handling") or "").lower()


class NotUnderstood(Exception):
    """A body that must be understood is not (RFC 3261 section 8.2.3).

    Args:
        header: what the 415 says would be: Accept, or Accept-Encoding.
    """

    def __init__(self, header: tuple[str, str]) -> None:
        super().__init__(header)
        self.header = header


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


def read(message: Message, *types: str, unsaid: str = "") -> Part | None:
    """The body of *message*, or the first part of it, that is of one of *types*; None where none is.

    Parts that are not understood and need not be are passed over; of alternatives the last one counts that
    is understood. A body that says nothing of its type is of *unsaid*; a response is taken at its word: it is
    what was asked for.

    Raises NotUnderstood where a request has to be refused for its body.
    """
    if not message.body:
        return None
    whole = _whole(message, types[0] if isinstance(message, Response) else unsaid)
    lenient = isinstance(message, Response)
    try:
        found = _parts(whole, types, MAX_DEPTH, lenient=lenient)
    except NotUnderstood:
        if not lenient and whole.handling != "optional":
            raise
        return None
    return found[0] if found else None


def part_of(message: Message, *types: str) -> bytes:
    """What `read` finds, and nothing more; empty where it finds nothing, or refuses it."""
    try:
        found = read(message, *types)
    except NotUnderstood:
        return b""
    return b"" if found is None else found.body


def sdp_of(message: Message) -> bytes:
    """The session description that *message* carries; empty where there is none.

    Empty lines before it are passed over, as they are before a message.
    """
    return part_of(message, SDP).lstrip(b"\r\n")


def _whole(message: Message, unsaid: str) -> Part:
    """The body of *message* as a part; of the type *unsaid* where it does not say."""
    said = {name: message.headers.get(name) for name in DESCRIBING}
    headers = {name: value for name, value in said.items() if value is not None}
    return Part({"content-type": unsaid, **headers}, message.body)


def _parts(part: Part, types: Collection[str], depth: int, *, lenient: bool) -> list[Part]:
    """The parts of *types* in *part*, itself or within it; raises NotUnderstood.

    *lenient*: parts that are not understood are passed over even where they must be.
    """
    kind = media_type(part.content_type)
    accept = ("Accept", ", ".join(types))
    if part.encoded:
        raise NotUnderstood(("Accept-Encoding", "identity"))
    if kind in types:
        if part.purpose not in PURPOSES:
            raise NotUnderstood(accept)
        return [part]
    if not kind.startswith(MULTIPART) or not depth:
        raise NotUnderstood(accept)
    found: list[Part] = []
    understood = 0
    alternative = kind == ALTERNATIVE
    for each in _within(part, accept):
        try:
            inner = _parts(each, types, depth - 1, lenient=lenient)
        except NotUnderstood:
            if each.required and not alternative and not lenient:
                raise
            continue
        understood += 1
        found = inner if alternative else found + inner  # the best of several comes last (RFC 2046 5.1.4)
    if alternative and not understood:
        raise NotUnderstood(accept)
    return found


def _within(part: Part, accept: tuple[str, str]) -> Iterator[Part]:
    """The parts of a body in several; raises NotUnderstood where they are too many, or cannot be told."""
    try:
        _, *pieces = split(part.body, part.content_type)
    except MessageError:
        raise NotUnderstood(accept) from None
    if not pieces:
        raise NotUnderstood(accept)
    for count, piece in enumerate(pieces):
        if piece.startswith(LAST):
            return
        if count >= MAX_PARTS:
            raise NotUnderstood(accept)
        inner = part_in(piece)
        if inner is not None:
            yield inner


def split(body: bytes, content_type: str) -> list[bytes]:
    """What stands between the delimiters of a multipart *body*; first what stands before them.

    What begins with LAST stands behind the last one. Raises MessageError where *content_type* names no
    boundary (RFC 2046 section 5.1.1).
    """
    boundary = unquoted(parameter(content_type, "boundary") or "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MessageError("expected a boundary of the parts in Content-Type")
    return re.split(rb"\r?\n--" + re.escape(boundary.encode()), b"\r\n" + body)


def part_in(piece: bytes) -> Part | None:
    """The part that *piece* of `split` is; None where no empty line ends its headers."""
    end = _EMPTY_LINE.search(piece)
    return None if end is None else Part(_headers(piece[: end.start()]), piece[end.end() :])


def _headers(head: bytes) -> dict[str, str]:
    text = head.decode("utf-8", "replace").replace("\r\n", "\n").replace("\n", "\r\n")
    fields = (line.partition(":") for line in FOLD.sub(" ", text).split("\r\n"))
    return {key_of(name.strip(LWS)): value.strip(LWS) for name, _, value in fields}
