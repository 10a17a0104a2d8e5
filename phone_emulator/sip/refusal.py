"""The answer to a request that cannot be read: stateless, from whatever of it can be made out.

RFC 3261 asks for a 400 (or a 505) where the request is malformed; RFC 4475 shows what that looks like. Such
a request has no transaction, so the answer is made anew for each copy, the same each time (section 8.2.7).
"""

from __future__ import annotations

import re
from zlib import crc32

from phone_emulator.sip import line_ends
from phone_emulator.sip.headers import LWS, TOKEN, Headers, MessageError, key_of, tag_of
from phone_emulator.sip.message import Response
from phone_emulator.sip.statuses import REASONS

REQUEST_LINE = re.compile(
    rf"({TOKEN.pattern})[ \t].*[ \t]SIP/[0-9]+\.[0-9]+[ \t]*", re.IGNORECASE | re.DOTALL
)
WHY = {
    302: "it is forwarded",
    400: "it cannot be understood",
    403: "the source is not trusted",
    404: "there is no such user here",
    405: "the phone does not take this method here",
    406: "the caller takes no session description",
    413: "its body is longer than a message may be",
    415: "the phone cannot read the body",
    416: "the phone does not know this kind of address",
    420: "it requires an extension that the phone does not have",
    422: "the session interval is too short",
    423: "the interval is too brief",
    480: "the phone is not to be disturbed",
    481: "no such call or subscription is known here",
    482: "it came on another way before (a merged request)",
    486: "the phone is busy, or the user rejected it",
    488: "no codec in common",
    489: "the phone does not know this event",
    491: "another offer is under way",
    500: "it came out of order, or something of the kind is under way",
    501: "the phone does not know this method",
    513: "it is longer than a message may be",
    603: "the user rejected it",
}
"""What a refusal is about, where whoever refuses says no more."""

MAX_LINES = 200
MAX_LINE = 8192
"""Characters of a header line that is copied; a longer one is no header but an attack."""


def refusal(data: bytes, error: MessageError, user_agent: str = "") -> Response | None:
    """The response to the request in *data* that *error* is about, or None where none is to be sent.

    A response and an ACK are never answered, nor is what shows no request line or no Via: there the answer
    would find nobody. Of To, From, Call-ID and CSeq it carries those that came.
    """
    text = line_ends.mended(data) or data
    head = text.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    start, *lines = head.split("\r\n", MAX_LINES)
    request_line = REQUEST_LINE.fullmatch(start)
    if request_line is None or request_line[1] == "ACK" or "\r" in start or "\n" in start:
        return None
    found: dict[str, list[tuple[str, str]]] = {}
    for key, line in readable(lines):
        found.setdefault(key, []).append((key, line))
    if "via" not in found:
        return None
    headers = Headers.from_lines(
        [*found["via"], *(found[key][0] for key in ("from", "to", "call-id", "cseq") if key in found)]
    )
    to = headers.get("To")
    if to and tag_of(to) is None:
        headers.set("To", f"{to};tag={crc32(data)}")
    if user_agent:
        headers.add("User-Agent", user_agent)
    return Response(error.status, REASONS[error.status], headers)


def readable(lines: list[str]) -> list[tuple[str, str]]:
    """(key, line) of each of *lines* that is a header line, with what it is folded into."""
    found: list[tuple[str, str]] = []
    for line in lines:
        if "\r" in line or "\n" in line or len(line) > MAX_LINE:
            continue
        if line[:1] in (" ", "\t") and found:
            key, before = found[-1]
            found[-1] = key, f"{before.rstrip(LWS)} {line.strip(LWS)}"[:MAX_LINE]
            continue
        name, colon, _ = line.partition(":")
        name = name.rstrip(LWS)
        if colon and TOKEN.fullmatch(name):
            found.append((key_of(name), line))
    return found
