"""Messages out of a byte stream."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.sip.framing import Framer
from phone_emulator.sip.message import MessageError

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
MESSAGE = b"MESSAGE sip:a@b SIP/2.0\r\nCall-ID: 2\r\nl :\r\n  11\r\nX: l: 5\r\n\r\nhello\r\n\r\nyo"
ENDLESS = b"OPTIONS sip:a@b SIP/2.0\r\n"


def test_whole_messages_are_cut_out() -> None:
    assert Framer().feed(OPTIONS + MESSAGE + OPTIONS) == [OPTIONS, MESSAGE, OPTIONS]


def test_keep_alives_are_dropped() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n\r\n") == []
    assert framer.feed(b"\r\n" + OPTIONS + b"\r\n\r\n" + MESSAGE + b"\r\n") == [OPTIONS, MESSAGE]
    assert framer.feed(OPTIONS) == [OPTIONS]


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([OPTIONS, MESSAGE, b"\r\n\r\n", b"\r\n"]), max_size=6),
    st.lists(st.integers(0, 400), max_size=20),
)
def test_it_does_not_matter_how_the_stream_is_cut(parts: list[bytes], places: list[int]) -> None:
    stream = b"".join(parts)
    bounds = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    framer = Framer()
    found = [message for start, end in pairwise(bounds) for message in framer.feed(stream[start:end])]
    assert found == [part for part in parts if part.strip()]


def test_one_byte_at_a_time() -> None:
    framer = Framer()
    assert [message for byte in MESSAGE for message in framer.feed(bytes([byte]))] == [MESSAGE]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (OPTIONS.replace(b"Content-Length: 0\r\n", b""), "a stream needs one in each message, 0 came"),
        (OPTIONS.replace(b"Call-ID: 1", b"l: 4"), "a stream needs one in each message, 2 came"),
        (OPTIONS.replace(b": 0", b": -1"), "expected a number, got '-1'"),
        (OPTIONS.replace(b": 0", b": zero"), "expected a number, got 'zero'"),
        (OPTIONS.replace(b": 0", b": 65536"), "65536 is more than a message may have"),
        (OPTIONS.replace(b": 0", b": 65535"), "bytes are more than a message may have"),
        (OPTIONS.replace(b": 0", b": " + b"9" * 5000), "is more than a message may have"),
        (ENDLESS + b"X: y\r\n" * 12000, "no end of the headers within 65535 bytes"),
    ],
)
def test_a_stream_that_cannot_be_cut_is_lost(data: bytes, why: str) -> None:
    framer = Framer()
    with pytest.raises(MessageError, match=why):
        framer.feed(data)
    with pytest.raises(MessageError, match=why):
        framer.feed(OPTIONS)


def test_messages_before_the_broken_place_are_delivered_first() -> None:
    framer = Framer()
    assert framer.feed(OPTIONS + OPTIONS.replace(b": 0", b": x")) == [OPTIONS]
    with pytest.raises(MessageError, match="expected a number"):
        framer.feed(b"")


def test_endless_headers_are_given_up_within_bounds() -> None:
    framer = Framer()
    for _ in range(65):
        assert framer.feed(b"x" * 1000) == []
    with pytest.raises(MessageError, match="no end of the headers"):
        framer.feed(b"x" * 1000)


@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([OPTIONS, MESSAGE[:40], b"\r\n\r\n", b"l:"])))
)
def test_any_bytes_are_messages_or_a_message_error(chunks: list[bytes]) -> None:
    framer = Framer()
    try:
        for chunk in chunks:
            for message in framer.feed(chunk):
                assert b"\r\n\r\n" in message
    except MessageError:
        pass


@given(st.integers(0, 3), st.integers(0, 60), st.integers(1, 7), st.integers(1, 3))
def test_pieces_make_no_difference(headers: int, body: int, size: int, count: int) -> None:
    head = b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * headers
    message = head + b"l: %d\r\n\r\n" % body + b"\r\n\r\nz"[:body].ljust(body, b"z")
    data = b"\r\n\r\n".join([message] * count)
    framer, whole = Framer(), Framer()
    pieces = [framer.feed(data[start : start + size]) for start in range(0, len(data), size)]
    assert [each for piece in pieces for each in piece] == whole.feed(data) == [message] * count
    assert not framer.pending
