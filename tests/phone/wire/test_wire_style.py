"""How each generation of firmware writes each kind of message (phone.md sections C and D, T1..T11).

`golden/<style>/<kind>.txt` hold the different messages of the kind in the stories of `wire_stories`, byte for
byte but for what is random. ``UPDATE_GOLDEN=1`` writes them anew.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from phone_emulator.config.model import AccountConfig, ServerConfig
from phone_emulator.phone import PhoneOptions
from phone_emulator.phone.wire.identity import Device, Identity
from phone_emulator.phone.wire.wire_style import EARLY_V7X, V6X, V7X, V8X, WireStyle, dressed, style_of
from phone_emulator.sip.headers import CompactHeaders
from phone_emulator.sip.message import Headers, Request, Response
from phone_emulator.sip.parser import parse
from tests.phone.wire.wire_stories import by_kind

GOLDEN = Path(__file__).parent / "golden"
V8X_PHONE = Device("SIP-T27G", "69.86.0.15")
PHONES: dict[str, tuple[Device, dict[str, Any]]] = {
    "v8x": (V8X_PHONE, {}),
    "v7x": (Device("SIP-T22P", "7.73.14.2"), {}),
    "v6x": (Device("SIP-T28P", "2.61.0.70"), {}),
    "compact": (V8X_PHONE, {"account__1__compact_header_enable": 1}),
}
MASKS = (
    (r"branch=z9hG4bK\d+", "branch=z9hG4bK<number>"),
    (r"tag=\d+", "tag=<number>"),
    (r"RSeq: \d+", "RSeq: <number>"),
    (r"((?:Call-ID|i): (?:\d_)?)\d+@", r"\1<number>@"),
    (r'cnonce="[0-9a-f]{8}"', 'cnonce="<hex>"'),
    (r'response="[0-9a-f]{32}"', 'response="<hex>"'),
)
START = "Via From To Call-ID CSeq"
TRACES = [
    ("v8x", "REGISTER", f"{START} Contact Allow Max-Forwards User-Agent Expires Allow-Events Content-Length"),
    (
        "v8x",
        "INVITE",
        f"{START} Contact Content-Type Allow Max-Forwards User-Agent Allow-Events Supported Content-Length",
    ),
    (
        "v7x",
        "INVITE",
        f"{START} Contact Content-Type Allow Max-Forwards User-Agent Supported Allow-Events Content-Length",
    ),
    ("v6x", "REGISTER", f"{START} Contact Allow Max-Forwards User-Agent Expires Content-Length"),
    ("v6x", "ACK", f"{START} Contact Max-Forwards User-Agent Content-Length"),
    ("v6x", "ACK-refused", f"{START} Content-Length"),
    ("v8x", "UPDATE", f"{START} Contact Max-Forwards User-Agent Session-Expires Supported Content-Length"),
    ("v7x", "OPTIONS", f"{START} Contact Max-Forwards User-Agent Content-Length"),
    ("v8x", "SUBSCRIBE", f"{START} Contact Accept Max-Forwards User-Agent Expires Event Content-Length"),
    (
        "v8x",
        "NOTIFY",
        f"{START} Contact Content-Type Max-Forwards User-Agent Subscription-State Event Content-Length",
    ),
    ("v8x", "CANCEL", f"{START} Max-Forwards User-Agent Content-Length"),
    ("v8x", "REFER", f"{START} Contact Max-Forwards User-Agent Refer-To Referred-By Content-Length"),
    ("v7x", "REFER", f"{START} Contact Max-Forwards User-Agent Refer-To Referred-By Event Content-Length"),
    ("v8x", "BYE", f"{START} Contact Max-Forwards User-Agent Content-Length"),
]
"""Style, kind, and the headers in order: T1, T2, T3, T4, T4, T4, T7, T11, T8, T8; CANCEL, REFER and BYE
as phone.md infers them."""


@cache
def texts(phone: str) -> dict[str, str]:
    """What the stories make *phone* say, by kind of message."""
    device, settings = PHONES[phone]
    found: dict[str, list[str]] = {}
    for kind, data in by_kind(PhoneOptions(device=device), settings):
        text = data.decode().replace("\r\n", "\n").rstrip("\n")
        for pattern, mask in MASKS:
            text = re.sub(pattern, mask, text)
        if text not in found.setdefault(kind, []):
            found[kind].append(text)
    return {kind: "\n----\n".join(each) + "\n" for kind, each in found.items()}


@pytest.mark.parametrize("phone", PHONES)
def test_every_kind_of_message(phone: str) -> None:
    folder, made = GOLDEN / phone, texts(phone)
    if os.environ.get("UPDATE_GOLDEN"):
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.txt"):
            old.unlink()
        for kind, text in made.items():
            (folder / f"{kind}.txt").write_text(text, encoding="utf-8")
    assert made == {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.txt")}


@pytest.mark.parametrize(("phone", "kind", "names"), TRACES)
def test_the_order_is_that_of_the_trace(phone: str, kind: str, names: str) -> None:
    head = texts(phone)[kind].partition("\n----")[0].partition("\n\n")[0]
    credentials = ("Authorization", "Proxy-Authorization")
    found = (line.partition(":")[0] for line in head.splitlines()[1:])
    assert " ".join(name for name in found if name not in credentials) == names


@pytest.mark.parametrize(
    ("firmware", "style"),
    [
        *(
            ("66.86.0.15", V8X),
            ("28.80.0.130", V8X),
            ("38.70.14.5", EARLY_V7X),
            ("38.71.0.1", EARLY_V7X),
            ("38.72.0.1", V7X),
            ("7.73.14.2", V7X),
            ("2.61.0.70", V6X),
        ),
        *(("", V8X), ("66", V8X), ("66.x.0", V8X), ("108.100.0.1", V8X)),
    ],
)
def test_the_second_number_of_the_firmware_decides(firmware: str, style: WireStyle) -> None:
    assert style_of(firmware) is style


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # T9: INVITE with 100rel
        ("INVITE Allow-Events Supported:100rel User-Agent", "User-Agent Supported Allow-Events"),
        # T2
        ("INVITE Supported:replaces User-Agent Allow-Events", "User-Agent Allow-Events Supported"),
        # T6
        ("REGISTER MAC Line Allow-Events Expires", "Expires Allow-Events Line MAC"),
        # T7
        (
            "UPDATE Supported:timer Session-Expires User-Agent Contact",
            "Contact User-Agent Session-Expires Supported",
        ),
        # T8
        (
            "NOTIFY Event Subscription-State User-Agent Content-Type",
            "Content-Type User-Agent Subscription-State Event",
        ),
        ("REFER Event Referred-By Refer-To User-Agent", "User-Agent Refer-To Referred-By Event"),
        # credentials after Contact, routes before From, what has no place after those that have
        (
            "INVITE X-2 Authorization X-1 From Route Contact Via Content-Length",
            "Via Route From Contact Authorization X-2 X-1 Content-Length",
        ),
        ("PRACK RAck User-Agent CSeq", "CSeq User-Agent RAck"),
        ("FOO X-1 User-Agent CSeq", "CSeq User-Agent X-1"),
    ],
)
def test_headers_added_in_any_order(given: str, expected: str) -> None:
    method, *names = given.split()
    headers = Headers((name.partition(":")[0], name.partition(":")[2]) for name in names)
    request = dressed(Request(method, "sip:x", headers), V8X)
    assert [name for name, _ in request.headers] == expected.split()


def test_a_response() -> None:
    given = "Allow-Events User-Agent Supported Require Content-Type Contact Record-Route Via Allow Via RSeq"
    headers = Headers((name, "") for name in given.split())
    response = dressed(Response(183, "", headers), V8X)
    expected = (
        "Via Via Record-Route Contact Content-Type Allow Require RSeq Supported User-Agent Allow-Events"
    )
    assert [name for name, _ in response.headers] == expected.split()


@pytest.mark.parametrize(
    ("port", "style", "uri", "own"),
    [
        (5060, V8X, "sip:1@pbx:5060", "sip:201@pbx:5060"),
        (5070, V8X, "sip:1@pbx:5070", "sip:201@pbx:5070"),
        (0, V8X, "sip:1@pbx", "sip:201@pbx"),
        (5060, V7X, "sip:1@pbx", "sip:201@pbx"),
        (5070, V7X, "sip:1@pbx:5070", "sip:201@pbx"),
        (0, V7X, "sip:1@pbx", "sip:201@pbx"),
    ],
)
def test_ports_in_uris(port: int, style: WireStyle, uri: str, own: str) -> None:
    account = AccountConfig(index=1, user_name="201")
    line = Identity(account, ServerConfig(number=1, address="pbx", port=port), "", "", True, style)
    invite = line.invite("1", "c", "t", "<sip:h>", b"")
    assert invite.uri == uri
    assert invite.headers.get("From") == f"<{own}>;tag=t"
    assert invite.headers.get("To") == f"<{own.replace('201', '1')}>"
    assert line.register("c", "t", 1, 60, "<sip:h>").uri == uri.replace("1@", "")
    own_uri = uri.replace("1@", "201@")
    assert line.subscribe("c", "t", "message-summary", "x", 60).uri == own_uri
    assert line.outside("OPTIONS", "c", "t", "<sip:h>").uri == own_uri


def test_compact_forms_stay_compact_whatever_is_done_to_them() -> None:
    headers = CompactHeaders([("From", "a"), ("Subject", "x"), ("CSeq", "1 INFO")])
    headers.prepend("Via", "v")
    headers.add("content-type", "t")
    headers.insert_after("CSeq", "Contact", "<sip:h>")
    request = Request("INFO", "sip:x", headers.copy(), b"body")
    request.headers.set("From", "b")
    request.headers.prepend("Via", "w")
    text = request.to_bytes().decode()
    names = [line.partition(":")[0] for line in text.split("\r\n")[1:9]]
    assert " ".join(names) == "v v f s CSeq m c l"
    assert text.endswith("l: 4\r\n\r\nbody")


@pytest.mark.parametrize("kind", ["REGISTER", "INVITE", "200-INVITE", "ACK-refused", "CANCEL", "SUBSCRIBE"])
def test_compact_messages_say_the_same(kind: str) -> None:
    def said(phone: str) -> list[tuple[str, str]]:
        text = re.sub("<(number|hex)>", "1", texts(phone)[kind].partition("\n----")[0]).replace("\n", "\r\n")
        message = parse(f"{text}\r\n\r\n".encode() if "\r\n\r\n" not in text else f"{text}\r\n".encode())
        return [(key, line.partition(":")[2]) for key, line in message.headers.lines]

    assert said("compact") == said("v8x")
