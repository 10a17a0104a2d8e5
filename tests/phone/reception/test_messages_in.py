"""MESSAGE, INFO and OPTIONS that come in, with and without a call."""

from __future__ import annotations

import pytest

from phone_emulator.events import DigitReceived, Event, TextReceived
from phone_emulator.sip.message import Request
from tests.lab.peers import PHONE
from tests.phone.far_end import Play, play


def texts(events: list[Event]) -> list[tuple[int, str, str]]:
    return [(each.line, each.sender, each.text) for each in events if isinstance(each, TextReceived)]


def digits(events: list[Event]) -> list[tuple[str, str, int]]:
    return [(each.call, each.digit, each.duration) for each in events if isinstance(each, DigitReceived)]


def message(on: Play, body: bytes, content_type: str = "text/plain", user: str = "1001") -> Request:
    request = on.far.make(
        "MESSAGE", f"sip:{user}@{PHONE}", user="1002", extra=[("Content-Type", content_type)]
    )
    request.body = body
    return request


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b"Hello", "text/plain", "Hello"),
        ("Grüße".encode(), "Text/Plain; charset=utf-8", "Grüße"),
        ("Grüße".encode("latin-1"), 'text/plain;charset="iso-8859-1"', "Grüße"),
        (b"a\xff", "text/plain;charset=nonsense", "a�"),
        (rb"a\u0041", "text/plain;charset=unicode_escape", r"a\u0041"),
        (b"+AEE-", "text/plain;charset=utf-7", "+AEE-"),
        (b"x" * 5000, "text/plain", "x" * 2000),
        (b"", "text/plain", ""),
    ],
)
def test_a_text(body: bytes, content_type: str, text: str) -> None:
    async def story(on: Play) -> None:
        on.far.send(message(on, body, content_type))
        await on.far.response(200, "MESSAGE")
        assert texts(on.events) == [(1, "1002", text)]

    play(story)


@pytest.mark.parametrize(
    ("content_type", "user", "status", "tells"),
    [
        ("text/html", "1001", 415, ("Accept", "text/plain")),
        ("application/im-iscomposing+xml", "1001", 415, ("Accept", "text/plain")),
        ("text/plain", "4711", 404, None),
    ],
)
def test_a_text_that_is_not_taken(
    content_type: str, user: str, status: int, tells: tuple[str, str] | None
) -> None:
    async def story(on: Play) -> None:
        on.far.send(message(on, b"x", content_type, user))
        response = await on.far.response(status, "MESSAGE")
        assert tells is None or response.headers.get(tells[0]) == tells[1]
        assert texts(on.events) == []

    play(story)


def test_an_encoded_text_is_not_taken() -> None:
    async def story(on: Play) -> None:
        request = message(on, b"x")
        request.headers.add("Content-Encoding", "gzip")
        on.far.send(request)
        assert (await on.far.response(415)).headers.get("Accept-Encoding") == "identity"

    play(story)


def test_a_text_within_a_call() -> None:
    async def story(on: Play) -> None:
        invite, _ = await on.talking()
        request = on.from_far("MESSAGE", invite)
        request.headers.add("Content-Type", "text/plain")
        request.body = b"Hello"
        on.far.send(request)
        await on.far.response(200, "MESSAGE")
        assert texts(on.events) == [(1, "1002", "Hello")]

    play(story)


@pytest.mark.parametrize(
    ("content_type", "body", "status", "heard"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", 200, [("call-1", "5", 160)]),
        ("application/dtmf-relay", b" signal = # \n", 200, [("call-1", "#", 0)]),
        ("Application/DTMF", b"*", 200, [("call-1", "*", 0)]),
        ("audio/telephone-event", b"\x0b\x8a\x03\x20", 200, [("call-1", "#", 100)]),
        ("application/dtmf-relay", b"Duration=160", 400, []),
        ("application/dtmf-relay", b"Signal=X", 400, []),
        ("application/dtmf", b"12", 400, []),
        ("audio/telephone-event", b"\x10\x8a\x03\x20", 400, []),
        ("audio/telephone-event", b"\x10", 400, []),
        ("application/media_control+xml", b"<x/>", 415, []),
        ("", b"", 200, []),
    ],
)
def test_an_info(content_type: str, body: bytes, status: int, heard: list[tuple[str, str, int]]) -> None:
    async def story(on: Play) -> None:
        invite, _ = await on.talking()
        request = on.from_far("INFO", invite)
        if content_type:
            request.headers.add("Content-Type", content_type)
        request.body = body
        on.far.send(request)
        response = await on.far.response(status, "INFO")
        assert ("Accept" in response.headers) == (status == 415)
        assert digits(on.events) == heard

    play(story)


def test_an_info_of_a_package() -> None:
    """RFC 6086 section 4.2.2."""

    async def story(on: Play) -> None:
        invite, _ = await on.talking()
        request = on.from_far("INFO", invite)
        request.headers.add("Info-Package", "foo")
        on.far.send(request)
        response = await on.far.response(469, "INFO")
        assert response.headers.get("Recv-Info") == ""

    play(story)


@pytest.mark.parametrize(
    ("user", "settings", "status"),
    [
        ("1001@", {}, 200),
        ("", {}, 200),
        ("4711@", {}, 200),  # it would be a direct call
        ("4711@", {"features__direct_ip_call_enable": 0}, 404),
        ("", {"features__direct_ip_call_enable": 0}, 200),
        ("", {"account__1__dnd__enable": 1, "features__dnd_refuse_code": 480}, 480),
        ("1001@", {"account__1__dnd__enable": 1, "features__dnd_refuse_code": 480}, 480),
    ],
)
def test_an_options(user: str, settings: dict[str, int], status: int) -> None:
    """RFC 3261 section 11.2: the status is the one that an INVITE would draw."""

    async def story(on: Play) -> None:
        on.far.send(on.far.make("OPTIONS", f"sip:{user}{PHONE}"))
        response = await on.far.response(status, "OPTIONS")
        told = {name: response.headers.get(name) for name in ("Accept", "Supported", "Allow-Events")}
        assert told == (
            {"Accept": None, "Supported": None, "Allow-Events": None}
            if status == 404
            else {
                "Accept": "application/sdp",
                "Supported": "replaces",
                "Allow-Events": "talk,hold,conference,refer,check-sync",
            }
        )

    play(story, None, stop=True, **settings)


def test_an_options_to_a_busy_phone() -> None:
    async def story(on: Play) -> None:
        invite, _ = await on.talking()
        on.far.send(on.far.make("OPTIONS", f"sip:1001@{PHONE}"))
        await on.far.response(486, "OPTIONS")
        on.far.send(on.from_far("OPTIONS", invite))
        response = await on.far.response(200, "OPTIONS")
        assert response.headers.get("Accept") == "application/sdp"

    play(story, call_waiting__enable=0)
