"""Work in the background: each task and each timer has a name and an owner, and none of it ends unseen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from .base import TimerHandle, World

_Result = TypeVar("_Result")
OnFault = Callable[[Exception], None]
"""Settles what others wait for, after something has raised."""


class Tasks:
    """The background work of one owner.

    Args:
        world: its clock, and where its faults are told.
        owner: whose work it is, for people: ``line 1``, ``call-1``.
        on_fault: settles what others wait for where the work has raised.
    """

    def __init__(self, world: World, owner: str, on_fault: OnFault | None = None) -> None:
        self._world = world
        self._owner = owner
        self._on_fault = on_fault
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(
        self,
        work: Coroutine[Any, Any, _Result],
        name: str,
        *,
        on_fault: OnFault | None = None,
        expected: tuple[type[Exception], ...] = (),
    ) -> asyncio.Task[_Result]:
        """Run *work* beside everything else.

        Args:
            work: it may be cancelled.
            name: for people: ``the registration at server 1``.
            on_fault: instead of the owner's.
            expected: no faults, since whoever awaits the task deals with them.
        """
        task = asyncio.create_task(work, name=f"{name} of {self._owner}")
        self._running.add(task)
        settle = on_fault or self._on_fault

        def ended(task: asyncio.Task[_Result]) -> None:
            self._running.discard(task)
            error = None if task.cancelled() else task.exception()
            if isinstance(error, Exception) and not isinstance(error, expected):
                self.fault(error, name, settle)

        task.add_done_callback(ended)
        return task

    def call_at(
        self, when: float, callback: Callable[[], None], name: str, *, on_fault: OnFault | None = None
    ) -> TimerHandle:
        """Call *callback* when the world's clock shows *when*; what it raises is a fault of the owner.

        *name* and *on_fault* are as for `spawn`.
        """

        def ring() -> None:
            with self.guarded(name, on_fault=on_fault):
                callback()

        ring.__wrapped__ = callback  # type: ignore[attr-defined]  # what the world tells of its timers
        return self._world.call_at(when, ring)

    @contextlib.contextmanager
    def guarded(
        self, name: str, *, on_fault: OnFault | None = None, expected: tuple[type[Exception], ...] = ()
    ) -> Iterator[None]:
        """What is done within is the owner's: what it raises goes no further, unless it is *expected*."""
        try:
            yield
        except expected:
            raise
        except Exception as error:
            self.fault(error, name, on_fault or self._on_fault)

    def fault(self, error: Exception, name: str, settle: OnFault | None = None) -> None:
        """Work of the owner raised *error*: tell it, then *settle* what others wait for."""
        self._world.faults.tell(error, name, self._owner)
        if settle is not None:
            try:
                settle(error)
            except Exception as further:
                self._world.faults.tell(further, f"settling {name}", self._owner)

    def cancel(self) -> None:
        """Cancel all of it, but the task that says so."""
        for task in self._others():
            task.cancel()

    async def stop(self, why: str | None = None) -> None:
        """Cancel all of it and wait for its end, but the task that says so.

        *why*, for people, is what the CancelledError within says.
        """
        others = self._others()
        for task in others:
            task.cancel(why)
        await asyncio.gather(*others, return_exceptions=True)

    def _others(self) -> list[asyncio.Task[Any]]:
        own = asyncio.current_task()
        return [task for task in self._running if task is not own]
