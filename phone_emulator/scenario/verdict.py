"""Whether a step's expectation holds."""

from __future__ import annotations

from collections.abc import Sequence

from phone_emulator.events import Attempt, Target

from .model import Expect, RouteExpectation, Scenario
from .session import Session


def unmet(
    expect: Expect,
    session: Session,
    *,
    elapsed: float | None,
    failed: str | None = None,
    registers: Sequence[Attempt] = (),
) -> list[str]:
    """What of *expect* does not hold, a sentence each.

    Args:
        expect: of the step.
        session: the scenario so far.
        elapsed: seconds that the step took, judged by ``within``; None where that is a bound on waiting.
        failed: why the step could not be done; None where it was.
        registers: the REGISTER attempts of this step, which ``via``, ``route`` and ``status`` of a
            ``register`` step are about.
    """
    faults = _failing(expect, failed)
    scenario = session.scenario
    if expect.within is not None and elapsed is not None and elapsed > expect.within:
        faults.append(f"expected within {expect.within:g} s, took {round(elapsed, 3):g} s")
    if expect.registered is not None:
        faults += _registered(expect, session)
    if expect.call is None:
        answered = [attempt for attempt in registers if attempt.status is not None]
        if expect.status is not None and (not answered or answered[-1].status != expect.status):
            got = answered[-1].status if answered else "no answer"
            faults.append(f"expected status {expect.status}, got {got}")
        faults += _path(expect, registers, scenario)
        return faults
    call = session.calls.get(expect.call)
    if call is None:
        asked = (expect.state, expect.result, expect.status, expect.via, expect.route)
        if any(each is not None for each in asked):
            faults.append(f"the call {expect.call!r} was never made")
        return faults
    for name, wanted, got in (
        ("state", expect.state, call.state),
        ("result", expect.result, call.result),
        ("status", expect.status, call.status),
    ):
        if wanted is not None and wanted != got:
            why = f": {call.reason}" if call.reason else ""
            faults.append(f"expected {name} {wanted}, got {got or 'none yet'}{why}")
    return faults + _path(expect, call.route, scenario)


def _failing(expect: Expect, failed: str | None) -> list[str]:
    if expect.fails is None:
        return [] if failed is None else [failed]
    if failed is None:
        return ["expected the step to fail, it did not"]
    if expect.fails in failed:
        return []
    return [f"expected the step to fail with {expect.fails!r}, it failed with {failed!r}"]


def _path(expect: Expect, route: Sequence[Attempt], scenario: Scenario) -> list[str]:
    faults = []
    if expect.via is not None:
        last = route[-1] if route else None
        if last is None or not _is_at(last.target, expect.via, scenario):
            faults.append(f"expected via {expect.via}, got {last.target.role if last else 'no attempt'}")
    if expect.route is not None and not (
        len(expect.route) == len(route)
        and all(_matches(wanted, got, scenario) for wanted, got in zip(expect.route, route, strict=True))
    ):
        wanted_text = ", ".join(str(item) for item in expect.route) or "no attempt"
        got_text = ", ".join(_told(attempt) for attempt in route) or "no attempt"
        faults.append(f"expected route [{wanted_text}], got [{got_text}]")
    return faults


def _matches(wanted: RouteExpectation, got: Attempt, scenario: Scenario) -> bool:
    if not _is_at(got.target, wanted.role, scenario):
        return False
    return got.status == wanted.status if wanted.outcome is None else got.outcome == wanted.outcome


def _told(attempt: Attempt) -> str:
    status = f" {attempt.status}" if attempt.status is not None else ""
    return f"{attempt.target.role}: {attempt.outcome or 'under way'}{status}"


def _is_at(target: Target, name: str, scenario: Scenario) -> bool:
    """Whether *target* has the role *name*, or is the server that the file calls so."""
    if target.role == name:
        return True
    spec = scenario.servers.get(name)
    return spec is not None and (target.address == spec.address or target.host == spec.address)


def _registered(expect: Expect, session: Session) -> list[str]:
    assert expect.registered is not None
    lines = session.phone.lines
    number = expect.line or next(iter(lines), 0)
    if number not in lines:
        return [f"there is no enabled line {number}"]
    got = lines[number].bindings.targets
    unmatched = list(got)
    missing = []
    for name in expect.registered:
        found = next((target for target in unmatched if _is_at(target, name, session.scenario)), None)
        if found is None:
            missing.append(name)
        else:
            unmatched.remove(found)
    if not missing and not unmatched:
        return []
    wanted_text = ", ".join(expect.registered) or "nowhere"
    got_text = ", ".join(target.role for target in got) or "nowhere"
    return [f"expected line {number} registered at {wanted_text}, it is registered at {got_text}"]
