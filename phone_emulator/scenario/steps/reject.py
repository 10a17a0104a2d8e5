"""``reject``: refuse a call that rings here."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.session import Session
from phone_emulator.scenario.worlds import OF_A_CALLER

from .on_call import OnCall, incoming_of


class RejectStep(OnCall):
    """``reject``: refuse an incoming call."""


async def act(session: Session, step: Step, args: RejectStep) -> None:
    """Refuse an incoming call."""
    incoming_of(session, args).reject()


KIND = StepKind(
    name="reject",
    model=RejectStep,
    act=act,
    says="Refuses a call that rings here.",
    example="reject: {call: c1}",
    shorthand="call",
    where=OF_A_CALLER,
    takes_call=True,
    unanswered=True,
    can_fail=True,
    takes_time=False,
)
