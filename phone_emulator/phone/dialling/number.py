"""What a user may dial: a number, a user at a host, an IP address, or a SIP, SIPS or TEL URI."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from phone_emulator.config.model import FailoverConfig, PhoneConfig, ServerConfig, TransportType
from phone_emulator.events import DIRECT
from phone_emulator.redundancy import Hop
from phone_emulator.sip import values
from phone_emulator.sip.tel import number_in
from phone_emulator.sip.uri_request import UriRequest, request_of
from phone_emulator.world.address import canonical, is_ipv6, is_unicast

FILTER = PhoneConfig().call_num_filter
"""``features.call_num_filter`` where no file sets it."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_TEL = re.compile(r"tel:", re.IGNORECASE)
_TRANSPORTS = {"udp": TransportType.UDP, "tcp": TransportType.TCP, "tls": TransportType.TLS}


def dialled(text: str, filtered: str = FILTER) -> str:
    """What is dialled when *text* is: without what people type, or paste, to read a number by.

    A ``tel:`` URI is its number. A number loses the characters *filtered*, whichever blanks and dashes of
    Unicode stand for them. What has a letter or an ``@`` is a name, a URI or an address, and stays.
    """
    text = text.strip()
    if _TEL.match(text):
        text = number_in(text)
    if _address(text) or any(character.isalpha() or character == "@" for character in text):
        return text
    plain = map(_plain, unicodedata.normalize("NFKC", text))
    return "".join(character for character in plain if character not in filtered)


def why_undialable(text: str, filtered: str = FILTER) -> str:
    """Why *text* cannot be dialled, for people; empty when it can. *filtered*: see `dialled`."""
    number = dialled(text, filtered)
    if not number or any(character.isspace() or not character.isprintable() for character in number):
        return f"{text!r} is no {'TEL URI' if _TEL.match(text.strip()) else 'number to dial'}"
    if _address(number):
        return ""
    scheme = _SCHEME.match(number)
    if scheme is None:
        user, at, host = number.rpartition("@")
        return f"{text!r}: expected USER@HOST" if at and not (user and _is_uri(f"sip:{host}")) else ""
    if scheme[1].lower() in ("sip", "sips"):
        if not _is_uri(number):
            return f"{text!r} is no SIP URI"
        method = request_of(number, "").method
        return "" if method == "INVITE" else f"{text!r} asks for {method}, not for a call"
    return f"{text!r}: expected a number, USER@HOST, an IP address, or a sip, sips or tel URI"


@dataclass(frozen=True, slots=True)
class DirectAddress:
    """Who is called at an IP address, past the line's servers (``features.direct_ip_call_enable``)."""

    number: str
    """What the Request-URI is made of: USER@HOST, or a URI."""
    host: str
    port: int | None
    """None for the transport's own."""
    transport: TransportType

    def hop(self, identity: ServerConfig) -> Hop:
        """The way there of a line that names itself as towards the server *identity*."""
        return Hop(DIRECT, self.host, self.port or 0, self.transport, FailoverConfig(), identity)


def at_address(number: str) -> DirectAddress | None:
    """Whom *number*, as dialled, names at an IP address: ``192.0.2.5``, ``1001@192.0.2.5:5070``, a SIP URI.

    None for all else; no group of hosts is called.
    """
    bare = _address(number)
    if bare:
        number = f"sip:{bare}"
    try:
        read = values.uri(number if _SCHEME.match(number) else f"sip:{number}" if "@" in number else "")
        host = canonical(read.host.strip("[]"))
    except ValueError:
        return None
    named = "tls" if read.scheme == "sips" else (read.parameters.get("transport") or "udp").lower()
    if not is_unicast(host) or named not in _TRANSPORTS:
        return None
    return DirectAddress(number, host, read.port, _TRANSPORTS[named])


def as_written(number: str, config: PhoneConfig) -> str:
    """What a URI is made of that sends somebody else to *number*: an IP address is one of its own."""
    there = at_address(number) if config.direct_ip_call else None
    return number if there is None else there.number


def _plain(character: str) -> str:
    """*character*, or the blank or the dash that it is one of; nothing for an invisible mark."""
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Cf":  # which way to write, where to break a line: address books copy them along
        return ""
    return "-" if category == "Pd" or character == "\N{MINUS SIGN}" else character


def _address(text: str) -> str:
    """The IP address that *text* is, and its port, as a URI writes them; empty where it is none."""
    try:
        host = canonical(text.strip("[]") if text[:1] == "[" and text[-1:] == "]" else text)
    except ValueError:
        place = values.HOST_PORT.fullmatch(text)
        if place is None or place[2] is None or not is_unicast(place[1].strip("[]")):
            return ""
        return text
    return f"[{host}]" if is_ipv6(host) else host


def asked_by(number: str) -> UriRequest:
    """What *number*, which can be dialled, stands for: a URI may ask for more (RFC 3261 section 19.1.5)."""
    is_sip = number.lower().startswith(("sip:", "sips:"))
    return request_of(number, "the number") if is_sip else UriRequest(number)


def _is_uri(text: str) -> bool:
    try:
        values.uri(text)
        request_of(text, "")
    except ValueError:
        return False
    return True
