"""What public sources leave open of the real phone, where a figure hangs on it (``docs/fidelity.md``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import AccountConfig, FailbackMode, FailoverConfig, TimerConfig
from phone_emulator.events import Transport, Wait

from .registration import refresh_delay
from .servers import Hop, hops
from .waiting import Silence, wait_for

REACTION_SEEN = 0.07
"""Seconds from a 503 to the next INVITE in the one public trace that shows both (``--reaction``)."""
LONGEST_REFRESH = 900.0
"""Seconds between two REGISTERs at most, as some traces read."""


def waiting_time(wait: Wait) -> float:
    """Seconds until a target is left from which nothing comes back at all."""
    return wait.seconds if wait.connect is None else wait.connect


def other_waits(
    method: str,
    failover: FailoverConfig,
    timers: TimerConfig,
    transport: Transport,
    *,
    last: bool,
    silence: Silence = Silence.AUTO,
) -> dict[str, float]:
    """How long a silent target is waited for by the readings that differ from *silence* (C5, R2).

    Seconds, by the name of the reading; the arguments are those of `wait_for`. ``auto`` is always one of the
    others, and not named beside them.
    """
    found = {
        reading: waiting_time(wait_for(method, failover, timers, transport, last=last, silence=reading))
        for reading in Silence
    }
    return {
        str(reading): seconds
        for reading, seconds in found.items()
        if reading is not Silence.AUTO and seconds != found[silence]
    }


def told_of_waits(waits: Mapping[str, float]) -> str:
    """``7.5 s by retry-counts, 3.5 s by attempts``: *waits*, for people."""
    return ", ".join(f"{seconds:.1f} s by {reading}" for reading, seconds in waits.items())


@dataclass(frozen=True, slots=True)
class Reading:
    """A question that public sources leave open, and what hangs on it for one line."""

    rule: str
    """``C5``."""
    keys: tuple[str, ...]
    """Below ``account.X``, those that a figure comes from."""
    message: str
    """One sentence for people: what is in force, and what the other readings would make of it."""
    in_force: float | None = None
    """Seconds."""
    others: Mapping[str, float] | None = None
    """Seconds, by the name of the reading."""

    def as_json(self) -> dict[str, Any]:
        """The reading as ``explain --format json`` prints it."""
        return {
            "rule": self.rule,
            "message": self.message,
            "in_force": self.in_force,
            "others": dict(self.others or {}),
        }


def open_readings(
    account: AccountConfig, timers: TimerConfig, silence: Silence = Silence.AUTO
) -> Iterator[Reading]:
    """The questions that are open for *account*, whose answer would change what it does and when."""
    for hop in hops(account):
        if not is_ip(hop.host):  # only a name can have a target that is not the last one
            yield from _waits(hop, timers, silence)
            yield from _failback(hop, timers, silence)
    yield from _refresh(account)


def reaction_reading(account: AccountConfig, reaction: float) -> Iterator[Reading]:
    """How soon the phone acts on an answer, where *account* has somewhere to go on to."""
    over = hops(account)
    if reaction == 0 and (len(over) > 1 or any(not is_ip(hop.host) for hop in over)):
        message = (
            "the phone moves on at once from a server that answers 503; one trace shows about"
            f" {REACTION_SEEN * 1000:.0f} ms from the answer to the next request (--reaction)"
        )
        yield Reading("C2", (), message, 0.0, {"one trace": REACTION_SEEN})


def _waits(hop: Hop, timers: TimerConfig, silence: Silence) -> Iterator[Reading]:
    own, transport = hop.keys, hop.transport
    for rule, method, name in (("C5", "INVITE", "a call"), ("R2", "REGISTER", "a REGISTER")):
        wait = wait_for(method, hop.failover, timers, transport, last=False, silence=silence)
        others = other_waits(method, hop.failover, timers, transport, last=False, silence=silence)
        if others:
            seconds = waiting_time(wait)
            message = (
                f"{name} waits {seconds:.1f} s for a silent target of {own} that is not its last; the guides"
                f" can be read otherwise: {told_of_waits(others)} (--silence)"
            )
            names = ("invite_retry_counts", "retry_counts") if method == "INVITE" else ("retry_counts",)
            keys = hop.keys_of(*names) + ((f"{own}.address",) if method == "INVITE" else ())
            yield Reading(rule, keys, message, seconds, others)


def _failback(hop: Hop, timers: TimerConfig, silence: Silence) -> Iterator[Reading]:
    own, mode = hop.keys, hop.failover.failback_mode
    keys = hop.keys_of("failback_mode")
    if mode is FailbackMode.NEW_REQUESTS:
        return
    if not hop.failover.register_on_enable:
        wait = wait_for("INVITE", hop.failover, timers, hop.transport, last=False, silence=silence)
        seconds = waiting_time(wait)
        message = (
            f"after a failover of {own} the next calls go first to the target that worked last; if the phone"
            f" goes to the one that it registered at last, each waits {seconds:.1f} s for a silent primary"
            " until the REGISTER has moved, too"
        )
        yield Reading("F4", keys, message, 0.0, {"last-registered": seconds})
    if mode is FailbackMode.DNS_TTL:
        message = (
            f"{own}.failback_mode = 1 goes back when the A record that was looked up runs out; if its TTL"
            " counts from the failover, that is up to one TTL later"
        )
        yield Reading("F1", keys, message)


def _refresh(account: AccountConfig) -> Iterator[Reading]:
    if account.register_expires_overlap > 0:
        return
    for server in account.servers:
        lease = float(server.expires)
        in_force = refresh_delay(lease, account.register_expires_overlap)
        found = {
            "90-percent": lease * 9 / 10,
            "60-s-before": lease - 60,
            "at-most-900-s": min(in_force, LONGEST_REFRESH),
        }
        others = {name: seconds for name, seconds in found.items() if 0 < seconds != in_force}
        if others:
            said = ", ".join(f"{seconds:g} s ({_HOW[name]})" for name, seconds in others.items())
            message = (
                f"a lease of sip_server.{server.number}.expires = {lease:g} s is renewed after"
                f" {in_force:g} s; other readings: {said}"
            )
            keys = (f"sip_server.{server.number}.expires", "register_expires_overlap")
            yield Reading("R8", keys, message, in_force, others)


_HOW = {
    "90-percent": "at 90% of it",
    "60-s-before": "60 s before its end, however short",
    "at-most-900-s": "at most 900 s apart",
}
