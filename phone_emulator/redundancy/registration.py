"""When the next REGISTER is due (R7, R8, R15), and when it may go to a target that asked for time."""

from __future__ import annotations

from phone_emulator.config.model import AccountConfig

LEAST_GUESSED = 30.0
"""Seconds; a refresh that follows from a guess at the lease comes no sooner (R15)."""
LONGEST_REST = 600.0
"""Seconds that a Retry-After keeps REGISTERs from a target at most."""


def refresh_delay(lease: float, overlap: int, *, guessed: bool = False) -> float:
    """Seconds after the 200 until the refresh (R8).

    Args:
        lease: seconds that the 200 granted.
        overlap: ``account.X.register_expires_overlap``, seconds before expiry, or -1.
        guessed: whether it is not certain that the lease is the phone's own (R15).
    """
    delay = lease - 60 if lease > 120 else lease / 2
    if 0 < overlap < lease:
        delay = lease - overlap
    return max(delay, LEAST_GUESSED) if guessed else delay


def rest_after(retry_after: int | None) -> float:
    """Seconds that a target is not asked for its REGISTER, after a 503 to one (RFC 3261 section 20.33).

    *retry_after*: what its Retry-After says, or None. For calls it means nothing (C2).
    """
    return min(float(retry_after or 0), LONGEST_REST)


def retry_delay(account: AccountConfig, failures: int, fraction: float) -> float:
    """Seconds after everything failed until the next try (R7).

    Args:
        account: its retry keys.
        failures: consecutive failures so far, from 1.
        fraction: a random number in [0, 1], used by the RFC 5626 back-off only (section 4.5).
    """
    base = account.reg_failed_retry_min_time
    if base <= 0:
        return float(account.reg_fail_retry_interval)
    # The exponent is capped so that a phone that fails for weeks computes no giant numbers.
    upper = float(min(account.reg_failed_retry_max_time, base << min(failures, 32)))
    return upper / 2 + fraction * upper / 2
