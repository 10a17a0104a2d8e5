"""URIs, addresses and Vias out of header values.

``sipmessage`` holds the grammar of URIs. Where it is stricter than the wire (a host ``pbx1``,
``received=::1``, an instance id after a quoted display name), the value is taken apart here and handed over
in parts.

A transaction reads a few facts of a few values, and reads them often: `Via` and `Address` are plain tuples of
those facts, a fifth of the cost of the objects of ``sipmessage``, which ``object()`` makes of them.
All raise ValueError for what cannot be read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote as url_unquoted

import sipmessage

from phone_emulator.sip.headers import (
    LWS,
    QUOTED,
    TOKEN,
    after_address,
    before_parameters,
    mended,
    split,
    unquoted,
    value_of,
)

HOST = r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]"
HOST_PORT = re.compile(rf"({HOST})(?::([0-9]{{1,5}}))?")
VIA = re.compile(
    rf"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*({TOKEN.pattern})[ \t]+({HOST})(?:[ \t]*:[ \t]*([0-9]{{1,5}}))?",
    re.IGNORECASE,
)
PLAIN_VALUE = r"[A-Za-z0-9.:*+_\[\]-]+"
PLAIN_PARAMETERS = rf"(?:;[a-z0-9.+_-]+(?:={PLAIN_VALUE})?)*"
PLAIN_NAME = r"""(?:"([^"\\%\x80-\U0010ffff]*)"[ ]?|([A-Za-z0-9.+_-]*)[ ]?)"""
NAME_LINE = re.compile(rf"[A-Za-z]+: {PLAIN_NAME}")
"""The beginning of a line with such an address, up to its bracket."""
PLAIN_ADDRESS = re.compile(
    rf"""{PLAIN_NAME}
    <(sips?):(?:([A-Za-z0-9.+*_-]+)@)?({HOST})(?::([0-9]{{1,5}}))?({PLAIN_PARAMETERS})>
    (?:;tag=({PLAIN_VALUE}))?({PLAIN_PARAMETERS})""",
    re.VERBOSE,
)
"""An address as nearly all are, which needs no further grammar."""
PLAIN_VIA = re.compile(
    rf"SIP/2\.0/([A-Z]+) ({HOST})(?::([0-9]{{1,5}}))?(?:;branch=({PLAIN_VALUE}))?({PLAIN_PARAMETERS})"
)
"""The same of a Via."""
VIA_LINE = re.compile(rf"[A-Za-z]+: {PLAIN_VIA.pattern}")
SENT_LINE = re.compile(rf"[A-Za-z]+: SIP/2\.0/([A-Z]+) ({HOST})(?::([0-9]{{1,5}}))?")
"""The beginning of such a line, up to the parameters: the same in all that one peer sends."""
ADDRESS_LINE = re.compile(rf"[A-Za-z]+:[ ](?:{PLAIN_ADDRESS.pattern})", re.VERBOSE)
REMEMBERED = 1024
"""Lines, or beginnings of lines, that are remembered: one peer repeats them in every message."""
MAX_BEGINNING = 128
"""Characters of such a beginning."""
MAX_TEL = 256
"""Characters of a ``tel:`` URI; ``sipmessage`` takes quadratic time over them."""
Parameters = dict[str, str | None]
"""Name -> value, None where there is no equals sign."""
_new = tuple.__new__
"""Makes a named tuple of a tuple, without the call in between."""
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
"""A percent sign that begins no escape."""
STAND_IN = "host.invalid"
"""Takes the place of the host while ``sipmessage`` reads a URI."""


def uri(text: str) -> sipmessage.URI:
    """A SIP, SIPS or TEL URI (RFC 3261 section 19.1.1); its header part (``?…``) is passed over.

    The port is not checked against 65535: whether it can be reached is no question of grammar.
    """
    scheme, _, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme not in ("sip", "sips"):
        if len(rest) > MAX_TEL:
            raise ValueError("too long")
        return _parse_uri(f"{scheme}:{rest}")
    user, at, place = rest.partition("@") if "@" in rest else ("", "", rest)
    place = place.partition("?")[0]
    host = HOST_PORT.match(place)
    if host is None:
        raise ValueError("no host")
    if place[host.end() : host.end() + 1] not in ("", ";"):
        raise ValueError("neither a port nor a parameter after the host")
    parsed = _parse_uri(f"{scheme}:{user.replace('#', '%23')}{at}{STAND_IN}{place[host.end() :]}")
    return replace(parsed, host=host[1], port=int(host[2]) if host[2] else None)


