"""The digits that wait to be sent in the RTP of a call: telephone events (RFC 4733), or sounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from phone_emulator.media import dtmf
from phone_emulator.media.inband import DigitTones
from phone_emulator.media.rtp import Packet
from phone_emulator.media.source import Source

_INSTANT = 1e-6
"""Seconds by which sums of times differ that are the same."""


class AudioError(Exception):
    """That cannot be sent now; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class DigitStyle:
    """What a digit is like."""

    duration: int = 100
    """Milliseconds (``features.dtmf.duration``)."""
    interval: int = 50
    """The least pause between two, in milliseconds (``features.dtmf.min_interval``)."""
    repetition: int = 3
    """How often a digit's last packet is sent (``features.dtmf.repetition``)."""
    volume: int = 10
    """dBm0 without the minus sign (``features.dtmf.volume``)."""


@dataclass(slots=True)
class _Order:
    """Digits that somebody waits for."""

    digits: deque[str]
    done: asyncio.Future[None] = field(repr=False)
    tones: DigitTones | None = None
    """What they sound like; None for telephone events."""


class Digits:
    """Digits in the order in which they were asked for.

    Args:
        style: of each.
    """

    def __init__(self, style: DigitStyle) -> None:
        duration = min(max(style.duration, 1), dtmf.LONGEST_MS)
        self._style = replace(style, duration=duration, volume=min(max(style.volume, 0), 63))
        self._orders: deque[_Order] = deque()
        self._packets: deque[Packet] = deque()
        """What is left to send of the present digit."""
        self._next_at = 0.0
        """When the next digit may begin."""

    @property
    def waiting(self) -> bool:
        """Whether anything is left to send."""
        return bool(self._packets or self._orders)

    def order(self, digits: str, *, in_band: bool) -> asyncio.Future[None]:
        """Send *digits* after those that wait; done when the last has been sent."""
        tones = None
        if in_band:
            style = self._style
            tones = DigitTones(
                digits, duration_ms=style.duration, interval_ms=style.interval, level=-style.volume
            )
        order = _Order(deque(digits), asyncio.get_running_loop().create_future(), tones)
        self._orders.append(order)
        return order.done

    def refuse(self, why: str) -> None:
        """Send none of them, for the reason *why*."""
        self._packets.clear()
        self._refuse(why, lambda order: True)

    def refuse_sounds(self, why: str) -> None:
        """Send no sounds, for the reason *why*."""
        self._refuse(why, lambda order: order.tones is not None)

    def refuse_events(self, why: str) -> None:
        """Send no telephone events, for the reason *why*."""
        self._packets.clear()
        self._refuse(why, lambda order: order.tones is None)

    def _refuse(self, why: str, which: Callable[[_Order], bool]) -> None:
        orders, self._orders = self._orders, deque()
        for order in orders:
            if not which(order):
                self._orders.append(order)
            elif not order.done.done():
                order.done.set_exception(AudioError(f"not every digit was sent: {why}"))

    def renumber(self, payload_type: int) -> None:
        """Telephone events go out as *payload_type* from now on."""
        self._packets = deque(replace(packet, payload_type=payload_type) for packet in self._packets)

    def due(self, at: float) -> DigitTones | None:
        """The digits that are sounds and may be heard at *at*, in seconds of the world; None for none."""
        if self._packets or not self._may_begin(at):
            return None
        return self._orders[0].tones

    def sounded(self, tones: DigitTones, at: float) -> None:
        """A piece of *tones* was sent, which ends at *at*."""
        if tones.over:
            self._next_at = at + self._style.interval / 1000
            self._order_sent()

    def next_event(
        self, at: float, payload_type: int | None, source: Source, timestamp: int, ptime_ms: int
    ) -> Packet | None:
        """The packet of a telephone event that goes out at *at*; None for none.

        Args:
            at: seconds of the world.
            payload_type: of telephone events; None: there are none.
            source: who sends them.
            timestamp: of a digit that begins now.
            ptime_ms: from packet to packet.
        """
        begins = not self._packets and self._may_begin(at) and self._orders[0].tones is None
        if begins and payload_type is not None:
            style = self._style
            self._packets.extend(
                dtmf.digit_packets(
                    self._orders[0].digits.popleft(),
                    payload_type=payload_type,
                    sequence=source.sequence,
                    timestamp=timestamp,
                    ssrc=source.ssrc,
                    duration_ms=style.duration,
                    ptime_ms=ptime_ms,
                    repetition=style.repetition,
                    volume=style.volume,
                )
            )
            self._next_at = at + (style.duration + style.interval) / 1000
        if not self._packets:
            return None
        packet = self._packets.popleft()
        if not self._packets and self._orders and not self._orders[0].digits:
            self._order_sent()
        return packet

    def _may_begin(self, at: float) -> bool:
        """Whether a digit is due; orders that nobody waits for any more end with the digit that has begun."""
        while self._orders and self._orders[0].done.done():
            tones = self._orders[0].tones
            if tones is not None and tones.cut():
                break
            self._orders.popleft()
        return bool(self._orders) and self._next_at - at <= _INSTANT

    def _order_sent(self) -> None:
        done = self._orders.popleft().done
        if not done.done():
            done.set_result(None)
