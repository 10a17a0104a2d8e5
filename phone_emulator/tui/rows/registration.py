"""The lines, and for each of its servers: registered where, and how long that has left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_emulator.events import LampState, RegistrationState
from phone_emulator.tui.spans import clock
from phone_emulator.tui.words import NOWHERE, REGISTRATION, UNREACHABLE

if TYPE_CHECKING:
    from phone_emulator.events import MessagesWaiting
    from phone_emulator.phone.line import Line
    from phone_emulator.phone.presence.blf import Lamp
    from phone_emulator.phone.registration.binding import Binding
    from phone_emulator.phone.registration.health import LineHealth, TargetHealth

SYMBOLS = {
    RegistrationState.UNREGISTERED: "·",
    RegistrationState.REGISTERING: "…",
    RegistrationState.REGISTERED: "✓",
    RegistrationState.FAILED: "✗",
    RegistrationState.UNREGISTERING: "…",
}
_UNREACHABLE = "!"


@dataclass(frozen=True, slots=True)
class BindingRow:
    """A line's registration at one server."""

    symbol: str
    word: str
    """``Registered``, ``Register failed!``."""
    role: str
    """``primary``; ``server 1`` while nobody knows which target."""
    place: str
    """``192.168.1.13:5060/udp``, or the server as configured."""
    lease: str
    """``59:12 left, refresh in 58:12``, ``next try in 00:24``."""
    reason: str
    working: bool
    """Whether calls start here."""
    unreachable: str = ""
    """Why calls may not come from here; empty if they do."""


@dataclass(frozen=True, slots=True)
class TroubleRow:
    """A target that failed last."""

    role: str
    place: str
    when: str
    """``failed 02:10 ago, worked 05:00 ago``."""
    why: str


@dataclass(frozen=True, slots=True)
class LampRow:
    """A BLF key."""

    label: str
    word: str
    """``ringing``, ``talking with Bob``."""
    busy: bool
    """Whether the watched number is in a call."""


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line."""

    number: int
    label: str
    who: str
    """``Alice 1001@yealink.pbx.com``."""
    word: str
    """Of its best registration."""
    registered: bool
    chosen: bool
    """Whether the next call goes out on it."""
    bindings: tuple[BindingRow, ...]
    troubles: tuple[TroubleRow, ...]
    """Targets that did not respond correctly when they were asked last."""
    mail: str = ""
    """``2 New Voice Mail(s)``; empty for none."""
    lamps: tuple[LampRow, ...] = ()
    """Its BLF keys."""
    unreachable: bool = False
    """Whether calls may not reach it at one of the servers where it is registered."""


def line_rows(lines: Iterable[Line], now: float, chosen: int | None) -> list[LineRow]:
    """Every line with its registrations at *now*, seconds; *chosen* is the line of the next call."""
    return [_line_row(line, now, line.number == chosen) for line in lines]


def _line_row(line: Line, now: float, chosen: bool) -> LineRow:
    account, bindings, health = line.account, line.bindings, line.health()
    working = bindings.working_server
    rows = tuple(_binding_row(binding, now, binding.number == working) for binding in bindings)
    states = [binding.state for binding in bindings]
    best = next((state for state in _BEST_FIRST if state in states), RegistrationState.UNREGISTERED)
    host = account.domain or (account.servers[0].address if account.servers else "no server")
    return LineRow(
        number=line.number,
        label=account.shown_label,
        who=f"{account.display_name} {account.user}@{host}".strip(),
        word=_word(health, best),
        registered=any(binding.live for binding in bindings),
        chosen=chosen,
        bindings=rows,
        troubles=tuple(_trouble_row(target, now) for target in health.targets if not target.works),
        mail=_mail(line.mailbox.told),
        lamps=tuple(_lamp_row(lamp) for lamp in line.subscriptions.lamps),
        unreachable=bool(health.unreachable),
    )


def _word(health: LineHealth, best: RegistrationState) -> str:
    if health.registered_nowhere and best in _GIVEN_UP:
        return NOWHERE
    if health.unreachable and best is RegistrationState.REGISTERED:
        return UNREACHABLE
    return REGISTRATION[best]


def _mail(mailbox: MessagesWaiting | None) -> str:
    if mailbox is None or not mailbox.waiting:
        return ""
    return f"{mailbox.new} New Voice Mail(s)" if mailbox.new else "New Voice Mail(s)"


def _lamp_row(lamp: Lamp) -> LampRow:
    busy = lamp.state not in (LampState.IDLE, LampState.UNKNOWN)
    word = f"{lamp.state} with {lamp.remote}" if lamp.remote else str(lamp.state)
    return LampRow(lamp.label or f"key {lamp.key.index}", word, busy)


_BEST_FIRST = (
    RegistrationState.REGISTERED,
    RegistrationState.UNREGISTERING,
    RegistrationState.REGISTERING,
    RegistrationState.FAILED,
    RegistrationState.UNREGISTERED,
)


_GIVEN_UP = (RegistrationState.FAILED, RegistrationState.UNREGISTERED)


def _trouble_row(health: TargetHealth, now: float) -> TroubleRow:
    target = health.target
    when = f"failed {clock(now - (health.failed_at or now))} ago"
    if health.worked_at is not None:
        when += f", worked {clock(now - health.worked_at)} ago"
    place = f"{target.remote}/{target.transport}" if target.address else target.host
    return TroubleRow(target.role, place, when, health.why)


def _binding_row(binding: Binding, now: float, working: bool) -> BindingRow:
    target = binding.target
    if target is not None:
        role, place = target.role, f"{target.remote}/{target.transport}"
    else:
        role, place = f"server {binding.number}", binding.server.address
    unreachable = binding.reach.unreachable
    return BindingRow(
        symbol=_UNREACHABLE if unreachable else SYMBOLS[binding.state],
        word=REGISTRATION[binding.state],
        role=role,
        place=place,
        lease=_lease(binding, now),
        reason=binding.reason,
        working=working,
        unreachable=unreachable,
    )


def _lease(binding: Binding, now: float) -> str:
    if binding.target is None or binding.expires_at is None:
        if binding.next_at is not None and binding.next_at > now:
            return f"next try in {clock(binding.next_at - now)}"
        return ""
    left = f"{clock(max(binding.expires_at - now, 0.0))} left"
    if binding.refresh_at is not None:
        left += f", refresh in {clock(binding.refresh_at - now)}"
    return left
