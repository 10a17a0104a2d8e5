"""What stands where a number should, for the tests that send it."""

from __future__ import annotations

import pytest

from phone_emulator.sip.message import Message

NO_NUMBERS = ("²", "１", "٣", "1_000", "+1", "-1", "0x1", "1.5", "", "9" * 5000)
"""No number, or (the last) one beyond every limit: `int` raises for some, and takes the others."""


def shown(text: str) -> str:
    """*text* as the name of a test has it."""
    return ascii(text)[1:-1][:8] or "nothing"


bad_numbers = pytest.mark.parametrize("bad", NO_NUMBERS, ids=shown)
"""Each of them as the argument ``bad`` of a test."""


def with_value(message: Message, name: str, value: str) -> bytes:
    """*message* as it goes out, with *value* as that of the header *name*, be it Content-Length."""
    if name != "Content-Length":
        message.headers.set(name, value)
        return message.to_bytes()
    lines = message.to_bytes().split(b"\r\n")
    own = f"{name}: {value}".encode()
    return b"\r\n".join(own if line.startswith(b"Content-Length:") else line for line in lines)
