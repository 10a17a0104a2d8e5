"""Datagrams whose lines do not end as they should, and which other phones take nevertheless.

A datagram ends where it ends, so nothing can be smuggled in where its head has one style throughout: LF
instead of CRLF (RFC 3261 section 7), or no empty line at its end. A head of both styles is malformed: a proxy
may have read two of its lines as one. In a stream nothing of this is taken: there the empty line and
Content-Length alone tell where a message ends (section 18.3).
"""

from __future__ import annotations

import re

TAKEN = "taken, though "
"""How a remark on such a message begins."""
_NOTHING_FOLLOWS = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t]*0+[ \t]*", re.IGNORECASE)


def mended(data: bytes) -> bytes | None:
    """*data* as it should have been; None where its line ends are right, or beyond mending."""
    text = data.lstrip(b"\r\n")
    if ends_in_lf(text):
        head, end, body = text.partition(b"\n\n")
        if b"\r" in head:
            return None
        text = head.replace(b"\n", b"\r\n")
        if end:
            return text + b"\r\n\r\n" + body
    elif b"\r\n\r\n" in text or b"\n" in text.replace(b"\r\n", b""):
        return None
    if text.endswith(b"\r\n"):
        return text + b"\r\n"
    last = text[text.rfind(b"\n") :]
    return text + b"\r\n\r\n" if _NOTHING_FOLLOWS.fullmatch(last) else None  # else it may be cut off


def ends_in_lf(text: bytes) -> bool:
    """Whether the first line in *text* ends in LF alone."""
    end = text.find(b"\n")
    return end >= 0 and text[end - 1 : end] != b"\r"


def remark(data: bytes, description: bytes = b"") -> str:
    """What is unusual about the line ends of *data*, for people; empty where nothing is.

    *description*: the session description that it carries.
    """
    text = data.lstrip(b"\r\n") if data[:1] in b"\r\n" else data
    odd = []
    if ends_in_lf(text):
        odd.append("its lines end in LF alone, not in CRLF")
        if b"\n\n" not in text:
            odd.append("no empty line ends its headers")
    elif b"\r\n\r\n" not in text:
        odd.append("no empty line ends its headers")
    if description[:1] in (b"\r", b"\n"):
        odd.append("its session description begins with an empty line")
    return f"{TAKEN}{' and '.join(odd)}" if odd else ""
