"""``call``: place a call and wait for its result."""

from __future__ import annotations

from phone_emulator.scenario.expectations import ENDING
from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Line, Model, Number, Text
from phone_emulator.scenario.session import Session


class CallStep(Model):
    """``call``: place a call and wait for its result, unless in the background."""

    line: Line = 1
    to: Number
    id: Text | None = None
    """Given by the reader where the file gives none."""
    background: bool = False


async def act(session: Session, step: Step, args: CallStep) -> None:
    """Place a call and wait for its result, unless in the background."""
    assert args.id is not None
    placed = session.phone.dial(args.to, args.line)
    session.calls[args.id] = placed
    if not args.background:
        await placed.settled()
        await session.phone.floor.quiet()


KIND = StepKind(
    name="call",
    model=CallStep,
    act=act,
    shorthand="to",
    says="Dials a number and waits for the result (answered, rejected, failed, cancelled), unless in the "
    "background. A call that talks is held, on whichever line. A number is dialled as it is written: quotes "
    "keep its zeros.",
    example='call: {line: 1, to: "1002", id: c1}',
    makes_call=True,
    ends_badly_by=ENDING,
)
