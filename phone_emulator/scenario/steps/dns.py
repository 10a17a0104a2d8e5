"""``dns``: another zone, or name servers that are silent or fail."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Model, Text
from phone_emulator.scenario.session import Session
from phone_emulator.scenario.worlds import OF_THE_LAB


class DnsStep(Model):
    """``dns``: another zone from now on, or name servers that are silent or fail."""

    zone: Text | None = None
    behaviour: Literal["ok", "silent", "servfail"] | None = None

    @model_validator(mode="after")
    def _something(self) -> DnsStep:
        if self.zone is None and self.behaviour is None:
            raise ValueError(
                "write 'zone' (a file or its text), 'behaviour' (ok, silent or servfail), or both"
            )
        return self


async def act(session: Session, step: Step, args: DnsStep) -> None:
    """Serve another zone, or none at all, from now on."""
    assert session.lab is not None
    if step.number in session.zones:
        session.lab.change_zone(session.zones[step.number])
    if args.behaviour is not None:
        await session.lab.dns_behave(args.behaviour)


KIND = StepKind(
    name="dns",
    model=DnsStep,
    act=act,
    shorthand="zone",
    where=OF_THE_LAB,
    says="The name server serves another zone (a file, relative to the scenario, or its text) from now on, "
    "or is silent, or fails. Both keys may be written, and one is.",
    example="dns: {behaviour: silent}",
    takes_time=False,
)
