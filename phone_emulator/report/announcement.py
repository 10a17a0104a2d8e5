"""Announcements of sessions (SAP, RFC 2974), by which Wireshark knows what is RTP, and in which codecs."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from phone_emulator.events import Address

PORT = 9875
_GROUP_4, _GROUP_6 = "224.2.127.254", "ff0e::2:7ffe"
_VERSION_1, _IPV6 = 0x20, 0x10


def group(source: str) -> Address:
    """Where who is at the IP address *source* announces sessions (section 3)."""
    return Address(_GROUP_6 if ":" in source else _GROUP_4, PORT)


def announcement(source: str, destination: Address, formats: Iterable[tuple[int, str]]) -> bytes:
    """That *destination* is sent RTP from the IP address *source* (section 6), as SDP (RFC 8866).

    Args:
        source: who sends it.
        destination: who hears it.
        formats: the payload types, each with what ``a=rtpmap`` says of it.
    """
    sender, hearer = (ipaddress.ip_address(host.partition("%")[0]) for host in (source, destination.host))
    formats = list(formats)
    lines = [
        "v=0",
        f"o=- 0 0 IN IP{sender.version} {sender}",
        "s=-",
        f"c=IN IP{hearer.version} {hearer}",
        "t=0 0",
        f"m=audio {destination.port} RTP/AVP {' '.join(str(payload) for payload, _ in formats)}",
        *(f"a=rtpmap:{payload} {rtpmap}" for payload, rtpmap in formats),
    ]
    flags = _VERSION_1 | (_IPV6 if sender.version == 6 else 0)
    return bytes((flags, 0, 0, 1)) + sender.packed + "".join(f"{line}\r\n" for line in lines).encode()
