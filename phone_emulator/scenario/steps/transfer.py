"""``transfer``: send the far end elsewhere."""

from __future__ import annotations

from pydantic import Field, model_validator

from phone_emulator.phone.transfer.transfer import transfer_blind, transfer_to
from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Number, Text
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of, named


class TransferStep(OnCall):
    """``transfer``: blind, ``to`` a number, or attended, ``with`` another call."""

    to: Number | None = None
    other: Text | None = Field(default=None, alias="with")

    @model_validator(mode="after")
    def _one_way(self) -> TransferStep:
        if (self.to is None) == (self.other is None):
            raise ValueError("write either 'to', a number (blind), or 'with', another call's id (attended)")
        return self


async def act(session: Session, step: Step, args: TransferStep) -> None:
    """Send the far end to a number, or join it with that of another call; wait for how it ends."""
    found = call_of(session, args)
    if args.to is not None:
        await transfer_blind(found, args.to)
    else:
        await transfer_to(found, named(session, args.other))


KIND = StepKind(
    name="transfer",
    model=TransferStep,
    act=act,
    says="Sends the far end to a number (`to`, blind), or joins it with the far end of another call (`with`, "
    "attended), and waits for how that ends; fails where the far end says no. One of the two keys is "
    "written.",
    example='transfer: {call: c1, to: "1003"}',
    in_a_call=True,
    can_fail=True,
)
