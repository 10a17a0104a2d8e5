"""RTP packets (RFC 3550 section 5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHII")
_VERSION = 2


class RtpError(ValueError):
    """These bytes are no RTP packet, or a packet cannot be put in bytes; the text says why."""


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet without contributing sources; padding and header extensions are not kept."""

    payload_type: int
    """0..127."""
    sequence: int
    """0..65535."""
    timestamp: int
    """In units of the clock rate, 0..2^32-1."""
    ssrc: int
    """The stream's number, 0..2^32-1."""
    payload: bytes = b""
    marker: bool = False
    """The first packet after a silence, or of a telephone event."""

    def pack(self) -> bytes:
        """The packet as on the wire; raises RtpError for a number that does not fit its field."""
        if not 0 <= self.payload_type < 128:
            raise RtpError(f"the payload type is 0..127, not {self.payload_type}")
        second = self.marker << 7 | self.payload_type
        try:
            header = _HEADER.pack(_VERSION << 6, second, self.sequence, self.timestamp, self.ssrc)
        except struct.error as error:
            raise RtpError(f"a number does not fit the RTP header: {error}") from None
        return header + self.payload


def refuse_others(data: bytes) -> None:
    """Raises RtpError where *data*, encrypted or not, is no RTP: RTCP on the same port (RFC 5761), say."""
    if len(data) < _HEADER.size:
        raise RtpError(f"{len(data)} bytes are too few for an RTP header of {_HEADER.size}")
    if data[0] >> 6 != _VERSION:
        raise RtpError(f"RTP version 2 was expected, not {data[0] >> 6}")
    if 192 <= data[1] <= 223:
        raise RtpError(f"this is RTCP (packet type {data[1]}), not RTP")


def parse(data: bytes) -> Packet:
    """Read an RTP packet; raises RtpError for anything else."""
    refuse_others(data)
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    start = _HEADER.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < start + 4:
            raise RtpError("the packet ends before its header extension")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if len(data) < start:
        raise RtpError(f"the header should take {start} bytes, but the packet has {len(data)}")
    end = len(data)
    if first & 0x20:
        padding = data[-1]
        if not 0 < padding <= end - start:
            raise RtpError(f"{padding} bytes of padding do not fit a payload of {end - start}")
        end -= padding
    return Packet(second & 0x7F, sequence, timestamp, ssrc, bytes(data[start:end]), bool(second & 0x80))


def elapsed(timestamp: int, since: int) -> int:
    """Ticks from the timestamp *since* to *timestamp*, the shorter way round: -2^31..2^31-1."""
    return (timestamp - since + (1 << 31) & 0xFFFFFFFF) - (1 << 31)


def ahead(sequence: int, of: int) -> int:
    """Packets from the sequence number *of* to *sequence*, the shorter way round: -2^15..2^15-1."""
    return (sequence - of + (1 << 15) & 0xFFFF) - (1 << 15)
