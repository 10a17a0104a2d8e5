"""``dtmf``: press keys during a call."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Text
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of


class DtmfStep(OnCall):
    """``dtmf``: keys pressed during a call."""

    digits: Annotated[Text, Field(pattern=r"^[0-9A-Da-d*#]+$")]


async def act(session: Session, step: Step, args: DtmfStep) -> None:
    """Press keys during a call."""
    await call_of(session, args).send_dtmf(args.digits)


KIND = StepKind(
    name="dtmf",
    model=DtmfStep,
    act=act,
    says="Presses keys during a call: `0` to `9`, `*`, `#` and `A` to `D`.",
    example='dtmf: {call: c1, digits: "12#"}',
    shorthand="digits",
    in_a_call=True,
    can_fail=True,
)
