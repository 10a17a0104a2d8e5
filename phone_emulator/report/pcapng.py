"""A capture of SIP messages and sound in pcapng, with Ethernet, IP, UDP and TCP headers made up around them.

Messages are what the phone sent and heard, not frames from a wire: handshakes of TCP are synthetic, and what
went over TLS is shown in the clear over TCP. Blocks: draft-ietf-opsawg-pcapng; checksums: RFC 1071.
"""

from __future__ import annotations

import heapq
import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import IO, NamedTuple

from phone_emulator.cleaning import clean
from phone_emulator.events import Address, EncryptedStream, MediaPacket, MessageReceived, Transport
from phone_emulator.saving import saved

from . import announcement
from .result import Message
from .wire import masked, source_and_destination

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET = 1
_NAME, _RESOLUTION, _COMMENT, _APPLICATION = 2, 9, 1, 4
_SEGMENT = 1400
MOST_REMARK = 1000
"""Characters of a packet's comment."""
_DATAGRAM = 65507
DECRYPTED = "decrypted"
"""What is said of sound that was encrypted on the wire, and is shown in the clear."""
ASIDE = 10_000
"""How far its ports are from those on the wire."""
_LAST_PORT = 65535
_ABOUT_KEYS = b"# SRTP: seconds, from, to, cipher and key (RFC 4568). Who has this can listen.\n"
_FIN, _SYN, _PSH, _ACK = 1, 2, 8, 16
_TCP, _UDP = 6, 17

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True)
class _Flow:
    """Both directions of one connection: the next sequence number of each sender."""

    next_seq: dict[Address, int]


class PcapngWriter:
    """Writes messages to *stream* as they come; each scenario is an interface of its own.

    :param stream: a binary stream; it is not closed.
    :param epoch: seconds since 1970 of the instant 0 of messages.
    :param mask: whether what a password can be guessed by is crossed out.
    """

    def __init__(self, stream: IO[bytes], *, epoch: float = 0.0, mask: bool = False) -> None:
        self._stream = stream
        self._mask = mask
        self._epoch = epoch
        self._interfaces = 0
        self._flows: dict[tuple[int, frozenset[Address]], _Flow] = {}
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(_APPLICATION, b"phone-emulator") + _END
        self._block(_SECTION, body)

    def interface(self, name: str) -> int:
        """Begin an interface called *name*; the number to give to :meth:`write`."""
        options = _option(_NAME, name.encode("utf-8", "replace")[:200]) + _option(_RESOLUTION, b"\x06") + _END
        self._block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, 0) + options)
        self._interfaces += 1
        return self._interfaces - 1

    def write(self, message: Message, interface: int = 0) -> None:
        """Write *message*; the first on a connection brings the connection's handshake."""
        source, destination = source_and_destination(message)
        whole = masked(message.data) if self._mask else message.data
        if message.transport is Transport.UDP:
            self._datagram(interface, message.at, source, destination, whole, _remark(message))
            return
        clear = "sent over TLS, shown in the clear" if message.transport is Transport.TLS else ""
        comment = "; ".join(filter(None, (_remark(message), clear)))
        flow = self._flow(interface, message)
        for start in range(0, len(whole), _SEGMENT):
            part = whole[start : start + _SEGMENT]
            self._segment(interface, message.at, flow, source, destination, _PSH | _ACK, part, comment)
            comment = ""

    def write_sound(self, packet: MediaPacket, interface: int) -> None:
        """Write *packet* as it was on the wire."""
        self._datagram(interface, packet.at, packet.source, packet.destination, packet.data)

    def write_decrypted(self, packet: MediaPacket, clear: bytes, interface: int) -> None:
        """Write *clear*, what *packet* is decrypted, between ports that nobody takes for those of SRTP."""
        ends = _aside(packet.source), _aside(packet.destination)
        self._datagram(interface, packet.at, *ends, clear)

    def announce(self, stream: EncryptedStream, interface: int) -> None:
        """Have Wireshark know *stream*, decrypted, for RTP: by an announcement (RFC 2974)."""
        source, destination = _aside(stream.source), _aside(stream.destination)
        told = announcement.announcement(source.host, destination, stream.formats)
        ends = Address(source.host, announcement.PORT), announcement.group(source.host)
        remark = f"made up: what follows is SRTP from {stream.source} to {stream.destination}, {DECRYPTED}"
        self._datagram(interface, stream.at, *ends, told, remark)

    def _datagram(
        self, interface: int, at: float, source: Address, destination: Address, data: bytes, comment: str = ""
    ) -> None:
        data = data[:_DATAGRAM]
        header = struct.pack("!HHHH", *_ports(source, destination), 8 + len(data), 0)
        self._packet(interface, at, _ip_frame(source, destination, _UDP, header + data, 6), comment)

    def _flow(self, interface: int, message: Message) -> _Flow:
        source, destination = source_and_destination(message)
        key = (interface, frozenset((source, destination)))
        flow = self._flows.get(key)
        if flow is None:
            flow = self._flows[key] = _Flow({source: 0, destination: 0})
            self._segment(interface, message.at, flow, source, destination, _SYN)
            self._segment(interface, message.at, flow, destination, source, _SYN | _ACK)
            self._segment(interface, message.at, flow, source, destination, _ACK)
        return flow

    def _segment(
        self,
        interface: int,
        at: float,
        flow: _Flow,
        source: Address,
        destination: Address,
        flags: int,
        data: bytes = b"",
        comment: str = "",
    ) -> None:
        seq = flow.next_seq[source]
        acked = flow.next_seq[destination] if flags & _ACK else 0
        header = struct.pack(
            "!HHIIBBHHH", *_ports(source, destination), seq, acked, 5 << 4, flags, 65535, 0, 0
        )
        flow.next_seq[source] = (seq + len(data) + bool(flags & (_SYN | _FIN))) & 0xFFFFFFFF
        self._packet(interface, at, _ip_frame(source, destination, _TCP, header + data, 16), comment)

    def _packet(self, interface: int, at: float, frame: bytes, comment: str = "") -> None:
        ticks = max(round((self._epoch + at) * 1_000_000), 0)
        body = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        options = _option(_COMMENT, comment.encode("utf-8", "replace")) + _END if comment else b""
        self._block(_PACKET, body + _padded(frame) + options)

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", 12 + len(body))
        self._stream.write(struct.pack("<I", kind) + length + body + length)


