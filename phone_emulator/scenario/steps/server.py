"""``server``: a server behaves differently from now on."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Model, OwnBehaviourValue, ServerName
from phone_emulator.scenario.session import Session
from phone_emulator.scenario.worlds import OF_THE_LAB


class ServerStep(Model):
    """``server``: it behaves differently from now on."""

    name: ServerName
    behaviour: OwnBehaviourValue


async def act(session: Session, step: Step, args: ServerStep) -> None:
    """Let a server behave differently from now on."""
    assert session.lab is not None
    await session.lab.behave(args.name, args.behaviour)


KIND = StepKind(
    name="server",
    model=ServerStep,
    act=act,
    where=OF_THE_LAB,
    says="A server of the file behaves differently from now on; see [behaviours](#behaviours).",
    example="server: {name: primary, behaviour: silent}",
    takes_time=False,
)
