"""The CANCEL of an INVITE that this phone has sent, and what tells of its answer (RFC 3261 section 9.1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Protocol

from phone_emulator.events import Attempt, Ended
from phone_emulator.phone.dialling.channel import Channel
from phone_emulator.phone.seat import Seat
from phone_emulator.sip.client import ClientTransaction, RequestFailed
from phone_emulator.sip.tables import State

from . import ending


class Cancelled(Protocol):
    """A call that nobody has answered, as far as its CANCEL concerns it."""

    seat: Seat
    channel: Channel
    route: list[Attempt]
    end: Ended | None
    heard_at: float | None

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run *work* beside it."""


class Cancel:
    """Of the INVITE that goes on.

    Args:
        call: whose INVITE it is.
    """

    def __init__(self, call: Cancelled) -> None:
        self._call = call
        self.sent = False
        """Whether it has left, or is about to."""

    def begin(self) -> None:
        """Another INVITE goes on, or none: nothing of it is cancelled."""
        self.sent = False

    def send(self, client: ClientTransaction) -> None:
        """Cancel the INVITE of *client*, once; it has drawn a 1xx."""
        if not self.sent:
            self.sent = True
            self._call.spawn(self._cancel(client), "CANCEL")

    def send_again(self, client: ClientTransaction) -> None:
        """The phone has moved: the one that was sent may have left from nowhere."""
        self.sent = False
        self.send(client)

    def answered(self, came: bool) -> None:
        """The cancelled INVITE is over; whether its final response *came* tells of the CANCEL, too."""
        end = self._call.end
        if end is not None and came:
            end.answered, end.last_heard = True, self._call.heard_at
        elif end is not None:
            ending.unanswered(end, "no final response to the INVITE came either")

    async def _cancel(self, client: ClientTransaction) -> None:
        """Send a CANCEL, unless the final response came right behind the 1xx.

        What it draws is of no interest: the INVITE's own end is waited for, but no longer than 64*T1
        (RFC 3261 section 9.1).
        """
        call = self._call
        way, wait = client.flow, 64 * call.seat.context.config.timers.t1
        if way.lost:  # the phone has moved, or the server has closed it
            with contextlib.suppress(RequestFailed):
                way = await call.seat.exchange.flow_to(call.route[-1].target, wait, "")
        if not call.channel.cancel(client, way):
            return
        if call.end is not None:
            call.end.method = "CANCEL"
        await asyncio.sleep(wait)
        if client.machine.state is State.PROCEEDING:  # else it still takes repeated final responses
            call.seat.context.endpoint.clients.give_up(client, "no final response to the cancelled INVITE")
