"""What a user may dial: a number, a user at a host, or a SIP, SIPS or TEL URI."""

from __future__ import annotations

import re

from phone_emulator.sip import values
from phone_emulator.sip.tel import number_in
from phone_emulator.sip.uri_request import UriRequest, request_of

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def why_undialable(number: str) -> str:
    """Why *number* cannot be dialled, for people; empty when it can."""
    if not number or any(character.isspace() or not character.isprintable() for character in number):
        return f"{number!r} is no number to dial"
    scheme = _SCHEME.match(number)
    if scheme is None:
        user, at, host = number.rpartition("@")
        return f"{number!r}: expected USER@HOST" if at and not (user and _is_uri(f"sip:{host}")) else ""
    match scheme[1].lower():
        case "sip" | "sips":
            if not _is_uri(number):
                return f"{number!r} is no SIP URI"
            method = request_of(number, "").method
            return "" if method == "INVITE" else f"{number!r} asks for {method}, not for a call"
        case "tel":
            return "" if number_in(number) else f"{number!r} is no TEL URI"
    return f"{number!r}: expected a number, USER@HOST, or a sip, sips or tel URI"


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
