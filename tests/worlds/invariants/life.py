"""What holds of whole lives: calls come to their end, nothing is left behind, results can be told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

from phone_emulator.events import CallState
from phone_emulator.report.json import json_line
from tests.worlds.recording import Recording

FOLLOWS = {
    CallState.CALLING: {CallState.RINGING, CallState.TALKING, CallState.ENDING, CallState.ENDED},
    CallState.RINGING: {CallState.TALKING, CallState.ENDING, CallState.ENDED},
    CallState.TALKING: {CallState.HELD, CallState.TALKING, CallState.ENDING, CallState.ENDED},
    CallState.HELD: {CallState.TALKING, CallState.HELD, CallState.ENDING, CallState.ENDED},
    CallState.ENDING: {CallState.ENDED},
    CallState.ENDED: set[CallState](),
}
"""The states that may follow each."""


def every_call_ends(recording: Recording) -> Iterator[str]:
    """Every call comes to its end, in states that follow each other."""
    yield from recording.endless
    for call in recording.calls.values():
        states = [event.state for _, event in recording.changes(call)]
        if not states or states[-1] is not CallState.ENDED:
            yield f"{call.direction} call {call.remote}: {[str(state) for state in states]}"
        for state, following in pairwise(states):
            if following not in FOLLOWS[state]:
                yield f"{call.direction} call {call.remote}: {following} after {state}"
        if call.result is None or not call.reason:
            yield f"{call.direction} call {call.remote}: result {call.result}, reason {call.reason!r}"


def no_outcome_is_empty(recording: Recording) -> Iterator[str]:
    """Every attempt that was made has its outcome, its end and a sentence, and so has every call."""
    attempts = [*recording.registrations, *(each for call in recording.outgoing for each in call.route)]
    for attempt in attempts:
        if attempt.outcome is None or attempt.ended is None or not attempt.detail:
            yield (
                f"{attempt.method} to {attempt.target} at {attempt.started:g} s: outcome {attempt.outcome}, "
                f"ended {attempt.ended}, {attempt.detail!r}"
            )
    for call in recording.calls.values():
        if call.result is None or not call.reason:
            yield f"{call.direction} call {call.remote}: result {call.result}, reason {call.reason!r}"


def nothing_left(recording: Recording) -> Iterator[str]:
    """A phone without calls and registrations has no transaction, task or timer."""
    if recording.idle_transactions:
        yield f"{recording.idle_transactions} transactions live though nothing goes on"
    yield from (f"goes on though nothing does: {each}" for each in recording.idle_left)
    yield from (f"goes on after the phone was stopped: {each}" for each in recording.stopped_left)


def can_be_told(recording: Recording) -> Iterator[str]:
    """The result is valid JSON, and says of each call what the call says."""
    told = json.loads(json_line(recording.session.result()))
    for call in told["calls"]:
        if call["result"] not in ("answered", "rejected", "failed", "cancelled") or not call["reason"]:
            yield f"call {call['id']}: {call['result']}, {call['reason']!r}"
        for attempt in call["route"]:
            if attempt["outcome"] is None or not attempt["detail"] or attempt["ended"] is None:
                yield f"call {call['id']}: {attempt}"
