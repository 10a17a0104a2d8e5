"""``hangup``: end a call."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of


class HangupStep(OnCall):
    """``hangup``: BYE, CANCEL or a refusal, as the call's state asks for."""


async def act(session: Session, step: Step, args: HangupStep) -> None:
    """End the call as its state asks for: BYE, CANCEL or a refusal."""
    await session.phone.hang_up(call_of(session, args))


KIND = StepKind(
    name="hangup",
    model=HangupStep,
    act=act,
    says="Ends the call as its state asks for: BYE, CANCEL, or a refusal while it rings here.",
    example="hangup: {call: c1}",
    shorthand="call",
    can_fail=True,
)
