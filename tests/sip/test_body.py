"""Bodies in several parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.sip.body import MAX_DEPTH, MAX_PARTS, NotUnderstood, part_of, read, sdp_of
from phone_emulator.sip.message import Headers, Message, Request, Response

SDP_PART = b"\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
TEXT_PART = b"\r\nContent-Type: text/plain;charset=utf-8\r\nContent-Disposition: render\r\n\r\nHello"


def message(content_type: str | None, body: bytes) -> Message:
    headers = [] if content_type is None else [("Content-Type", content_type)]
    return Request("INVITE", "sip:1002@example.com", Headers(headers), body)


def mixed(*parts: bytes, boundary: bytes = b"b1") -> bytes:
    return b"".join(b"--" + boundary + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


@pytest.mark.parametrize(
    ("content_type", "body", "found"),
    [
        ("application/sdp", b"v=0\r\n", b"v=0\r\n"),
        ("Application/SDP ; charset=x", b"v=0\r\n", b"v=0\r\n"),
        (None, b"v=0\r\n", b""),
        ("text/plain", b"v=0\r\n", b""),
        ("application/sdp", b"", b""),
        ("multipart/mixed;boundary=b1", mixed(SDP_PART, TEXT_PART), b"v=0\r\n"),
        ('multipart/mixed; boundary="b1"', mixed(TEXT_PART, SDP_PART), b"v=0\r\n"),
        ("multipart/mixed;boundary=b1", b"preamble\r\n" + mixed(SDP_PART) + b"epilogue", b"v=0\r\n"),
        ("multipart/mixed;boundary=b1", mixed(TEXT_PART), b""),
        ("multipart/mixed;boundary=b1", b"--b1--" + SDP_PART, b""),
        ("multipart/mixed;boundary=b2", mixed(SDP_PART), b""),
        ("multipart/mixed", mixed(SDP_PART), b""),
        ("multipart/mixed;boundary=" + 80 * "b", mixed(SDP_PART), b""),
    ],
)
def test_finds_the_session_description(content_type: str | None, body: bytes, found: bytes) -> None:
    assert sdp_of(message(content_type, body)) == found


def test_a_response_that_says_no_type_describes_a_session() -> None:
    assert sdp_of(Response(200, "OK", body=b"v=0\r\n")) == b"v=0\r\n"


def test_a_part_without_type_is_text() -> None:
    body = mixed(b"\r\n\r\nHello")
    assert part_of(message("multipart/mixed;boundary=b1", body), "text/plain") == b"Hello"


@pytest.mark.parametrize(
    "folded", [b"\r\nContent-Type:\r\n application/sdp\r\n\r\nv=0", b"\r\nc: application/sdp\r\n\r\nv=0"]
)
def test_reads_the_headers_of_a_part(folded: bytes) -> None:
    assert sdp_of(message("multipart/mixed;boundary=b1", mixed(folded))) == b"v=0"


def nested(depth: int) -> bytes:
    body = SDP_PART
    for level in range(depth):
        name = b"n%d" % level
        inside = mixed(body, boundary=name)
        body = b"\r\nContent-Type: multipart/mixed;boundary=" + name + b"\r\n\r\n" + inside
    return body.partition(b"\r\n\r\n")[2]


def test_looks_into_parts_of_parts_but_not_for_ever() -> None:
    within = message(f"multipart/mixed;boundary=n{MAX_DEPTH - 1}", nested(MAX_DEPTH))
    assert sdp_of(within) == b"v=0\r\n"
    beyond = message(f"multipart/mixed;boundary=n{MAX_DEPTH}", nested(MAX_DEPTH + 1))
    assert sdp_of(beyond) == b""


def test_looks_at_so_many_parts_only() -> None:
    kind = "multipart/mixed;boundary=b1"
    assert sdp_of(message(kind, mixed(*(MAX_PARTS - 1) * [TEXT_PART], SDP_PART))) == b"v=0\r\n"
    assert sdp_of(message(kind, mixed(*MAX_PARTS * [TEXT_PART], SDP_PART))) == b""


@given(st.binary(max_size=300), st.sampled_from(["a", "--", "b1", "=", "'"]))
def test_any_bytes_are_read(body: bytes, boundary: str) -> None:
    part_of(message(f"multipart/mixed;boundary={boundary}", b"--" + boundary.encode() + body), "text/plain")


def described(disposition: str, content_type: str = "application/x-unknown", body: bytes = b"z") -> bytes:
    head = f"\r\nContent-Type: {content_type}\r\n"
    if disposition:
        head += f"Content-Disposition: {disposition}\r\n"
    return head.encode() + b"\r\n" + body


REFUSED = "refused"


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([SDP_PART, described("render;handling=optional")], b"v=0\r\n"),
        ([described('signal; handling = "OPTIONAL"'), SDP_PART], b"v=0\r\n"),
        ([SDP_PART, described("render;handling=required")], REFUSED),
        ([SDP_PART, described("render")], REFUSED),
        ([SDP_PART, described("")], REFUSED),
        ([SDP_PART, TEXT_PART], b"v=0\r\n"),
        ([SDP_PART, described("render;handling=required", "text/plain")], REFUSED),
        ([described("early-session;handling=optional", "application/sdp")], b""),
        ([described("early-session;handling=optional", "application/sdp"), SDP_PART], b"v=0\r\n"),
        ([described("early-session", "application/sdp"), SDP_PART], REFUSED),
        ([described("session", "application/sdp", b"v=1")], b"v=1"),
        ([described("handling=optional\r\nContent-Encoding: gzip", "application/sdp"), SDP_PART], REFUSED),
        (
            [described("x;handling=optional\r\nContent-Encoding: gzip", "application/sdp"), SDP_PART],
            b"v=0\r\n",
        ),
        ([described("\r\nContent-Transfer-Encoding: base64"[2:], "application/sdp")], REFUSED),
    ],
)
def test_parts_that_must_be_understood(parts: list[bytes], found: bytes | str) -> None:
    """RFC 3261 sections 8.2.3 and 20.11: what says nothing must be; RFC 5621 for parts."""
    told = message("multipart/mixed;boundary=b1", mixed(*parts))
    try:
        part = read(told, "application/sdp")
    except NotUnderstood:
        assert found == REFUSED
        assert sdp_of(told) == b""
    else:
        assert (b"" if part is None else part.body) == found


@pytest.mark.parametrize(
    ("content_type", "disposition", "refused"),
    [
        ("application/x-unknown", "", True),
        ("application/x-unknown", "render", True),
        ("application/x-unknown", "render;handling=required", True),
        ("application/x-unknown", "render;handling=optional", False),
        ("application/x-unknown", "render ; HANDLING=Optional", False),
        ("application/sdp", "session", False),
        ("application/sdp", "x-unknown", True),
        ("application/sdp", "x-unknown;handling=optional", False),
        ("multipart/mixed", "x;handling=optional", False),
        ("multipart/mixed", "", True),
    ],
)
def test_a_body_that_must_be_understood(content_type: str, disposition: str, refused: bool) -> None:
    told = message(content_type, b"v=0")
    if disposition:
        told.headers.add("Content-Disposition", disposition)
    if refused:
        with pytest.raises(NotUnderstood) as error:
            read(told, "application/sdp")
        assert error.value.header == ("Accept", "application/sdp")
    else:
        assert sdp_of(told) == (b"v=0" if disposition == "session" else b"")


def test_of_alternatives_the_last_that_is_understood() -> None:
    """RFC 2046 section 5.1.4: the best comes last; none of them has to be understood, but one."""
    better = described("", "application/sdp", b"v=1")
    kind = "multipart/alternative;boundary=b1"
    assert sdp_of(message(kind, mixed(SDP_PART, better, described("")))) == b"v=1"
    with pytest.raises(NotUnderstood):
        read(message(kind, mixed(described(""), described("render"))), "application/sdp")


def test_nobody_refuses_a_response() -> None:
    kind = [("Content-Type", "multipart/mixed;boundary=b1")]
    response = Response(200, "OK", Headers(kind), mixed(described(""), SDP_PART))
    assert sdp_of(response) == b"v=0\r\n"


def test_line_ends_within_a_body() -> None:
    """Some write LF alone, or an empty line before the description."""
    lines = mixed(TEXT_PART, SDP_PART).replace(b"\r\n", b"\n")
    assert sdp_of(message("multipart/mixed;boundary=b1", lines)) == b"v=0\n"
    assert sdp_of(message("application/sdp", b"\r\nv=0\r\n")) == b"v=0\r\n"
    assert sdp_of(message("application/sdp", b"\n\nv=0\n")) == b"v=0\n"
