"""Telephone events against RFC 4733's layout; bodies of INFO."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.media import dtmf, rtp


def _packets(digit: str, timestamp: int = 8000, **options: int) -> list[rtp.Packet]:
    return dtmf.digit_packets(
        digit, payload_type=101, sequence=65534, timestamp=timestamp, ssrc=0xCAFEBABE, **options
    )


def test_one_digit_on_the_wire() -> None:
    assert [packet.pack().hex(" ") for packet in _packets("5")] == [
        "80 e5 ff fe 00 00 1f 40 ca fe ba be 05 0a 00 a0",
        "80 65 ff ff 00 00 1f 40 ca fe ba be 05 0a 01 40",
        "80 65 00 00 00 00 1f 40 ca fe ba be 05 0a 01 e0",
        "80 65 00 01 00 00 1f 40 ca fe ba be 05 0a 02 80",
        "80 65 00 02 00 00 1f 40 ca fe ba be 05 8a 03 20",
        "80 65 00 03 00 00 1f 40 ca fe ba be 05 8a 03 20",
        "80 65 00 04 00 00 1f 40 ca fe ba be 05 8a 03 20",
    ]


def test_events_of_all_digits() -> None:
    assert [dtmf.event_of(digit) for digit in "0123456789*#ABCD"] == list(range(16))
    assert dtmf.event_of("d") == 15


@pytest.mark.parametrize("digit", ["", "12", "E", "!", "٣"])
def test_what_is_no_digit_is_refused(digit: str) -> None:
    with pytest.raises(dtmf.DtmfError, match="is no DTMF digit"):
        dtmf.event_of(digit)


@pytest.mark.parametrize(("repetition", "ends"), [(1, 1), (2, 2), (3, 3)])
def test_the_end_is_sent_as_often_as_configured(repetition: int, ends: int) -> None:
    events = [dtmf.parse_event(packet.payload) for packet in _packets("#", repetition=repetition)]
    assert sum(event.end for event in events) == ends


def test_a_duration_between_two_packets_is_told_exactly() -> None:
    events = [dtmf.parse_event(packet.payload) for packet in _packets("1", duration_ms=50)]
    assert [(event.duration, event.end) for event in events] == [
        (160, False), (320, False), (400, True), (400, True), (400, True)
    ]  # fmt: skip


@pytest.mark.parametrize("duration", [0, 8192])
def test_a_duration_that_no_event_can_tell_is_refused(duration: int) -> None:
    with pytest.raises(dtmf.DtmfError, match=f"lasts 1..8191 ms, not {duration}"):
        _packets("1", duration_ms=duration)


@given(st.binary(max_size=16))
def test_garbage_raises_nothing_but_dtmf_error(payload: bytes) -> None:
    receiver = dtmf.DigitReceiver()
    try:
        assert receiver.receive(rtp.Packet(101, 1, 2, 3, payload)) in (None, *dtmf.DIGITS)
    except dtmf.DtmfError:
        assert len(payload) < 4


def test_a_digit_is_heard_once_and_the_same_digit_again_is_another() -> None:
    receiver = dtmf.DigitReceiver()
    heard = [receiver.receive(packet) for packet in _packets("7", 0) + _packets("7", 1600)]
    assert [digit for digit in heard if digit] == ["7", "7"]


def test_late_packets_of_the_last_digit_are_not_a_new_one() -> None:
    receiver = dtmf.DigitReceiver()
    first, second = _packets("1", 0), _packets("2", 1600)
    heard = [receiver.receive(packet) for packet in [*first[:-1], second[0], first[-1], *second[1:]]]
    assert "".join(digit for digit in heard if digit) == "12"


def test_a_digit_of_which_only_the_end_comes_is_heard() -> None:
    assert dtmf.DigitReceiver().receive(_packets("9")[-1]) == "9"


def test_events_that_are_no_digits_are_not_heard() -> None:
    flash = dtmf.Event(16, False, 0, 160).pack()
    assert dtmf.DigitReceiver().receive(rtp.Packet(101, 1, 2, 3, flash)) is None


@pytest.mark.parametrize(
    ("info_type", "content_type", "body"),
    [
        (1, "application/dtmf-relay", b"Signal=*\r\nDuration=160\r\n"),
        (2, "application/dtmf", b"*"),
        (3, "audio/telephone-event", bytes.fromhex("0a8a0500")),
    ],
)
def test_info_bodies(info_type: int, content_type: str, body: bytes) -> None:
    assert dtmf.info_body("*", 160, info_type) == (content_type, body)


def test_another_info_type_is_refused_by_its_parameter() -> None:
    with pytest.raises(dtmf.DtmfError, match=r"account\.X\.dtmf\.info_type is 1, 2 or 3, not 0"):
        dtmf.info_body("1", 100, 0)