class Uri(NamedTuple):
    """A URI in its parts (RFC 3261 section 19.1.1)."""

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None
    parameters: Parameters

    def object(self) -> sipmessage.URI:
        """The same as ``sipmessage`` has it."""
        scheme, user, password, host, port, parameters = self
        return sipmessage.URI(scheme, host, user, password, port, sipmessage.Parameters(**parameters))

    def __str__(self) -> str:
        return str(self.object())


class Address(NamedTuple):
    """A From, To or Contact value in its parts (RFC 3261 section 20.10)."""

    uri: Uri
    name: str
    """Fit to be shown."""
    parameters: Parameters
    """Names in lower case; quoted values without their quotes."""

    def object(self) -> sipmessage.Address:
        """The same as ``sipmessage`` has it."""
        return sipmessage.Address(self.uri.object(), self.name, sipmessage.Parameters(**self.parameters))


def address_in(line: str) -> Address:
    """The address that is the value of a whole header line."""
    before, _, rest = line.partition("<")
    located, closing, parameters = rest.partition(">")
    named, _, place = located.partition("@")
    user, tag = named[4:], parameters[5:]
    if (
        closing
        and line.isascii()
        and named[:4] == "sip:"
        and user.isalnum()
        and (not parameters or (parameters[:5] == ";tag=" and tag.isalnum()))
        and len(before) + len(place) < MAX_BEGINNING
    ):
        name, host_port = _remembered_name(before), _remembered_place(place)
        if name is not None and host_port is not None:
            uri = _new(Uri, ("sip", user, None, *host_port, {}))
            return _new(Address, (uri, name, {"tag": tag} if tag else {}))
    plain = ADDRESS_LINE.fullmatch(line)
    return _plain_address(plain) if plain is not None else read_address(value_of(line))


def _name(before: str) -> str | None:
    """The display name in what comes *before* the bracket in a line; None where it is not plain."""
    plain = NAME_LINE.fullmatch(before)
    return None if plain is None else plain[1] or plain[2] or ""


def _place(text: str) -> tuple[str, int | None] | None:
    """Host and port; None where they are not plain."""
    plain = HOST_PORT.fullmatch(text)
    if plain is None:
        return None
    host, port = plain.groups()
    return host, int(port) if port else None


_remembered_name = lru_cache(maxsize=REMEMBERED)(_name)
_remembered_place = lru_cache(maxsize=REMEMBERED)(_place)


def address(text: str) -> sipmessage.Address:
    """A From, To or Contact value."""
    return read_address(text).object()


def read_address(text: str) -> Address:
    """A From, To or Contact value."""
    plain = PLAIN_ADDRESS.fullmatch(text)
    if plain is not None:
        return _plain_address(plain)
    place = _bracketed(text)
    if place is None:
        return Address(_uri(before_parameters(text)), "", _parameters(after_address(text)))
    opening, closing = place
    return Address(
        _uri(text[opening + 1 : closing].strip(LWS)),
        mended(unquoted(text[:opening].strip(LWS))),
        _parameters(text[closing + 1 :]),
    )


def uri_text(text: str) -> str:
    """The URI in a From, To or Contact value, as it is spelt there."""
    place = _bracketed(text)
    return before_parameters(text) if place is None else text[place[0] + 1 : place[1]].strip(LWS)


def _bracketed(text: str) -> tuple[int, int] | None:
    """Where the angle brackets of an address stand; None where it has none."""
    quoted = QUOTED.match(text)
    if quoted is None and text.startswith('"'):
        raise ValueError("no closing quote")
    opening = text.find("<", quoted.end() if quoted else 0)
    if opening < 0:
        return None
    closing = text.find(">", opening)
    if closing < 0:
        raise ValueError("no closing bracket")
    return opening, closing


