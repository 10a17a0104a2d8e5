"""``resume``: take the far end back."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of


class ResumeStep(OnCall):
    """``resume``."""


async def act(session: Session, step: Step, args: ResumeStep) -> None:
    """Take the far end back."""
    await call_of(session, args).resume()
    await session.phone.floor.quiet()


KIND = StepKind(
    name="resume",
    model=ResumeStep,
    act=act,
    says="Takes the far end back from hold, and waits for its answer. Another call that talks is held.",
    example="resume: {call: c1}",
    shorthand="call",
    in_a_call=True,
    can_fail=True,
)
