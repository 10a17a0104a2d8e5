"""RTCP against the layouts of RFC 3550 section 6 and RFC 3611 section 4.7; strict bounds."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media import rtcp
from phone_emulator.media.rtcp import (
    Description,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    SenderReport,
)
from phone_emulator.media.xr import ExtendedReport, VoipMetrics, receiver_configuration

WORD = st.integers(0, 0xFFFFFFFF)
OCTET = st.integers(0, 255)
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
NAME = TEXT.filter(lambda text: text and "\ufffd" not in text)
BLOCKS = st.lists(
    st.builds(
        ReportBlock, WORD, OCTET, st.integers(-(1 << 23), (1 << 23) - 1), WORD, WORD, last_sr=WORD, delay=WORD
    ),
    max_size=31,
).map(tuple)
METRICS = st.builds(
    VoipMetrics,
    WORD,
    *[OCTET] * 4,
    *[st.integers(0, 0xFFFF)] * 4,
    *[st.integers(-128, 127)] * 2,
    *[OCTET] * 7,
    *[st.integers(0, 0xFFFF)] * 3,
)
REPORTS = st.builds(SenderReport, WORD, st.integers(0, (1 << 64) - 1), WORD, WORD, WORD, BLOCKS) | st.builds(
    ReceiverReport, WORD, BLOCKS
)
OTHERS = st.lists(
    st.builds(Goodbye, st.lists(WORD, max_size=31).map(tuple), TEXT)
    | st.builds(ExtendedReport, WORD, st.lists(METRICS, max_size=3).map(tuple)),
    max_size=2,
)
RR = ReceiverReport(7)
NAMED = Description(7, "a@b")


@given(REPORTS, st.builds(Description, WORD, NAME), OTHERS)
def test_what_is_composed_is_parsed_again(
    report: rtcp.Packet, description: Description, others: list[rtcp.Packet]
) -> None:
    packets = [report, description, *others]
    data = rtcp.compose(packets)
    assert len(data) % 4 == 0
    if len(data) <= rtcp.LARGEST:
        assert rtcp.parse(data) == packets


def test_a_sender_report_is_laid_out_as_in_rfc_3550_section_6_4_1() -> None:
    block = ReportBlock(0xCAFEBABE, 0x40, -2, 0x00011234, 16, 0x11112222, 0x00018000)
    report = SenderReport(0x01020304, 0x83AA7E8080000000, 160, 50, 8000, (block,))
    assert rtcp.compose([report, NAMED]).hex(" ", 4) == (
        "81c8000c 01020304 83aa7e80 80000000 000000a0 00000032 00001f40 "
        "cafebabe 40fffffe 00011234 00000010 11112222 00018000 "
        "81ca0003 00000007 01036140 62000000"
    )


def test_voip_metrics_are_laid_out_as_in_rfc_3611_section_4_7() -> None:
    metrics = VoipMetrics(
        9, 1, 2, 3, 4, 5, 6, 7, 8, -20, -60, 40, 16, 93, 127, 44, 43, receiver_configuration(adaptive=True),
        60, 120, 240,
    )  # fmt: skip
    data = rtcp.compose([RR, NAMED, ExtendedReport(7, (metrics,))])
    assert data[24:].hex(" ", 4) == (
        "80cf000a 00000007 07000008 00000009 01020304 00050006 00070008 ecc42810 5d7f2c2b 7000003c 007800f0"
    )


def test_the_bits_of_the_receivers_configuration_are_those_of_rfc_3611() -> None:
    """PLC 01: lost packets are silence; JBA 11 adaptive, 10 not; the rate is left 0."""
    assert receiver_configuration(adaptive=True) == 0b01_11_0000
    assert receiver_configuration(adaptive=False) == 0b01_10_0000


@pytest.mark.parametrize(
    ("packets", "why"),
    [
        ([], "begins with a report"),
        ([NAMED, RR], "begins with a report"),
        ([RR], "name"),
        ([RR, Description(7, "")], "name"),
        ([RR, NAMED, Goodbye((7,), "x" * 256)], "255 octets at most"),
        ([ReceiverReport(7, (ReportBlock(1, 0, 0, 0, 0),) * 32), NAMED], "31 sources"),
        ([ReceiverReport(7, (ReportBlock(1, 256, 0, 0, 0),)), NAMED], "does not fit"),
        ([ReceiverReport(1 << 32), NAMED], "does not fit"),
        ([RR, NAMED, ExtendedReport(7, (VoipMetrics(9, loss_rate=256),))], "does not fit"),
    ],
)
def test_what_is_no_compound_is_not_composed(packets: list[rtcp.Packet], why: str) -> None:
    with pytest.raises(RtcpError, match=why):
        rtcp.compose(packets)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "no bytes"),
        ("80c9", "2 octets are too few"),
        ("40c90001 00000007", "version 2 was expected, not 1"),
        ("80c90001 00000007 80e00000", "192 to 223, not 224"),
        ("a0c90002 00000007 00000004 80c90001 00000007", "not the last"),
        ("80c90002 00000007", "12 octets is longer than the 8"),
        ("81c90001 00000007", "should have 28 octets"),
        ("80c80001 00000007", "should have 24 octets"),
        ("80c90001 00000007 81ca0002 00000007 01ff6162", "source description should have"),
        ("80c90001 00000007 81ca0001 00000007", "source description should have"),
        ("80c90001 00000007 9fca0002 00000007 00000000", "source description should have"),
        ("80c90001 00000007 82cb0001 00000007", "BYE should have 8"),
        ("80c90001 00000007 81cb0002 00000007 ff616263", "reason of a BYE"),
        ("80c90001 00000007 80cf0000", "extended report should have 4"),
        ("80c90001 00000007 80cf0002 00000007 07000008", "block of an extended report"),
        ("80c90001 00000007 80cf0003 00000007 07000001 00000000", "VoIP metrics"),
        ("80c90001 00000007 a1cb0001 00000007 81cb0001 00000007", "not the last"),
        ("80c90001 00000007 a0cb0001 00000009", "9 octets of padding"),
        ("80c90001 00000007 a0cb0001 00000003", "3 octets of padding"),
        ("80c90001 00000007 a0cb0000", "0 octets of padding"),
    ],
)
def test_error_says_why(data: str, why: str) -> None:
    """RFC 3550 appendix A.2."""
    with pytest.raises(RtcpError, match=why):
        rtcp.parse(bytes.fromhex(data))


def test_more_than_a_datagram_of_a_usual_size_is_not_looked_at() -> None:
    with pytest.raises(RtcpError, match="1504 octets are too many"):
        rtcp.parse(bytes.fromhex("80c90001 00000007") * 188)


def test_what_is_of_no_use_is_passed_over() -> None:
    """APP, feedback, other items of a description, other blocks of XR, a profile's extension."""
    report = bytes.fromhex("80c90002 00000007 deadbeef")
    application = struct.pack("!BBHI4s", 0x80, 204, 2, 7, b"name")
    feedback = struct.pack("!BBHII", 0x81, 205, 2, 7, 8)
    description = bytes.fromhex("81ca0005 00000007 0203 616263 0103 614062 0602 7879 0000".replace(" ", ""))
    extended = bytes.fromhex("80cf0004 00000007 04000002 0000000000000000")
    data = (
        report + application + feedback + description + extended + bytes.fromhex("a1cb0002 00000007 00000004")
    )
    assert rtcp.parse(data) == [RR, NAMED, ExtendedReport(7), Goodbye((7,))]