class Capture(NamedTuple):
    """What one scenario, or one command, has sent and heard, each in the order of time."""

    name: str
    messages: Iterable[Message]
    sound: Iterable[MediaPacket] = ()
    streams: Iterable[EncryptedStream] = ()
    """Those of which the sound is there decrypted, too."""


def write_pcapng(
    path: str | Path,
    captures: Iterable[Capture],
    *,
    epoch: float = 0.0,
    mask: bool = False,
) -> None:
    """Write a capture file: an interface for each capture, and one more for its sound decrypted.

    Why a message was refused or ignored is its packet's comment.

    :param epoch: seconds since 1970 of the instant 0 of every capture.
    :param mask: whether what a password can be guessed by is crossed out.
    :raises OSError: when the file cannot be written.
    """
    with saved(Path(path), private=True) as stream:
        writer = PcapngWriter(stream, epoch=epoch, mask=mask)
        for capture in captures:
            _write(capture, writer)


def _write(capture: Capture, writer: PcapngWriter) -> None:
    name, streams = clean(capture.name), list(capture.streams)
    wire = writer.interface(name)
    clear = writer.interface(f"{name} ({DECRYPTED})") if streams else None
    for item in heapq.merge(streams, capture.messages, capture.sound, key=attrgetter("at")):
        if isinstance(item, EncryptedStream):
            if clear is not None:
                writer.announce(item, clear)
        elif isinstance(item, MediaPacket):
            writer.write_sound(item, wire)
            if item.clear is not None and clear is not None:
                writer.write_decrypted(item, item.clear, clear)
        else:
            writer.write(item, wire)


def write_keys(path: str | Path, keys: Iterable[EncryptedStream], *, epoch: float = 0.0) -> None:
    """Write what the sound of a capture was encrypted with, a key a line, for its owner alone.

    Raises OSError when the file cannot be written.
    """
    told = set[tuple[Address, Address, str]]()
    with saved(Path(path), private=True) as stream:
        stream.write(_ABOUT_KEYS)
        for key in keys:
            same = key.source, key.destination, key.crypto
            if same in told:
                continue
            told.add(same)
            line = f"{max(epoch + key.at, 0):.6f} {key.source} {key.destination} {key.crypto}\n"
            stream.write(line.encode())


def _aside(address: Address) -> Address:
    """*address* at another port; one that is told for SRTP would have Wireshark take what is there for it."""
    up = address.port + ASIDE
    return Address(address.host, up if up <= _LAST_PORT else address.port - ASIDE)


def _remark(message: Message) -> str:
    return clean(message.remark, MOST_REMARK) if isinstance(message, MessageReceived) else ""


# -- bytes -----------------------------------------------------------------------------------------------


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


_END = struct.pack("<HH", 0, 0)


def _ports(source: Address, destination: Address) -> tuple[int, int]:
    return source.port, destination.port


def _ip(address: Address) -> IpAddress:
    return ipaddress.ip_address(address.host.partition("%")[0])


def _mac(address: IpAddress) -> bytes:
    """A locally administered MAC that tells the end of the IP address."""
    return b"\x02\x00" + address.packed[-4:]


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ip_frame(source: Address, destination: Address, protocol: int, segment: bytes, at: int) -> bytes:
    """An Ethernet frame around *segment*, whose checksum stands at offset *at*."""
    src, dst = _ip(source), _ip(destination)
    if src.version != dst.version:
        src, dst = _mapped(src), _mapped(dst)
    if src.version == 4:
        pseudo = src.packed + dst.packed + struct.pack("!BBH", 0, protocol, len(segment))
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, protocol, 0)
        head += src.packed + dst.packed
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
    else:
        pseudo = src.packed + dst.packed + struct.pack("!II", len(segment), protocol)
        head = struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64) + src.packed + dst.packed
    # A UDP checksum of 0 means none (RFC 768); for TCP the two zeros of ones' complement are equal.
    checksum = _checksum(pseudo + segment) or 0xFFFF
    segment = segment[:at] + struct.pack("!H", checksum) + segment[at + 2 :]
    return _mac(dst) + _mac(src) + struct.pack("!H", 0x0800 if src.version == 4 else 0x86DD) + head + segment


def _mapped(address: IpAddress) -> ipaddress.IPv6Address:
    if isinstance(address, ipaddress.IPv6Address):
        return address
    return ipaddress.IPv6Address(f"::ffff:{address}")
