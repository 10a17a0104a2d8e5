"""``hold``: put the far end on hold."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of


class HoldStep(OnCall):
    """``hold``."""


async def act(session: Session, step: Step, args: HoldStep) -> None:
    """Put the far end on hold."""
    await call_of(session, args).hold()


KIND = StepKind(
    name="hold",
    model=HoldStep,
    act=act,
    says="Puts the far end on hold, and waits for its answer.",
    example="hold: {call: c1}",
    shorthand="call",
    in_a_call=True,
    can_fail=True,
)
