"""Who talks: one call of a phone at a time, or one conference, whichever of its lines it is on.

Theory of operation: a phone has one handset. Whoever is to talk, a call that is dialled, answered or taken
back, claims the floor: every other call that talks is held, and its re-INVITE leaves before what the new one
sends. So does a call that is answered at its far end while another one talks: both were dialled at once.

No call waits for the answers to these holds. A far end that will not be held, or a server that is gone, keeps
the user from no other call: the old one talks on beside the new one, which is told, or ends where it has to.
It is asked once more when the new one is answered. Whoever wants to see the old call held awaits `quiet`.

A call is not held for one that its own far end asked for (a REFER that came in), nor for one that takes its
place: whoever asked for that ends it. Nor is it held for one of its own conference (`conference.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from phone_emulator.events import CallState
from phone_emulator.phone.wire.errors import CallError
from phone_emulator.world.tasks import Tasks

from .states import UP


class Talker(Protocol):
    """A call, as far as the others look at it."""

    id: str
    state: CallState
    tasks: Tasks

    @property
    def conference(self) -> object | None:
        """What it talks together with."""

    @property
    def beside(self) -> Talker | None:
        """The call that is not held for this one."""

    async def hold_alone(self) -> None:
        """Hold the far end; raises CallError."""

    async def resume(self) -> None:
        """Take the far end back, and those of its conference; raises CallError."""

    def not_held(self, why: str) -> None:
        """It talks on, though another one is to talk."""


_Call = TypeVar("_Call", bound=Talker)


class Floor(Generic[_Call]):
    """The calls of one phone, one of which may talk.

    Args:
        calls: the live ones, oldest first.
        patience: seconds that an answer to a hold is waited for (timer T1, the estimate of a round trip).
        shared: whether each has a handset of its own, as those of the lab's callee have.
    """

    def __init__(self, calls: Sequence[_Call], patience: float, *, shared: bool = False) -> None:
        self._calls = calls
        self._patience = patience
        self._shared = shared
        self._holding: dict[str, asyncio.Task[None]] = {}
        """What holds a call, by the call's id."""

    def alone(self, call: _Call) -> bool:
        """Whether there is no other call that is live."""
        over = (CallState.ENDING, CallState.ENDED)
        return self._shared or all(each is call or each.state in over for each in self._calls)

    def another_talks(self, call: _Call) -> bool:
        """Whether the user talks in another call than *call*."""
        if self._shared:
            return False
        return any(each.state is CallState.TALKING and each is not call for each in self._calls)

    def claim(self, call: _Call) -> None:
        """*call* is to talk: hold whoever else does, without waiting for it."""
        if self._shared:
            return
        for other in self._calls:
            together = call.conference is not None and other.conference is call.conference
            spared = other is call or other is call.beside or other.id in self._holding or together
            if other.state is CallState.TALKING and not spared:
                holding = self._holding[other.id] = other.tasks.spawn(_hold(other), "holding")
                holding.add_done_callback(partial(self._let_go, other.id))

    def _let_go(self, held: str, _: object) -> None:
        self._holding.pop(held, None)

    async def quiet(self) -> None:
        """Wait until the holds that go on are answered, but no longer than *patience*."""
        if self._holding:
            await asyncio.wait(self._holding.values(), timeout=self._patience)

    async def swap(self, to: _Call | None = None) -> _Call:
        """Hold the call that talks and take another one back; raises CallError.

        Args:
            to: the one; where it is the one that talks, or None, it is the next one that is held.

        Returns:
            The one that was taken back; see `quiet` for the other.
        """
        up = [call for call in self._calls if call.state in UP]
        talking = next((call for call in up if call.state is CallState.TALKING), None)
        if to is None or to is talking:
            first = 0 if talking is None else up.index(talking) + 1
            held = [call for call in (*up[first:], *up[:first]) if call.state is CallState.HELD]
            if not held:
                raise CallError("there is no call on hold to swap with")
            to = held[0]
        await to.resume()
        return to


async def _hold(other: Talker) -> None:
    try:
        await other.hold_alone()
    except CallError as error:
        if other.state is CallState.TALKING:
            other.not_held(str(error))
