"""The VoIP metrics of RTCP's extended reports (RFC 3611 section 4.7)."""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass
from typing import Self

BLOCK_HEADER = struct.Struct("!BBH")
VOIP_METRICS = 7
"""The type of their block."""
UNAVAILABLE = 127
"""What stands for a level, an R factor or a MOS that is not measured."""
_FIELDS = struct.Struct("!I4B4HbbBB4BBxHHH")


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """How one stream is heard, as its receiver says; rates and densities of 256, times in milliseconds."""

    ssrc: int
    """The stream that is reported on."""
    loss_rate: int = 0
    """Packets lost on their way."""
    discard_rate: int = 0
    """Packets that came too late to be heard, or too early."""
    burst_density: int = 0
    """Of packets within bursts, how many were lost or discarded."""
    gap_density: int = 0
    burst_duration: int = 0
    gap_duration: int = 0
    round_trip_delay: int = 0
    end_system_delay: int = 0
    """From the loudspeaker, or from the network, through this end."""
    signal_level: int = UNAVAILABLE
    """dBm0."""
    noise_level: int = UNAVAILABLE
    echo_return_loss: int = UNAVAILABLE
    gmin: int = 16
    """How many packets in a row must have come for a burst to be over."""
    r_factor: int = UNAVAILABLE
    """0..100, of this stretch of the way."""
    external_r_factor: int = UNAVAILABLE
    mos_lq: int = UNAVAILABLE
    """Tenths: 10..50, of listening."""
    mos_cq: int = UNAVAILABLE
    """Tenths, of a conversation: with the delay."""
    configuration: int = 0
    """How losses are concealed, and what the jitter buffer is like (`receiver_configuration`)."""
    nominal_delay: int = 0
    """Of the jitter buffer now."""
    maximum_delay: int = 0
    """The same, at most, as long as it does not adapt further."""
    absolute_maximum: int = 0
    """The most it ever adapts to."""

    def pack(self) -> bytes:
        """The block as on the wire, with its header; struct.error for a number that does not fit."""
        return BLOCK_HEADER.pack(VOIP_METRICS, 0, _FIELDS.size // 4) + _FIELDS.pack(*astuple(self))

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a block without its header; raises struct.error for another size."""
        return cls(*_FIELDS.unpack(body))


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """XR (RFC 3611 section 2), as far as VoIP metrics go."""

    ssrc: int
    metrics: tuple[VoipMetrics, ...] = ()


def receiver_configuration(*, adaptive: bool) -> int:
    """What ``configuration`` says of an end that leaves lost packets silent (PLC 1, disabled)."""
    return 1 << 6 | (3 if adaptive else 2) << 4
