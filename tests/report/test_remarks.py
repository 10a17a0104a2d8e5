"""Why a message was refused or ignored, on the message itself: for the capture and the message view."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from phone_emulator.events import Address, MessageIgnored, MessageReceived, MessageSent, Transport
from phone_emulator.report import remarks
from phone_emulator.report.pcapng import Capture, write_pcapng
from phone_emulator.report.result import Message

HERE, THERE = Address("192.168.1.21", 5060), Address("192.168.1.13", 5060)


def received(
    at: float, data: bytes, remote: Address = THERE, transport: Transport = Transport.UDP
) -> Message:
    return MessageReceived(at=at, local=HERE, remote=remote, transport=transport, data=data)


def sent(at: float, data: bytes) -> Message:
    return MessageSent(at=at, local=HERE, remote=THERE, transport=Transport.UDP, data=data)


def ignored(data: bytes, reason: str, status: int | None = None, **how: bool) -> MessageIgnored:
    return MessageIgnored(
        at=9,
        local=HERE,
        remote=THERE,
        transport=Transport.UDP,
        reason=reason,
        data=data,
        status=status,
        **how,
    )


def kept(*events: Message | MessageIgnored) -> list[tuple[bytes, str]]:
    messages: list[Message] = []
    for event in events:
        remarks.keep(messages, event)
    return [(each.data, each.remark if isinstance(each, MessageReceived) else "") for each in messages]


def test_the_message_that_it_is_about_gets_the_remark() -> None:
    assert kept(
        received(1, b"a"),
        received(2, b"b"),
        sent(3, b"b"),
        ignored(b"b", "no such call", 481),
        received(4, b"c"),
    ) == [(b"a", ""), (b"b", "refused with 481: no such call"), (b"b", ""), (b"c", "")]


def test_of_equal_messages_each_has_its_own() -> None:
    events = [received(1, b"a"), ignored(b"a", "first"), received(2, b"a"), ignored(b"a", "second")]
    assert kept(*events) == [(b"a", "ignored: first"), (b"a", "ignored: second")]


def test_what_was_no_message_is_there_too() -> None:
    garbage = ignored(b"garbage", "no SIP version", unread=True)
    assert kept(garbage) == [(b"garbage", "ignored: no SIP version")]
    elsewhere = received(1, b"garbage", Address("192.168.1.99", 5060))
    assert len(kept(elsewhere, garbage)) == 2


def test_a_refusal_finds_its_message_however_long_it_took() -> None:
    others = [received(2, b"%d" % n) for n in range(200)]
    shown = kept(received(1, b"invite"), *others, ignored(b"invite", "the phone is busy", 486))
    assert shown[0] == (b"invite", "refused with 486: the phone is busy")
    assert len(shown) == 201


def test_what_is_not_kept_is_not_made_up() -> None:
    assert kept(ignored(b"invite", "the phone is busy", 486)) == []


def test_what_could_not_be_sent_was_on_no_wire() -> None:
    assert kept(ignored(b"a", "could not be sent: network is unreachable", outwards=True)) == []
    assert kept(ignored(b"", "connection refused: 3 are open already")) == []


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_wireshark_shows_the_remarks_as_comments(tmp_path: Path) -> None:
    head = b"\r\nVia: SIP/2.0/UDP 192.168.1.13\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\n"
    bye = b"BYE sip:b@b SIP/2.0" + head + b"CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    messages: list[Message] = []
    for event in (
        received(1, bye),
        ignored(bye, "no such call is known here", 481),
        received(2, bye, transport=Transport.TLS),
        ignored(bye, "too late"),
        ignored(b"garbage", "no SIP version", unread=True),
        received(4, bye),
    ):
        remarks.keep(messages, event)
    path = tmp_path / "x.pcapng"
    write_pcapng(path, [Capture("x", messages)])
    shown = subprocess.run(
        ["tshark", "-r", str(path), "-Y", "udp or tcp.len > 0", "-T", "fields", "-e", "frame.comment"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    assert shown[:4] == [
        "refused with 481: no such call is known here",
        "ignored: too late; sent over TLS, shown in the clear",
        "ignored: no SIP version",
        "",
    ]
