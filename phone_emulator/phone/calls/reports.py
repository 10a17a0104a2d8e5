"""RTCP of one call: what this end tells of its sound, and what the far end tells (RFC 3550 section 6).

Theory of operation: from the moment that there is a far end a timer of the world is armed, whether or not
sound flows; when it rings, one compound leaves. Time is told in seconds of the world, since the far end only
says them back. Reports come from the host that is heard, by whatever port; whose they are otherwise, and what
is no RTCP, is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from phone_emulator.events import Address, Tap
from phone_emulator.media import rtcp
from phone_emulator.media.rtcp import Description, Goodbye, ReceiverReport, ReportBlock, SenderReport
from phone_emulator.media.rtcp_timing import ReportTimer
from phone_emulator.media.source import Source
from phone_emulator.media.srtp import Protection, SrtpError
from phone_emulator.media.xr import ExtendedReport, VoipMetrics
from phone_emulator.world import DatagramSocket, SendFailed, Tasks, TimerHandle, World

from .hearing import Hearing
from .tapped import Tapped

ENDED = "the call has ended"
NEW_SSRC = "another source has the same SSRC"
_WORD = 0xFFFFFFFF
_INSTANT = 1e-6
"""Seconds by which sums of times differ that are the same."""


@dataclass(frozen=True, slots=True)
class ReportStyle:
    """What the reports of one end are like."""

    cname: str
    """Its name (``voice.rtcp_cname``)."""
    extended: bool = False
    """Whether VoIP metrics go with them (``voice.rtcp_xr.enable``)."""


class RtpSession(Protocol):
    """What RTCP needs of the sound that it is beside."""

    source: Source
    """What this end sends."""
    hearing: Hearing
    """What comes in."""

    @property
    def clock(self) -> int:
        """Of this end's timestamps, in Hz."""

    def metrics(self, ssrc: int) -> VoipMetrics:
        """How the stream *ssrc* is heard."""

    def collided(self) -> None:
        """Another source has this end's SSRC."""

    def tell_problem(self, problem: str) -> None:
        """*problem* went wrong, in words."""


