"""An asyncio event loop whose clock is virtual.

Theory of operation: asyncio asks its selector to sleep until the next timer is due. Ours sleeps by setting
the clock to exactly that time, so waiting costs nothing and the clock never drifts. There are no sockets,
threads or signals, so an unlimited sleep would never end: that is a deadlock, and says who waits for what.
"""

from __future__ import annotations

import asyncio
import functools
import heapq
import inspect
import math
import os
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any, Never, TypeVarTuple

_Ts = TypeVarTuple("_Ts")
_ASYNCIO = os.path.dirname(asyncio.__file__)


class Deadlock(RuntimeError):
    """A simulation came to a standstill, or never comes to an end; names each pending task and its wait."""

    def __init__(self, what: str, tasks: list[str]) -> None:
        waiting = "".join(f"\n  {task}" for task in tasks) or "\n  no task at all"
        super().__init__(f"{what}; waiting:{waiting}")
        self.tasks = tasks


class _Timer(asyncio.TimerHandle):
    """Timers due at the same instant fire in the order in which they were set."""

    __slots__ = ("order",)
    _when: float
    order: int

    def __lt__(self, other: object) -> bool:
        assert isinstance(other, _Timer)
        return (self._when, self.order) < (other._when, other.order)


def _refused(what: str, why: str) -> Any:
    def refuse(self: object, *args: object, **kwargs: object) -> Never:
        raise RuntimeError(f"{what} in a simulated world: {why}")

    return refuse


_NO_THREADS = "it knows no other threads; its tasks, timers and network are all there is"
_NO_NAMES = "it has no name service of the machine; ask a DNS server of its network"
_NO_SOCKETS = "it has no sockets of the machine; use World.open_udp, connect, listen"


class VirtualLoop(BaseEventLoop):
    """The event loop; `time` starts at 0.0.

    :param time_limit: virtual seconds after which a simulation counts as endless
    :param step_limit: rounds without any time passing after which a simulation counts as endless
    """

    _scheduled: list[_Timer]
    _clock_resolution: float

    def __init__(self, time_limit: float, step_limit: int = 1_000_000) -> None:
        super().__init__()
        self._selector = self
        self._now = 0.0
        self._clock_resolution = math.ulp(0.0)
        self._time_limit = time_limit
        self._step_limit = step_limit
        self._steps = 0
        self._order = 0
        self._settling = False

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Let *timeout* seconds pass, as asyncio's selector would; raises Deadlock."""
        if timeout == 0:
            self._steps += 1
            if self._steps > self._step_limit:
                raise self._deadlock(f"time stands still at {self._now:g} s while tasks go round in circles")
            return []
        if self._settling:
            self.stop()
            return []
        if timeout is None:
            raise self._deadlock(f"nothing can ever happen again at {self._now:g} s")
        # Not `now + timeout`: asyncio rounded that, and capped it at a day.
        when = self._scheduled[0]._when
        if when > self._time_limit:
            late = f"the next thing is due at {when:g} s, beyond the limit of {self._time_limit:g} s"
            raise self._deadlock(f"at {self._now:g} s: {late}")
        self._now = when
        self._clock_resolution = math.ulp(when)
        self._steps = 0
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: `select` always returns an empty list."""

    def _deadlock(self, what: str) -> Deadlock:
        self._steps = 0
        return Deadlock(what, sorted(describe(task) for task in asyncio.all_tasks(self)))

    def settle(self) -> None:
        """Run whatever is ready now, letting no time pass."""
        self._settling = True
        try:
            self.run_forever()
        finally:
            self._settling = False

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call *callback* at *when*, after those that were set for the same time before."""
        if self.is_closed():
            raise RuntimeError("the simulation has ended")
        timer = _Timer(when, callback, args, self, context)
        self._order += 1
        timer.order = self._order
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # asyncio's own mark, for counting cancelled ones
        return timer

    def timers(self) -> list[asyncio.TimerHandle]:
        """Those that are due later and not cancelled, in order."""
        return [timer for timer in sorted(self._scheduled) if not timer.cancelled()]

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        # asyncio's own would come from any thread; here there is only one.
        if not self.is_closed():
            self.call_soon(self.create_task, agen.aclose())

    def __del__(self) -> None:
        """A loop that never ran holds nothing that had to be closed."""

    call_soon_threadsafe = _refused("call_soon_threadsafe", _NO_THREADS)
    run_in_executor = _refused("run_in_executor", _NO_THREADS)
    getaddrinfo = _refused("getaddrinfo", _NO_NAMES)
    getnameinfo = _refused("getnameinfo", _NO_NAMES)
    create_connection = _refused("create_connection", _NO_SOCKETS)
    create_server = _refused("create_server", _NO_SOCKETS)
    create_datagram_endpoint = _refused("create_datagram_endpoint", _NO_SOCKETS)
    create_unix_connection = _refused("create_unix_connection", _NO_SOCKETS)
    add_reader = _refused("add_reader", _NO_SOCKETS)
    add_writer = _refused("add_writer", _NO_SOCKETS)
    subprocess_exec = _refused("subprocess_exec", _NO_THREADS)
    subprocess_shell = _refused("subprocess_shell", _NO_THREADS)


def describe(task: asyncio.Task[Any]) -> str:
    """The task's name, the coroutines it is in, each with its line, and the primitive in which it waits."""
    chain, primitive = [], ""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = _either(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        if frame.f_code.co_filename.startswith(_ASYNCIO):
            primitive = primitive or coroutine.__qualname__
        else:
            primitive = ""
            place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
            chain.append(f"{coroutine.__qualname__} ({place})")
        coroutine = _either(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
    text = f"task {task.get_name()!r} in {' > '.join(chain) or 'a finished coroutine'}"
    waits_for = getattr(task, "_fut_waiter", None)
    if isinstance(waits_for, asyncio.Task):
        return f"{text}, for task {waits_for.get_name()!r}"
    return f"{text}, in {primitive}" if primitive else text


def describe_timer(timer: asyncio.TimerHandle) -> str:
    """When it is due and what it calls."""
    callback = callback_of(timer)
    code = getattr(callback, "__code__", None)
    place = f" at {os.path.basename(code.co_filename)}:{code.co_firstlineno}" if code else ""
    return f"timer at {timer.when():g} s: {getattr(callback, '__qualname__', repr(callback))}{place}"


def callback_of(timer: asyncio.TimerHandle) -> Callable[..., Any]:
    """What *timer* calls, without the arguments bound to it and what is wrapped around it."""
    callback: Any = getattr(timer, "_callback", None)
    while isinstance(callback, functools.partial):
        callback = callback.func
    return inspect.unwrap(callback)  # type: ignore[no-any-return]


def _either(thing: object, *names: str) -> Any:
    for name in names:
        value = getattr(thing, name, None)
        if value is not None:
            return value
    return None


def cancel_all(loop: VirtualLoop, grace: float) -> tuple[set[asyncio.Task[Any]], set[asyncio.Task[Any]]]:
    """Cancel every task and give them *grace* virtual seconds to end; returns those that did and did not."""
    tasks = asyncio.all_tasks(loop)
    left = set(tasks)

    def ended(task: asyncio.Task[Any]) -> None:
        left.discard(task)
        if not left:
            loop.stop()

    for task in tasks:
        task.cancel("the simulation has ended")
        task.add_done_callback(ended)
    if tasks:
        patience = loop.call_later(grace, loop.stop)
        with suppress(Deadlock):
            loop.run_forever()
        patience.cancel()
    for task in left:
        task.remove_done_callback(ended)
    return tasks - left, left
