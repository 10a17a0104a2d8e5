"""Whether a step's expectation holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from phone_emulator.events import Attempt, Target
from phone_emulator.lab.lab import Place
from phone_emulator.phone import Call
from phone_emulator.phone.line import Line

from .expectations import ABOUT_CALLS
from .model import Expect, RouteExpectation, ServerSpec
from .session import Session


def unmet(
    expect: Expect,
    session: Session,
    *,
    elapsed: float | None,
    failed: str | None = None,
    registers: Sequence[tuple[int, Attempt]] | None = None,
) -> list[str]:
    """What *expect* says and does not hold, a sentence each; what was heard is judged beside it.

    Args:
        expect: the expectation of a step.
        session: the scenario so far.
        elapsed: seconds that the step took, judged by ``within``; None where that is a bound on waiting.
        failed: why the step could not be done; None where it was.
        registers: the REGISTER attempts of a step that registers, each with its line, which ``via``,
            ``route`` and ``status`` are about without a call; None for every other step.
    """
    faults = _failing(expect, failed)
    if expect.within is not None and elapsed is not None and elapsed > expect.within:
        faults.append(f"expected within {expect.within:g} s, took {round(elapsed, 3):g} s")
    lines = session.phone.lines
    for line in [lines[expect.line]] if expect.line is not None else lines.values():
        if expect.registered is not None:
            faults += _registered(expect.registered, line, session)
        if expect.call is None and registers is not None:
            own = [attempt for number, attempt in registers if number == line.number]
            faults += _registering(expect, line, own, session)
    if expect.call is not None:
        faults += _of_call(expect, expect.call, session)
    return faults


def _failing(expect: Expect, failed: str | None) -> list[str]:
    if expect.fails is None:
        return [] if failed is None else [failed]
    if failed is None:
        return ["expected the step to fail, it did not"]
    # A number stands for itself: 48 is not said by 486.
    if re.search(rf"(?<![0-9]){re.escape(expect.fails)}(?![0-9])", failed):
        return []
    return [f"expected the step to fail with {expect.fails!r}, it failed with {failed!r}"]


def _registering(expect: Expect, line: Line, route: Sequence[Attempt], session: Session) -> list[str]:
    """What does not hold of the REGISTERs of *line* in a step: *route*."""
    faults = []
    answers = [attempt.status for attempt in route if answered(attempt)]
    if expect.status is not None and (not answers or answers[-1] != expect.status):
        got = answers[-1] if answers else "no answer"
        faults.append(f"expected status {expect.status}, got {got}")
    faults += _path(expect, route, line, session)
    return faults if expect.line is not None else [f"line {line.number}: {fault}" for fault in faults]


def _of_call(expect: Expect, name: str, session: Session) -> list[str]:
    placed, refused = session.calls.get(name), session.refused.get(name)
    call = placed or refused
    if call is None:
        asked = [getattr(expect, key) for key in ABOUT_CALLS]
        return [f"the call {name!r} was never made"] if any(each is not None for each in asked) else []
    faults = []
    for key, wanted, got in (
        ("state", expect.state, call.state),
        ("result", expect.result, call.result),
        ("status", expect.status, call.status),
    ):
        if wanted is not None and wanted != got:
            why = f": {call.reason}" if call.reason else ""
            faults.append(f"expected {key} {wanted}, got {got or 'none yet'}{why}")
    if expect.dtmf is not None and expect.dtmf != call.digits_heard:
        faults.append(f"expected dtmf {expect.dtmf or 'none'}, heard {call.digits_heard or 'none'}")
    if placed is not None:
        faults += _agreed(expect, placed)
        faults += _path(expect, placed.route, session.phone.line(placed.seat.number), session)
    return faults


def _agreed(expect: Expect, call: Call) -> list[str]:
    faults, agreed = [], call.voice.agreed
    if expect.codec is not None and (agreed is None or agreed.codec.encoding != expect.codec):
        got = "none" if agreed is None else agreed.codec.encoding
        faults.append(f"expected codec {expect.codec}, got {got}")
    if expect.srtp is not None and (agreed is None or bool(call.voice.encrypted) != expect.srtp):
        got = "no sound" if agreed is None else call.voice.encrypted or "sound in the clear"
        faults.append(f"expected {'encrypted sound' if expect.srtp else 'sound in the clear'}, got {got}")
    return faults


def answered(attempt: Attempt) -> bool:
    """Whether *attempt* ended with an answer, be it good or bad."""
    return attempt.outcome is not None and attempt.status is not None and attempt.status >= 200


def _path(expect: Expect, route: Sequence[Attempt], line: Line, session: Session) -> list[str]:
    faults = []
    if expect.via is not None:
        last = route[-1] if route else None
        if last is None or not answered(last) or not _is_at(last.target, expect.via, line, session):
            got = "no attempt" if last is None else last.target.role if answered(last) else _told(last)
            faults.append(f"expected via {expect.via}, got {got}")
    if expect.route is not None and not (
        len(expect.route) == len(route)
        and all(_matches(wanted, got, line, session) for wanted, got in zip(expect.route, route, strict=True))
    ):
        wanted_text = ", ".join(str(item) for item in expect.route) or "no attempt"
        got_text = ", ".join(_told(attempt) for attempt in route) or "no attempt"
        faults.append(f"expected route [{wanted_text}], got [{got_text}]")
    return faults


def _matches(wanted: RouteExpectation, got: Attempt, line: Line, session: Session) -> bool:
    if not _is_at(got.target, wanted.role, line, session):
        return False
    if wanted.outcome is not None:
        return got.outcome == wanted.outcome
    return answered(got) and got.status == wanted.status


def _told(attempt: Attempt) -> str:
    status = f" {attempt.status}" if attempt.status is not None else ""
    return f"{attempt.target.role}: {attempt.outcome or 'under way'}{status}"


def _is_at(target: Target, name: str, line: Line, session: Session) -> bool:
    """Whether *target* of *line* is what *name* names: a role of that line, else a server of the file."""
    if target.role == name:
        return True
    if any(each.role == name for server in (1, 2) for each in line.servers.targets(server)):
        return False
    places = _places(session)
    place = places.get(name)
    if place is None or place.address not in (target.address, target.host):
        return False
    alone = sum(each.address == place.address for each in places.values()) == 1
    return alone or target.port == place.port_for(target.transport)


def _places(session: Session) -> Mapping[str, Place | ServerSpec]:
    """Where the servers of the file stand in the world that it runs in."""
    lab = session.lab
    return session.scenario.servers if lab is None else {place.name: place for place in lab.plan.places}


def _registered(wanted: Sequence[str], line: Line, session: Session) -> list[str]:
    got = line.bindings.targets
    unmatched = list(got)
    missing = []
    for name in wanted:
        found = next((target for target in unmatched if _is_at(target, name, line, session)), None)
        if found is None:
            missing.append(name)
        else:
            unmatched.remove(found)
    if not missing and not unmatched:
        return []
    wanted_text = ", ".join(wanted) or "nowhere"
    got_text = ", ".join(target.role for target in got) or "nowhere"
    return [f"expected line {line.number} registered at {wanted_text}, it is registered at {got_text}"]
