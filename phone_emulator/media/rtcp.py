"""RTCP packets (RFC 3550 section 6): what two ends tell each other of the sound between them.

They travel in compounds: a report first, then the sender's name (SDES CNAME), then whatever else there is.
What is of no use to a phone (APP, feedback, other SDES items and XR blocks) is passed over, if well formed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .xr import BLOCK_HEADER, VOIP_METRICS, ExtendedReport, VoipMetrics

SR, RR, SDES, BYE, XR = 200, 201, 202, 203, 207
_HEADER = struct.Struct("!BBH")
_SSRC = struct.Struct("!I")
_SENDER = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IIIIII")
_VERSION = 2
_CNAME = 1
MOST_BLOCKS = 31
"""What the five bits of a count hold; there are as many sources of a description, or of a BYE."""
LARGEST = 1500
"""Octets of a compound that are read; a phone's own have less than 200."""


class RtcpError(ValueError):
    """These bytes are no RTCP, or a packet cannot be put in bytes; the text says why."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What its sender has received of one source (RFC 3550 section 6.4.1)."""

    ssrc: int
    """The source that is reported on."""
    fraction_lost: int
    """Of 256, since the report before."""
    lost: int
    """Since the beginning; negative where more came than were expected. 24 bits."""
    highest: int
    """The highest sequence number, with the number of its wraps above it."""
    jitter: int
    """In ticks of the RTP clock."""
    last_sr: int = 0
    """The middle 32 bits of the NTP time of the source's last sender report; 0: none has come."""
    delay: int = 0
    """Since that report came, in units of 1/65536 s."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR (RFC 3550 section 6.4.1): of who has sent since the report before."""

    ssrc: int
    ntp: int
    """The time of the report (`ntp_time`)."""
    timestamp: int
    """The same time on the clock of the RTP timestamps."""
    packets: int
    octets: int
    """Of payload."""
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR (RFC 3550 section 6.4.2): of who has not sent."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """SDES (RFC 3550 section 6.5) of one source."""

    ssrc: int
    cname: str
    """The name that stays when the SSRC changes: 1..255 octets of UTF-8; empty where none is said."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """BYE (RFC 3550 section 6.6): these sources send no more."""

    ssrcs: tuple[int, ...]
    reason: str = ""
    """For people, up to 255 octets."""


Packet = SenderReport | ReceiverReport | Description | Goodbye | ExtendedReport


def ntp_time(seconds: float) -> int:
    """*seconds* in 64 bits, the upper 32 of which are whole ones.

    They may be counted from any beginning of the sender's, not only from 1900 (RFC 3550 section 6.4.1).
    """
    return round(seconds * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """The middle 32 bits of an NTP time, in units of 1/65536 s: what ``last_sr`` says."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip(block: ReportBlock, arrived: int) -> float | None:
    """Seconds there and back, of a *block* on this end that came at the NTP time *arrived*.

    None where the far end has had no report of this end yet, or where the numbers make no sense: clocks are
    set, and a far end may say anything (RFC 3550 section 6.4.1).
    """
    if not block.last_sr:
        return None
    took = (middle(arrived) - block.last_sr - block.delay) & 0xFFFFFFFF
    return None if took >= 1 << 31 else took / 65536


# -- out -----------------------------------------------------------------------------------------------------


def compose(packets: Sequence[Packet]) -> bytes:
    """A compound of *packets*, as on the wire; raises RtcpError for what is none (RFC 3550 section 6.1)."""
    if not packets or not isinstance(packets[0], SenderReport | ReceiverReport):
        raise RtcpError("a compound begins with a report (SR or RR)")
    if not any(isinstance(packet, Description) and packet.cname for packet in packets):
        raise RtcpError("a compound tells its sender's name (SDES CNAME)")
    try:
        return b"".join(_pack(packet) for packet in packets)
    except (struct.error, OverflowError) as error:
        raise RtcpError(f"a number does not fit RTCP: {error}") from None


def _pack(packet: Packet) -> bytes:
    match packet:
        case SenderReport():
            sender = _SENDER.pack(packet.ntp, packet.timestamp, packet.packets, packet.octets)
            body = _SSRC.pack(packet.ssrc) + sender + _blocks(packet.blocks)
            return _framed(SR, len(packet.blocks), body)
        case ReceiverReport():
            return _framed(RR, len(packet.blocks), _SSRC.pack(packet.ssrc) + _blocks(packet.blocks))
        case Description():
            name = _text(packet.cname)
            item = bytes([_CNAME, len(name)]) + name
            return _framed(SDES, 1, _SSRC.pack(packet.ssrc) + item + bytes(4 - len(item) % 4))
        case Goodbye():
            reason = _text(packet.reason)
            tail = bytes([len(reason)]) + reason if reason else b""
            sources = b"".join(_SSRC.pack(ssrc) for ssrc in packet.ssrcs)
            return _framed(BYE, len(packet.ssrcs), sources + tail + bytes(-len(tail) % 4))
        case ExtendedReport():
            blocks = b"".join(metrics.pack() for metrics in packet.metrics)
            return _framed(XR, 0, _SSRC.pack(packet.ssrc) + blocks)


