"""Whose turn it is: one REGISTER of a binding at a time (R13, RFC 3261 section 10.2)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from phone_emulator.events import Attempt, Outcome, Target

from .lease import place_of


class Turn:
    """What is under way for one binding.

    Args:
        attempt: the REGISTER; None for the removal of all that registrars hold.
    """

    def __init__(self, attempt: Attempt | None) -> None:
        self.attempt = attempt
        self.over = asyncio.Event()

    def answers(self, target: Target) -> bool:
        """Whether its outcome is that of a REGISTER at *target*, too; one that was cut short has none."""
        attempt = self.attempt
        if attempt is None or attempt.outcome in (None, Outcome.CANCELLED):
            return False
        return place_of(attempt.target) == place_of(target)


class Turns:
    """Of one binding."""

    def __init__(self) -> None:
        self.current: Turn | None = None

    async def at(self, target: Target) -> Attempt | None:
        """Wait until nothing is under way.

        Returns:
            The REGISTER that went to *target* meanwhile, with its outcome; None where there was none: then it
            is the caller's turn, to be taken at once.
        """
        while (turn := self.current) is not None:
            await turn.over.wait()
            if turn.answers(target):
                return turn.attempt
        return None

    async def free(self) -> None:
        """Wait until nothing is under way."""
        while self.current is not None:
            await self.current.over.wait()

    @contextlib.contextmanager
    def taken(self, attempt: Attempt | None) -> Iterator[None]:
        """It is the turn of *attempt*, while that is under way."""
        assert self.current is None
        turn = self.current = Turn(attempt)
        try:
            yield
        finally:
            self.current = None
            turn.over.set()
