"""The system's clock: it goes on while the machine sleeps, and knows nothing of dates.

Linux's monotonic clock, which event loops go by, stands still during a suspend. The leases that registrars
hold do not, nor do answers from DNS or the sessions of calls. The wall clock is not asked: whoever sets it
(NTP, a user) would make timers early, late, or both.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

read: Callable[[], float] = time.monotonic
"""The machine's clock; elsewhere than on Linux the monotonic one, whatever that does in a suspend."""
if sys.platform == "linux":
    read = partial(time.clock_gettime, time.CLOCK_BOOTTIME)


def seconds() -> float:
    """Seconds since the machine was started, suspended or not."""
    return read()


def slept() -> float:
    """Of those, the seconds that event loops do not count: two readings differ by what the machine slept."""
    return read() - time.monotonic()
