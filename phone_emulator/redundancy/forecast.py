"""What a walk will do if whoever is asked does not respond: the walk itself, rehearsed by a copy of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from phone_emulator.config.model import AccountConfig, PhoneConfig
from phone_emulator.events import Attempt, Outcome, Target

from .servers import Hop, server_order
from .waiting import Silence
from .walk import Locate, Walk

Known = Callable[[Hop], Sequence[Target]]
"""The targets of a hop that are known, in the order of DNS; none before it was looked up."""


def foretold(walk: Walk, known: Known, now: float) -> list[Attempt]:
    """The attempts that *walk* has still to make, in order, as far as can be told at *now*.

    A target that will be passed over (D5, R9) is ``SKIPPED`` in there, with the reason; the others have no
    outcome. A hop that is not looked up yet is one attempt at its name, without an address. *walk* itself
    stays as it is.
    """
    ahead, asked = walk.rehearsal()
    last = ahead.route[-1] if ahead.route else None
    if last is not None and last.outcome is None:
        _fail(ahead, last, now)
    elif last is not None and last.outcome is not Outcome.SKIPPED:
        ahead.ended(last)  # who sends it may not have told the walk yet
    begun = len(ahead.route)
    if asked is not None:
        _locate(ahead, known(asked), now)
    while (step := ahead.next(now)) is not None:
        if isinstance(step, Locate):
            _locate(ahead, known(step.hop), now)
        else:
            _fail(ahead, step.attempt, now)
    to_come = ahead.route[begun:]
    for attempt in to_come:
        if attempt.outcome is not Outcome.SKIPPED:
            attempt.outcome, attempt.ended, attempt.detail = None, None, ""
    return to_come


def call_foretold(
    account: AccountConfig, config: PhoneConfig, known: Known, silence: Silence = Silence.AUTO
) -> list[Attempt]:
    """The same of a call of *account* by a phone that has just been switched on."""
    skip = config.skip_redundant_failover_addr
    over = server_order(account, None)
    return foretold(Walk("INVITE", over, config.timers, silence=silence, skip_redundant=skip), known, 0.0)


def _locate(ahead: Walk, targets: Sequence[Target], now: float) -> None:
    if targets:
        ahead.located(targets)
    else:
        ahead.unresolved("not looked up yet", now, now)


def _fail(ahead: Walk, attempt: Attempt, now: float) -> None:
    attempt.outcome, attempt.ended = Outcome.NO_RESPONSE, now
    attempt.detail = f"no response {attempt.wait.why}"
    ahead.ended(attempt)
