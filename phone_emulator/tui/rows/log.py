"""The log: what happened, a line an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from phone_emulator.events import (
    AttemptEnded,
    AttemptStarted,
    CallChanged,
    CheckSync,
    DnsAnswered,
    Event,
    MessageIgnored,
    Outcome,
    ProvisioningState,
    ProvisioningStep,
    RegistrationChanged,
    RegistrationState,
    ServerChanged,
)
from phone_emulator.tui.words import REGISTRATION


@dataclass(frozen=True, slots=True)
class LogRow:
    """An event."""

    at: float
    """Seconds since the world began."""
    topic: str
    """``DNS``, ``line 1``, ``call-1``, ``lab``."""
    text: str
    bad: bool = False


def log_rows(events: Iterable[Event]) -> list[LogRow]:
    """A row for each event that says something, oldest first."""
    return [row for row in map(_row, events) if row is not None]


def _row(event: Event) -> LogRow | None:
    match event:
        case DnsAnswered(name=name, rdtype=rdtype, source=source, answer=answer):
            return LogRow(event.at, "DNS", f"{rdtype} {name}: {answer} ({source})")
        case AttemptStarted(attempt=attempt) if attempt.outcome is not Outcome.SKIPPED:
            return LogRow(event.at, _who(event), f"{attempt.method} to {attempt.target}")
        case AttemptEnded(call=None, attempt=attempt) if attempt.outcome is Outcome.ANSWERED:
            return None  # the registration that follows says it
        case RegistrationChanged(state=RegistrationState.REGISTERING):
            return None  # the attempt that follows says it
        case AttemptEnded(attempt=attempt):
            bad = attempt.outcome is not Outcome.ANSWERED
            return LogRow(event.at, _who(event), f"{attempt.target.role}: {attempt.detail}", bad)
        case RegistrationChanged(line=line, state=state, reason=reason):
            word = REGISTRATION[state]
            return LogRow(event.at, f"line {line}", f"{word}: {reason}", state is RegistrationState.FAILED)
        case CallChanged(call=call, state=state, reason=reason):
            return LogRow(event.at, call, f"{state}: {reason}")
        case ServerChanged(server=server, behaviour=behaviour):
            return LogRow(event.at, "lab", f"{server} is now {behaviour}", behaviour != "ok")
        case ProvisioningStep(state=state, location=location, reason=reason):
            bad = state in (ProvisioningState.FAILED, ProvisioningState.RETRYING)
            return LogRow(event.at, "files", f"{state} {location}: {reason}", bad)
        case CheckSync(remote=remote, reboot=reboot):
            return LogRow(event.at, "files", f"check-sync from {remote}{', with a reboot' if reboot else ''}")
        case MessageIgnored(remote=remote, transport=transport, reason=reason):
            return LogRow(event.at, "wire", f"ignored from {remote}/{transport}: {reason}", True)
        case _:
            return None


def _who(event: AttemptStarted | AttemptEnded) -> str:
    return event.call or f"line {event.line}"
