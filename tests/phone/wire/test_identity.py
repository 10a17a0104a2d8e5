"""How the phone looks on the wire, message by message (phone.md section C).

`golden/*.txt` hold what it sends, with placeholders for what is random. ``UPDATE_GOLDEN=1`` writes them anew.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from phone_emulator.config.model import AccountConfig, PhoneConfig, ServerConfig
from phone_emulator.events import Address, Transport
from phone_emulator.phone.wire.identity import Device, Identity, new_call_id
from phone_emulator.sip.message import Request
from tests.phone.wire.wire_stories import STORIES, sent

GOLDEN = Path(__file__).parent / "golden"
MASKS = (
    (r"branch=z9hG4bK(\d+)", "branch"),
    (r"tag=(\d+)", "tag"),
    (r"Call-ID: \d+_(\d+)@", "number"),
    (r'cnonce="([0-9a-f]{8})"', "cnonce"),
    (r'response="([0-9a-f]{32})"', "response"),
    (r"line=([0-9a-f]{15})", "line"),
)
"""What is random, and its placeholder; the first value is number 1, so that equal ones show as equal."""


@pytest.mark.parametrize("name", STORIES)
def test_the_wire(name: str) -> None:
    messages = sent(*STORIES[name])
    text = "\n----\n".join(each.decode().replace("\r\n", "\n").rstrip("\n") for each in messages) + "\n"
    for pattern, name_of in MASKS:
        for number, value in enumerate(dict.fromkeys(re.findall(pattern, text)), 1):
            text = re.sub(
                rf"\b{value}\b|(?<=z9hG4bK){value}\b|(?<=_){value}\b", f"<{name_of} {number}>", text
            )
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def identity(**account: Any) -> Identity:
    server = account.pop("server", ServerConfig(number=1, address="pbx.example.com"))
    hash_as_23 = account.pop("hash_as_23", True)
    config = AccountConfig(index=4, **{"user_name": "201", **account})
    return Identity(config, server, "UA", "001565aabbcc", hash_as_23)


@pytest.mark.parametrize(
    ("number", "settings", "expected"),
    [
        ("1002", {}, "sip:1002@pbx.example.com:5060"),
        ("1002", {"user_equal_phone": True}, "sip:1002@pbx.example.com:5060;user=phone"),
        ("*72#", {}, "sip:*72%23@pbx.example.com:5060"),
        ("*72#", {"hash_as_23": False}, "sip:*72#@pbx.example.com:5060"),
        ("a:b", {}, "sip:a%3Ab@pbx.example.com:5060"),
        ("zoë", {}, "sip:zo%C3%AB@pbx.example.com:5060"),
        ("1002@other.example:5070", {}, "sip:1002@other.example:5070"),
        ("sip:1002@other.example;transport=tcp", {}, "sip:1002@other.example;transport=tcp"),
        (
            "1002",
            {"server": ServerConfig(number=1, address="pbx.example.com", port=0)},
            "sip:1002@pbx.example.com",
        ),
        ("1002", {"server": ServerConfig(number=2, address="fd00::13")}, "sip:1002@[fd00::13]:5060"),
    ],
)
def test_what_a_number_stands_for(number: str, settings: dict[str, Any], expected: str) -> None:
    assert identity(**settings).uri_of(number) == expected


@pytest.mark.parametrize(
    ("local", "transport", "expected"),
    [
        (Address("192.168.1.21", 5060), Transport.UDP, "<sip:201@192.168.1.21:5060>"),
        (Address("192.168.1.21", 5060), Transport.TCP, "<sip:201@192.168.1.21:5060;transport=TCP>"),
        (Address("192.168.1.21", 5061), Transport.TLS, "<sip:201@192.168.1.21:5061;transport=TLS>"),
        (Address("fd00::21", 5060), Transport.UDP, "<sip:201@[fd00::21]:5060>"),
    ],
)
def test_contact(local: Address, transport: Transport, expected: str) -> None:
    assert identity().contact(local, transport) == expected


def test_the_line_mark_tells_lines_apart() -> None:
    """T6: the same at each start, another for each line."""
    marks = {
        Identity(AccountConfig(index=n), ServerConfig(number=1, address="x"), "", "m", True).line_mark
        for n in (1, 2, 1)
    }
    assert len(marks) == 2
    assert all(re.fullmatch(r"[0-9a-f]{15}", mark) for mark in marks)


def test_ipv6_in_every_header() -> None:
    line = identity(server=ServerConfig(number=1, address="fd00::13"), display_name="T2")
    request: Request = line.register("4_1@fd00::21", "7", 1, 3600, "<sip:201@[fd00::21]:5060>")
    text = request.to_bytes().decode()
    assert text.startswith("REGISTER sip:[fd00::13]:5060 SIP/2.0\r\n")
    assert 'From: "T2" <sip:201@[fd00::13]:5060>;tag=7\r\n' in text
    assert request.to_address.uri.host == "[fd00::13]"


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "Zoë Ünal", 'a\\"b', "comma, semi; <angle>"])
def test_display_names_survive(name: str) -> None:
    request = identity(display_name=name).register("c", "7", 1, 60, "<sip:201@h>")
    assert request.from_address.name == name
    assert request.from_tag == "7"


def test_without_a_display_name() -> None:
    request = identity().register("c", "7", 1, 60, "<sip:201@h>")
    assert request.headers.get("From") == "<sip:201@pbx.example.com:5060>;tag=7"


def test_call_id_and_user_agent() -> None:
    account = AccountConfig(index=5, custom_ua="Mine")
    assert re.fullmatch(r"4_\d{1,10}@192\.168\.1\.21", new_call_id(random.Random(1), account, "192.168.1.21"))
    device = Device("SIP-T46G", "28.83.0.35", "0015651234ab")
    plain, with_mac = PhoneConfig(), PhoneConfig(mac_in_ua=True)
    assert device.user_agent(plain, AccountConfig(index=1)) == "Yealink SIP-T46G 28.83.0.35"
    assert device.user_agent(with_mac) == "Yealink SIP-T46G 28.83.0.35 0015651234ab"
    assert device.user_agent(with_mac, account) == "Mine"


AOR = {"user_name": "1001@pbx.example.com"}
"""A user name that says its domain, too."""


@pytest.mark.parametrize("number", [1, 2])
def test_a_user_name_with_a_domain_is_an_address_of_record(number: int) -> None:
    """Also at the fallback server. rule C7"""
    line = identity(server=ServerConfig(number=number, address="192.168.1.15"), display_name="T2", **AOR)
    register = line.register("c", "7", 1, 60, line.binding(Address("192.168.1.21", 5060), Transport.UDP))
    assert register.uri == "sip:pbx.example.com"
    assert register.headers.get("To") == '"T2" <sip:1001@pbx.example.com>'
    assert register.headers.get("From") == '"T2" <sip:1001@pbx.example.com>;tag=7'
    assert register.headers.get("Contact") == "<sip:1001@192.168.1.21:5060>"
    invite = line.invite("1002", "c", "7", "<sip:x@h>", b"")
    assert (invite.uri, invite.headers.get("To")) == (
        "sip:1002@pbx.example.com",
        "<sip:1002@pbx.example.com>",
    )
    assert invite.headers.get("From") == '"T2" <sip:1001@pbx.example.com>;tag=7'
    subscribe = line.subscribe("c", "7", "message-summary", "x/y", 60)
    assert (subscribe.uri, subscribe.to_address.uri.host) == ("sip:1001@pbx.example.com", "pbx.example.com")
    assert line.outside("OPTIONS", "c", "7", "<sip:x@h>").uri == "sip:1001@pbx.example.com"
    assert b"%40" not in b"".join(each.to_bytes() for each in (register, invite, subscribe))


@pytest.mark.parametrize(
    ("user_name", "expected"),
    [
        ("1001@pbx.example.com:5070", "sip:1001@pbx.example.com:5070"),
        ("1001@192.168.1.99", "sip:1001@192.168.1.99"),
        ("1001@[fd00::13]", "sip:1001@[fd00::13]"),
        ("sip:1001@pbx.example.com", "sip:1001@pbx.example.com"),
        ("SIPS:1001@pbx.example.com", "sip:1001@pbx.example.com"),
        ("a b@c@pbx.example.com", "sip:a%20b%40c@pbx.example.com"),
        # what follows is no domain
        ("1001@", "sip:1001%40@pbx.example.com:5060"),
        ("@pbx", "sip:%40pbx@pbx.example.com:5060"),
        ("1001@pbx example", "sip:1001%40pbx%20example@pbx.example.com:5060"),
        ("1001@pbx>;x=<a", "sip:1001%40pbx%3E;x=%3Ca@pbx.example.com:5060"),
    ],
)
def test_what_a_user_name_stands_for(user_name: str, expected: str) -> None:
    assert identity(user_name=user_name).address_of_record == expected


def test_a_number_with_a_domain_of_its_own_keeps_it() -> None:
    assert identity(**AOR).uri_of("1002@other.example") == "sip:1002@other.example"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (AOR, "1001"),
        ({**AOR, "auth_name": "1001@pbx.example.com"}, "1001@pbx.example.com"),
        ({**AOR, "auth_name": "alice"}, "alice"),
    ],
)
def test_who_authenticates_for_a_user_name_with_a_domain(settings: dict[str, str], expected: str) -> None:
    assert identity(**settings).account.digest_user == expected
