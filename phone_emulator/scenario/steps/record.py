"""``record``: write what is said and heard in a call to a file."""

from __future__ import annotations

from phone_emulator.media.sides import Side
from phone_emulator.phone import CallError
from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import NewFile
from phone_emulator.scenario.session import Session, Tape

from .on_call import OnCall, call_of


class RecordStep(OnCall):
    """``record``: from now on."""

    file: NewFile
    side: Side = "both"


async def act(session: Session, step: Step, args: RecordStep) -> None:
    """Begin to record; a recording of the call into another file ends."""
    call = call_of(session, args)
    if call.voice.heard is None or call.ended is not None:
        raise CallError(f"the call is {call.state}: there is no sound to record")
    now = session.world.now()
    for tape in session.tapes:
        if tape.call is call:
            tape.stop(now)
    session.tapes.append(Tape(call, args.file, args.side, now))


KIND = StepKind(
    name="record",
    model=RecordStep,
    act=act,
    shorthand="file",
    of_sound=True,
    says="Writes what is said and heard in the call from now on to a WAV file, until the call ends or is "
    "recorded into another one; the last ten minutes of it. In stereo: left what is said, right what is "
    "heard; `side` takes one of them. The file is there when the scenario has ended.",
    example="record: {call: c1, file: call.wav}",
    in_a_call=True,
    can_fail=True,
    takes_time=False,
)
