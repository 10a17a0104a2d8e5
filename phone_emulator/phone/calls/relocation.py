"""A call that is up while the phone's own address changes or goes (RFC 3261 sections 12.2.1.2 and 14.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol

from phone_emulator.events import CallState, Ended, EndedBy
from phone_emulator.phone.dialling.channel import Channel
from phone_emulator.phone.seat import Seat
from phone_emulator.phone.wire.errors import CallError
from phone_emulator.world.base import TimerHandle
from phone_emulator.world.tasks import Tasks

from .session import Session
from .states import UP
from .voice import VoiceError


class Relocated(Protocol):
    """A call, as far as its phone's address concerns it."""

    state: CallState
    seat: Seat
    channel: Channel
    session: Session
    tasks: Tasks

    def note_end(self, by: EndedBy, why: str) -> Ended:
        """Note how it ends."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run *work* beside it."""


class Relocation:
    """What follows for one call.

    Args:
        call: up, or not: one that is not has nothing to do here.
        tell: how it stands, for a reason.
        over: called with the reason where it ends for want of an address.
    """

    def __init__(self, call: Relocated, *, tell: Callable[[str], None], over: Callable[[str], None]) -> None:
        self._call = call
        self._tell = tell
        self._over = over
        self._waiting: TimerHandle | None = None
        """When the call ends because the phone has no address."""

    def moved(self, left: Collection[str], why: str) -> asyncio.Task[None] | None:
        """The phone has another address, and none of *left* any more; see `Call.moved`."""
        self.cancel()
        call = self._call
        flow, host = call.channel.flow, call.session.voice.host
        if call.state not in UP or not (host in left or (flow and flow.local.host in left)):
            return None
        return self.tell_far_end(why)

    def tell_far_end(self, why: str) -> asyncio.Task[None]:
        """Talk from the phone's address of now on, and tell the far end of it."""
        return self._call.spawn(self._move(why), "the call from another address")

    async def _move(self, why: str) -> None:
        session = self._call.session
        try:
            if await session.move():
                self._tell(f"goes on: {why}")
        except (CallError, VoiceError) as error:
            session.give_up(f"{why}, and {error}", EndedBy.TRANSPORT)

    def stranded(self, why: str) -> None:
        """The phone has no address; *why*, for people. A call that is up waits for one, for 64*T1."""
        call = self._call
        call.session.voice.leave()
        if call.state in UP and self._waiting is None:
            wait = 64 * call.seat.context.config.timers.t1
            self._tell(why)

            def give_up() -> None:
                reason = f"{why}, for 64*T1 = {wait:.1f} s"
                call.note_end(EndedBy.TRANSPORT, reason)
                self._over(reason)

            self._waiting = call.tasks.call_at(call.seat.now + wait, give_up, "a lost address")

    def cancel(self) -> None:
        """Wait for no address: there is one, or the call is over."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
