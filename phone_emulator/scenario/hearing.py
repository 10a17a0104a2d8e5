"""Whether what was heard in a call is what a scenario expects.

Theory of operation: an expectation judges a window of the call's sound: what was heard while its step lasted,
or, where a step takes no time (``expect`` alone, ``server`` …), while the last step lasted that took some;
with ``for`` the last seconds, whichever steps they were in. A window too short for what is asked is a fault:
a silence of 200 ms cannot be in 100 ms of sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from phone_emulator.events.numbers import MediaNumbers
from phone_emulator.media.judgement import SHORTEST_TONE, SILENCE, level, longest_silence, strongest, tone
from phone_emulator.media.sound import Sound
from phone_emulator.phone import Call

from .bounds import GAP, LEVEL, LOST
from .schema import SILENT, AudioModel

_INSTANT = 0.001
"""Seconds by which sums of times differ that are the same."""

_UNDER_WAY = 0.1
"""Seconds at the beginning in which may still come what was sent before it, where silence is expected."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is judged."""

    sound: Sound | None
    """None: there is none to be judged."""
    why_not: str = ""
    """Why, for people."""
    numbers: MediaNumbers | None = None
    """How the sound of the whole call has fared so far."""


def listen(wanted: AudioModel, call: Call, far: Call | None, since: float, until: float) -> Heard:
    """What *wanted* is about.

    Args:
        wanted: the expectation.
        call: the phone's end of the call.
        far: the other one, where the lab has it.
        since: when the window begins where *wanted* names none, in seconds of the world.
        until: when it ends, where the call goes on.
    """
    ear = call if wanted.by == "us" else far
    if ear is None:
        return Heard(None, "nobody of the lab is at the far end")
    recording = ear.voice.heard
    if recording is None:
        return Heard(None, "no sound was agreed")
    end = until if ear.end is None else min(until, ear.end.at)
    start = max(since, recording.start)
    if wanted.last is not None:
        start = end - wanted.last
        if start < recording.start - _INSTANT:
            return Heard(None, f"there are {max(end - recording.start, 0):.1f} s of sound so far")
    return Heard(recording.between(start, end), "", ear.voice.numbers)


def unheard(wanted: AudioModel, heard: Heard) -> list[str]:
    """What *wanted* says and does not hold of what was *heard*, a sentence each."""
    whose = "" if wanted.by == "us" else "the far end: "
    sound, why_not = heard.sound, heard.why_not
    if sound is None:
        return [f"expected {whose}{_wish(wanted)}, but {why_not}"]
    faults = list(_fared(wanted, heard.numbers))
    if (wanted.heard, wanted.level, wanted.gap) != (None, None, None):
        least = SHORTEST_TONE if wanted.gap is None else max(SHORTEST_TONE, wanted.gap.limit)
        if sound.seconds < least - _INSTANT:
            judged = f"{sound.seconds:.2f} s of sound are judged, and that takes {least:g} s at least"
            return [f"expected {whose}{_wish(wanted)}, but {judged}"]
        faults += _faults(wanted, sound)
    return [f"expected {whose}{fault}" for fault in faults]


def _wish(wanted: AudioModel) -> str:
    told = [f"{_names(wanted.heard)} heard"] if wanted.heard is not None else []
    bounds = (("level", wanted.level), ("gap", wanted.gap), ("lost", wanted.lost), ("mos", wanted.mos))
    told += [f"{name} {bound}" for name, bound in bounds if bound is not None]
    return ", ".join(told)


def _names(heard: list[int]) -> str:
    return " and ".join("silence" if hertz == SILENT else f"{hertz} Hz" for hertz in heard)


def _faults(wanted: AudioModel, sound: Sound) -> Iterator[str]:
    for hertz in wanted.heard or ():
        if not (_is_silent(sound) if hertz == SILENT else tone(sound, hertz)):
            yield f"{_names([hertz])} heard, heard {_told(sound)}"
    if wanted.level is not None and not wanted.level.holds(found := level(sound.samples)):
        yield f"level {wanted.level}, got {LEVEL.told(found)}"
    if wanted.gap is not None:
        silence = longest_silence(sound)
        if not wanted.gap.holds(silence.seconds):
            place = f", {silence.start:.2f} s after they began" if silence.seconds else ""
            longest = f"the longest silence of {sound.seconds:.1f} s is {GAP.told(silence.seconds)}"
            yield f"gap {wanted.gap}, {longest}{place}"


def _fared(wanted: AudioModel, numbers: MediaNumbers | None) -> Iterator[str]:
    heard = None if numbers is None else numbers.heard
    if wanted.lost is not None:
        if heard is None or not heard.packets:
            yield f"lost {wanted.lost}, but no packet came"
        elif not wanted.lost.holds(share := 100 * heard.lost_share):
            yield f"lost {wanted.lost}, got {LOST.told(share)}: {heard.lost} of {heard.expected} packets"
    if wanted.mos is not None:
        if numbers is None or numbers.mos is None:
            yield f"mos {wanted.mos}, but nothing was rated"
        elif not wanted.mos.holds(numbers.mos):
            yield f"mos {wanted.mos}, got {numbers.mos:.2f} ({numbers.scale})"


def _is_silent(sound: Sound) -> bool:
    silence = longest_silence(sound)
    return silence.start <= _UNDER_WAY and silence.end >= sound.seconds - _INSTANT


def _told(sound: Sound) -> str:
    """What is heard most, for people."""
    hertz = strongest(sound)
    if not hertz:
        return "silence"
    loud = f"{level(sound.samples):.1f} dBov"
    return f"{hertz} Hz, {loud} in all" if tone(sound, hertz) else f"sound of {loud}, louder than {SILENCE:g}"
