"""What a user may dial: a number, a user at a host, or a SIP, SIPS or TEL URI."""

from __future__ import annotations

import re

from phone_emulator.sip import values
from phone_emulator.sip.tel import number_in

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
            return "" if _is_uri(number) else f"{number!r} is no SIP URI"
        case "tel":
            return "" if number_in(number) else f"{number!r} is no TEL URI"
    return f"{number!r}: expected a number, USER@HOST, or a sip, sips or tel URI"


def _is_uri(text: str) -> bool:
    try:
        values.uri(text)
    except ValueError:
        return False
    return True
