"""``conference``: let two calls talk together."""

from __future__ import annotations

from pydantic import Field

from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Text
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of, named


class ConferenceStep(OnCall):
    """``conference``: the call, ``with`` another one, or with the newest other one that is up."""

    other: Text | None = Field(default=None, alias="with")


async def act(session: Session, step: Step, args: ConferenceStep) -> None:
    """Let the two talk together; wait until they do."""
    others = () if args.other is None else (named(session, args.other),)
    placed = await session.phone.confer(call_of(session, args), *others)
    if placed is not None:
        session.calls[placed.id] = placed


KIND = StepKind(
    name="conference",
    model=ConferenceStep,
    act=act,
    says="Lets the call talk together with another one (`with`; left out: the newest other one that is up), "
    "and waits until both talk: a call on hold is taken back. Each far end hears the other one and this "
    "phone. `hold` and `resume` of either are of both then, and `hangup` ends both. With "
    "`account.X.conf_type = 2` both are sent into the conference at a server, and end here.",
    example="conference: {call: c1}",
    shorthand="call",
    in_a_call=True,
    can_fail=True,
)
