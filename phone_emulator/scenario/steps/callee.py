"""``callee``: what called users do from now on."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import CalleeValue, Model
from phone_emulator.scenario.session import Session
from phone_emulator.scenario.worlds import OF_THE_LAB


class CalleeStep(Model):
    """``callee``: what called users do from now on."""

    behaviour: CalleeValue


async def act(session: Session, step: Step, args: CalleeStep) -> None:
    """Let called users behave differently from now on."""
    assert session.lab is not None
    session.lab.callee.behaviour = args.behaviour


KIND = StepKind(
    name="callee",
    model=CalleeStep,
    act=act,
    shorthand="behaviour",
    short_mapping=True,
    where=OF_THE_LAB,
    says="Called users behave differently from now on; see [called users](#called-users).",
    example="callee: busy",
    takes_time=False,
)
