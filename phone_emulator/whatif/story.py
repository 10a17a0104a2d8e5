"""A story: a line that is well, then a failure, calls and registrations meanwhile, then the return."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from phone_emulator.events import Outcome, Target
from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.lab.nameserver import Behaviour as DnsBehaviour
from phone_emulator.phone import OutgoingCall
from phone_emulator.redundancy import moves_on
from phone_emulator.report.result import CallReport
from phone_emulator.scenario.session import call_report

from .changes import DNS, Change
from .record import RegistrationMoment
from .stage import Site, Stage

PAUSE = 60.0
"""Seconds between what is looked at: registered, the failure, the calls, the return."""
JUMPS = 40
"""How many times a story jumps to when something may change, before it says that nothing does."""
PATIENCE = 300.0
"""Seconds that a registration cycle may take: every server silent for 64*T1, some of them twice."""
LONGEST = 3 * 86400.0


@dataclass(slots=True)
class Story:
    """What happened; times in seconds since the phone was switched on."""

    failed_at: float = 0.0
    registered: list[Target] = field(default_factory=list)
    """Where the line was registered when all was well."""
    first: CallReport | None = None
    """Placed at the failure."""
    second: CallReport | None = None
    """Placed a minute after the first one."""
    arriving: list[Target] | None = None
    """Where calls to the phone got through just after servers failed."""
    moments: list[RegistrationMoment] = field(default_factory=list)
    """Registrations that were made, moved or lost between the failure and the return."""
    checked_at: dict[int, float] = field(default_factory=dict)
    """When the registration at each server was first renewed, or could not be, after the failure."""
    return_at: float = 0.0
    returning: list[CallReport] = field(default_factory=list)
    """Calls after the return, the last one via the primary where the phone came back to it."""
    came_back: bool = False
    """Whether a call of *returning* went the way of a phone that is well."""
    moments_after: list[RegistrationMoment] = field(default_factory=list)
    """The same as *moments*, after the return."""

    @property
    def calls(self) -> list[CallReport]:
        """Every call, in order of time."""
        return [*(call for call in (self.first, self.second) if call), *self.returning]


def fail(
    site: Site, line: int, roles: Sequence[str], behaviour: Behaviour, destination: str, *, back: bool = False
) -> Story:
    """The servers in *roles* behave as *behaviour* from one minute on; with *back*, they return at last."""
    stage = Stage(site, line)
    prefix = site.prefix(line)
    changes = [Change(prefix + role, behaviour) for role in roles]
    returned = [Change(change.role, Behaviour()) for change in changes] if back else []
    return stage.world.run(_tell(stage, changes, returned, destination))


def well(site: Site, line: int, destination: str, *, dns: DnsBehaviour = DnsBehaviour.OK) -> Story:
    """The line registers and calls; nothing fails but, if it is told to, DNS from the start."""
    stage = Stage(site, line)

    async def tell() -> Story:
        story = Story()
        async with stage.running([Change(DNS, dns)]):
            await stage.register()
            story.first = await _call(stage, destination)
            story.registered = stage.record.targets
            story.moments = list(stage.record.registrations)
        return story

    return stage.world.run(tell())


def without_dns(site: Site, line: int, destination: str) -> Story:
    """DNS falls silent; the line calls whenever remembered answers run out, until that makes a difference."""
    stage = Stage(site, line)

    async def tell() -> Story:
        async with stage.running():
            story = await _begun(stage)
            await stage.change(Change(DNS, DnsBehaviour.SILENT))
            story.first = await _call(stage, destination)
            noticed: CallReport | None = story.first
            if not _unresolved(story.first):
                noticed = story.second = await _call_without_answers(stage, destination)
            if noticed is not None:
                await _renewals(stage, story, noticed.started)
        return story

    return stage.world.run(tell())


async def _begun(stage: Stage) -> Story:
    """The line has registered, and some time has passed: now something may fail."""
    story = Story()
    await stage.register()
    story.registered = stage.record.targets
    await asyncio.sleep(PAUSE)
    story.failed_at = stage.world.now()
    return story


async def _tell(
    stage: Stage, changes: Sequence[Change], returned: Sequence[Change], destination: str
) -> Story:
    async with stage.running():
        story = await _begun(stage)
        for change in changes:
            await stage.change(change)
        story.arriving = stage.record.reachable
        story.first = await _call(stage, destination)
        await asyncio.sleep(PAUSE)
        story.second = await _call(stage, destination)
        await _renewals(stage, story, story.failed_at)
        if returned:
            await asyncio.sleep(PAUSE)
            await _registering(stage)
            known = len(stage.record.registrations)
            story.return_at = stage.world.now()
            for change in returned:
                await stage.change(change)
            await _come_back(stage, story, destination)
            story.moments_after = stage.record.registrations[known:]
    return story


async def _call(stage: Stage, destination: str) -> CallReport:
    call: OutgoingCall = await stage.call(destination)
    return call_report(call)


async def _call_without_answers(stage: Stage, destination: str) -> CallReport | None:
    """The first call that notices that DNS is gone; None where none does."""
    for _ in range(JUMPS):
        expiry = stage.phone.context.resolver.next_expiry()
        if expiry is None:
            return None
        await stage.until(expiry)
        call = await _call(stage, destination)
        if _unresolved(call) or call.elapsed > 0:
            return call
    return None


def _unresolved(call: CallReport) -> bool:
    return any(attempt.outcome is Outcome.UNRESOLVED for attempt in call.route)


async def _renewals(stage: Stage, story: Story, since: float) -> None:
    """Wait until every registration has met what is so *since*: it was renewed, or moved, or lost."""
    bindings = stage.phone.line(stage.line).registrar.bindings
    for target in story.registered:
        while stage.record.settled[target.server] < since:
            due = bindings[target.server].refresh_at
            now = stage.world.now()
            if due is None or due > now + LONGEST or now > due + PATIENCE:
                break
            await stage.until(max(due, now + 0.5))
    await asyncio.sleep(1.0)
    for attempt in stage.record.registers:
        if attempt.started >= since:
            story.checked_at.setdefault(attempt.target.server, attempt.started)
    story.moments = [moment for moment in stage.record.registrations if moment.at >= story.failed_at]


async def _come_back(stage: Stage, story: Story, destination: str) -> None:
    """Call now, then whenever the phone may return to its primary, until all is as it was."""
    end = stage.world.now() + LONGEST
    for _ in range(JUMPS):
        if not _is_back(story):
            story.returning.append(await _call(stage, destination))
        story.came_back = _is_back(story)
        if story.came_back and _same(stage.record.targets, story.registered):
            return
        await _registering(stage)
        due = _next_chance(stage, story)
        if due > end:
            return
        await stage.until(due)
        await asyncio.sleep(1.0)


def _next_chance(stage: Stage, story: Story) -> float:
    """When the phone may return next: a failback is due, or a registration that is elsewhere is renewed."""
    line, now = stage.phone.line(stage.line), stage.world.now()
    failbacks = [failback.due_at for failback in line.servers.failbacks.values()]
    if not _is_back(story) and any(now < due < math.inf for due in failbacks):
        return min(due for due in failbacks if due > now)
    home = {target.server: _key(target) for target in story.registered}
    bindings = line.bindings
    away = [
        binding
        for binding in bindings
        if binding.target is None or _key(binding.target) != home.get(binding.number)
    ]
    times = [binding.next_at or math.inf for binding in away or bindings]
    return min((time for time in times if time > now), default=math.inf)


async def _registering(stage: Stage) -> None:
    """Wait until no REGISTER is under way."""
    for _ in range(round(PATIENCE)):
        if all(attempt.outcome is not None for attempt in stage.record.registers[-4:]):
            return
        await asyncio.sleep(1.0)


def _is_back(story: Story) -> bool:
    """Whether the last call went the way of a phone that is well: the first server gave it an answer."""
    if not story.first or not story.first.route or not story.returning or not story.returning[-1].route:
        return False
    first, now = story.first.route[0], story.returning[-1].route[0]
    answered = now.outcome in (Outcome.ANSWERED, Outcome.REJECTED) and not moves_on(now)
    return answered and _key(now.target) == _key(first.target)


def _same(one: Sequence[Target], other: Sequence[Target]) -> bool:
    return [_key(target) for target in one] == [_key(target) for target in other]


def _key(target: Target) -> tuple[str, int]:
    return target.address, target.port
