"""Messages out of a byte stream (RFC 3261 section 18.3)."""

from __future__ import annotations

import re

from phone_emulator.numbers import at_most
from phone_emulator.sip.headers import MessageError
from phone_emulator.sip.line_ends import ends_in_lf

MAX_SIZE = 65535
"""Bytes of a message, headers and body."""

PING, PONG = b"\r\n\r\n", b"\r\n"
"""Keep-alives (RFC 5626 section 3.5.1)."""

CONTENT_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:((?:[^\r]|\r\n[ \t])*)", re.IGNORECASE)


def content_length(value: str) -> int:
    """The value of Content-Length. Raises MessageError when it is no number or beyond ``MAX_SIZE``."""
    length = at_most(value, MAX_SIZE + 1)
    if length is None:
        raise MessageError(f"Content-Length: expected a number, got {value[:20]!r}")
    if length > MAX_SIZE:
        raise MessageError(f"Content-Length: {value[:20]} is more than a message may have ({MAX_SIZE})", 413)
    return length


class Framer:
    """Cuts the bytes of one connection into messages; keeps at most one message and what came with it."""

    __slots__ = ("_buffer", "_error", "_searched", "_size")

    def __init__(self) -> None:
        self._buffer = b""
        self._size: int | None = None
        """Bytes of the message that has begun; None while its headers are not complete.

        Kept, as is how far they were looked through, so that a message that comes byte by byte costs no more.
        """
        self._searched = 0
        self._error: MessageError | None = None

    @property
    def rest(self) -> bytes:
        """The beginning of a message that is not whole yet, or that cannot be cut; empty for none."""
        return self._buffer

    @property
    def pending(self) -> bool:
        """Whether a message has begun that is not whole yet."""
        return bool(self._buffer)

    @property
    def lacking(self) -> str:
        """What is missing of the message that has begun, for people."""
        if self._size is None:
            return "no empty line (CRLF) has ended its headers"
        return f"{self._size - len(self._buffer)} bytes of it have not come"

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that *data* completes, whole; the CRLFs of keep-alives (RFC 5626) are dropped.

        Raises MessageError when the stream cannot be cut any more: the connection is lost. Messages before
        the broken place are still returned; the error then comes with the next call.
        """
        messages: list[bytes] = []
        if data and self._error is None:
            buffer = self._buffer + data
            try:
                while buffer := buffer.lstrip(b"\r\n"):
                    size = self._size = self._size or _size(buffer, self._searched)
                    if size is None or size > len(buffer):
                        self._searched = max(0, len(buffer) - 3)
                        break
                    messages.append(buffer[:size])
                    buffer = buffer[size:]
                    self._size, self._searched = None, 0
            except MessageError as error:
                self._error = error
            self._buffer = buffer
        if self._error is not None and not messages:
            raise self._error
        return messages


def _size(buffer: bytes, searched: int) -> int | None:
    """Bytes of the message that *buffer* begins with; None when its headers are not complete yet.

    *searched*: where to look for their end from.
    """
    end = buffer.find(b"\r\n\r\n", searched, MAX_SIZE)
    if ends_in_lf(buffer) and b"\n\n" in buffer[: end if end >= 0 else MAX_SIZE]:
        raise MessageError("its lines end in LF alone: in a stream only CRLF tells where the headers end")
    if end < 0:
        if len(buffer) >= MAX_SIZE:
            raise MessageError(f"no end of the headers within {MAX_SIZE} bytes", 513)
        return None
    values = CONTENT_LENGTH.findall(buffer[:end])
    if len(values) != 1:
        raise MessageError(f"Content-Length: a stream needs one in each message, {len(values)} came")
    size = end + 4 + content_length(values[0].decode("latin-1").strip(" \t\r\n"))
    if size > MAX_SIZE:
        raise MessageError(f"{size} bytes are more than a message may have ({MAX_SIZE})", 513)
    return size
