"""Runs scenarios."""

from __future__ import annotations

import asyncio
import contextlib

from phone_emulator.events import Event
from phone_emulator.lab.calling import Refused
from phone_emulator.phone import CallError
from phone_emulator.report.result import ScenarioResult, StepFailure, Verdict
from phone_emulator.scarcity import MachineRefused, shortage
from phone_emulator.world import Deadlock, Faulted

from .expectations import ABOUT_CALLS
from .hearing import listen, unheard
from .model import Expect, Step
from .session import Prepared, RunOptions, Session, make_session
from .steps.on_call import NeverMade
from .verdict import unmet

UNDER_WAY = 0.1
"""Seconds in which what was sent comes."""
RELISTENED = 0.2
"""Seconds after which sound is judged again that is waited for."""
RELISTENED_SHARE = 0.1
"""At least this share of the sound that is judged is new each time: it costs the same, however much it is."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, and what the scenario had to tell by then."""

    def __init__(self, result: ScenarioResult, left: list[str]) -> None:
        super().__init__()
        self.result = result
        self.left = left
        """Where the phone stays registered all the same, for people: nobody waited for those servers."""


def run(prepared: Prepared, options: RunOptions) -> ScenarioResult:
    """Run one scenario in its own world.

    Raises:
        MachineRefused, OSError, MemoryError: the machine would not (a port in use, no such local address, too
            many open files).
        Interrupted: the user pressed Ctrl-C; calls were ended and lines de-registered.
    """
    session = make_session(prepared, options)
    try:
        return _run(session, prepared)
    finally:
        for tape in session.tapes:
            tape.write()


def _run(session: Session, prepared: Prepared) -> ScenarioResult:
    failures: list[StepFailure] = []
    try:
        result = session.world.run(_play(session, failures))
    except Deadlock as error:
        return _error(session, failures, [str(error)])
    except KeyboardInterrupt:
        left = [] if session.world.virtual else session.phone.left_behind()
        raise Interrupted(_error(session, failures, ["interrupted"]), left) from None
    except Exception as error:
        if shortage(error):
            raise
        if not isinstance(error, Faulted):
            session.world.faults.tell(error, "a step", prepared.scenario.name)
        faults = session.world.faults.told
        result = _error(session, failures, [str(fault) for fault in faults])
        result.faults = list(faults)
        return result
    if result.verdict is not Verdict.PASSED and (short := session.world.faults.short):
        raise MachineRefused(short)  # nobody knows what would have become of it otherwise
    return result


def _error(session: Session, failures: list[StepFailure], reasons: list[str]) -> ScenarioResult:
    """What there is to tell of a scenario that could not be run to its end, for *reasons*."""
    result = session.result(broken_down=True)
    result.failures = [*failures, *(StepFailure("the scenario", reason) for reason in reasons)]
    result.verdict = Verdict.ERROR
    return result


async def _play(session: Session, failures: list[StepFailure]) -> ScenarioResult:
    try:
        if session.lab is not None:
            await session.lab.start()
        await session.phone.start()
        for step in session.scenario.steps:
            failures += [StepFailure(str(step), message) for message in await _step(session, step)]
            if failures and session.options.fail_fast:
                break
    except asyncio.CancelledError:
        if not session.world.virtual:
            session.options.on_interrupt()
        raise
    finally:
        await session.end()
    result = session.result()
    result.failures = failures
    result.verdict = Verdict.FAILED if failures else Verdict.PASSED
    return result


async def _step(session: Session, step: Step) -> list[str]:
    """Do *step*; what of its expectation does not hold."""
    began = session.world.now()
    known = len(session.registers)
    expect = step.expect
    failed: str | None = None
    try:
        await step.does.act(session, step, step.args)
    except NeverMade as error:
        # Nothing was tried, so nothing has failed as somebody may have expected it to.
        return [] if expect is None else [str(error)]
    except CallError as error:
        failed = None if isinstance(error, Refused) and _is_judged(expect) else str(error)
    if session.world.now() > began:
        session.judged_since = began
    if expect is None:
        return []
    if step.kind == "expect":
        return await _hold_within(session, expect)
    registers = session.registers[known:] if step.does.registers else None
    elapsed = session.world.now() - began
    faults = unmet(expect, session, elapsed=elapsed, failed=failed, registers=registers)
    faults += await _unheard(expect, session)
    return [f"{failed} (if it is meant to: expect 'fails: true')"] if faults == [failed] else faults


def _is_judged(expect: Expect | None) -> bool:
    """Whether *expect* says itself what is to become of a call that comes in."""
    if expect is None or expect.fails is not None:
        return False
    return any(getattr(expect, key) is not None for key in ABOUT_CALLS)


async def _unmet(expect: Expect, session: Session) -> list[str]:
    """What *expect* says now and does not hold."""
    return unmet(expect, session, elapsed=None) + await _unheard(expect, session)


async def _unheard(expect: Expect, session: Session) -> list[str]:
    """What *expect* says of sound and does not hold.

    In real time what is under way is waited for, and while it is judged sound goes on.
    """
    wanted, call = expect.audio, session.calls.get(expect.call or "")
    if wanted is None or call is None:
        return []
    until, real = session.world.now(), not session.world.virtual
    if real:
        await asyncio.sleep(UNDER_WAY)
    far = None if session.lab is None else session.lab.callee.far_end_of(call)
    heard = listen(wanted, call, far, session.judged_since, until)
    return await asyncio.to_thread(unheard, wanted, heard) if real else unheard(wanted, heard)


async def _changes(changed: asyncio.Event, at_most: float | None) -> None:
    """Wait until something was told, *at_most* seconds: sound goes on, and nobody tells it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most):
            await changed.wait()


def _relistened(expect: Expect) -> float | None:
    """Seconds after which what *expect* waits for is looked at again, though nothing is told."""
    if expect.audio is None:
        return None
    return max(RELISTENED, RELISTENED_SHARE * (expect.audio.last or 0))


async def _hold_within(session: Session, expect: Expect) -> list[str]:
    """What *expect* says and does not hold, however long it allows to wait for it."""
    faults = await _unmet(expect, session)
    if not faults or expect.within is None:
        return faults
    changed = asyncio.Event()

    def tell(event: Event) -> None:
        changed.set()

    unsubscribe = session.bus.subscribe(tell)
    try:
        async with asyncio.timeout(expect.within):
            while faults:
                await _changes(changed, _relistened(expect))
                changed.clear()
                faults = await _unmet(expect, session)
    except TimeoutError:
        faults = await _unmet(expect, session)  # what happened at the last moment counts
        return [f"not within {expect.within:g} s: {fault}" for fault in faults]
    finally:
        unsubscribe()
    return []
