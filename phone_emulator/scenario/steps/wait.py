"""``wait``: let time pass."""

from __future__ import annotations

import asyncio

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Duration, Model
from phone_emulator.scenario.session import Session


class WaitStep(Model):
    """``wait``: let time pass."""

    time: Duration


async def act(session: Session, step: Step, args: WaitStep) -> None:
    """Let time pass."""
    await asyncio.sleep(args.time)


KIND = StepKind(
    name="wait",
    model=WaitStep,
    act=act,
    shorthand="time",
    says="Lets time pass: virtual time at once, on sockets as long as it takes.",
    example="wait: 5s",
    takes_time=False,
)
