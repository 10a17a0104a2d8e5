"""How long a silent target is waited for (C5, C6, R2)."""

from __future__ import annotations

from enum import StrEnum

from phone_emulator.config.model import FailoverConfig, TimerConfig
from phone_emulator.events import Transport, Wait

DOCUMENTED_RETRY_COUNTS = 3
"""What ``retry_counts`` and ``invite_retry_counts`` are where nothing sets them."""


class Silence(StrEnum):
    """Which reading of the guide decides (``--silence``)."""

    AUTO = "auto"
    """A key that a file sets wins over the guide's 64*T1."""
    TIMER_B = "timer-b"
    """Always 64*T1."""
    RETRY_COUNTS = "retry-counts"
    """The keys, with their documented default of 3."""
    ATTEMPTS = "attempts"
    """The same keys, counted as sends in all and not as retransmissions."""


def wait_for(
    method: str,
    failover: FailoverConfig,
    timers: TimerConfig,
    transport: Transport,
    *,
    last: bool,
    silence: Silence = Silence.AUTO,
) -> Wait:
    """How long a silent target is waited for, and why.

    Args:
        method: of the request.
        failover: the keys of the target's server.
        timers: T1 and T2 of the phone.
        transport: of the target; over TCP and TLS the keys bound the connect, and 64*T1 the answer (C6).
        last: whether the target is the last of its server's list, which gets the full 64*T1.
        silence: the user's choice between the guides' readings.
    """
    full = 64 * timers.t1
    full_why = f"within 64*T1 = {full:.1f} s"
    key, count = (None, None) if last else _key_that_counts(method, failover, silence)
    if count is None:
        seconds, why = full, full_why
    else:
        repeated = max(count - 1, 0) if silence is Silence.ATTEMPTS else count
        seconds = _give_up_after(repeated, method, timers)
        noun, number = "retransmission", repeated
        if silence is Silence.ATTEMPTS:
            noun, number = "send", repeated + 1
        times = f"{number} {noun}{'s' * (number != 1)}"
        why = f"to {times} ({key} = {count}), given up at {seconds:.1f} s"
        if seconds >= full:
            why = full_why
    if not transport.reliable:
        return Wait(seconds, why)
    connect_why = full_why if seconds == full else f"within {seconds:.1f} s ({key} = {count})"
    return Wait(full, full_why, connect=seconds, connect_why=connect_why)


def _key_that_counts(
    method: str, failover: FailoverConfig, silence: Silence
) -> tuple[str | None, int | None]:
    """The key that decides and its value; (None, None) where 64*T1 does."""
    if silence is Silence.TIMER_B:
        return None, None
    invite = method == "INVITE"
    if invite and failover.invite_retry_counts is not None:
        return "invite_retry_counts", failover.invite_retry_counts
    if failover.retry_counts is not None:
        return "retry_counts", failover.retry_counts
    if not invite:
        return "retry_counts", DOCUMENTED_RETRY_COUNTS
    if silence in (Silence.RETRY_COUNTS, Silence.ATTEMPTS):
        return "invite_retry_counts", DOCUMENTED_RETRY_COUNTS
    return None, None


def _give_up_after(count: int, method: str, timers: TimerConfig) -> float:
    """When retransmission *count* + 1 would be due (RFC 3261 timers A and E), never later than 64*T1."""
    full = 64 * timers.t1
    due, interval = 0.0, timers.t1
    for _ in range(count + 1):
        due += interval
        interval *= 2
        if method != "INVITE":
            interval = min(interval, timers.t2)
        if due >= full:
            return full
    return due
