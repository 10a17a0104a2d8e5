"""``incoming``: somebody calls the phone."""

from __future__ import annotations

from pydantic import Field

from phone_emulator.lab.calling import Refused, call_in
from phone_emulator.phone import Call
from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Line, Model, ServerName, Text
from phone_emulator.scenario.session import RefusedCall, Session
from phone_emulator.scenario.worlds import OF_THE_LAB


class IncomingStep(Model):
    """``incoming``: somebody calls the phone, through the server named, or where it is registered."""

    line: Line = 1
    caller: Text = Field(default="1000", alias="from")
    id: Text | None = None
    """Given by the reader where the file gives none."""
    server: ServerName | None = None


async def act(session: Session, step: Step, args: IncomingStep) -> None:
    """Somebody calls the phone; wait until it rings, or until the caller has been refused."""
    assert session.lab is not None
    assert args.id is not None
    try:
        call = await call_in(session.lab, session.phone, args.line, args.server, args.caller)
    except Refused as error:
        if isinstance(error.refused, Call):
            session.calls[args.id] = error.refused
        else:
            session.refused[args.id] = RefusedCall(error.refused)
        raise
    session.calls[args.id] = call


KIND = StepKind(
    name="incoming",
    model=IncomingStep,
    act=act,
    shorthand="from",
    where=OF_THE_LAB,
    says="Somebody calls the line, through the server named or where it is registered, and the step waits "
    "until the phone rings or refuses. A refusal without ringing (forwarded, do not disturb, busy, "
    "anonymous) is a result like others.",
    example='incoming: {line: 1, from: "1005", id: c2}',
    makes_call=True,
    unanswered=True,
    can_fail=True,
)
