"""Steps on a call: which call they mean."""

from __future__ import annotations

from phone_emulator.phone import Call, CallError, IncomingCall
from phone_emulator.scenario.schema import Model, Text
from phone_emulator.scenario.session import Session


class NeverMade(CallError):
    """A step is about a call that there is not, since the step that was to make it failed."""


class OnCall(Model):
    """A step on a call; no id: on the last call above."""

    call: Text | None = None


def named(session: Session, name: str | None) -> Call:
    """The call with the id *name*; raises CallError where it was refused, NeverMade where there is none."""
    found = session.calls.get(name or "")
    if found is not None:
        return found
    refused = session.refused.get(name or "")
    if refused is not None:
        raise CallError(f"the call {name!r} was refused: {refused.reason}")
    raise NeverMade(f"the call {name!r} was never made")


def call_of(session: Session, args: OnCall) -> Call:
    """The call that the step is on; raises CallError."""
    return named(session, args.call)


def incoming_of(session: Session, args: OnCall) -> IncomingCall:
    """The incoming call that the step is on; raises CallError."""
    found = call_of(session, args)
    if not isinstance(found, IncomingCall):
        raise CallError(f"the call {args.call!r} is none that rings here")
    return found
