"""RTP packets (RFC 3550 section 5.1), and what a receiver counts of them (section 6.4.1, appendix A)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHII")
_VERSION = 2
_MAX_DROPOUT = 3000
"""Packets that may be missing at once before it counts as a new start (RFC 3550 appendix A.1)."""
_MAX_MISORDER = 100


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


class ReceptionStatistics:
    """Counts what arrives of the streams at one port, one stream after the other."""

    def __init__(self) -> None:
        self.packets = 0
        self.octets = 0
        """Of payload, as in RTCP's reports."""
        self._ssrc: int | None = None
        self._base = 0
        self._highest = 0
        """Sequence number, extended by its wraps."""
        self._stream_packets = 0
        self._lost_before = 0
        """By streams that have ended."""
        self._jitter = 0.0
        """In seconds."""
        self.clock = 8000
        """Ticks of timestamps a second, at present."""
        self._arrived = 0.0
        self._timestamp = 0

    @property
    def lost(self) -> int:
        """Packets expected that have not come; those that came twice make up for them, as in RTCP."""
        return self._lost_before + self._missing()

    @property
    def jitter(self) -> float:
        """The interarrival jitter of the present stream, in seconds (RFC 3550 section 6.4.1)."""
        return self._jitter

    def receive(self, packet: Packet, arrived: float, clock: int | None = None) -> None:
        """*packet* came.

        Args:
            packet: which.
            arrived: when, in seconds on any clock.
            clock: ticks of its timestamp a second; None: as before, as is true of telephone events.
        """
        clock = clock or self.clock
        step = (packet.sequence - self._highest) & 0xFFFF
        misordered = step > 0xFFFF - _MAX_MISORDER
        if packet.ssrc != self._ssrc or not (step < _MAX_DROPOUT or misordered):
            self._begin(packet, arrived, clock)
        else:
            if not misordered:
                self._highest += step
            self._measure(packet, arrived, clock)
        self.packets += 1
        self.octets += len(packet.payload)
        self._stream_packets += 1

    def _begin(self, packet: Packet, arrived: float, clock: int) -> None:
        self._lost_before += self._missing()
        self._ssrc = packet.ssrc
        self._base = self._highest = packet.sequence
        self._stream_packets = 0
        self._jitter = 0.0
        self._arrived, self._timestamp, self.clock = arrived, packet.timestamp, clock

    def _missing(self) -> int:
        if self._ssrc is None:
            return 0
        return max(0, self._highest - self._base + 1 - self._stream_packets)

    def _measure(self, packet: Packet, arrived: float, clock: int) -> None:
        """RFC 3550 appendix A.8; of packets with one timestamp (telephone events) the first counts.

        Timestamps of two clocks say nothing of the time between them (RFC 7160).
        """
        if packet.timestamp == self._timestamp:
            return
        if clock == self.clock:
            sent = signed((packet.timestamp - self._timestamp) & 0xFFFFFFFF)
            late = abs(arrived - self._arrived - sent / clock)
            self._jitter += (late - self._jitter) / 16
        self._arrived, self._timestamp, self.clock = arrived, packet.timestamp, clock


def signed(difference: int) -> int:
    """A *difference* of timestamps, 0..2^32-1, as the shorter way round: -2^31..2^31-1."""
    return difference - (1 << 32) if difference >= 1 << 31 else difference
