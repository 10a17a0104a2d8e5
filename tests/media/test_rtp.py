"""RTP headers against RFC 3550's layout."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media import rtp


def test_header_is_laid_out_as_in_rfc_3550() -> None:
    packet = rtp.Packet(101, 0x1234, 0x89ABCDEF, 0xCAFEBABE, b"\x05\x0a\x00\xa0", marker=True)
    assert packet.pack().hex(" ") == "80 e5 12 34 89 ab cd ef ca fe ba be 05 0a 00 a0"


@given(
    st.builds(
        rtp.Packet,
        payload_type=st.integers(0, 63) | st.integers(96, 127),
        sequence=st.integers(0, 0xFFFF),
        timestamp=st.integers(0, 0xFFFFFFFF),
        ssrc=st.integers(0, 0xFFFFFFFF),
        payload=st.binary(max_size=300),
        marker=st.booleans(),
    )
)
def test_what_is_packed_is_parsed_again(packet: rtp.Packet) -> None:
    assert rtp.parse(packet.pack()) == packet


@given(st.binary(max_size=64))
def test_garbage_raises_nothing_but_rtp_error(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except rtp.RtpError:
        return
    assert len(packet.payload) <= len(data) - 12


def test_contributing_sources_extension_and_padding_are_skipped() -> None:
    extension = struct.pack("!HH", 0xBEDE, 1) + b"\x10\xff\x00\x00"
    data = struct.pack("!BBHII", 0xB1, 0, 1, 2, 3) + bytes(4) + extension + b"sound" + b"\x00\x00\x03"
    assert rtp.parse(data) == rtp.Packet(0, 1, 2, 3, b"sound")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes are too few"),
        (b"INVITE sip:a@b SIP/2.0", "version 2 was expected, not 1"),
        (bytes.fromhex("80c8") + bytes(26), "this is RTCP"),
        (b"\x8f\x00" + bytes(20), "header should take 72 bytes"),
        (b"\x90\x00" + bytes(10), "before its header extension"),
        (b"\xa0\x00" + bytes(10) + b"\x09", "9 bytes of padding"),
        (b"\xa0\x00" + bytes(10) + b"\x00", "0 bytes of padding"),
    ],
)
def test_error_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(rtp.RtpError, match=reason):
        rtp.parse(data)


@pytest.mark.parametrize(
    "packet", [rtp.Packet(128, 0, 0, 0), rtp.Packet(0, 65536, 0, 0), rtp.Packet(0, 0, -1, 0)]
)
def test_numbers_that_do_not_fit_are_refused(packet: rtp.Packet) -> None:
    with pytest.raises(rtp.RtpError):
        packet.pack()


@pytest.mark.parametrize(
    ("way", "bits"), [(rtp.elapsed, 32), (rtp.ahead, 16)], ids=["timestamps", "sequence numbers"]
)
def test_numbers_go_the_shorter_way_round(way: Callable[[int, int], int], bits: int) -> None:
    half, whole = 1 << bits - 1, 1 << bits
    assert [way(5, 3), way(3, 5), way(3, 3)] == [2, -2, 0]
    assert [way(1, whole - 1), way(whole - 1, 1)] == [2, -2]
    assert [way(half - 1, 0), way(half, 0), way(half + 1, 0)] == [half - 1, -half, 1 - half]
