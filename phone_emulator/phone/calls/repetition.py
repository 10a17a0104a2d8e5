"""Responses that are repeated until acknowledged (RFC 3261 section 13.3.1.4, RFC 3262 section 3)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


async def repeated(
    send: Callable[[], None], over: asyncio.Event, *, t1: float, longest: float = math.inf
) -> bool:
    """Call *send* at 0, T1, 3*T1, 7*T1, … until *over* is set; False where it has to be set after 64*T1.

    Args:
        send: sends the response.
        over: it is acknowledged, or of no use any more.
        t1: seconds.
        longest: seconds between two repetitions, at most.
    """
    limit = 64 * t1
    interval, waited = t1, 0.0
    while waited < limit:
        send()
        try:
            async with asyncio.timeout(interval):
                await over.wait()
            return True
        except TimeoutError:
            waited += interval
            interval = min(2 * interval, longest, limit - waited)
    over.set()
    return False
