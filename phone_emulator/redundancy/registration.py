"""When the next REGISTER is due (R7, R8)."""

from __future__ import annotations

from phone_emulator.config.model import AccountConfig


def refresh_delay(lease: float, overlap: int) -> float:
    """Seconds after the 200 until the refresh (R8).

    Args:
        lease: seconds that the 200 granted.
        overlap: ``account.X.register_expires_overlap``, seconds before expiry, or -1.
    """
    if 0 < overlap < lease:
        return lease - overlap
    return lease - 60 if lease > 120 else lease / 2


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
