"""``expect`` alone: its expectation is judged."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Model
from phone_emulator.scenario.session import Session


class ExpectStep(Model):
    """``expect`` alone: the step does nothing, its expectation is judged."""


async def act(session: Session, step: Step, args: ExpectStep) -> None:
    """Do nothing: the expectation is judged."""


KIND = StepKind(
    name="expect",
    model=ExpectStep,
    act=act,
    says="Judges, and does nothing itself; with `within` it waits until the rest holds, no longer than that. "
    "Its keys are those of every expectation.",
    example="expect: {registered: [primary], within: 5s}",
)
