"""A simulated world that moves only while somebody waits for it.

Theory of operation: the world runs in a thread of its own, and its main task takes one order after another
from a queue. Taking one blocks the world's event loop, so between two orders virtual time stands still, and
the thread that gives the orders may look at everything in the world: the two never run at the same time.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from phone_emulator.world import SimulatedWorld

_Result = TypeVar("_Result")
_Order = Callable[[], Awaitable[Any]]

ROUNDS = 200
"""How often what is ready is let run after an order, so that all that follows at once has happened."""


class Stepper:
    """Gives orders to *world*, which must not have run yet."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="simulated world", daemon=True)
        self._thread.start()
        self._over = ""
        """Why there are no more answers."""

    def do(self, order: Callable[[], Awaitable[_Result]]) -> _Result:
        """Let the world run until *order* is done; returns what it returns, raises what it raises.

        Raises RuntimeError once the world has ended, and Deadlock where nothing can ever happen again.
        """
        __tracebackhide__ = True
        if self._over:
            raise RuntimeError(self._over)
        self._orders.put(order)
        result, error = self._answers.get()
        if not self._thread.is_alive() and not self._over:
            self._over = "the simulated world has ended"
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def stop(self) -> None:
        """End the world; raises what a task of it raised that nobody waited for. May be called again."""
        if self._over:
            return
        self._over = "the simulated world was stopped"
        self._orders.put(None)
        _, error = self._answers.get()
        self._thread.join()
        if error is not None:
            raise error

    def _run(self) -> None:
        try:
            self._world.run(self._obey())
        except BaseException as error:  # whatever it is, the thread that gives the orders is told
            self._answers.put((None, error))
        else:
            self._answers.put((None, None))

    async def _obey(self) -> None:
        while (order := self._orders.get()) is not None:
            result, failure = None, None
            try:
                result = await order()
            except Exception as error:
                failure = error
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
            self._answers.put((result, failure))
