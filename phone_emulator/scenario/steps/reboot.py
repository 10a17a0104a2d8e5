"""``reboot``: the phone restarts."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Model
from phone_emulator.scenario.session import Session


class RebootStep(Model):
    """``reboot``: the phone restarts; calls end, registrations are kept or dropped as its files say."""


async def act(session: Session, step: Step, args: RebootStep) -> None:
    """Restart the phone."""
    await session.reboot()


KIND = StepKind(
    name="reboot",
    model=RebootStep,
    act=act,
    says="The phone restarts and registers anew: calls end, registrations are kept or dropped as its files "
    "say (`account.X.unregister_on_reboot`).",
    example="reboot: {}",
    every_line=True,
    ends_badly_by=("registered",),
)
