"""The log: what happened, a line an event."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from phone_emulator.events import (
    AddressChanged,
    AttemptEnded,
    AttemptStarted,
    BlfChanged,
    CallChanged,
    CallForwarded,
    CheckSync,
    CodecsNotSpoken,
    ConferenceChanged,
    DigitReceived,
    DnsAnswered,
    Event,
    InternalFault,
    LiveSound,
    MediaChanged,
    MediaMeasured,
    MessageIgnored,
    MessagesWaiting,
    Outcome,
    ProvisioningState,
    ProvisioningStep,
    RegistrationChanged,
    RegistrationState,
    RtpIgnored,
    ServerChanged,
    Shortage,
    SubscriptionChanged,
    SubscriptionState,
    TextReceived,
    ToneHeard,
    TransferChanged,
    TransferState,
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
        case AddressChanged(now=now, reason=reason):
            return LogRow(event.at, "address", reason, not now)
        case CallChanged(call=call, state=state, reason=reason, ended=end):
            in_vain = end is not None and end.answered is False
            return LogRow(event.at, call, f"{state}: {reason}", in_vain)
        case CodecsNotSpoken(line=line, reason=reason):
            return LogRow(event.at, f"line {line}", reason)
        case MediaChanged(call=call, reason=reason):
            return LogRow(event.at, call, reason)
        case RtpIgnored(call=call):
            return LogRow(event.at, call, str(event), True)
        case TransferChanged(line=line, call=call, state=state, to=to, reason=reason):
            failed = state is TransferState.FAILED
            return LogRow(event.at, call or f"line {line}", f"transfer to {to} {state}: {reason}", failed)
        case CallForwarded(line=line, remote=remote, reason=reason):
            return LogRow(event.at, f"line {line}", f"{remote} calls: {reason}")
        case MessagesWaiting(line=line, new=new, old=old):
            return LogRow(event.at, f"line {line}", f"voice mail: {new} new, {old} old")
        case SubscriptionChanged(line=line, event=package, about=about, state=state, reason=reason):
            ended = state is SubscriptionState.ENDED
            what = f"{package} of {about}" if about else package
            return LogRow(event.at, f"line {line}", f"{what}: {reason}", ended)
        case BlfChanged(line=line, key=key, number=number, state=lamp, remote=remote):
            told = f"{lamp} with {remote}" if remote else str(lamp)
            return LogRow(event.at, f"line {line}", f"key {key}, {number}: {told}")
        case TextReceived(line=line, sender=sender, text=text):
            return LogRow(event.at, f"line {line}", f"text message from {sender}: {text}")
        case ConferenceChanged(reason=reason):
            return LogRow(event.at, "conference", reason)
        case DigitReceived(call=call) | ToneHeard(call=call) | MediaMeasured(call=call, last=True):
            return LogRow(event.at, call, str(event))
        case LiveSound(on=on, reason=reason):
            return LogRow(event.at, "sound", reason, not on)
        case InternalFault():
            return LogRow(event.at, "fault", str(event), True)
        case Shortage():
            return LogRow(event.at, "machine", str(event), True)
        case ServerChanged(server=server, behaviour=behaviour):
            return LogRow(event.at, "lab", f"{server} is now {behaviour}", behaviour != "ok")
        case ProvisioningStep(state=state, location=location, reason=reason):
            bad = state in (ProvisioningState.FAILED, ProvisioningState.RETRYING)
            return LogRow(event.at, "files", f"{state} {location}: {reason}", bad)
        case CheckSync(remote=remote, reboot=reboot):
            return LogRow(event.at, "files", f"check-sync from {remote}{', with a reboot' if reboot else ''}")
        case MessageIgnored(remote=remote, transport=transport, reason=reason, status=status):
            what = (
                f"refused with {status}, from"
                if status
                else "not sent to"
                if event.outwards
                else "ignored from"
            )
            return LogRow(event.at, "wire", f"{what} {remote}/{transport}: {reason}", True)
        case _:
            return None


def _who(event: AttemptStarted | AttemptEnded) -> str:
    return event.call or f"line {event.line}"
