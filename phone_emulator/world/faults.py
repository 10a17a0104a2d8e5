"""Where everything is told that raises and should not.

What the outside can do wrong is an answer and no exception; so whatever raises in the background, where
nobody stands who could take it, is a fault of this program. It is told once, to every bus of the world, and
everything else goes on. When a world's `run` is over, the faults that it saw are raised: no program ends well
after one.

Where the machine has run short, nobody has done wrong: that is told as what it is, and ends the same way with
other words.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from phone_emulator.cleaning import clean, clean_lines
from phone_emulator.events import Bus, Event, InternalFault, Shortage
from phone_emulator.scarcity import MachineRefused, shortage

MOST_KEPT = 100
"""Faults that are kept to be shown; further ones are only told."""
_ACCEPTING = "socket.accept()"
"""In what asyncio says where it takes no connection, since a descriptor or memory is missing."""
_LISTENING_AGAIN = "_start_serving"
"""What asyncio calls a second later, though the listener may be closed."""
_WAITING = 0.9
"""Seconds between two tries of asyncio to take a connection, or a little less."""
LATEST = 16
"""Exceptions that are known again: one that ends a task is raised in whoever awaits it, too."""


class Faulted(Exception):
    """The world ran, and something in it raised what it should not; ``told`` has each fault."""

    def __init__(self, told: list[InternalFault]) -> None:
        super().__init__(str(told[0]))
        self.told = told


class Faults:
    """Where all faults of one world are told.

    Args:
        now: the world's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buses: list[Bus] = []
        self._latest: deque[BaseException] = deque(maxlen=LATEST)
        self._telling = False
        self._first: BaseException | None = None
        self.told: list[InternalFault] = []
        """The first ones, oldest first."""
        self.short = ""
        """What the machine would not give at first; empty while it gave all that was asked for."""
        self._given_up = ""
        self._waits_since = -_WAITING

    def tell_on(self, bus: Bus) -> None:
        """Tell every fault on *bus* from now on, also what its own listeners raise."""
        if bus not in self._buses:
            self._buses.append(bus)
            bus.on_fault = self.tell

    def tell(self, error: BaseException, work: str, owner: str) -> None:
        """Tell that *work* of *owner* raised *error*; does nothing where that was told before."""
        if any(error is known for known in self._latest):
            return
        self._latest.append(error)
        if short := shortage(error):
            self.tell_shortage(short, work, owner)
            self._given_up = self._given_up or f"{short} ({work} of {owner})"
            return
        self._first = self._first or error
        fault = InternalFault(
            at=self._now(), work=work, owner=owner, error=in_words(error), traceback=traceback_of(error)
        )
        if len(self.told) < MOST_KEPT:
            self.told.append(fault)
        self._tell(fault)

    def tell_shortage(self, reason: str, work: str, owner: str) -> None:
        """Tell that *work* of *owner* waits, or was given up, since the machine would not: *reason*."""
        self.short = self.short or reason
        self._tell(Shortage(at=self._now(), work=work, owner=owner, reason=reason))

    def _tell(self, event: Event) -> None:
        if self._telling:
            return  # a listener cannot bear to hear of faults
        self._telling = True
        try:
            for bus in self._buses:
                bus.tell(event)
        finally:
            self._telling = False

    def heard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the event loop has to tell (its exception handler)."""
        error = context.get("exception")
        if error is None:
            loop.default_exception_handler(context)
        elif _ACCEPTING in context.get("message", "") and (short := shortage(error)):
            # The connection waits: the loop tries again after a second, and says so a thousand times.
            if self._now() >= self._waits_since + _WAITING:
                self._waits_since = self._now()
                self.tell_shortage(short, "a connection that wants in", "the event loop")
        elif _LISTENING_AGAIN in context.get("message", "") and isinstance(error, ValueError):
            pass  # the listener was closed while it waited for a descriptor
        elif isinstance(error, Exception):
            self.tell(error, _doing(context), "the event loop")

    @contextlib.contextmanager
    def raised_at_the_end(self) -> Iterator[None]:
        """Raise Faulted at the end where there was any fault, whatever else is raised then.

        Raises MachineRefused where work was given up since the machine would not, and nothing else is raised.
        """
        try:
            yield
        except Exception:
            self._check()
            raise
        self._check()
        if self._given_up:
            raise MachineRefused(self._given_up)

    def _check(self) -> None:
        if self.told:
            raise Faulted(list(self.told)) from self._first


def in_words(error: BaseException) -> str:
    """*error* in one line, without control characters: ``KeyError: 'via'``."""
    return clean(traceback.format_exception_only(error)[-1].strip())


def traceback_of(error: BaseException) -> str:
    """Where *error* was raised, as Python tells it, without control characters."""
    return clean_lines("".join(traceback.format_exception(error)).rstrip())


def as_reason(error: BaseException) -> str:
    """*error* as the reason why something has ended."""
    if short := shortage(error):
        return f"the machine would not: {short}"
    return f"internal fault: {in_words(error)}"


def _doing(context: dict[str, Any]) -> str:
    """What the event loop was about when it met an exception, in words."""
    handle = context.get("handle") or context.get("protocol") or context.get("task") or context.get("future")
    called: Any = getattr(handle, "_callback", handle)
    while isinstance(called, functools.partial):
        called = called.func
    name = getattr(called, "__qualname__", None) or type(called).__qualname__
    return "a callback" if called is None else f"the callback {name}"
