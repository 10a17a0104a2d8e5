"""Keeping NATs open between a line and the servers that it is registered at (``account.X.nat.udp_update_*``).

Nothing is sent while the line is registered nowhere. What comes back, or does not, changes nothing: whether a
server is there is the registration's business.
"""

from __future__ import annotations

import contextlib
from enum import IntEnum

from phone_emulator.events import Target
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.identity import new_call_id
from phone_emulator.redundancy import hops
from phone_emulator.sip.client import RequestFailed
from phone_emulator.world.base import TimerHandle

from .binding import Bindings

KEEP_ALIVE = "keep-alive"
"""The event of a NOTIFY that only keeps a NAT open."""


class Mode(IntEnum):
    """``account.X.nat.udp_update_enable``."""

    OFF = 0
    PACKET = 1
    OPTIONS = 2
    NOTIFY = 3


class KeepAlive:
    """The keep-alives of one line.

    Over TCP and TLS they are two line ends whatever the mode (RFC 5626 section 3.5.1), unless
    ``sip.send_keepalive_by_socket = 0``; over UDP the mode says what they are.

    Args:
        seat: of the line.
        bindings: what is kept reachable.
    """

    def __init__(self, seat: Seat, bindings: Bindings) -> None:
        self._seat = seat
        self._bindings = bindings
        self._mode = Mode(seat.account.keepalive)
        self._timer: TimerHandle | None = None

    def start(self) -> None:
        """The line is registered: keep it reachable, unless that is done already."""
        if self._timer is None and self._mode is not Mode.OFF:
            self._wind_up()

    def stop(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind_up(self) -> None:
        due = self._seat.now + self._seat.account.keepalive_interval
        self._timer = self._seat.tasks.call_at(due, self._due, "keep-alives")

    def _due(self) -> None:
        self._timer = None
        targets = {(target.transport, target.remote): target for target in self._bindings.targets}
        for target in targets.values():
            self._send(target)
        if targets:
            self._wind_up()

    def _send(self, target: Target) -> None:
        context = self._seat.context
        if target.transport.reliable:
            if context.config.keepalive_by_socket:
                context.endpoint.transports.ping(target.transport, target.remote)
        elif self._mode is Mode.PACKET:
            context.endpoint.transports.ping(target.transport, target.remote)
        else:
            self._seat.tasks.spawn(self._ask(target), "a keep-alive")

    async def _ask(self, target: Target) -> None:
        """Send a request that is answered somehow, or not at all."""
        seat = self._seat
        account, context = seat.account, seat.context
        hop = next(each for each in hops(account) if each.server == target.server)
        identity = context.identity(account, hop.identity)
        method, extra = self._mode.name, []
        if self._mode is Mode.NOTIFY:
            extra = [("Event", KEEP_ALIVE)]
        call_id = new_call_id(context.world.unguessable, account, context.host, identity.style)
        with contextlib.suppress(RequestFailed):
            flow = await seat.exchange.flow_to(target, None, "")
            contact = identity.contact(flow.local, flow.transport)
            request = identity.outside(method, call_id, context.endpoint.new_tag(), contact, extra)
            client = context.endpoint.clients.request(request, flow, rport=account.rport)
            await client.final()
