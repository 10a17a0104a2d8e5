"""How tests wait: for what they want to see, however long the machine takes for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

NET = 120.0
"""Seconds after which a wait is given up: a net against hanging for ever, never a deadline to pass under."""
EARLY = 0.05
"""Seconds by which one clock may see the timer of another end too soon; too late there is none."""
_LOOK_AGAIN = 0.02

_Result = TypeVar("_Result")


async def patient(wanted: Awaitable[_Result]) -> _Result:
    """Await *wanted*; raises TimeoutError where it never comes."""
    async with asyncio.timeout(NET):
        return await wanted


async def until(condition: Callable[[], bool], what: str) -> None:
    """Let the event loop run until *condition* holds; raises TimeoutError naming *what*."""
    try:
        async with asyncio.timeout(NET):
            while not condition():  # noqa: ASYNC110 - of what happens elsewhere
                await asyncio.sleep(_LOOK_AGAIN)
    except TimeoutError:
        raise TimeoutError(f"waited {NET:g} s for: {what}") from None


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Block until *condition* holds; raises TimeoutError naming *what*."""
    end = time.monotonic() + NET
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {NET:g} s for: {what}")
        time.sleep(_LOOK_AGAIN)
