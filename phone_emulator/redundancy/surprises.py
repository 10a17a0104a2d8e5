"""What surprises the writer of a cfg file by the redundancy rules: the rules of ``check`` that need them."""

from __future__ import annotations

from collections.abc import Iterator

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.check import Rule, Surprise
from phone_emulator.config.diagnostic import Severity
from phone_emulator.config.model import AccountConfig, FailbackMode, PhoneConfig, TimerConfig

from .readings import open_readings, waiting_time
from .registration import refresh_delay
from .servers import Hop, hops, successive
from .waiting import wait_for


def _slow_while_primary_dead(account: AccountConfig, config: PhoneConfig) -> Iterator[Surprise]:
    """Rules F0 and C5."""
    first = next(iter(hops(account)), None)
    if first is None or is_ip(first.host) or first.failover.failback_mode is not FailbackMode.NEW_REQUESTS:
        return
    wait = wait_for("INVITE", first.failover, config.timers, first.transport, last=False)
    message = (
        "failback_mode 0 (newRequests) tries the primary first for each call: while it is silent, each one"
        f" waits {waiting_time(wait):g} s before it goes on; mode 3 remembers who answered"
    )
    keys = (f"{first.keys}.failback_mode", f"{first.keys}.address")
    yield Surprise("slow-while-primary-dead", Severity.HINT, keys, message)


def _no_retransmission(account: AccountConfig, config: PhoneConfig) -> Iterator[Surprise]:
    """Rules C5 and R2."""
    for hop in hops(account):
        if hop.failover.retry_counts == 0:  # the other key begins at 1
            keys = hop.keys_of("retry_counts")
            message = (
                f"{keys[0]} = 0 is taken for one send, and the target is left after T1 ="
                f" {config.timers.t1:g} s; no guide says what it means"
            )
            yield Surprise("no-retransmission", Severity.HINT, keys, message)


def _short_lease(account: AccountConfig, config: PhoneConfig) -> Iterator[Surprise]:
    """Rules R2, R4 and R8: a lease that runs out before its REGISTER has reached the last server."""
    over = hops(account)
    groups = [over] if successive(account) else [(hop,) for hop in over]
    for group in groups:
        for held in group:
            # The server that works is asked first; a name is taken for two targets.
            way = [held, *(hop for hop in group if hop is not held)]
            waits = list(_silent(way, config.timers))
            needed = sum(seconds for _, seconds in waits)
            lease = float(held.identity.expires)
            left = lease - refresh_delay(lease, account.register_expires_overlap)
            if needed <= left:
                continue
            each = ", ".join(f"{seconds:g} s for {who}" for who, seconds in waits)
            message = (
                f"a lease of {lease:g} s has {left:g} s left when it is renewed, but a REGISTER that meets"
                f" silence reaches the last target after {needed:g} s ({each}): the line is registered"
                f" nowhere for {needed - left:g} s"
            )
            keys = (f"sip_server.{held.identity.number}.expires", "register_expires_overlap")
            yield Surprise("short-lease", Severity.WARNING, keys, message)


def _silent(way: list[Hop], timers: TimerConfig) -> Iterator[tuple[str, float]]:
    """Who is waited for, and how long, before the last target of *way* is asked."""
    for place, hop in enumerate(way, 1):
        targets = [False] if place == len(way) else [False, True]
        for last in targets:
            if not last and is_ip(hop.host):
                continue
            wait = wait_for("REGISTER", hop.failover, timers, hop.transport, last=last)
            which = "the last target" if last else "the first target"
            yield hop.host if is_ip(hop.host) else f"{which} of {hop.host}", waiting_time(wait)


def _open_readings(account: AccountConfig, config: PhoneConfig) -> Iterator[Surprise]:
    """What public sources leave open (docs/fidelity.md), where a file sets what hangs on it."""
    for reading in open_readings(account, config.timers):
        message = f"{reading.rule}: {reading.message}"
        yield Surprise("open-reading", Severity.HINT, reading.keys, message, only_set=True)


RULES: tuple[Rule, ...] = (_slow_while_primary_dead, _no_retransmission, _short_lease, _open_readings)
