"""Bodies in several parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.sip.body import MAX_DEPTH, MAX_PARTS, part_of, sdp_of
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
