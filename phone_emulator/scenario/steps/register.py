"""``register``: register, and wait until the first cycle has ended."""

from __future__ import annotations

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Line, Model
from phone_emulator.scenario.session import Session


class RegisterStep(Model):
    """``register``. No line: every enabled one."""

    line: Line | None = None


async def act(session: Session, step: Step, args: RegisterStep) -> None:
    """Wait until the first cycle has ended, well or badly."""
    await session.phone.register(args.line)


KIND = StepKind(
    name="register",
    model=RegisterStep,
    act=act,
    shorthand="line",
    says="Registers the line, or every line, and waits until the first cycle has ended: registered, or every "
    "server tried. A scenario's phone starts unregistered.",
    example="register: {line: 1}",
    every_line=True,
    registers=True,
    ends_badly_by=("registered", "status", "via", "route"),
)
