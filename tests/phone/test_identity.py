"""How the phone looks on the wire, message by message (phone.md section C).

`golden/*.txt` hold what it sends, with placeholders for what is random. ``UPDATE_GOLDEN=1`` writes them anew.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from phone_emulator.config.model import AccountConfig, PhoneConfig, ServerConfig
from phone_emulator.events import Address, MessageSent, Transport
from phone_emulator.phone.identity import Device, Identity, new_call_id
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import Request, Response
from tests.lab.peers import ack_to
from tests.phone.far_end import Play, Story, offer, play

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

CHALLENGE = challenge_value("example.com", "abc")
PROXY_CHALLENGE = challenge_value("example.com", "abc", qop="")


async def registering(on: Play) -> None:
    """REGISTER, 401, REGISTER with credentials, refresh at once, un-REGISTER."""
    cycle = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 401, extra=[("WWW-Authenticate", CHALLENGE)])
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
    await cycle
    again = asyncio.create_task(on.phone.register())
    on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "3600")])
    await again
    ending = asyncio.create_task(on.phone.line().registrar.unregister())
    on.far.answer(await on.far.heard("REGISTER"), 200)
    await ending


async def calling(on: Play) -> None:
    """INVITE, 407, ACK, INVITE with credentials, 200, ACK, hold, digit, BYE."""
    call = on.phone.dial("*72#5")
    on.far.answer(await on.far.heard("INVITE"), 407, extra=[("Proxy-Authenticate", PROXY_CHALLENGE)])
    await on.far.heard("ACK")
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer())
    await on.far.heard("ACK")
    await call.settled()
    holding = asyncio.create_task(call.hold())
    on.far.answer(await on.far.heard("INVITE"), 200, body=offer("recvonly"))
    await on.far.heard("ACK")
    await holding
    ending = asyncio.create_task(call.hang_up())
    on.far.answer(await on.far.heard("BYE"), 401, extra=[("WWW-Authenticate", CHALLENGE)])
    on.far.answer(await on.far.heard("BYE"), 200)
    await ending


async def cancelling(on: Play) -> None:
    """INVITE, 180, CANCEL, 487, ACK."""
    call = on.phone.dial("1002")
    invite = await on.far.heard("INVITE")
    on.far.answer(invite, 180)
    await on.rest()
    await call.hang_up()
    on.far.answer(await on.far.heard("CANCEL"), 200)
    on.far.answer(invite, 487)
    await on.far.heard("ACK")
    await call.over()


async def being_called(on: Play) -> None:
    """180, 200, 200 to UPDATE and BYE."""
    route = [("Record-Route", "<sip:192.168.1.13;lr>")]
    invite, response, _ = await on.taken(extra=route)
    own, phone = invite.headers.get("From") or "", response.headers.get("To") or ""
    for number, (method, body) in enumerate((("UPDATE", offer("sendonly")), ("BYE", b"")), 2):
        on.far.send(on.far.inside(method, "in-1", own, phone, number, body=body))
        await on.far.response(200, method)


async def refusing(on: Play) -> None:
    """486, 404, 481, 405, 487 and the 200 to a CANCEL, 200 to OPTIONS."""
    invite, _, call = await on.ringing()
    call.reject()
    on.far.send(ack_to(invite, await on.far.response(486)))
    for method, user in (("INVITE", "9"), ("BYE", "1001"), ("REFER", "1001"), ("OPTIONS", "1001")):
        request = on.far.make(method, f"sip:{user}@192.168.1.21", call_id=f"alone-{method}")
        on.far.send(request)
        response = await on.far.hear()
        assert isinstance(response, Response)
        if method == "INVITE":
            on.far.send(ack_to(request, response))
    invite, _, _ = await on.ringing(call_id="in-2")
    on.far.send(on.far.make("CANCEL", invite.uri, branch=invite.branch or "", call_id="in-2", user="1002"))
    await on.far.response(200, "CANCEL")
    on.far.send(ack_to(invite, await on.far.response(487)))


ALL_OPTIONS: dict[str, Any] = {
    "account__1__register_line": 1,
    "account__1__register_mac": 1,
    "account__1__nat__rport": 1,
    "account__1__enable_user_equal_phone": 1,
    "account__1__display_name": 'Zoë "Z" \\ Ltd.',
    "account__1__auth_name": "auth1001",
    "sip__mac_in_ua": 1,
    "sip__use_23_as_pound": 0,
}
STORIES: dict[str, tuple[Story, dict[str, Any]]] = {
    "register": (registering, {}),
    "register-options": (registering, ALL_OPTIONS),
    "register-tcp": (registering, {"account__1__sip_server__1__transport_type": 1}),
    "call": (calling, {}),
    "call-options": (calling, {**ALL_OPTIONS, "account__1__custom_ua": "Reception/1.0"}),
    "cancel": (cancelling, {}),
    "called": (being_called, {}),
    "refused": (refusing, {}),
}


@pytest.mark.parametrize("name", STORIES)
def test_the_wire(name: str) -> None:
    story, settings = STORIES[name]
    sent: list[str] = []

    async def told(on: Play) -> None:
        await story(on)
        sent.extend(event.data.decode() for event in on.events if isinstance(event, MessageSent))

    play(told, **settings)
    text = "\n----\n".join(message.replace("\r\n", "\n").rstrip("\n") for message in sent) + "\n"
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
