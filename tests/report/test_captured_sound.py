"""Sound in captures: what tshark makes of it, encrypted and in the clear, and how it is kept until then."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.events import Address, EncryptedStream, MediaPacket
from phone_emulator.media.crypto import SUITES, Key, Security, told_key
from phone_emulator.media.rtp import Packet
from phone_emulator.media.srtp import Protection
from phone_emulator.report.pcapng import Capture, write_keys, write_pcapng
from phone_emulator.report.spool import MediaSpool
from tests.patience import NET

SUITE = SUITES["AES_CM_128_HMAC_SHA1_80"]
OWN, FAR = Key(bytes(SUITE.octets)), Key(bytes(range(SUITE.octets)))
PAIRS = [
    (Address("192.168.1.21", 11780), Address("192.168.1.13", 40000)),
    (Address("fe80::1%lo", 11782), Address("fe80::2", 65534)),
]
PACKETS = 50
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def stream(local: Address, remote: Address, payload_type: int, *, sealed: bool) -> list[MediaPacket]:
    """A second of one direction in packets of 20 ms."""
    protection = Protection()
    protection.agree(Security(SUITE, OWN, FAR))
    packets = []
    for number in range(PACKETS):
        payload = b"\xfc" + bytes([number]) * 159  # one frame of 20 ms, where it is Opus
        clear = Packet(payload_type, number, number * 160, 0x1234, payload, number == 0).pack()
        data = protection.protect(clear) if sealed else clear
        at = 0.1 + number / PACKETS
        packets.append(MediaPacket(at, local, remote, True, data, clear if sealed else None))
    return packets


def encrypted(local: Address, remote: Address, payload_type: int = 0) -> EncryptedStream:
    rtpmap = "opus/48000/2" if payload_type == 107 else "PCMU/8000"
    return EncryptedStream(0.1, local, remote, ((payload_type, rtpmap),), told_key(SUITE, OWN))


def shown(capture: Path, *options: str) -> str:
    command = ["tshark", "-r", str(capture), "-o", "udp.check_checksum:TRUE", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=NET, check=True).stdout


def streams_in(capture: Path) -> list[list[str]]:
    """Of each stream its ports, codec, packets, loss, and what there is to say of it."""
    rows = [line.split() for line in shown(capture, "-q", "-z", "rtp,streams").splitlines() if "0x" in line]
    return sorted([row[3], row[5], row[7], row[8], row[9], *row[17:]] for row in rows)


@needs_tshark
@pytest.mark.parametrize("payload_type", [0, 107])
@pytest.mark.parametrize("pair", PAIRS, ids=["IPv4", "IPv6"])
def test_wireshark_reads_what_is_decrypted(
    tmp_path: Path, pair: tuple[Address, Address], payload_type: int
) -> None:
    capture = tmp_path / "x.pcapng"
    sound = stream(*pair, payload_type, sealed=True)
    write_pcapng(capture, [Capture("x", [], sound, [encrypted(*pair, payload_type)])])
    local, remote = pair
    there = remote.port + 10_000 if remote.port < 55_000 else remote.port - 10_000
    codec = "opus" if payload_type else "g711U"
    assert streams_in(capture) == [[str(local.port + 10_000), str(there), codec, str(PACKETS), "0"]]
    assert shown(capture, "-Y", "_ws.malformed || _ws.expert.severity >= 0x400000") == ""
    for name, wanted in (
        ("x", [packet.data for packet in sound]),
        ("x (decrypted)", [packet.clear for packet in sound]),
    ):
        only = f'frame.interface_name == "{name}" && !sap'
        payloads = shown(capture, "-Y", only, "-T", "fields", "-e", "udp.payload").split()
        assert [bytes.fromhex(each) for each in payloads] == wanted


@needs_tshark
def test_sound_in_the_clear_is_there_once(tmp_path: Path) -> None:
    capture = tmp_path / "x.pcapng"
    write_pcapng(capture, [Capture("x", [], stream(*PAIRS[0], 0, sealed=False))])
    read = shown(capture, "-d", "udp.port==11780,rtp", "-T", "fields", "-e", "frame.interface_name")
    assert read.split() == ["x"] * PACKETS


def test_the_keys_open_what_was_on_the_wire(tmp_path: Path) -> None:
    keys, pair = tmp_path / "x.keys", PAIRS[0]
    write_keys(keys, [encrypted(*pair), encrypted(*pair, 107)], epoch=1_000_000_000)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    about, *lines = keys.read_text().splitlines()
    assert about.startswith("#")
    assert len(lines) == 1, "the same key is there once"
    at, source, destination, suite, inline = lines[0].split()
    assert (at, source, destination) == ("1000000000.100000", *map(str, pair))
    listener = Protection()
    key = Key(base64.b64decode(inline.removeprefix("inline:")))
    listener.agree(Security(SUITES[suite], FAR, key))
    for packet in stream(*pair, 0, sealed=True):
        assert listener.unprotect(packet.data) == packet.clear


addresses = st.sampled_from([address for pair in PAIRS for address in pair])
packets = st.builds(
    MediaPacket,
    st.floats(0, 1e6),
    addresses,
    addresses,
    st.booleans(),
    st.binary(max_size=300),
    st.none() | st.binary(max_size=300),
)


@given(st.lists(st.lists(packets, max_size=5), min_size=1, max_size=4))
def test_a_spool_gives_back_what_it_was_shown(parts: list[list[MediaPacket]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = MediaSpool(Path(folder) / "x.pcapng")
        for part in parts:
            spool.begin()
            spool.stream(encrypted(*PAIRS[0]))
            for packet in part:
                spool.packet(packet)
        assert os.listdir(folder) == [], "nobody else sees it"
        told = [(list(sound), len(streams)) for sound, streams in spool.parts()]
        assert told == [(part, 1) for part in parts]
        spool.check()
        spool.close()


def test_a_spool_without_keys_keeps_nothing_decrypted(tmp_path: Path) -> None:
    spool = MediaSpool(tmp_path / "x.pcapng", keys=False)
    spool.begin()
    spool.stream(encrypted(*PAIRS[0]))
    spool.packet(stream(*PAIRS[0], 0, sealed=True)[0])
    ((sound, streams),) = spool.parts()
    assert [packet.clear for packet in sound] == [None]
    assert streams == []
    spool.close()


class Full:
    """A file on a disk that takes a number of octets."""

    def __init__(self, file: IO[bytes], room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        taken = self._file.write(data[: self._room])
        self._room -= taken
        if taken < len(data):
            raise OSError(28, "No space left on device")
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_full_disk_harms_no_call_and_is_told(tmp_path: Path) -> None:
    spool = MediaSpool(tmp_path / "x.pcapng")
    spool.begin()
    sound = stream(*PAIRS[0], 0, sealed=False)
    spool._file = cast("IO[bytes]", Full(spool._file, 1000))
    for packet in sound:
        spool.packet(packet)
    ((kept, _),) = spool.parts()
    assert list(kept) == sound[:4]
    with pytest.raises(OSError, match="No space left"):
        spool.check()
    spool.close()
