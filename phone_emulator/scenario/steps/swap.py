"""``swap``: hold one call and take the other back."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of


class SwapStep(OnCall):
    """``swap``."""


async def act(session: Session, step: Step, args: SwapStep) -> None:
    """Hold the call that talks and take another one back: the one named, or for it the next one."""
    await session.phone.swap(call_of(session, args))
    await session.phone.floor.quiet()


KIND = StepKind(
    name="swap",
    model=SwapStep,
    act=act,
    says="Holds the call that talks and takes another one back, and waits for the answers: the call "
    "named, where it is on hold, else the next one that is.",
    example="swap: {call: c1}",
    shorthand="call",
    in_a_call=True,
    can_fail=True,
)
