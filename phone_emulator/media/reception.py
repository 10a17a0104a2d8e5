"""What a receiver counts of the streams that come in (RFC 3550 section 6.4.1, appendices A.1, A.3, A.8)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .losses import LossPattern
from .rtcp import ReportBlock
from .rtp import Packet, elapsed

MAX_DROPOUT = 3000
"""Packets that may be missing at once before it counts as a new start (appendix A.1)."""
MAX_MISORDER = 100
MOST_STREAMS = 4
"""SSRCs that are remembered at a time: a stream's last packets may come behind the first of the next."""
_WINDOW = 128
"""Sequence numbers below the highest of which is known, at least, whether they have come."""
_ALL = (1 << _WINDOW) - 1
_LOST_MIN, _LOST_MAX = -(1 << 23), (1 << 23) - 1


@dataclass(slots=True)
class Stream:
    """What has come of one source since it began, or began anew."""

    ssrc: int
    base: int
    """Its first sequence number."""
    highest: int
    """Its highest one, with the number of wraps above 16 bits."""
    clock: int
    """Ticks of its timestamps a second, at present."""
    received: int = 0
    """Packets, with those that came twice: what RTCP counts."""
    duplicated: int = 0
    jitter: float = 0.0
    """Seconds (appendix A.8)."""
    pattern: LossPattern = field(default_factory=LossPattern)
    """Of what is older than the window."""
    _open: int = 1
    """Numbers, from the highest down, that are not in it yet: up to twice the window."""
    _seen: int = 0
    """The bit n is set where the n-th packet below the highest has come."""
    _heard: int = 0
    """The same of those that came in time."""
    _bad: int = -1
    """Where a leap goes on, if the source has begun anew (appendix A.1)."""
    _expected_before: int = 0
    _received_before: int = 0
    _arrived: float = 0.0
    _timestamp: int = 0

    @classmethod
    def begin(cls, packet: Packet, arrived: float, clock: int) -> Stream:
        """A stream whose first packet is *packet*."""
        stream = cls(packet.ssrc, packet.sequence, packet.sequence, clock, received=1)
        stream._seen = stream._heard = 1
        stream._arrived, stream._timestamp = arrived, packet.timestamp
        return stream

    @property
    def expected(self) -> int:
        """Packets that its sender must have sent."""
        return self.highest - self.base + 1

    @property
    def lost(self) -> int:
        """Those of them that have not come."""
        return self.expected - self.received + self.duplicated

    def step(self, packet: Packet) -> int | None:
        """How far *packet* is above the highest (below: negative); None where it is out of all order."""
        ahead = (packet.sequence - self.highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            return ahead
        return ahead - 0x10000 if ahead > 0xFFFF - MAX_MISORDER else None

    def began_anew(self, packet: Packet) -> bool:
        """Whether *packet*, out of all order, goes on where the one before it leapt to (appendix A.1)."""
        again = packet.sequence == self._bad
        self._bad = (packet.sequence + 1) & 0xFFFF
        return again

    def take(self, packet: Packet, step: int, arrived: float, clock: int) -> bool:
        """Count *packet*; False where it has come already."""
        self.received += 1
        self._bad = -1
        bit = 1
        if step > 0:
            self._advance(step)
        else:
            bit <<= -step
            if self._seen & bit:
                self.duplicated += 1
                return False
            if self.highest + step < self.base:
                self.base = self.highest + step
                self._open = self.expected
        self._seen |= bit
        self._heard |= bit
        self._measure(packet, arrived, clock)
        return True

    def discard(self, packet: Packet) -> None:
        """*packet*, which was taken, came too late to be heard."""
        self._heard &= ~(1 << ((self.highest - packet.sequence) & 0xFFFF))

    def losses(self) -> LossPattern:
        """How all that was lost or discarded so far is spread."""
        pattern = replace(self.pattern)
        for place in reversed(range(self._open)):
            pattern.add(heard=bool(self._heard >> place & 1))
        return pattern

    def _advance(self, step: int) -> None:
        self.highest += step
        self._seen <<= step
        self._heard <<= step
        self._open += step
        if self._open >= 2 * _WINDOW:
            self._decide()

    def _decide(self) -> None:
        """What is below the window has been lost or heard."""
        heard = self._heard >> _WINDOW
        count = self._open - _WINDOW
        if heard == (1 << count) - 1:
            self.pattern.add_heard(count)
        else:
            for place in reversed(range(count)):
                self.pattern.add(heard=bool(heard >> place & 1))
        self._seen &= _ALL
        self._heard &= _ALL
        self._open = _WINDOW

    def _measure(self, packet: Packet, arrived: float, clock: int) -> None:
        """Appendix A.8; of packets with one timestamp (telephone events) the first counts.

        Timestamps of two clocks say nothing of the time between them (RFC 7160).
        """
        step = elapsed(packet.timestamp, self._timestamp)
        if not step:
            return
        if clock == self.clock:
            late = abs(arrived - self._arrived - step / clock)
            self.jitter += (late - self.jitter) / 16
        self._arrived, self._timestamp, self.clock = arrived, packet.timestamp, clock

    def report(self, last_sr: int = 0, delay: float = 0.0) -> ReportBlock:
        """What RTCP tells its sender (appendix A.3); the fraction is that since the report before.

        Args:
            last_sr: the middle of the NTP time of its last sender report; 0 for none.
            delay: seconds since that came.
        """
        expected, received = self.expected - self._expected_before, self.received - self._received_before
        self._expected_before, self._received_before = self.expected, self.received
        fraction = max(0, min(255, (expected - received) * 256 // expected)) if expected > 0 else 0
        lost = min(max(self.expected - self.received, _LOST_MIN), _LOST_MAX)
        return ReportBlock(
            self.ssrc,
            fraction,
            lost,
            self.highest & 0xFFFFFFFF,
            min(round(self.jitter * self.clock), 0xFFFFFFFF),
            last_sr,
            min(round(delay * 65536), 0xFFFFFFFF) if last_sr else 0,
        )


class ReceptionStatistics:
    """Counts what arrives of the streams at one port."""

    def __init__(self) -> None:
        self.packets = 0
        """All that came, be they heard or not."""
        self.octets = 0
        """Of their payload, as in RTCP's reports."""
        self.misordered = 0
        """Packets that came behind one that had been sent after them."""
        self.late = 0
        """Packets that came too late to be heard."""
        self.clock = 8000
        """Ticks of the timestamps a second, at present."""
        self._before = _Past()
        self.stream: Stream | None = None
        """The one of the last packet."""
        self._streams: OrderedDict[int, Stream] = OrderedDict()
        """By SSRC, that of the last packet last."""

    @property
    def lost(self) -> int:
        """Packets expected that have not come."""
        return self._before.lost + sum(stream.lost for stream in self._streams.values())

    @property
    def expected(self) -> int:
        """Packets that must have been sent."""
        return self._before.expected + sum(stream.expected for stream in self._streams.values())

    @property
    def duplicated(self) -> int:
        """Packets that had come already."""
        return self._before.duplicated + sum(stream.duplicated for stream in self._streams.values())

    @property
    def jitter(self) -> float:
        """The interarrival jitter of the present stream, in seconds (section 6.4.1)."""
        return 0.0 if self.stream is None else self.stream.jitter

    @property
    def patterns(self) -> Iterator[LossPattern]:
        """How the losses of each stream that is remembered are spread."""
        return (stream.losses() for stream in self._streams.values())

    def receive(self, packet: Packet, arrived: float, clock: int | None = None) -> bool:
        """*packet* came at *arrived*, in seconds on any clock; False where it is not to be heard.

        That is so of one that has come already, and of the first that is out of all order: it is a stray, or
        its source has begun anew, which its next packet shows (appendix A.1).

        Args:
            packet: of a sender who counts.
            arrived: when.
            clock: ticks of its timestamp a second; None: as before, as is true of telephone events.
        """
        clock = self.clock = clock or self.clock
        self.packets += 1
        self.octets += len(packet.payload)
        stream = self.stream
        if stream is None or packet.ssrc != stream.ssrc:
            stream = self._streams.get(packet.ssrc)
        step = None if stream is None else stream.step(packet)
        if stream is not None and step is None and not stream.began_anew(packet):
            return False
        if stream is None or step is None:
            self._begin(packet, arrived, clock)
            return True
        if stream is not self.stream:
            self._streams.move_to_end(packet.ssrc)
            self.stream = stream
        fresh = stream.take(packet, step, arrived, clock)
        if fresh and step < 0:
            self.misordered += 1
        return fresh

    def discard(self, packet: Packet) -> None:
        """*packet*, which was to be heard, came too late."""
        self.late += 1
        self._streams[packet.ssrc].discard(packet)

    def _begin(self, packet: Packet, arrived: float, clock: int) -> None:
        over = self._streams.pop(packet.ssrc, None)
        if over is None and len(self._streams) == MOST_STREAMS:
            over = self._streams.popitem(last=False)[1]
        if over is not None:
            self._before.add(over)
        self.stream = self._streams[packet.ssrc] = Stream.begin(packet, arrived, clock)


@dataclass(slots=True)
class _Past:
    """The sums of streams that are not remembered."""

    lost: int = 0
    expected: int = 0
    duplicated: int = 0

    def add(self, stream: Stream) -> None:
        self.lost += stream.lost
        self.expected += stream.expected
        self.duplicated += stream.duplicated
