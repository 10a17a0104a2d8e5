"""URIs, addresses and Vias out of header values, as objects of ``sipmessage``.

The package holds the grammar of URIs. Where it is stricter than the wire (a host ``pbx1``, ``received=::1``,
an instance id after a quoted display name), the value is taken apart here and handed over in parts.
All raise ValueError for what cannot be read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote

import sipmessage

from phone_emulator.sip.headers import LWS, QUOTED, TOKEN, after_address, mended, split

HOST = r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]"
HOST_PORT = re.compile(rf"({HOST})(?::([0-9]{{1,5}}))?")
VIA = re.compile(
    rf"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*({TOKEN.pattern})[ \t]+({HOST})(?:[ \t]*:[ \t]*([0-9]{{1,5}}))?",
    re.IGNORECASE,
)
PLAIN_PARAMETERS = r"(?:;[a-z0-9.+_-]+(?:=[A-Za-z0-9.:*+_\[\]-]+)?)*"
PLAIN_ADDRESS = re.compile(
    rf"""(?:"([^"\\%]*)"[ ]?|([A-Za-z0-9.+_-]*)[ ]?)
    <(sips?):(?:([A-Za-z0-9.+*_-]+)@)?({HOST})(?::([0-9]{{1,5}}))?({PLAIN_PARAMETERS})>({PLAIN_PARAMETERS})""",
    re.VERBOSE,
)
"""An address as nearly all are, which needs no further grammar."""
PLAIN_VIA = re.compile(rf"SIP/2\.0/([A-Z]+) ({HOST})(?::([0-9]{{1,5}}))?({PLAIN_PARAMETERS})")
MAX_TEL = 256
"""Characters of a ``tel:`` URI; ``sipmessage`` takes quadratic time over them."""
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
    parsed = _parse_uri(f"{scheme}:{user.replace('#', '%23')}{at}{STAND_IN}{place[host.end() :]}")
    return replace(parsed, host=host[1], port=int(host[2]) if host[2] else None)


def address(text: str) -> sipmessage.Address:
    """A From, To or Contact value (RFC 3261 section 20.10).

    Quoted parameter values lose their quotes; the name is fit to be shown.
    """
    plain = PLAIN_ADDRESS.fullmatch(text) if text.isascii() else None
    if plain is not None:
        quoted_name, name, scheme, user, host, port, of_uri, parameters = plain.groups()
        located = sipmessage.URI(scheme, host, user, None, int(port) if port else None, _plain(of_uri))
        return sipmessage.Address(located, quoted_name or name or "", _plain(parameters))
    quoted = QUOTED.match(text)
    if quoted is None and text.startswith('"'):
        raise ValueError("no closing quote")
    opening = text.find("<", quoted.end() if quoted else 0)
    if opening < 0:
        return sipmessage.Address(
            uri(text.partition(";")[0].strip(LWS)), "", _parameters(after_address(text))
        )
    closing = text.find(">", opening)
    if closing < 0:
        raise ValueError("no closing bracket")
    return sipmessage.Address(
        uri(text[opening + 1 : closing].strip(LWS)),
        mended(_unquoted(text[:opening].strip(LWS))),
        _parameters(text[closing + 1 :]),
    )


def via(text: str) -> sipmessage.Via:
    """One Via value (RFC 3261 section 20.42)."""
    plain = PLAIN_VIA.fullmatch(text)
    if plain is not None:
        transport, host, port, parameters = plain.groups()
        return sipmessage.Via(transport, host, int(port) if port else None, _plain(parameters))
    sent, semicolon, parameters = text.partition(";")
    match = VIA.fullmatch(sent.strip(LWS))
    if match is None:
        raise ValueError("no protocol and sent-by")
    return sipmessage.Via(
        match[1], match[2], int(match[3]) if match[3] else None, _parameters(semicolon + parameters)
    )


def _parse_uri(text: str) -> sipmessage.URI:
    try:
        return sipmessage.URI.parse(text)
    except TypeError:
        # A parameter called "self" collides with the keyword arguments of sipmessage.Parameters.
        raise ValueError("parameter name") from None


def _parameters(text: str) -> sipmessage.Parameters:
    """The parameters in ``;a=b;c``; names in lower case."""
    before, *parts = split(text, ";")
    if before:
        raise ValueError("text after the address")
    found: dict[str, str | None] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(LWS).lower()
        if not TOKEN.fullmatch(name) or name == "self":
            raise ValueError("parameter name")
        value.encode()  # Refuses what is no UTF-8: sipmessage could not write it out.
        found[name] = _unquoted(unquote(value.strip(LWS))) if equals else None
    return sipmessage.Parameters(**found)


NONE = sipmessage.Parameters()


def _plain(text: str) -> sipmessage.Parameters:
    """Parameters that match PLAIN_PARAMETERS."""
    if not text:
        return NONE
    found: dict[str, str | None] = {}
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        found[name] = value if equals else None
    if "self" in found:
        raise ValueError("parameter name")
    return sipmessage.Parameters(**found)


def _unquoted(text: str) -> str:
    if not QUOTED.fullmatch(text):
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
