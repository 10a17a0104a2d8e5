"""SIP messages as reports show them: labels, endpoints, and text without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from phone_emulator.cleaning import clean, clean_lines
from phone_emulator.events import Address, Attempt, MessageSent, Transport

from .result import Message

Endpoint = tuple[Address, Transport]

_CREDENTIALS = re.compile(
    r"^((?:Proxy-)?Authorization[ \t]*:[ \t]*)((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE
)
_PARAMETER = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"|[^,"])*)\s*(?:,|$)', re.DOTALL)
_GUESSABLE = re.compile(
    r'((?:\b|(?<=%20))(?:response|rspauth)(?:\s*=\s*"?|%20|%3D|%22)+)([^",\s%&>]+)', re.IGNORECASE
)
"""What a password can be tried against (RFC 7616 sections 3.4.1 and 3.5). Rather too much than too little:
what stands in somebody's quotes, in a URI or in a body counts too."""
_KEY = re.compile(
    r"(\binline:[ \t]*|^k=(?:clear|base64|uri):|^a=key-mgmt:[ \t]*\S+[ \t]+)[^|;\s]+",
    re.IGNORECASE | re.MULTILINE,
)
"""RFC 4568 section 6.1, RFC 8866 section 5.12, RFC 4567."""
_PASSWORD = re.compile(r"(\bsips?:[^:@;>\s]+:)([^@;>\s]+)(?=@)", re.IGNORECASE)
"""Of a URI (RFC 3261 section 19.1.1)."""


def endpoint(message: Message) -> Endpoint:
    """The far end of *message*."""
    return message.remote, message.transport


def first_line(data: bytes) -> str:
    """The start line, with nothing in it that could steer a terminal."""
    line = data.lstrip(b"\r\n").split(b"\n", 1)[0][:500]
    return clean(line.decode("utf-8", "replace").strip())


def label(data: bytes) -> str:
    """What an arrow says: ``INVITE``, ``INVITE with credentials``, ``503 Service Unavailable``."""
    line = first_line(data)
    if line.upper().startswith("SIP/2.0 "):
        return line[8:]
    method = line.split(" ", 1)[0] or "keep-alive"
    head = data.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
    return f"{method} with credentials" if _CREDENTIALS.search(head) else method


def shown_text(data: bytes) -> str:
    """A message as text: line ends as ``\\n``, no digest responses and no SRTP keys in it."""
    text = _CREDENTIALS.sub(_without_response, data.decode("utf-8", "replace"))
    text = _GUESSABLE.sub(r"\1••••", _PASSWORD.sub(r"\1••••", text))
    text = _KEY.sub(r"\1••••", text)
    return clean_lines(text.replace("\r\n", "\n").rstrip())


def _without_response(match: re.Match[str]) -> str:
    scheme, *others = re.split(r"[ \t\r\n]+", match[2].strip(), maxsplit=1)
    rest = others[0] if others else ""
    if scheme.lower() != "digest":
        return f"{match[1]}{scheme} ••••"
    parts = [part[1] for part in _PARAMETER.finditer(rest)]
    kept = [part for part in parts if part and not re.match(r"\s*response\s*=", part, re.IGNORECASE)]
    return f"{match[1]}{scheme} {', '.join(kept)}"


def masked(data: bytes) -> bytes:
    """A message of the same length, with no digest response, no other credentials and no SRTP key in it."""
    text = _CREDENTIALS.sub(_masked_credentials, data.decode("latin-1"))
    for pattern in (_GUESSABLE, _PASSWORD):
        text = pattern.sub(lambda found: found[1] + _crosses(found[2]), text)
    text = _KEY.sub(lambda key: key[1] + _crosses(key[0][len(key[1]) :]), text)
    return text.encode("latin-1")


def _masked_credentials(match: re.Match[str]) -> str:
    scheme = re.match(r"\S*", match[2])
    assert scheme is not None
    if scheme[0].lower() == "digest":
        return _masked_digest(match)
    rest = match[2][scheme.end() :]
    return f"{match[1]}{scheme[0]}{_crosses(rest)}" if rest.strip() else match[1] + _crosses(match[2])


def _masked_digest(match: re.Match[str]) -> str:
    return match[1] + _GUESSABLE.sub(lambda found: found[1] + _crosses(found[2]), match[2])


def _crosses(text: str) -> str:
    return re.sub(r"\S", "x", text)


def names_of(attempts: Iterable[Attempt]) -> dict[Endpoint, str]:
    """The role under which each endpoint was first tried."""
    names: dict[Endpoint, str] = {}
    for attempt in attempts:
        if attempt.target.address:
            names.setdefault((attempt.target.remote, attempt.target.transport), attempt.target.role)
    return names


def source_and_destination(message: Message) -> tuple[Address, Address]:
    """Source and destination of *message*."""
    if isinstance(message, MessageSent):
        return message.local, message.remote
    return message.remote, message.local
