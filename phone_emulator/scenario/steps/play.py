"""``play``: say something in a call."""

from __future__ import annotations

import asyncio
import math
from typing import Self

from pydantic import Field, model_validator

from phone_emulator.media.sound import Sound
from phone_emulator.media.tones import sine
from phone_emulator.media.wav import LONGEST
from phone_emulator.phone import CallError
from phone_emulator.scenario.kinds import StepKind
from phone_emulator.scenario.model import Step
from phone_emulator.scenario.schema import Hertz, Time, WavFile
from phone_emulator.scenario.session import Session

from .on_call import OnCall, call_of

LEVEL = -16.0
"""dBm0 of a tone: as loud as speech."""


class PlayStep(OnCall):
    """``play``: a file, or a tone."""

    file: WavFile | None = None
    tone: Hertz | None = None
    time: Time | None = Field(default=None, alias="for")
    """Seconds of the tone; None: on and on."""
    repeat: bool = False

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.file is None) is (self.tone is None):
            raise ValueError("it plays a file or a tone: {file: hello.wav}, or {tone: 440Hz, for: 2s}")
        if self.file is not None and self.time is not None:
            raise ValueError("'for' goes with a tone: a file is as long as it is")
        if self.tone is not None and self.repeat:
            raise ValueError("'repeat' goes with a file: a tone without 'for' goes on and on")
        if self.time is not None and self.time > LONGEST:
            raise ValueError(f"{LONGEST} s of a tone are the most; without 'for' it goes on and on")
        return self


async def act(session: Session, step: Step, args: PlayStep) -> None:
    """Say it, and wait until it has been said unless it goes on and on."""
    call = call_of(session, args)
    audio = call.voice.audio
    if audio is None or not audio.can_send:
        raise CallError(f"the call is {call.state}: nothing can be said")
    if args.file is not None:
        audio.play(args.file, repeat=args.repeat)
        lasts = None if args.repeat else args.file.seconds
    else:
        assert args.tone is not None
        audio.play(_tone(args.tone, audio.rate, args.time or 1.0), repeat=args.time is None)
        lasts = args.time
    if lasts is not None:
        await asyncio.sleep(lasts)


def _tone(hertz: int, rate: int, seconds: float) -> Sound:
    if 2 * hertz >= rate:
        raise CallError(f"{hertz} Hz are too high for the codec of the call")
    second = sine((hertz,), 1000, LEVEL, rate=rate)  # holds whole periods, so another one may follow
    return Sound(rate, (second * math.ceil(seconds))[: round(1000 * seconds) * rate // 1000])


KIND = StepKind(
    name="play",
    model=PlayStep,
    act=act,
    shorthand="file",
    of_sound=True,
    says="Says a WAV file, of any rate and width, or a tone (100 to 7000 Hz) to the far end, and waits until "
    "it has been said, ten minutes at most. A tone without `for`, or a file with `repeat`, goes on and on, "
    "and is not waited for. What was said before gives way; while this phone holds the far end, silence is "
    "sent in its place.",
    example="play: {call: c1, tone: 440Hz, for: 2s}",
    in_a_call=True,
    can_fail=True,
    takes_time=False,
)
