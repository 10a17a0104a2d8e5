"""Stories in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from phone_emulator.events import Attempt, Outcome, Target
from phone_emulator.report.result import CallReport

from .record import RegistrationMoment
from .story import LONGEST, Story
from .words import AT_ONCE, after, flat, listed, place, sentence, span, steps, took

DAYS = round(LONGEST / 86400)


def of_well(story: Story, line: int) -> list[str]:
    """What happens when the phone is switched on."""
    made = [moment.target for moment in story.moments if moment.target is not None]
    said = []
    if made:
        at = listed([place(target) for target in sorted(made, key=lambda target: target.server)])
        said.append(f"line {line} registers at {at}")
    for moment in story.moments:
        if _heir(moment, story.moments) is not None:
            continue
        if moment.target is None:
            tried = steps(moment.attempts) or moment.reason
            said.append(f"the REGISTER to server {moment.server} {tried}; {_again(moment)}")
        elif len(moment.attempts) > 1:
            said.append(f"its REGISTER {steps(moment.attempts)}")
    if story.first is not None:
        said.append(_call(story.first))
    return [sentence(text) for text in said]


def of_failure(story: Story) -> list[str]:
    """What a failure does to calls, then to the registration."""
    assert story.first is not None
    said = [_call(story.first)]
    if story.second is not None:
        said.append(_next_call(story.first, story.second))
    said += _registrations(story)
    return [sentence(text) for text in said]


def of_return(story: Story) -> list[str]:
    """What happens when the servers that had failed are back."""
    said = []
    if story.returning:
        first, last = story.returning[0], story.returning[-1]
        way = steps(first.route) + _ending(first)
        if last is first:
            said.append(f"the first call after the return {way} ({_why(first)})")
        elif not story.came_back and story.first is not None and story.first.route:
            said.append(f"right after the return a call {way} ({_why(first)})")
            said.append(f"no call goes to {place(story.first.route[0].target)} again within {DAYS} days")
        else:
            said.append(f"right after the return a call {way} ({_why(first)})")
            said.append(
                f"{span(last.started - story.return_at)} after the return a call "
                f"{steps(last.route)}{_ending(last)} ({_why(last)})"
            )
    return [sentence(text) for text in [*said, *_registered_again(story)]]


def of_recovery(story: Story) -> list[str]:
    """When the line is registered again after everything was gone."""
    made = [moment for moment in story.moments_after if moment.target is not None]
    if not made or made[0].target is None:
        return []
    when = after(made[0].at - story.return_at)
    return [
        sentence(
            f"when the servers are back, the line is registered again {when}, at {place(made[0].target)}"
        )
    ]


def of_no_dns(story: Story) -> list[str]:
    """What happens while no name server answers."""
    assert story.first is not None
    way = steps(story.first.route) + _ending(story.first)
    said = [f"a call right after that {way}"]
    if not _unresolved(story.first):
        said[0] += ": the phone still has the addresses"
        if story.second is None:
            said.append("the phone never notices: nothing that it needs runs out")
    if story.second is not None and not _unresolved(story.first):
        late = span(story.second.started - story.failed_at)
        said.append(
            f"{late} after DNS is gone the remembered answers have run out: a call "
            f"{steps(story.second.route)}{_ending(story.second)}"
        )
    return [sentence(text) for text in [*said, *_registrations(story)]]


# -- calls -------------------------------------------------------------------------------------------------


def _call(call: CallReport) -> str:
    return f"a call to {call.to} {steps(call.route)}{_ending(call)}"


def _ending(call: CallReport) -> str:
    """How a call ends after the last step of its route."""
    waits = [attempt for attempt in call.route if took(attempt) >= AT_ONCE]
    if call.result in ("answered", "rejected"):
        if call.elapsed < AT_ONCE:
            return " at once"
        return f", {span(call.elapsed)} after dialling" if len(waits) > 1 else ""
    # One wait has been told with its length.
    when = "" if len(call.route) == len(waits) == 1 else f" {after(call.elapsed)}"
    left = "no server is left" if call.route else call.reason
    if call.route and call.route[-1].status is not None and call.route[-1].status < 200:
        left = "a server that has answered anything is not left for another"
    return f" and fails{when}: {left}"


def _next_call(first: CallReport, second: CallReport) -> str:
    if _shape(first.route) != _shape(second.route):
        way = steps(second.route) + _ending(second)
        return f"the next call, a minute later, {way} ({_why(second)})"
    if second.elapsed < AT_ONCE:
        return "the next call goes the same way"
    end = {"answered": "is answered", "rejected": "is refused"}.get(second.result or "", "fails")
    return f"the next call, a minute later, {end} after {span(second.elapsed)} again ({_why(second)})"


def _why(call: CallReport) -> str:
    return flat(call.route[0].why if call.route else call.reason)


def _shape(route: Sequence[Attempt]) -> list[tuple[str, str]]:
    return [(attempt.target.role, str(attempt.outcome)) for attempt in route]


def _unresolved(call: CallReport) -> bool:
    return any(attempt.outcome is Outcome.UNRESOLVED for attempt in call.route)


# -- registrations -----------------------------------------------------------------------------------------


def _registrations(story: Story) -> list[str]:
    """What becomes of each registration that there was."""
    said: list[str] = []
    stay: list[str] = []
    told: set[int] = set()
    for target in story.registered:
        moments = [moment for moment in story.moments if moment.server == target.server]
        if not moments:
            if target.server in story.checked_at:
                stay.append(f"the registration at {place(target)} stays")
            continue
        told.add(target.server)
        first = moments[0]
        heir = _heir(first, story.moments)
        if heir is not None:
            told.add(heir.server)
        said.append(f"{_when(story, target, first)} {_becomes(heir or first)}")
    said += [
        f"the line also registers: its REGISTER {steps(moment.attempts)}"
        for moment in story.moments
        if moment.server not in told and moment.target is not None
    ]
    return [*said, *_arriving(story), *stay]


def _when(story: Story, target: Target, moment: RegistrationMoment) -> str:
    """``the registration at … is renewed 58 min after the failure: it``."""
    began = moment.attempts[0].started if moment.attempts else moment.at
    if moment.attempts and moment.attempts[0].why.startswith("register_on_enable"):
        return f"with the first call the registration leaves {place(target)}: its REGISTER"
    late = began - story.failed_at
    when = "right then" if late < AT_ONCE else f"{span(late)} after the failure"
    return f"the registration at {place(target)} is due {when}: its REGISTER"


def _becomes(moment: RegistrationMoment) -> str:
    tried = steps(moment.attempts) or moment.reason
    if moment.target is not None:
        return tried
    return f"{tried}, and it is lost; {_again(moment)}"


def _again(moment: RegistrationMoment) -> str:
    if moment.next_at is None or moment.next_at <= moment.at:
        return "the phone tries again later"
    return f"the phone tries again {span(moment.next_at - moment.at)} later"


def _heir(lost: RegistrationMoment, moments: Sequence[RegistrationMoment]) -> RegistrationMoment | None:
    """The registration at another server that the same REGISTER made when this one was lost (R4)."""
    if lost.target is not None:
        return None
    tried = {id(attempt) for attempt in lost.attempts}
    return next(
        (
            moment
            for moment in moments
            if moment.server != lost.server
            and moment.target is not None
            and tried & {id(attempt) for attempt in moment.attempts}
        ),
        None,
    )


def _arriving(story: Story) -> list[str]:
    """Who can call the phone while its registration is where nothing works."""
    if story.arriving is None or all(target in story.arriving for target in story.registered):
        return []
    moved = any(moment.target is not None for moment in story.moments)
    until = "until then" if moved else "from the failure on"
    if not story.arriving:
        return [f"{until} nobody can call the phone: it is registered only where no call gets through"]
    through = listed([place(target) for target in story.arriving])
    return [f"{until} calls to the phone arrive only through {through}"]


def _registered_again(story: Story) -> list[str]:
    said = []
    for target in story.registered:
        if not any(moment.server == target.server for moment in story.moments):
            continue
        back = [
            moment
            for moment in story.moments_after
            if moment.target is not None and moment.target.remote == target.remote
        ]
        if back:
            late = back[0].at - story.return_at
            when = "at once" if late < AT_ONCE else f"{span(late)} after the return"
            said.append(f"the registration is back at {place(target)} {when}")
        else:
            said.append(f"the registration does not come back to {place(target)} within {DAYS} days")
    return said
