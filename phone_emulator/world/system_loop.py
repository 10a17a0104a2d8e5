"""The event loops of the real world: asyncio's own, or uvloop's where it is installed.

Both know only a clock that stands still while the machine sleeps, and a loop that waits for its next timer
would wait on, as if nothing had been. So they look at the system's clock once a second, and what was due
meanwhile is due then. uvloop's timers of less than 10 s are left alone: nobody minds whether they come so
much later.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from phone_emulator.scarcity import numbered

from . import clock, reasons
from .base import WorldError

_Result = TypeVar("_Result")

LOOP_DESCRIPTORS = 16
"""More than an event loop of any kind takes for itself: asyncio's 3, uvloop's 9."""
HEARTBEAT = 1.0
"""Seconds between two looks at the system's clock."""
LONG = 10.0
"""Seconds of a timer of uvloop that is told when the machine has slept."""
LEAP = 0.5
"""Seconds between the clocks that are a sleep; less is how exactly they are read."""


def run_on_a_loop(
    main: Coroutine[Any, Any, _Result],
    *within: Coroutine[Any, Any, Any],
    fast: bool = True,
    unhandled: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None,
) -> _Result:
    """Run *main* on an event loop of its own, as `asyncio.run` does; returns what it returns.

    Args:
        main: what runs.
        within: coroutines that *main* awaits, which would be left behind where there is no loop.
        fast: whether uvloop serves where it is installed.
        unhandled: the loop's exception handler; None takes asyncio's own.

    Raises:
        WorldError: the machine has no loop to give; *main* has not begun then.
    """
    runner = asyncio.Runner(loop_factory=_factory(fast))
    try:
        _look_for_room()
        loop = runner.get_loop()
    except (OSError, MemoryError) as error:
        for coroutine in (main, *within):
            coroutine.close()
        raise numbered(WorldError(f"no event loop: {reasons.in_words(error)}"), error) from None
    with runner:
        if unhandled is not None:
            loop.set_exception_handler(unhandled)
        return runner.run(main)


def _look_for_room() -> None:
    """Raise OSError where the machine has too few descriptors for a loop: uvloop aborts the process then."""
    taken: list[int] = []
    try:
        while len(taken) < LOOP_DESCRIPTORS:
            taken += os.pipe()
    finally:
        for descriptor in taken:
            os.close(descriptor)


class PlainLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, by the system's clock; it says nothing more where it cannot be made."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        super().__init__(selector)
        self._beat()

    def time(self) -> float:
        """Seconds by the system's clock."""
        return clock.seconds()

    def _beat(self) -> None:
        """Look at the clock, as the loop does whenever it wakes."""
        self.call_later(HEARTBEAT, self._beat)

    def _make_self_pipe(self) -> None:
        try:
            super()._make_self_pipe()  # type: ignore[misc]
        except BaseException:
            # asyncio's own destructor would stumble over the pipe that is not there.
            self._closed = True
            raise


def _plain_loop() -> asyncio.AbstractEventLoop:
    selector = selectors.DefaultSelector()
    try:
        return PlainLoop(selector)
    except BaseException:
        selector.close()
        raise


def _factory(fast: bool) -> Callable[[], asyncio.AbstractEventLoop]:
    if fast and sys.platform != "win32":
        try:
            return _fast_loop()
        except ImportError:
            return _plain_loop
    return _plain_loop


class LongTimer:
    """A timer of uvloop by the system's clock: what `call_later` returns.

    Args:
        arm: uvloop's own `call_later`.
        running: where it is entered while it runs.
        due: when, by the system's clock.
        callback: what is called then, with *args*.
    """

    def __init__(
        self,
        arm: Callable[..., asyncio.TimerHandle],
        running: dict[LongTimer, None],
        due: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> None:
        self.due = due
        self._arm = arm
        self._running = running
        self._callback = callback
        self._args = args
        self._context = context
        self.wind()

    def wind(self) -> None:
        """Wait for as long as the system's clock says now."""
        delay = max(0.0, self.due - clock.seconds())
        self._handle = self._arm(delay, self._ring, context=self._context)
        self._running[self] = None

    def wind_again(self) -> None:
        """The clock has leapt."""
        self._handle.cancel()
        self.wind()

    def when(self) -> float:
        """When it is due, by the loop's own clock."""
        return self._handle.when()

    def cancel(self) -> None:
        """Forget it. May be called more than once."""
        self._running.pop(self, None)
        self._handle.cancel()

    def cancelled(self) -> bool:
        """Whether it was forgotten."""
        return self._handle.cancelled()

    def _ring(self) -> None:
        self._running.pop(self, None)
        self._callback(*self._args)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's loop; raises ImportError where it is not installed."""
    import uvloop

    class FastLoop(uvloop.Loop):
        """uvloop's loop, whose long timers go by the system's clock."""

        def __init__(self) -> None:
            super().__init__()
            self._long: dict[LongTimer, None] = {}
            self._slept = clock.slept()
            self._beat()

        def call_later(  # type: ignore[override]
            self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
        ) -> Any:
            """As asyncio's."""
            arm = super().call_later
            if delay < LONG:
                return arm(delay, callback, *args, context=context)
            return LongTimer(arm, self._long, clock.seconds() + delay, callback, args, context)

        def _beat(self) -> None:
            slept = clock.slept()
            if abs(slept - self._slept) > LEAP:
                for timer in sorted(self._long, key=lambda each: each.due):
                    timer.wind_again()
            self._slept = slept
            self.call_later(HEARTBEAT, self._beat)

    return FastLoop
