"""``answer``: pick up a call that rings here."""

from __future__ import annotations

from phone_emulator.scenario.expectations import ENDING
from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.session import Session
from phone_emulator.scenario.worlds import OF_A_CALLER

from .on_call import OnCall, incoming_of


class AnswerStep(OnCall):
    """``answer``: pick up an incoming call."""


async def act(session: Session, step: Step, args: AnswerStep) -> None:
    """Pick up an incoming call; wait for the result."""
    call = incoming_of(session, args)
    call.answer()
    await call.settled()
    await session.phone.floor.quiet()


KIND = StepKind(
    name="answer",
    model=AnswerStep,
    act=act,
    says="Picks up a call that rings here, and waits for the result. A call that talks is held.",
    example="answer: {call: c1}",
    shorthand="call",
    where=OF_A_CALLER,
    takes_call=True,
    can_fail=True,
    ends_badly_by=ENDING,
)