def _framed(kind: int, count: int, body: bytes) -> bytes:
    if count > MOST_BLOCKS:
        raise RtcpError(f"an RTCP packet tells of {MOST_BLOCKS} sources at most, not {count}")
    return _HEADER.pack(_VERSION << 6 | count, kind, len(body) // 4) + body


def _blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(_block(block) for block in blocks)


def _block(block: ReportBlock) -> bytes:
    if not (0 <= block.fraction_lost < 256 and -(1 << 23) <= block.lost < 1 << 23):
        raise RtcpError(f"a loss of {block.lost}, {block.fraction_lost} of 256, does not fit a report")
    lost = block.fraction_lost << 24 | block.lost & 0xFFFFFF
    return _BLOCK.pack(block.ssrc, lost, block.highest, block.jitter, block.last_sr, block.delay)


def _text(text: str) -> bytes:
    octets = text.encode()
    if len(octets) > 255:
        raise RtcpError(f"a text in RTCP has 255 octets at most, not {len(octets)}")
    return octets


# -- in ------------------------------------------------------------------------------------------------------


def is_rtcp(data: bytes) -> bool:
    """Whether *data*, encrypted or not, is RTCP rather than RTP at the same port (RFC 5761 section 4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def sender_of(data: bytes) -> int:
    """The SSRC of who sent *data*, encrypted or not; raises RtcpError for what cannot be RTCP."""
    if len(data) < 8 or data[0] >> 6 != _VERSION or not is_rtcp(data):
        raise RtcpError("this does not begin as RTCP does")
    return int.from_bytes(data[4:8], "big")


def parse(data: bytes) -> list[Packet]:
    """The packets of a compound, or one alone; raises RtcpError for any other bytes (RFC 3550 appendix A.2).

    It need not begin with a report: baresip opens the way through a NAT with an APP, others send feedback
    alone (RFC 5506).
    """
    if not data:
        raise RtcpError("there are no bytes")
    if len(data) > LARGEST:
        raise RtcpError(f"{len(data)} octets are too many for RTCP")
    packets: list[Packet] = []
    start = 0
    while start < len(data):
        if len(data) - start < _HEADER.size:
            raise RtcpError(f"{len(data) - start} octets are too few for an RTCP header")
        first, kind, words = _HEADER.unpack_from(data, start)
        end = start + 4 + 4 * words
        if first >> 6 != _VERSION:
            raise RtcpError(f"RTCP version 2 was expected, not {first >> 6}")
        if not is_rtcp(data[start:]):
            raise RtcpError(f"RTCP has packet types of 192 to 223, not {kind}")
        if end > len(data):
            raise RtcpError(
                f"an RTCP packet of {end - start} octets is longer than the {len(data) - start} left"
            )
        body = _unpadded(data[start + 4 : end], first, last=end == len(data))
        packets += _read(kind, first & 0x1F, body)
        start = end
    return packets


def _unpadded(body: bytes, first: int, *, last: bool) -> bytes:
    if not first & 0x20:
        return body
    padding = body[-1] if body else 0
    if not last or not 0 < padding <= len(body) or padding % 4:
        raise RtcpError(f"{padding} octets of padding do not fit an RTCP packet, or it is not the last one")
    return body[:-padding]


def _read(kind: int, count: int, body: bytes) -> Iterator[Packet]:
    if kind == SR:
        _expect(body, 24 + _BLOCK.size * count, "a sender report")
        ntp, timestamp, packets, octets = _SENDER.unpack_from(body, 4)
        yield SenderReport(_source(body), ntp, timestamp, packets, octets, _reported(body, 24, count))
    elif kind == RR:
        _expect(body, 4 + _BLOCK.size * count, "a receiver report")
        yield ReceiverReport(_source(body), _reported(body, 4, count))
    elif kind == SDES:
        yield from _descriptions(body, count)
    elif kind == BYE:
        _expect(body, 4 * count, "a BYE")
        yield Goodbye(struct.unpack_from(f"!{count}I", body), _reason(body[4 * count :]))
    elif kind == XR:
        _expect(body, 4, "an extended report")
        yield ExtendedReport(_source(body), tuple(_metrics(body)))


def _source(body: bytes) -> int:
    return int.from_bytes(body[:4], "big")


def _expect(body: bytes, octets: int, what: str) -> None:
    if len(body) < octets:
        raise RtcpError(f"{what} should have {octets} octets behind its header, but has {len(body)}")


def _reported(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    """What stands behind the blocks is an extension of some profile, which is passed over."""
    blocks = []
    for place in range(start, start + _BLOCK.size * count, _BLOCK.size):
        ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, place)
        lost = loss & 0xFFFFFF
        lost -= (lost >> 23) << 24
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _descriptions(body: bytes, count: int) -> Iterator[Description]:
    place = 0
    for _ in range(count):
        _expect(body, place + 4, "a source description")
        ssrc = _source(body[place:])
        cname, place = _named(body, place + 4)
        yield Description(ssrc, cname)


def _named(body: bytes, place: int) -> tuple[str, int]:
    """The CNAME among the items from *place* on, and where the next source stands."""
    cname = ""
    while True:
        _expect(body, place + 1, "a source description")
        if body[place] == 0:
            return cname, (place // 4 + 1) * 4
        _expect(body, place + 2, "a source description")
        end = place + 2 + body[place + 1]
        _expect(body, end, "a source description")
        if body[place] == _CNAME:
            cname = body[place + 2 : end].decode(errors="replace")
        place = end


def _reason(tail: bytes) -> str:
    if not tail:
        return ""
    _expect(tail, 1 + tail[0], "the reason of a BYE")
    return tail[1 : 1 + tail[0]].decode(errors="replace")


def _metrics(body: bytes) -> Iterator[VoipMetrics]:
    place = 4
    while place < len(body):
        _expect(body, place + 4, "a block of an extended report")
        kind, _, words = BLOCK_HEADER.unpack_from(body, place)
        end = place + 4 + 4 * words
        _expect(body, end, "a block of an extended report")
        if kind == VOIP_METRICS:
            try:
                yield VoipMetrics.parse(body[place + 4 : end])
            except struct.error:
                raise RtcpError(f"a block of VoIP metrics has {end - place} octets") from None
        place = end
