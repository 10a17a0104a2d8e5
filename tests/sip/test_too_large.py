"""What is longer than a message may be is refused by name (RFC 3261 sections 21.4.11 and 21.5.7)."""

from __future__ import annotations

import pytest

from phone_emulator.sip.framing import MAX_SIZE, Framer
from phone_emulator.sip.message import MessageError

HEAD = b"OPTIONS sip:a@b SIP/2.0\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_SIZE + 1), 413),
        (HEAD + b"Content-Length: %d\r\n\r\n" % MAX_SIZE, 513),
        (HEAD + b"X: " + b"y" * MAX_SIZE, 513),
        (HEAD + b"Content-Length: no\r\n\r\n", 400),
    ],
)
def test_streams(data: bytes, status: int) -> None:
    with pytest.raises(MessageError) as error:
        Framer().feed(data)
    assert error.value.status == status
