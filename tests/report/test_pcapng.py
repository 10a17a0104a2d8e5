from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from phone_emulator.events import Address, MessageReceived, MessageSent, Transport
from phone_emulator.report.pcapng import Capture, PcapngWriter, write_pcapng
from phone_emulator.report.result import Message
from tests.patience import NET

SDP = "v=0\r\n" + "a=x:1234567890\r\n" * 150


def message(number: int, transport: Transport, local: Address, remote: Address) -> tuple[Message, Message]:
    head = (
        f"Via: SIP/2.0/{transport.upper()} {local};branch=z9hG4bK{number}\r\nFrom: <sip:a@b>;tag=1\r\n"
        f"To: <sip:b@b>\r\nCall-ID: id{number}\r\nCSeq: 1 INVITE\r\n"
    )
    offer = f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    invite = f"INVITE sip:b@b SIP/2.0\r\n{head}{offer}"
    refusal = f"SIP/2.0 503 Service Unavailable\r\n{head}Content-Length: 0\r\n\r\n"
    return (
        MessageSent(at=number + 0.25, local=local, remote=remote, transport=transport, data=invite.encode()),
        MessageReceived(
            at=number + 0.5, local=local, remote=remote, transport=transport, data=refusal.encode()
        ),
    )


CONVERSATIONS = [
    (Transport.UDP, Address("192.168.1.100", 5060), Address("192.168.1.13", 5060)),
    (Transport.UDP, Address("127.0.0.1", 34567), Address("127.0.0.2", 15070)),
    (Transport.TCP, Address("192.168.1.100", 40000), Address("192.168.1.13", 5060)),
    (Transport.TLS, Address("192.168.1.100", 40001), Address("192.168.1.13", 5061)),
    (Transport.UDP, Address("fe80::1%lo", 5060), Address("fe80::2", 5060)),
    (Transport.TCP, Address("::1", 41000), Address("::1", 15060)),
]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "x.pcapng"
    spoken = [item for number, talk in enumerate(CONVERSATIONS) for item in message(number, *talk)]
    write_pcapng(path, [Capture("first", spoken), Capture("second", spoken[:2])], epoch=1_000_000_000.0)
    return path


def test_blocks_follow_each_other(capture: Path) -> None:
    data = capture.read_bytes()
    kinds: list[int] = []
    offset = 0
    while offset < len(data):
        kind, length = struct.unpack_from("<II", data, offset)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, offset + length - 4)[0] == length
        kinds.append(kind)
        offset += length
    assert kinds[:2] == [0x0A0D0D0A, 1]
    assert kinds.count(1) == 2
    # Three UDP conversations and one again; each of three TCP ones has its handshake and a split INVITE.
    assert kinds.count(6) == 4 * 2 + 3 * (3 + 2 + 1)


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_remark_is_made_once_and_may_hold_anything(transport: Transport) -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    writer.interface("call to \udcff")
    local, remote = Address("192.168.1.100", 5060), Address("192.168.1.13", 5060)
    writer.write(
        MessageReceived(
            at=0, local=local, remote=remote, transport=transport, data=b"x" * 5000, remark="ignored: \udcff"
        )
    )
    assert stream.getvalue().count(b"ignored: \\udcff") == 1


def test_a_datagram_longer_than_udp_is_cut() -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream)
    writer.interface("x")
    local, remote = Address("10.0.0.1", 5060), Address("10.0.0.2", 5060)
    writer.write(MessageSent(at=0, local=local, remote=remote, transport=Transport.UDP, data=b"x" * 70_000))
    assert stream.getvalue().count(b"x") >= 65_507


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_every_message(capture: Path) -> None:
    fields = ("frame.time_epoch", "sip.Call-ID", "sip.Status-Code", "sip.Method", "frame.interface_name")
    read = ["tshark", "-r", str(capture), "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    read += ["-o", "tcp.check_checksum:TRUE"]

    def shown(wanted: str, *options: str) -> list[str]:
        command = [*read, "-Y", wanted, *options]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=NET, check=True
        ).stdout.splitlines()

    lines = shown("sip", "-T", "fields", *(part for field in fields for part in ("-e", field)))
    told = [tuple(line.split("\t")) for line in lines]
    expected = [
        row
        for number, name in [*((number, "first") for number in range(len(CONVERSATIONS))), (0, "second")]
        for row in (
            (f"{1_000_000_000 + number}.250000000", f"id{number}", "", "INVITE", name),
            (f"{1_000_000_000 + number}.500000000", f"id{number}", "503", "", name),
        )
    ]
    assert told == expected
    bad = ("ip.checksum", "udp.checksum", "tcp.checksum")
    wrong = " || ".join(f'{field}.status == "Bad"' for field in bad)
    assert shown(f"{wrong} || _ws.malformed || tcp.analysis.flags") == []


DIGEST = b'Digest username="u", realm="r", nonce="n", uri="sip:b", response="5ec4e75ec4e7", nc=00000001'
SECRET = b"5ec4e7"


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: " + DIGEST,
        b"proxy-authorization :" + DIGEST.replace(b", ", b",\r\n  "),
        b"Authorization: " + DIGEST.replace(b'"5ec4e75ec4e7"', b" 5ec4e7"),
        b"Authorization: Basic 5ec4e7==",
        b"Authorization: 5ec4e7",
        b'Authentication-Info: rspauth="5ec4e7", nextnonce="n2"',
        b'Proxy-Authentication-Info: qop=auth,\r\n\trspauth="5ec4e7"',
        b"Content-Length: 60\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7|2^20|1:4",
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ec4e7|2^20|1:4;inline:5ec4e7|2^20|2:4",
        b"a= CRYPTO:1 AES_CM_128_HMAC_SHA1_80 INLINE:5ec4e7 WSH=64",
        b"k=base64:5ec4e7",
        b"a=key-mgmt:mikey 5ec4e7",
    ],
)
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_masked_capture_has_nothing_to_guess_a_password_by(header: bytes, transport: Transport) -> None:
    data = b"REGISTER sip:a SIP/2.0\r\nCall-ID: \xff\r\n" + header + b"\r\nCSeq: 1 REGISTER\r\n\r\n"
    local, remote = Address("192.168.1.100", 5060), Address("192.168.1.13", 5060)
    said: list[bytes] = []
    for mask in (False, True):
        stream = io.BytesIO()
        writer = PcapngWriter(stream, mask=mask)
        writer.interface("x")
        writer.write(MessageSent(at=0, local=local, remote=remote, transport=transport, data=data))
        said.append(stream.getvalue())
    plain, hidden = said
    assert SECRET in plain
    assert SECRET not in hidden
    assert len(hidden) == len(plain)  # framing, Content-Length and lengths of packets hold
    assert b"Call-ID: \xff\r\n" in hidden
    assert b"CSeq: 1 REGISTER\r\n" in hidden
    for kept in (b'username="u"', b'nonce="n"', b'nextnonce="n2"', b"|2^20|1:4"):
        assert (kept in hidden) == (kept in plain)
