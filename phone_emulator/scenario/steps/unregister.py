"""``unregister``: remove every live binding."""

from __future__ import annotations

import asyncio

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Line, Model
from phone_emulator.scenario.session import Session


class UnregisterStep(Model):
    """``unregister``. No line: every enabled one."""

    line: Line | None = None


async def act(session: Session, step: Step, args: UnregisterStep) -> None:
    """Remove every live binding of the line, or of all lines."""
    phone = session.phone
    lines = phone.lines.values() if args.line is None else [phone.line(args.line)]
    await asyncio.gather(*(line.registrar.unregister() for line in lines))


KIND = StepKind(
    name="unregister",
    model=UnregisterStep,
    act=act,
    shorthand="line",
    says="Removes every live binding of the line, or of every line, and waits for the answers.",
    example="unregister: {line: 1}",
    every_line=True,
    registers=True,
)