def _plain_address(match: re.Match[str]) -> Address:
    quoted_name, name, scheme, user, host, port, of_uri, tag, more = match.groups()
    located = _new(
        Uri, (scheme, user, None, host, int(port) if port else None, _plain(of_uri) if of_uri else {})
    )
    parameters: Parameters = {"tag": tag} if tag else {}
    if more:
        parameters.update(_plain(more))
    return _new(Address, (located, quoted_name or name or "", parameters))


def _uri(text: str) -> Uri:
    parsed = uri(text)
    return Uri(parsed.scheme, parsed.user, parsed.password, parsed.host, parsed.port, dict(parsed.parameters))


class Via(NamedTuple):
    """A Via value in its parts (RFC 3261 section 20.42): what transactions need, and they need it often."""

    transport: str
    host: str
    port: int | None
    parameters: Parameters

    def object(self) -> sipmessage.Via:
        """The same as ``sipmessage`` has it."""
        return sipmessage.Via(self.transport, self.host, self.port, sipmessage.Parameters(**self.parameters))


def top_via(line: str) -> Via:
    """The first value of a Via line."""
    sent, _, parameters = line.partition(";branch=")
    branch, others, more = parameters.partition(";")
    if (
        branch.isalnum()
        and branch.isascii()
        and (more == "rport" or not others)
        and len(sent) < MAX_BEGINNING
    ):
        found = _remembered_sent(sent)
        if found is not None:
            named: Parameters = {"branch": branch, "rport": None} if more else {"branch": branch}
            return _new(Via, (*found, named))
    plain = VIA_LINE.fullmatch(line)
    return _plain_via(plain) if plain is not None else read_via(split(value_of(line), ",")[0])


def _sent(beginning: str) -> tuple[str, str, int | None] | None:
    """Transport, host and port at the *beginning* of a Via line; None where it is not plain."""
    plain = SENT_LINE.fullmatch(beginning)
    if plain is None:
        return None
    transport, host, port = plain.groups()
    return transport, host, int(port) if port else None


_remembered_sent = lru_cache(maxsize=REMEMBERED)(_sent)


def via(text: str) -> sipmessage.Via:
    """One Via value."""
    return read_via(text).object()


def read_via(text: str) -> Via:
    """One Via value."""
    plain = PLAIN_VIA.fullmatch(text)
    if plain is not None:
        return _plain_via(plain)
    sent, semicolon, parameters = text.partition(";")
    match = VIA.fullmatch(sent.strip(LWS))
    if match is None:
        raise ValueError("no protocol and sent-by")
    return Via(match[1], match[2], int(match[3]) if match[3] else None, _parameters(semicolon + parameters))


def _plain_via(match: re.Match[str]) -> Via:
    transport, host, port, branch, more = match.groups()
    parameters: Parameters = {"branch": branch} if branch else {}
    if more == ";rport":
        parameters["rport"] = None
    elif more:
        parameters.update(_plain(more))
    return _new(Via, (transport, host, int(port) if port else None, parameters))


def forget() -> None:
    """Forget what is remembered; for measuring."""
    for remembered in (_remembered_sent, _remembered_name, _remembered_place):
        remembered.cache_clear()


def _parse_uri(text: str) -> sipmessage.URI:
    try:
        return sipmessage.URI.parse(text)
    except TypeError:
        # A parameter called "self" collides with the keyword arguments of sipmessage.Parameters.
        raise ValueError("parameter name") from None


def _parameters(text: str) -> Parameters:
    """The parameters in ``;a=b;c``; names in lower case."""
    before, *parts = split(text, ";")
    if before:
        raise ValueError("text after the address")
    found: Parameters = {}
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(LWS).lower()
        if not TOKEN.fullmatch(name) or name == "self":
            raise ValueError("parameter name")
        value.encode()  # Refuses what is no UTF-8: sipmessage could not write it out.
        found[name] = unquoted(url_unquoted(value.strip(LWS))) if equals else None
    return found


def _plain(text: str) -> Parameters:
    """Parameters that match PLAIN_PARAMETERS."""
    found: Parameters = {}
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        found[name] = value if equals else None
    if "self" in found:
        raise ValueError("parameter name")  # sipmessage.Parameters cannot hold it
    return found
