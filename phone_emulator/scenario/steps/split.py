"""``split``: make calls of a conference again."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of


class SplitStep(OnCall):
    """``split``."""


async def act(session: Session, step: Step, args: SplitStep) -> None:
    """Make calls of the conference that the call is in again."""
    await session.phone.split(call_of(session, args))


KIND = StepKind(
    name="split",
    model=SplitStep,
    act=act,
    says="Makes calls of the conference that the call is in again, all of them on hold, and waits for the "
    "answers.",
    example="split: {call: c1}",
    shorthand="call",
    in_a_call=True,
    can_fail=True,
)
