"""Requests that a URI asks for (RFC 3261 section 19.1.5), be it of a 3xx, a Refer-To or dialled.

Whoever wrote it is a stranger: its ``method`` and headers never stand in a Request-URI, and of the headers
only those are taken that can do no harm. Parameters that are not known here stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

from . import values
from .headers import TOKEN, MessageError, key_of
from .message import SCHEMES

MAX_LENGTH = 2048
"""Characters of such a URI."""
MAX_HEADERS = 16
"""Headers that it may carry."""
TAKEN = frozenset(
    {
        "diversion",
        "expires",
        "history-info",
        "priority",
        "referred-by",
        "replaces",
        "subject",
        "user-to-user",
    }
)
"""Headers, by their keys, that an INVITE carries because its URI asks for it; no other one is."""


@dataclass(frozen=True, slots=True)
class UriRequest:
    """What a URI asks to be sent."""

    uri: str
    """Without method and headers: a Request-URI."""
    method: str = "INVITE"
    headers: tuple[tuple[str, str], ...] = ()
    """What the URI carries after its question mark, unescaped."""

    def header(self, name: str) -> list[str]:
        """The values that the URI carries for header *name*."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def taken(self) -> tuple[tuple[str, str], ...]:
        """Those of its headers that the request carries: the first of each name that is allowed."""
        first: dict[str, tuple[str, str]] = {}
        for name, value in self.headers:
            if key_of(name) in TAKEN and value:
                first.setdefault(key_of(name), (name, value))
        return tuple(first.values())

    @property
    def passed_over(self) -> str:
        """Those of its headers that the request does not carry, for people; empty for none."""
        return ", ".join(dict.fromkeys(name for name, _ in self.headers if key_of(name) not in TAKEN))


def request_of(uri: str, where: str) -> UriRequest:
    """What *uri* asks for; raises MessageError: 400, or 416 for a scheme that the phone cannot call.

    Args:
        uri: as it is spelt, without brackets.
        where: it stands, for people: ``Refer-To``.
    """
    if len(uri) > MAX_LENGTH:
        raise MessageError(f"{where} is longer than {MAX_LENGTH} characters")
    asked, carried = _split(uri)
    plain = asked.uri
    scheme = plain.partition(":")[0].lower()
    if ":" in plain and TOKEN.fullmatch(scheme) and scheme not in SCHEMES:
        raise MessageError(f"{where}: a {scheme} URI cannot be called", 416)
    if any(character.isspace() or not character.isprintable() for character in plain):
        raise MessageError(f"{where}: a URI holds neither blanks nor control characters")
    if not TOKEN.fullmatch(asked.method):
        raise MessageError(f"{where}: its method is no method")
    try:
        values.uri(plain)
    except ValueError as error:
        raise MessageError(f"{where}: {error}") from None
    return replace(asked, headers=tuple(_carried(carried, where)))


def request_uri(uri: str) -> str:
    """*uri* as a Request-URI has it: without method and headers."""
    return _split(uri)[0].uri


def _split(uri: str) -> tuple[UriRequest, str]:
    """*uri* without its method and headers, that method, and the headers as they are spelt."""
    scheme, colon, rest = uri.partition(":")
    if scheme.lower() not in ("sip", "sips"):
        return UriRequest(uri), ""  # a tel URI has neither (RFC 3966)
    # A user may hold a question mark and a semicolon; of several @ the first one ends it.
    user, at, place = rest.partition("@") if "@" in rest else ("", "", rest)
    place, _, carried = place.partition("?")
    first, *parameters = place.split(";")
    method, kept = "INVITE", [first]
    for each in parameters:
        name, _, value = each.partition("=")
        if name.lower() == "method":
            method = value
        else:
            kept.append(each)
    return UriRequest(f"{scheme}{colon}{user}{at}{';'.join(kept)}", method), carried


def _carried(text: str, where: str) -> Iterator[tuple[str, str]]:
    """The headers in ``name=value&name=value`` (section 19.1.1)."""
    parts = text.split("&") if text else []
    if len(parts) > MAX_HEADERS:
        raise MessageError(f"{where}: its URI carries more than {MAX_HEADERS} headers")
    for part in parts:
        name, equals, value = part.partition("=")
        if values.BAD_ESCAPE.search(part):
            raise MessageError(f"{where}: a % in its URI is not followed by two hex digits")
        name, value = unquote(name), unquote(value)
        if not equals or not TOKEN.fullmatch(name):
            raise MessageError(f"{where}: what follows the ? of its URI are no headers")
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise MessageError(f"{where}: the header {name} holds a control character")
        yield name, value
