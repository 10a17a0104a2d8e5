"""The torture messages of RFC 4475 and RFC 5118, read from their files in the notation of those RFCs.

A line ``=== NAME SECTION TITLE`` begins a message; all up to the next one belongs to it. Lines end in CRLF,
and (RFC 4475 section 2) ``<allOneLine>`` … ``</allOneLine>`` joins the lines between, ``<hex>0A</hex>`` is
the octets it names, and ``<repeat count=3>x</repeat>`` is ``xxx``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
HEADING = re.compile(r"^=== (\S+) (\S+) (.*)\n", re.MULTILINE)
JOINED = re.compile(rb"<allOneLine>\n(.*?)</allOneLine>", re.DOTALL)
REPEAT = re.compile(rb"<repeat count=([0-9]+)>(.*?)</repeat>")
HEX = re.compile(rb"<hex>([0-9A-F]+)</hex>")


@dataclass(frozen=True, slots=True)
class TortureMessage:
    """One message of the RFCs."""

    name: str
    section: str
    title: str
    data: bytes


@cache
def read(file: str) -> dict[str, TortureMessage]:
    """The messages of *file*, by name."""
    text = (FOLDER / file).read_text(encoding="ascii")
    _, *parts = HEADING.split(text)
    return {
        name: TortureMessage(name, section, title, expanded(body.encode()))
        for name, section, title, body in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True)
    }


def expanded(text: bytes) -> bytes:
    """*text* as it is on the wire."""
    text = JOINED.sub(lambda match: match[1].replace(b"\n", b""), text)
    text = REPEAT.sub(lambda match: match[2] * int(match[1]), text).replace(b"\n", b"\r\n")
    return HEX.sub(lambda match: bytes.fromhex(match[1].decode()), text)
