"""Messages whose lines do not end as they should (RFC 3261 sections 7, 7.5 and 18.3)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.events import MessageIgnored, MessageReceived
from phone_emulator.phone import IncomingCall
from phone_emulator.report.remarks import with_remark
from phone_emulator.sip.framing import Framer
from phone_emulator.sip.line_ends import mended, remark
from phone_emulator.sip.message import MessageError
from phone_emulator.sip.parser import parse
from tests.phone.far_end import Play, offer, play

HEAD = (
    b"OPTIONS sip:1001@192.168.1.21 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.13;branch=z9hG4bK1\r\n"
    b"From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
)
WHOLE = HEAD + b"Content-Length: 0\r\n\r\n"
LF = "its lines end in LF alone, not in CRLF"
NO_END = "no empty line ends its headers"


def in_lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


@pytest.mark.parametrize(
    ("data", "body", "odd"),
    [
        (WHOLE, b"", ""),
        (in_lf(WHOLE), b"", LF),
        (b"\n\n" + in_lf(WHOLE), b"", LF),
        (in_lf(HEAD) + b"l: 3\n\nv=0", b"v=0", LF),
        (in_lf(HEAD) + b"\nv=0\r\n\r\n", b"v=0\r\n\r\n", LF),
        (in_lf(HEAD), b"", f"{LF} and {NO_END}"),
        (HEAD, b"", NO_END),
        (HEAD + b"Content-Length: 0\r\n", b"", NO_END),
        (HEAD + b"Content-Length: 0", b"", NO_END),
        (HEAD + b"l : 0 ", b"", NO_END),
        (in_lf(HEAD) + b"Content-Length: 0", b"", f"{LF} and {NO_END}"),
        (in_lf(HEAD) + b"Subject: a\n b\n\n", b"", LF),
    ],
)
def test_what_is_taken_and_remarked_upon(data: bytes, body: bytes, odd: str) -> None:
    message = parse(data)
    assert (message.body, message.raw) == (body, data)
    assert message.call_id == "c"
    assert "\n" not in "".join(value for _, value in message.headers)
    assert remark(data) == (f"taken, though {odd}" if odd else "")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (HEAD + b"Subject: a\nX: y\r\n\r\n", "a line of the headers ends in CR or LF alone"),
        (HEAD + b"Subject: a\nX: y\r\n", "no empty line"),
        (HEAD + b"\n", "no empty line"),
        (in_lf(HEAD) + b"Subject: a\r\n\n", "no empty line|LF alone"),
        (in_lf(HEAD) + b"Subject: a\rX: y\n\n", "no empty line|LF alone"),
        (in_lf(HEAD) + b"Subject: a\r\n\r\n", "LF alone"),
        (WHOLE.replace(b"\r\n", b"\n", 1), "LF alone"),
        (WHOLE.replace(b"\r\n", b"\r"), "no empty line"),
        (HEAD + b"Subject: cut o", "no empty line"),
        (HEAD[:-2], "no empty line"),
        (HEAD + b"Content-Length: 5", "no empty line"),
        (HEAD + b"Content-Length: 5\r\n", "Content-Length is 5, but only 0 bytes of body came"),
        (in_lf(HEAD).replace(b"Call-ID: c\n", b"") + b"\n", "Call-ID: missing"),
    ],
)
def test_what_is_malformed(data: bytes, why: str) -> None:
    with pytest.raises(MessageError, match=why):
        parse(data)


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b"a: b", b"l: 0", HEAD, in_lf(HEAD)]), max_size=12)
)
def test_what_is_mended_is_right(pieces: list[bytes]) -> None:
    right = mended(b"".join(pieces))
    if right is not None:
        assert mended(right) is None
        assert not remark(right)


@pytest.mark.parametrize("data", [in_lf(WHOLE), in_lf(WHOLE) + WHOLE, in_lf(HEAD) + b"l: 5\n\nv\r\n\r\n"])
def test_a_stream_takes_crlf_only_and_says_why(data: bytes) -> None:
    with pytest.raises(MessageError, match="LF alone: in a stream only CRLF tells where the headers end"):
        Framer().feed(data)


def test_a_stream_says_what_it_waits_for() -> None:
    framer = Framer()
    framer.feed(HEAD)
    assert framer.lacking == "no empty line (CRLF) has ended its headers"
    framer.feed(b"l: 5\r\n\r\nv=0")
    assert framer.lacking == "2 bytes of it have not come"


def remarks(on: Play) -> list[str]:
    return [event.remark for event in on.events if isinstance(event, MessageReceived) and event.remark]


def test_a_caller_that_writes_lf_is_answered() -> None:
    async def story(on: Play) -> None:
        invite = on.far.invite(body=b"\n" + in_lf(offer()))
        on.far.raw(in_lf(invite.to_bytes()))
        ringing = await on.far.response(180)
        assert ringing.headers.get("Via") == invite.headers.get("Via")
        call = on.phone.calls[0]
        assert isinstance(call, IncomingCall)
        call.answer()
        response = await on.far.response(200, "INVITE")
        assert b"m=audio 11780 RTP/AVP 0" in response.body
        on.far.raw(in_lf(on.far.ack(invite, response).to_bytes()))
        await on.far.nothing(10)
        assert remarks(on) == [
            f"taken, though {LF} and its session description begins with an empty line",
            f"taken, though {LF}",
        ]
        assert on.ignored == []

    play(story)


def test_a_callee_that_ends_no_headers_is_heard() -> None:
    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        register = await on.far.heard("REGISTER")
        answer = on.far.answer  # what it would send, without the empty line
        sent: list[bytes] = []
        on.far.raw, raw = sent.append, on.far.raw
        answer(register, 200, extra=[("Expires", "600")])
        raw(sent[0].removesuffix(b"\r\n"))
        on.far.raw = raw
        await registering
        assert on.phone.line(1).bindings.targets
        assert remarks(on) == [f"taken, though {NO_END}"]

    play(story)


def test_one_that_is_refused_as_well_says_both() -> None:
    async def story(on: Play) -> None:
        on.far.raw(in_lf(on.far.make("OPTIONS", "mailto:a@x").to_bytes()))
        await on.far.response(416)
        [received] = [event for event in on.events if isinstance(event, MessageReceived)]
        [refused] = [event for event in on.events if isinstance(event, MessageIgnored)]
        noted = with_remark(received, refused)
        assert noted is not None
        assert noted.remark.startswith("refused with 416: ")
        assert noted.remark.endswith(f"(taken, though {LF})")

    play(story)


def test_what_is_malformed_in_lf_is_refused() -> None:
    async def story(on: Play) -> None:
        bad = on.far.make("OPTIONS", "sip:1001@192.168.1.21")
        bad.headers.set("CSeq", "1 INVITE")
        on.far.raw(in_lf(bad.to_bytes()))
        await on.far.response(400)

    play(story)


def test_over_tcp_it_is_refused_and_the_connection_closed() -> None:
    async def story(on: Play) -> None:
        registering = asyncio.create_task(on.phone.register())
        on.far.answer(await on.far.heard("REGISTER"), 200, extra=[("Expires", "600")])
        await registering
        on.far.raw(in_lf(on.far.make("OPTIONS", "sip:1001@192.168.1.21").to_bytes()))
        await on.far.response(400)
        assert on.ignored == [
            "its lines end in LF alone: in a stream only CRLF tells where the headers end; connection closed"
        ]

    play(story, account__1__sip_server__1__transport_type=1)
