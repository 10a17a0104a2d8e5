"""The route for people, a line an attempt, printed as it grows; and the verdict of a scenario."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TextIO

from phone_emulator.cleaning import clean
from phone_emulator.events import Attempt, AttemptEnded, AttemptStarted, EndedBy, Event, Outcome

from .result import CallReport, ScenarioResult, Verdict

_GREEN, _RED, _YELLOW, _DIM, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_COLOURS = {Outcome.ANSWERED: _GREEN, Outcome.SKIPPED: _DIM, Outcome.CANCELLED: _YELLOW}
_ENDED_BY = {
    EndedBy.US: "by this phone",
    EndedBy.THEM: "by the far end",
    EndedBy.TIMEOUT: "by a time-out",
    EndedBy.TRANSPORT: "by the transport",
}
MOST_SILENCES = 3
"""What is told of the silences of a call."""
_VERDICTS = {Verdict.PASSED: _GREEN, Verdict.FAILED: _RED, Verdict.ERROR: _RED}


def wants_colour(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether *stream* is a terminal that shows colours and NO_COLOR is unset or empty."""
    environ = os.environ if environ is None else environ
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def painted(text: str, colour: str, on: bool) -> str:
    return f"{colour}{text}{_PLAIN}" if on else text


def attempt_line(attempt: Attempt, *, colour: bool = False) -> str:
    """``  1  primary     192.168.1.13:5060/udp   no-response    32.0 s  no response within …``.

    Before that of a REGISTER stands ``line 1``.
    """
    target = attempt.target
    place = f"{target.remote}/{target.transport}" if target.address else target.host
    if attempt.outcome is None:
        ended, took = "…", f"{attempt.wait.seconds:.1f} s"
        detail = f"waiting at most {attempt.wait.why}"
    else:
        status = attempt.outcome in (Outcome.REJECTED, Outcome.UNAVAILABLE) and attempt.status
        ended = f"{attempt.outcome} {attempt.status}" if status else str(attempt.outcome)
        took = f"{(attempt.ended or attempt.started) - attempt.started:.1f} s"
        detail = attempt.detail
    cell = f"{ended:<15}"
    if attempt.outcome is not None:
        cell = painted(cell, _COLOURS.get(attempt.outcome, _RED), colour)
    whose = f"line {attempt.line:<2}" if attempt.line else ""
    text = f"{target.role:<10}  {clean(place):<27}  {cell}  {took:>8}  {clean(detail)}"
    return f"{whose}{attempt.n:>3}  {text}".rstrip()


def call_lines(call: CallReport, *, colour: bool = False) -> list[str]:
    """A call: what became of it, then its route, how it ended where it was up, and how its sound fared."""
    ended = call.result or "not ended"
    if call.via:
        ended += f" via {call.via}"
    if call.status and call.result != "answered":
        ended += f" ({call.status})"
    reason = f": {call.reason}" if call.reason else ""
    head = f"call {call.id}, line {call.line} {call.way}: {ended} after {call.elapsed:.1f} s{reason}"
    route = [attempt_line(attempt, colour=colour) for attempt in call.route]
    return [clean(head), *route, *remark_lines(call)]


def remark_lines(call: CallReport) -> list[str]:
    """How it ended, how its sound fared and when it was silent: a line for each that there is a word of."""
    return [line for line in (end_line(call), sound_line(call), silence_line(call)) if line]


def end_line(call: CallReport) -> str:
    """How a call that was up ended: who ended it, and why a BYE was in vain.

    Empty for others, and where this phone has hung up and was heard.
    """
    end = call.ended
    if end is None or end.smooth or (call.result != "answered" and end.method != "BYE"):
        return ""
    up = max(end.at - call.started - call.elapsed, 0.0)
    by = f"{_ENDED_BY[end.by]}{f' with {end.method}' if end.method else ''}"
    return clean(f"     ended {by}, {up:.1f} s after the answer: {end.detail}")


def sound_line(call: CallReport) -> str:
    """How the sound of a call fared; empty where none flowed."""
    told = "" if call.media is None else call.media.in_words
    return f"     {told}" if told else ""


def silence_line(call: CallReport) -> str:
    """Whether sound went on while the call was up, or when it was silent; empty where nobody listened."""
    if call.silences is None:
        return ""
    if not call.silences:
        return "     sound went on"
    answered = call.started + call.elapsed
    told = [
        f"{'from ' if place == 0 else ''}{each.start - answered:.1f} s for {each.seconds:.1f} s"
        for place, each in enumerate(call.silences[:MOST_SILENCES])
    ]
    more = len(call.silences) - len(told)
    rest = f" and {more} times more" if more else ""
    return f"     silence {', '.join(told)}{rest}, counted from the answer"


def scenario_lines(result: ScenarioResult, *, colour: bool = False, routes: bool = False) -> list[str]:
    """A scenario: its verdict, what failed, and with *routes* or after a failure every route."""
    clock = "virtual" if result.virtual else "real"
    verdict = painted(f"{result.verdict:<7}", _VERDICTS[result.verdict], colour)
    lines = [f"{verdict} {clean(result.scenario)} ({result.elapsed:.1f} s, {clock})"]
    lines += [
        f"        {clean(result.file)}: {failure.step}: {clean(failure.message)}"
        for failure in result.failures
    ]
    lines += [
        f"        line {line.line}: {clean(line.unreachable)}" for line in result.health if line.unreachable
    ]
    if routes or result.verdict is not Verdict.PASSED:
        lines += [f"        {line}" for line in route_lines(result, colour=colour)]
    return lines


def route_lines(result: ScenarioResult, *, colour: bool = False) -> list[str]:
    """Every change of the phone's address, registration attempt and call of *result*."""
    lines = [f"at {change.at:.1f} s: {clean(change.reason)}" for change in result.addresses]
    if result.registrations:
        lines.append("registrations:")
        lines += [attempt_line(attempt, colour=colour) for attempt in result.registrations]
    for call in result.calls:
        lines += call_lines(call, colour=colour)
    return lines


class RoutePrinter:
    """A listener that prints each attempt when it ends and, on a terminal, also while it waits.

    :param stream: where to; stderr for people.
    :param calls: prints the attempts of calls, else those of registrations.
    """

    def __init__(
        self, stream: TextIO, *, calls: bool = True, environ: Mapping[str, str] | None = None
    ) -> None:
        self._stream = stream
        self._calls = calls
        self._colour = wants_colour(stream, environ)
        self._live = stream.isatty() and (os.environ if environ is None else environ).get("TERM") != "dumb"
        self._pending = False
        self._printed: Attempt | None = None

    def __call__(self, event: Event) -> None:
        if (
            not isinstance(event, AttemptStarted | AttemptEnded)
            or (event.call is not None) is not self._calls
        ):
            return
        attempt = event.attempt
        if attempt.outcome is not None:
            # A target that is passed over ends as it starts, and may be told of twice.
            if attempt is not self._printed:
                self._write(attempt_line(attempt, colour=self._colour) + "\n", pending=False)
            self._printed = attempt
        elif self._live:
            width = shutil.get_terminal_size().columns - 1
            self._write(attempt_line(attempt)[:width], pending=True)

    def _write(self, text: str, *, pending: bool) -> None:
        # Back to the start of the line and erase what waits there.
        self._stream.write(("\r\x1b[K" if self._pending else "") + text)
        self._stream.flush()
        self._pending = pending
