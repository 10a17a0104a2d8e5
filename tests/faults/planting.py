"""Raising in the middle of work in the background."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from phone_emulator.world import Tasks
from phone_emulator.world.faults import in_words
from tests.faults.sites import Site, site_of


class Planted(Exception):
    """Raised where a test says so."""

    def __init__(self) -> None:
        super().__init__("on purpose")


def qualname_of(work: Any) -> str:
    """What a coroutine or a callback does."""
    return str(work.__qualname__)


SAID = in_words(Planted())


@dataclass(frozen=True)
class Work:
    """What is done in the background, by where it begins and what it is."""

    site: Site
    does: str

    def __str__(self) -> str:
        return f"{self.site} {self.does}"


@dataclass
class Planting:
    """Watches every beginning of work, and lets one raise.

    Args:
        work: which raises; None for none.
        at: how often it goes on after a wait before it raises; 0 at its start. Of a timer: 1 raises when it
            has done all it does.
        always: whether every one of its kind raises; else only the first.
    """

    work: Work | None = None
    at: int = 0
    always: bool = False
    over: bool = False
    """Whether nothing raises, and nothing is watched, any more."""
    seen: dict[Work, int] = field(default_factory=dict)
    """Each work that began, and how often at most one of its kind went on; -1 where none has started."""
    raised: list[tuple[str, str]] = field(default_factory=list)
    """The work and its owner, in words, each time that it raised."""

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        """Let it grow."""
        spawn, call_at = Tasks.spawn, Tasks.call_at

        @functools.wraps(spawn)
        def spawned(tasks: Tasks, work: Coroutine[Any, Any, Any], name: str, **how: Any) -> Any:
            own = self._met(qualname_of(work))
            if own is not None:
                went_on = functools.partial(self._raise_if_due, own, name=name, tasks=tasks)
                work = Driven(work, went_on)
            return spawn(tasks, work, name, **how)

        @functools.wraps(call_at)
        def timed(tasks: Tasks, when: float, callback: Callable[[], None], name: str, **how: Any) -> Any:
            called: Any = callback
            while isinstance(called, functools.partial):
                called = called.func
            own = self._met(qualname_of(called))

            def ring() -> None:
                if own is not None:
                    self._raise_if_due(own, 0, name=name, tasks=tasks)
                callback()
                if own is not None:
                    self._raise_if_due(own, 1, name=name, tasks=tasks)

            return call_at(tasks, when, ring, name, **how)

        with mock.patch.object(Tasks, "spawn", spawned), mock.patch.object(Tasks, "call_at", timed):
            yield

    def _met(self, does: str) -> Work | None:
        site = None if self.over else site_of(sys._getframe(2))
        if site is None:
            return None
        work = Work(site, does)
        self.seen.setdefault(work, -1)
        return work

    def _raise_if_due(self, own: Work, at: int, *, name: str, tasks: Tasks) -> None:
        if self.over:
            return
        self.seen[own] = max(self.seen[own], at)
        if own == self.work and at == self.at and (self.always or not self.raised):
            self.raised.append((name, tasks._owner))
            raise Planted


class Driven(Coroutine[Any, Any, Any]):
    """Does *work*, and throws into it where that is due, as if what it waits for had raised."""

    def __init__(self, work: Coroutine[Any, Any, Any], went_on: Callable[[int], None]) -> None:
        self._work = work
        self._went_on = went_on
        self._at = -1
        self.__qualname__ = qualname_of(work)

    def send(self, value: Any) -> Any:
        """Go on."""
        self._at += 1
        try:
            self._went_on(self._at)
        except Planted as error:
            return self._work.throw(error)
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        """What it waits for has raised, or it is cancelled."""
        return self._work.throw(*error)

    def close(self) -> None:
        """It is not wanted."""
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self._work.__await__())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)
