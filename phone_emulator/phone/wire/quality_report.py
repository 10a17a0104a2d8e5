"""What the body of a report on the quality of a call says (RFC 6035 section 4.6).

It is written as the grammar of section 4.6.1 has it, not as the examples, which differ: the addresses stand
before the groups, an SSRC begins with 0x, no line is folded. What is not known is left out where it may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from phone_emulator.events import Address
from phone_emulator.media.xr import UNAVAILABLE, VoipMetrics

EVENT = "vq-rtcpxr"
CONTENT_TYPE = "application/vq-rtcpxr"
NO_GROUP = "Unknown"
"""What stands for the groups, which the grammar wants and no key of the cfg file names."""


@dataclass(frozen=True, slots=True)
class MediaEnd:
    """Where one end's sound comes from."""

    address: Address
    ssrc: int
    """0 where none was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    """What is heard (section 4.6.2.3)."""

    payload_type: int
    encoding: str
    """As in SDP: ``PCMU``."""
    rate: int
    """Samples a second."""
    packets_per_second: int
    silence_suppressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuality:
    """How one stream came, as its receiver says; None for what it does not."""

    lost: float | None = None
    """Of the packets that were sent: 0..1."""
    discarded: float | None = None
    """The same of those that came and were not heard."""
    jitter: float | None = None
    """Seconds (RFC 3550 section 6.4.1)."""
    round_trip: float | None = None
    """Seconds."""
    metrics: VoipMetrics | None = None
    """What an extended report says of it."""
    algorithm: str = ""
    """What it was rated by; empty where that is not known."""
    description: SessionDescription | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """A report on a call; times are seconds since 1970."""

    last: bool = True
    """Whether the call is over (``VQSessionReport: CallTerm``), or goes on (``VQIntervalReport``)."""
    call_id: str
    """The SIP Call-ID."""
    from_tag: str
    to_tag: str
    local_id: str
    """The URI of this end, with or without a name."""
    remote_id: str
    caller_id: str
    """That of the two who has called."""
    local: MediaEnd
    remote: MediaEnd
    mac: str
    """Of the phone, 12 hex digits."""
    started: float
    stopped: float
    heard: StreamQuality
    """The sound of the far end."""
    told: StreamQuality | None = None
    """This end's sound, as the far end has told of it."""

    def to_bytes(self) -> bytes:
        """The body."""
        return "".join(f"{line}\r\n" for line in self._lines()).encode("utf-8", "surrogateescape")

    def _lines(self) -> Iterator[str]:
        yield "VQSessionReport: CallTerm" if self.last else "VQIntervalReport"
        yield f"CallID: {self.call_id}"
        yield f"LocalID: {_in_one_line(self.local_id)}"
        yield f"RemoteID: {_in_one_line(self.remote_id)}"
        yield f"OrigID: {_in_one_line(self.caller_id)}"
        yield f"LocalAddr: {_end(self.local)}"
        yield f"RemoteAddr: {_end(self.remote)}"
        yield f"LocalGroup: {NO_GROUP}"
        yield f"RemoteGroup: {NO_GROUP}"
        yield f"LocalMAC: {':'.join(self.mac[at : at + 2] for at in range(0, len(self.mac), 2))}"
        times = f"Timestamps:START={_date(self.started)} STOP={_date(self.stopped)}"
        yield "LocalMetrics:"
        yield times
        yield from _metrics(self.heard)
        if self.told is not None:
            yield "RemoteMetrics:"
            yield times
            yield from _metrics(self.told)
        yield f"DialogID:{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}"


def _metrics(stream: StreamQuality) -> Iterator[str]:
    """The lines of one stream, as far as anything is known for them."""
    for name, values in _known(stream).items():
        told = " ".join(f"{key}={value}" for key, value in values.items() if value is not None)
        if told:
            yield f"{name}:{told}"


def _known(stream: StreamQuality) -> dict[str, dict[str, object]]:
    """The parameters of each line (section 4.6.1, ``Metrics``), None for those that are not known."""
    xr, said = stream.metrics, stream.description
    lines: dict[str, dict[str, object]] = {}
    if said is not None:
        lines["SessionDesc"] = {
            "PT": said.payload_type,
            "PD": said.encoding,
            "SR": said.rate,
            "PPS": said.packets_per_second,
            "PLC": None if xr is None else xr.configuration >> 6,
            "SSUP": "on" if said.silence_suppressed else "off",
        }
    if xr is not None:
        lines["JitterBuffer"] = {
            "JBA": xr.configuration >> 4 & 3,
            "JBR": xr.configuration & 15,
            "JBN": xr.nominal_delay,
            "JBM": xr.maximum_delay,
            "JBX": xr.absolute_maximum,
        }
    lines["PacketLoss"] = {"NLR": _percent(stream.lost), "JDR": _percent(stream.discarded)}
    if xr is not None:
        lines["BurstGapLoss"] = {
            "BLD": _percent(xr.burst_density / 256),
            "BD": xr.burst_duration,
            "GLD": _percent(xr.gap_density / 256),
            "GD": xr.gap_duration,
            "GMIN": xr.gmin,
        }
    lines["Delay"] = {
        "RTD": _milliseconds(stream.round_trip),
        "ESD": None if xr is None else xr.end_system_delay,
        "IAJ": _milliseconds(stream.jitter),
    }
    if xr is not None:
        rated = {
            "RCQ": _available(xr.r_factor),
            "MOSLQ": _tenths(xr.mos_lq),
            "MOSCQ": _tenths(xr.mos_cq),
        }
        if any(value is not None for value in rated.values()):
            lines["QualityEst"] = {**rated, "QoEEstAlg": stream.algorithm or None}
    return lines


def _end(end: MediaEnd) -> str:
    return f"IP={end.address.host} PORT={end.address.port} SSRC=0x{end.ssrc:08x}"


def _date(seconds: float) -> str:
    """RFC 3339 in UTC, to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{min(max(share, 0.0), 1.0) * 100:.2f}"


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else min(round(seconds * 1000), 0xFFFF)


def _available(value: int) -> int | None:
    return None if value == UNAVAILABLE else value


def _tenths(value: int) -> str | None:
    return None if value == UNAVAILABLE else f"{value / 10:.1f}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
