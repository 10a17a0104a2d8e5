"""Refer-To, Replaces and sipfrag as texts (RFC 3515 section 2.1, RFC 3891 section 6.1, RFC 3420)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.sip.message import Headers, MessageError
from phone_emulator.sip.refer import (
    Replaces,
    parse_refer_to,
    parse_replaces,
    parse_sipfrag,
    refer_to,
    replaces_of,
    sipfrag,
)
from phone_emulator.sip.uri_request import MAX_LENGTH, UriRequest


def test_a_dialog_survives_the_way_through_a_refer_to() -> None:
    replaces = Replaces("0_425928@10.1.1.7", "7743", "6472")
    text = refer_to("sip:1003@pbx.example.com:5060", replaces)
    assert text == (
        "<sip:1003@pbx.example.com:5060?Replaces=0_425928%4010.1.1.7%3Bto-tag%3D7743%3Bfrom-tag%3D6472>"
    )
    read = parse_refer_to(text)
    assert read.uri == "sip:1003@pbx.example.com:5060"
    assert [parse_replaces(value) for value in read.header("replaces")] == [replaces]


@given(
    st.text(
        st.characters(codec="ascii", exclude_characters=",;", min_codepoint=33, max_codepoint=126), min_size=1
    ),
    st.from_regex(r"[A-Za-z0-9.!%*_+`'~-]+", fullmatch=True),
    st.booleans(),
)
def test_any_call_id_survives(call_id: str, tag: str, early: bool) -> None:
    replaces = Replaces(call_id, tag, "x", early)
    if len(str(replaces)) <= MAX_LENGTH // 3 - 40:
        assert parse_replaces(parse_refer_to(refer_to("sip:a@b", replaces)).header("Replaces")[0]) == replaces


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<sip:1003@pbx1>", UriRequest("sip:1003@pbx1")),
        ("sip:1003@pbx1", UriRequest("sip:1003@pbx1")),
        ("sip:1003@pbx1;x=y", UriRequest("sip:1003@pbx1")),
        ('"Bob <3" <sips:b@[2001:db8::1]:5061>;a=b', UriRequest("sips:b@[2001:db8::1]:5061")),
        ("<tel:+1-201-555-0123>", UriRequest("tel:+1-201-555-0123")),
        ("<sip:b@c;method=BYE;transport=tcp>", UriRequest("sip:b@c;transport=tcp", "BYE")),
        ("<sip:b@c;METHOD=INVITE>", UriRequest("sip:b@c")),
        ("<sip:a;method=x@c>", UriRequest("sip:a;method=x@c")),
        ("<sip:a?b@c?Subject=x>", UriRequest("sip:a?b@c", headers=(("Subject", "x"),))),
        (
            "<sip:b@c?Subject=a%20b&X=>",
            UriRequest("sip:b@c", headers=(("Subject", "a b"), ("X", ""))),
        ),
    ],
)
def test_a_refer_to_that_can_be_read(text: str, expected: UriRequest) -> None:
    assert parse_refer_to(text) == expected


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        ("", 400, "Refer-To"),
        ("<>", 400, "Refer-To"),
        ("<sip:1003@pbx1", 400, "no closing bracket"),
        ("<sip:@>", 400, "no host"),
        ("<sip:a b@c>", 400, "neither blanks nor control characters"),
        ("<http://example.com/>", 416, "a http URI cannot be called"),
        ("<mailto:a@b>", 416, "a mailto URI cannot be called"),
        ("<sip:b@c;method=>", 400, "its method is no method"),
        ("<sip:b@c?Replaces>", 400, "no headers"),
        ("<sip:b@c?X=%0d%0aVia:x>", 400, "a control character"),
        ("<sip:b@c?X=%zz>", 400, "two hex digits"),
        ("<sip:b@c?%20=1>", 400, "no headers"),
        ("<sip:b@c?" + "&".join(["a=b"] * 17) + ">", 400, "more than 16 headers"),
        ("<sip:" + "a" * MAX_LENGTH + "@c>", 400, "longer than 2048 characters"),
    ],
)
def test_a_refer_to_that_cannot(text: str, status: int, why: str) -> None:
    with pytest.raises(MessageError, match=why) as caught:
        parse_refer_to(text)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff",
            Replaces("98732@sip.example.com", "ff87ff", "r33th4x0r"),
        ),
        ("12adf2f34456gs5;to-tag=12345;from-tag=54321;baz", Replaces("12adf2f34456gs5", "12345", "54321")),
        (
            "87134@171.161.34.23 ; To-Tag = 24796; FROM-TAG=0;early-only",
            Replaces("87134@171.161.34.23", "24796", "0", True),
        ),
    ],
)
def test_a_replaces_that_can_be_read(text: str, expected: Replaces) -> None:
    assert parse_replaces(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no Call-ID"),
        (";to-tag=1;from-tag=2", "no Call-ID"),
        ("a b;to-tag=1;from-tag=2", "no Call-ID"),
        ("a;to-tag=1", "no from-tag"),
        ("a;from-tag=1;to-tag=", "no to-tag"),
        ("a;to-tag=1;from-tag=2;to-tag=3", "to-tag stands there twice"),
        ("a" * MAX_LENGTH + ";to-tag=1;from-tag=2", "longer than 2048 characters"),
    ],
)
def test_a_replaces_that_cannot(text: str, why: str) -> None:
    with pytest.raises(MessageError, match=why):
        parse_replaces(text)


def test_a_request_replaces_one_dialog_at_most() -> None:
    one = ("Replaces", "a;to-tag=1;from-tag=2")
    assert replaces_of(Headers([])) is None
    assert replaces_of(Headers([one])) == Replaces("a", "1", "2")
    for headers in ([one, one], [("Replaces", f"{one[1]}, {one[1]}")]):
        with pytest.raises(MessageError, match="one dialog only"):
            replaces_of(Headers(headers))
    with pytest.raises(MessageError, match="exclude each other"):
        replaces_of(Headers([one, ("Join", one[1])]))


@pytest.mark.parametrize(
    ("known", "matches"),
    [
        (("c", "1", "2"), True),
        (("c", "2", "1"), False),
        (("other", "1", "2"), False),
        (("c", "1", ""), False),
    ],
)
def test_which_dialog_is_meant(known: tuple[str, str, str], matches: bool) -> None:
    assert Replaces("c", "1", "2").names(*known) is matches


def test_a_tag_of_0_also_means_none() -> None:
    assert Replaces("c", "1", "0").names("c", "1", "")
    assert Replaces("c", "1", "0").names("c", "1", "0")
    assert not Replaces("c", "1", "0").names("c", "1", "2")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"SIP/2.0 200 OK\r\n", (200, "OK")),
        (b"SIP/2.0 180 Ringing", (180, "Ringing")),
        (b"SIP/2.0 486 \r\n", (486, "Busy Here")),
        (b"SIP/2.0 603\r\n", (603, "Decline")),
        (b"SIP/2.0 503 Service Unavailable\r\nTo: <sip:a@b>\r\n", (503, "Service Unavailable")),
        (b"SIP/2.0 200 O\x1b[31mK\r\n", (200, "O[31mK")),
        (b"sip/2.0 200 OK\n", (200, "OK")),
        (b"\r\nSIP/2.0 200 OK\r\n", (200, "OK")),
        (b"SIP/2.0  180\tRinging \r\n", (180, "Ringing")),
        (b"To: <sip:a@b>\r\n", None),
        (b"", None),
        (b"INVITE sip:a@b SIP/2.0\r\n", None),
        (b"SIP/2.0 999 No\r\n", None),
        (b"SIP/2.0 200OK\r\n", None),
        (b"SIP/2.0 200 " + b"x" * 300 + b"\r\n", None),
    ],
)
def test_the_status_that_a_sipfrag_tells(body: bytes, expected: tuple[int, str] | None) -> None:
    assert parse_sipfrag(body) == expected


def test_a_sipfrag_of_this_phone() -> None:
    assert sipfrag(486) == b"SIP/2.0 486 Busy Here\r\n"
    assert parse_sipfrag(sipfrag(100)) == (100, "Trying")


@given(st.text(), st.sampled_from(["", "<sip:a@b?", "<sip:", "c;to-tag=", "c;to-tag=1;from-tag=2"]))
def test_whatever_a_peer_writes_is_read_or_refused(text: str, start: str) -> None:
    for read in (parse_refer_to, parse_replaces):
        with contextlib.suppress(MessageError):
            read(start + text)
