from __future__ import annotations

import pytest

from phone_emulator.report.ladder import ladder, ladder_text
from phone_emulator.report.result import Message, ScenarioResult
from phone_emulator.report.wire import label, names_of, shown_text

LADDER = """\
   seconds  phone                         primary                       secondary
            192.168.1.100                 192.168.1.13:5060/udp         192.168.1.14:5060/udp
     0.000  |- INVITE ------------------->|                             |
     0.500  |- INVITE again ------------->|                             |
    32.000  |- INVITE with credentials -------------------------------->|
    32.100  |<- 200 OK -------------------------------------------------|"""


def test_a_ladder(result: ScenarioResult, messages: list[Message]) -> None:
    assert "\n".join(ladder_text(ladder(messages, names_of(result.calls[0].route)))) == LADDER


def test_no_messages_no_ladder() -> None:
    assert ladder_text(ladder([])) == []


@pytest.mark.parametrize(
    "header",
    [
        'Authorization: Digest username="a", response="5ec4e7", nc=00000001',
        'Proxy-Authorization:Digest response = "5ec4e7" ,username="a"',
        'authorization : digest username="a",\r\n  response="5ec4e7"',
        'Authorization: Digest username="x,y", realm="q\\"r", response=5ec4e7',
        "Authorization: Basic 5ec4e7",
        'Authentication-Info: qop=auth, rspauth="5ec4e7"',
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7|2^20",
    ],
)
def test_no_secret_is_shown(header: str) -> None:
    text = shown_text(f"INVITE sip:a SIP/2.0\r\n{header}\r\nCSeq: 1 INVITE\r\n\r\n".encode())
    assert "5ec4e7" not in text
    assert text.endswith("CSeq: 1 INVITE")


def test_what_is_no_secret_stays() -> None:
    text = shown_text(
        b'REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username="x,respond=1", nonce="n"\r\n\r\n'
    )
    assert text == 'REGISTER sip:a SIP/2.0\nAuthorization: Digest username="x,respond=1", nonce="n"'


def test_labels_cannot_steer_a_terminal() -> None:
    assert label(b"SIP/2.0 503 \x1b[2Jgone\r\n\r\n") == "503 \\x1b[2Jgone"
    assert label(b"\r\n\r\n") == "keep-alive"
    assert label(b"\xff\xfe x\r\n").startswith("\ufffd")
