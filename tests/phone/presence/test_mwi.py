"""What a message-summary says, by its own grammar (RFC 3842 section 5.2)."""

from __future__ import annotations

import pytest

from phone_emulator.phone.presence.mwi import read_summary

FULL = (
    "Messages-Waiting: yes\r\nMessage-Account: sip:a@vm.example.com\r\nVoice-Message: 2/8 (0/2)\r\n\r\n"
    "To: <alice@atlanta.example.com>\r\nVoice-Message: 7/7\r\n"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (FULL, (True, 2, 8)),
        ("Messages-Waiting: no\r\n", (False, 0, 0)),
        ("Messages-Waiting : yes\r\nVoice-Message \t:\t3 / 4 ( 1 / 2 )\r\n", (True, 3, 4)),
        ("messages-waiting:YES\nVOICE-MESSAGE:1/0\n", (True, 1, 0)),
        ("Messages-Waiting:\r\n yes\r\nVoice-Message: 1\r\n\t/2\r\n", (True, 1, 2)),
        ("\r\nMessages-Waiting: yes", (True, 0, 0)),
        ("Fax-Message: 9/9\r\nMessages-Waiting: no \r\nVoice-Message: 0/3\r\n", (False, 0, 3)),
        ("Messages-Waiting: yes\r\nVoice-Message: many\r\n", (True, 0, 0)),
        ("Messages-Waiting: yes\r\nX-Voice-Message: 1/1\r\n", (True, 0, 0)),
        ("Messages-Waiting: yesterday\r\n", None),
        ("Messages-Waiting: \r\n", None),
        ("Subject: x\r\n\r\nMessages-Waiting: yes\r\n", None),
        ("X: Messages-Waiting: yes\r\n", None),
        ("", None),
    ],
)
def test_a_summary(text: str, told: tuple[bool, int, int] | None) -> None:
    read = read_summary(text.encode(), 1, 0.0)
    assert (None if read is None else (read.waiting, read.new, read.old)) == told