@pytest.mark.parametrize("alone", ["80cc0003 00000007 50494e47 00000000", "81cd0002 00000007 00000008"])
def test_one_packet_alone_is_no_fault(alone: str) -> None:
    """RFC 5506: an APP, feedback."""
    assert rtcp.parse(bytes.fromhex(alone)) == []


@given(st.binary(max_size=120))
def test_garbage_raises_nothing_but_rtcp_error(data: bytes) -> None:
    for start in (b"", bytes.fromhex("80c9000100000007")):
        with contextlib.suppress(RtcpError):
            rtcp.parse(start + data)


@given(st.lists(st.tuples(st.integers(0, 150), OCTET), max_size=5), st.integers(0, 160))
def test_damage_raises_nothing_but_rtcp_error(damage: list[tuple[int, int]], length: int) -> None:
    whole = bytearray(
        rtcp.compose(
            [
                SenderReport(7, 1, 2, 3, 4, (ReportBlock(1, 2, 3, 4, 5),)),
                NAMED,
                ExtendedReport(7, (VoipMetrics(9),)),
                Goodbye((7,), "the call has ended"),
            ]
        )
    )
    for place, octet in damage:
        whole[place % len(whole)] = octet
    with contextlib.suppress(RtcpError):
        rtcp.parse(bytes(whole[:length]))


def test_the_round_trip_is_what_the_example_of_rfc_3550_says() -> None:
    """Section 6.4.1, figure 2: 6.125 seconds."""
    block = ReportBlock(1, 0, 0, 0, 0, last_sr=0xB7052000, delay=0x00054000)
    assert rtcp.middle(0xB44DB705_20000000) == 0xB7052000
    assert rtcp.round_trip(block, 0xB44DB710_80000000) == pytest.approx(6.125)


@pytest.mark.parametrize("block", [ReportBlock(1, 0, 0, 0, 0), ReportBlock(1, 0, 0, 0, 0, 0xB7108000, 65536)])
def test_there_is_no_round_trip_without_a_report_or_against_time(block: ReportBlock) -> None:
    assert rtcp.round_trip(block, 0xB44DB710_80000000) is None


def test_ntp_time_has_its_fraction_in_the_lower_half() -> None:
    assert rtcp.ntp_time(3.5) == 0x00000003_80000000


@pytest.mark.parametrize(
    ("data", "it_is"),
    [("80c9", True), ("80c8", True), ("80df", True), ("80e0", False), ("8000", False), ("80", False)],
)
def test_rtcp_is_told_from_rtp_by_its_packet_type(data: str, it_is: bool) -> None:
    """RFC 5761 section 4."""
    assert rtcp.is_rtcp(bytes.fromhex(data)) is it_is


def test_whose_a_compound_is_stands_in_its_clear_part() -> None:
    assert rtcp.sender_of(bytes.fromhex("80c90001 00000007 ffff")) == 7
    for data in ("80c90001", "80000001 00000007", "40c90001 00000007"):
        with pytest.raises(RtcpError):
            rtcp.sender_of(bytes.fromhex(data))
