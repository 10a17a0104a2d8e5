from __future__ import annotations

from collections.abc import Callable

import pytest

from phone_emulator.report.ladder import ladder, ladder_text
from phone_emulator.report.result import Message, ScenarioResult
from phone_emulator.report.wire import label, masked, names_of, shown_text

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
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7|2^20|1:4;inline:5ec4e7|2^20|2:4",
        "a= CRYPTO:1 AES_CM_128_HMAC_SHA1_80 INLINE:5ec4e7 WSH=64",
        "k=base64:5ec4e7",
        "a=key-mgmt:mikey 5ec4e7",
    ],
)
def test_no_secret_is_shown(header: str) -> None:
    text = shown_text(f"INVITE sip:a SIP/2.0\r\n{header}\r\nCSeq: 1 INVITE\r\n\r\n".encode())
    assert "5ec4e7" not in text
    assert text.endswith("CSeq: 1 INVITE")


AS_TEXT = pytest.mark.parametrize(
    "shown", [shown_text, lambda data: masked(data).decode()], ids=["a ladder", "a capture"]
)


@AS_TEXT
@pytest.mark.parametrize(
    "attribute",
    [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA|2^20|1:4;inline:5ec4e7|2^20|2:4",
        "a=crypto: 1 AES_CM_128_HMAC_SHA1_80 inline: 5ec4e7",
        "x=1\ra=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7",
        "a=key-mgmt:mikey 5ec4e7",
        "k=base64:5ec4e7",
        "k=clear:5ec4e7",
    ],
)
def test_no_key_of_the_media_is_shown(attribute: str, shown: Callable[[bytes], str]) -> None:
    data = f"INVITE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n{attribute}\r\n"
    assert "5ec4e7" not in shown(data.encode())


@AS_TEXT
@pytest.mark.parametrize(
    "said",
    [
        'Authorization: Digest username="a", response="5ec4e7"',
        'Authorization:\r\n Digest username="a",\r\n\tresponse="5ec4e7"',
        'Authorization: Digest username="a",\n response="5ec4e7"',
        'Authorization: Digest username="a",\r response="5ec4e7"',
        'Authorization: Digest username="a\\\\", response="5ec4e7"',
        'Authorization: Digest username="a, response="5ec4e7"',
        'Authorization : Digest response="5ec4e7"',
        'Authorization\x0b: Digest response="5ec4e7"',
        'Authorization: Digest\tresponse="5ec4e7"',
        'Authorization: Digest username="a", response ="5ec4e7"',
        'Authorization: Digest username="a", response="x", Digest response="5ec4e7"',
        "Refer-To: <sip:a@b?Authorization=Digest%20response%3D%225ec4e7%22>",
        "To: <sip:alice:5ec4e7@pbx>",
        'X: 1\r\n\r\n<a>Authorization: Digest username="a", response="5ec4e7"</a>',
        'X: 1\r\n\r\n> Authorization: Digest username="a", response="5ec4e7"',
    ],
)
def test_no_secret_is_shown_however_it_is_written(said: str, shown: Callable[[bytes], str]) -> None:
    """Folded, badly quoted, in a URI, quoted in a body."""
    assert "5ec4e7" not in shown(f"INVITE sip:a SIP/2.0\r\n{said}\r\n\r\n".encode())


def test_what_is_no_secret_stays() -> None:
    text = shown_text(
        b'REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username="x,respond=1", nonce="n"\r\n\r\n'
    )
    assert text == 'REGISTER sip:a SIP/2.0\nAuthorization: Digest username="x,respond=1", nonce="n"'


def test_labels_cannot_steer_a_terminal() -> None:
    assert label(b"SIP/2.0 503 \x1b[2Jgone\r\n\r\n") == "503 \\x1b[2Jgone"
    assert label(b"\r\n\r\n") == "keep-alive"
    assert label(b"\xff\xfe x\r\n").startswith("\ufffd")