class Reports:
    """RTCP beside one RTP session.

    Args:
        world: where it lives.
        tasks: of the session.
        style: what the reports are like.
        protection: what encrypts.
        rtp: the session.
        tap: is shown each datagram.
    """

    def __init__(
        self,
        world: World,
        tasks: Tasks,
        style: ReportStyle,
        protection: Protection,
        rtp: RtpSession,
        tap: Tap | None = None,
    ) -> None:
        self._world = world
        self._tasks = tasks
        self._style = style
        self._protection = protection
        self._rtp = rtp
        self._tap = tap
        self._socket: DatagramSocket | None = None
        self._rtp_socket: DatagramSocket | None = None
        self._remote: Address | None = None
        self.muxed = False
        """Whether RTCP comes and goes at the port of RTP (RFC 5761)."""
        self.round_trip: float | None = None
        """Seconds, the last that was measured."""
        self.told: ReportBlock | None = None
        """What the far end has told last of this end's sound."""
        self.metrics_told: VoipMetrics | None = None
        """The same of an extended report (RFC 3611)."""
        self.sent = 0
        """Compounds."""
        self.received = 0
        """Compounds of the far end."""
        self.ignored = 0
        """Datagrams that were no RTCP, or could not be decrypted."""
        self._timer = ReportTimer()
        self._ring: TimerHandle | None = None
        self._began = False
        self._sr: tuple[int, int, float] | None = None
        """Of the far end's last sender report: SSRC, the middle of its time, when it came."""
        self._packets = (0, 0)
        """What this end had sent of the present SSRC when its last two reports left."""
        self._heard = 0
        """What had come when the last report left."""

    # -- orders --------------------------------------------------------------------------------------------

    async def open(self, rtp_socket: DatagramSocket, dscp: int) -> None:
        """Bind the port above that of *rtp_socket*; raises WorldError."""
        place = Address(rtp_socket.local.host, rtp_socket.local.port + 1)
        self._socket = await self._world.open_udp(place, self, dscp=dscp)
        self._rtp_socket = rtp_socket
        self._arm()

    def agree(self, remote: Address | None, *, muxed: bool) -> None:
        """From now on reports go to *remote*; None: nowhere."""
        self._remote, self.muxed = remote, muxed
        if remote is not None and not self._began:
            self._began = True
            self._timer.begin(self._world.now())
        self._arm()

    def say_goodbye(self, reason: str) -> None:
        """Tell that the present SSRC sends no more, if the far end knows of it (section 6.3.7)."""
        if self._remote is not None and (self.sent or self._rtp.source.packets):
            self._send(self._remote, Goodbye((self._rtp.source.ssrc,), reason))
        self._packets = (0, 0)

    def close(self) -> None:
        """Send and hear nothing until `open`."""
        if self._ring is not None:
            self._ring.cancel()
            self._ring = None
        if self._socket is not None:
            self._socket.close()
        self._socket = self._rtp_socket = None

    # -- out -----------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._ring is None and self._remote is not None:
            self._ring = self._tasks.call_at(self._due(self._world.now()), self._report, "reporting")

    def _due(self, now: float) -> float:
        senders = self._has_sent + self._has_heard
        return max(self._timer.due(self._world.random.random(), senders), now)

    @property
    def _has_sent(self) -> bool:
        """Whether this end has sent sound since the report before the last (section 6.3.8)."""
        return self._rtp.source.packets > self._packets[0]

    @property
    def _has_heard(self) -> bool:
        """Whether any sound has come since the last report."""
        return self._rtp.hearing.reception.packets > self._heard

    def _report(self) -> None:
        self._ring = None
        if self._remote is None:
            return
        now = self._world.now()
        due = self._due(now)
        if due > now + _INSTANT:  # reconsidered (section 6.3.6)
            self._ring = self._tasks.call_at(due, self._report, "reporting")
            return
        self._send(self._remote)
        self._timer.sent(now)
        self._packets = (self._packets[1], self._rtp.source.packets)
        self._heard = self._rtp.hearing.reception.packets
        self._arm()

    def _send(self, remote: Address, *last: rtcp.Packet) -> None:
        """One compound: a report, this end's name, what else there is, and *last*."""
        socket = self._rtp_socket if self.muxed else self._socket
        if socket is None:
            return
        try:
            clear = data = rtcp.compose([*self._contents(), *last])
            self._timer.passed(len(data))
            if self._protection.active:
                data = self._protection.protect_rtcp(clear)
            socket.send(data, remote)
        except (rtcp.RtcpError, SrtpError, SendFailed) as error:
            self._rtp.tell_problem(f"cannot send RTCP to {remote}: {error}")
            return
        if self._tap is not None:
            Tapped(self._tap, self._world, socket.local).sent(remote, data, clear)
        self.sent += 1

    def _contents(self) -> Iterator[rtcp.Packet]:
        now, source = self._world.now(), self._rtp.source
        blocks = tuple(self._blocks(now))
        if self._has_sent:
            timestamp = source.timestamp(now, self._rtp.clock)
            counts = source.packets & _WORD, source.octets & _WORD
            yield SenderReport(source.ssrc, rtcp.ntp_time(now), timestamp, *counts, blocks)
        else:
            yield ReceiverReport(source.ssrc, blocks)
        yield Description(source.ssrc, self._style.cname)
        if self._style.extended and blocks:
            yield ExtendedReport(source.ssrc, tuple(self._rtp.metrics(block.ssrc) for block in blocks))

    def _blocks(self, now: float) -> Iterator[ReportBlock]:
        """What is told of the far end's stream, where it goes on."""
        hearing = self._rtp.hearing
        stream = hearing.reception.stream
        if stream is None or not self._has_heard:
            return
        last_sr, delay = 0, 0.0
        if self._sr is not None and self._sr[0] == stream.ssrc:
            _, last_sr, arrived = self._sr
            delay = now - arrived
        yield stream.report(last_sr, delay)

    # -- in ------------------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, remote: Address) -> None:
        """Called by the world, for the port of its own."""
        self.receive(data, remote)

    def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
        """Called by the world: nobody there wants reports, which is no matter."""

    def receive(self, data: bytes, remote: Address) -> None:
        """*data* came from *remote*: RTCP, or something else that is counted and ignored."""
        hearing, now = self._rtp.hearing, self._world.now()
        wire, clear = data, None
        try:
            rtcp.sender_of(data)
            if self._protection.active:
                data = self._protection.unprotect_rtcp(data)
            clear = data
            if not hearing.senders.reports(remote):
                hearing.passed_over(remote)
                return
            packets = rtcp.parse(data)
        except (rtcp.RtcpError, SrtpError) as error:
            self.ignored += 1
            self._rtp.tell_problem(f"ignored a datagram from {remote}: {error}")
            return
        finally:
            self._show_received(remote, wire, clear)
        self._timer.passed(len(data))
        if rtcp.sender_of(data) == self._rtp.source.ssrc:
            self._same_ssrc(packets)
            return
        self.received += 1
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._sr = (packet.ssrc, rtcp.middle(packet.ntp), now)
            if isinstance(packet, SenderReport | ReceiverReport):
                for block in packet.blocks:
                    self._told(block, now)
            if isinstance(packet, ExtendedReport):
                for metrics in packet.metrics:
                    if metrics.ssrc == self._rtp.source.ssrc:
                        self.metrics_told = metrics

    def _show_received(self, remote: Address, data: bytes, clear: bytes | None) -> None:
        socket = self._rtp_socket if self.muxed else self._socket
        if self._tap is not None and socket is not None:
            Tapped(self._tap, self._world, socket.local).received(remote, data, clear)

    def _told(self, block: ReportBlock, now: float) -> None:
        if block.ssrc != self._rtp.source.ssrc:
            return
        self.told = block
        took = rtcp.round_trip(block, rtcp.ntp_time(now))
        if took is not None:
            self.round_trip = took

    def _same_ssrc(self, packets: list[rtcp.Packet]) -> None:
        """Who sent this has this end's SSRC: it comes back, or another source has it too (section 8.2)."""
        names = {packet.cname for packet in packets if isinstance(packet, Description)}
        if self._style.cname not in names:
            self._rtp.collided()
