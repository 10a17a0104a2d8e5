"""Which behaviour holds for which request, where that is counted: the next so many, so many a second.

Theory of operation: who is told to do something with the next three requests goes back to what it did before
when they have come. A capacity is a window: a request passes where fewer than `rate` passed in the second
before it, and with ``then: slow`` it waits for that moment. What is sent once more is the same request: it
gets what it got, and counts once; but what was dropped beyond a capacity was never seen, and tries its luck
again, and what waits for its turn is queued as often as it comes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from phone_emulator.lab.behaviour import Behaviour, BehaviourKind
from phone_emulator.lab.fingerprint import Fingerprint
from phone_emulator.lab.vocabulary import COUNTED, Over
from phone_emulator.sip.message import Message, Request

REMEMBERED = 32.0
"""Seconds, 64*T1, in which a request may be sent once more (RFC 3261 section 17.1)."""
MAX_REMEMBERED = 10_000
"""Requests; one more displaces the oldest."""


class Meter:
    """The behaviour of one server, as it changes by itself."""

    def __init__(self, behaviour: Behaviour, fingerprint: Fingerprint) -> None:
        self.behaviour = behaviour
        """What holds now; a count in it is what is left of it."""
        self._before = Behaviour()
        self._fingerprint = fingerprint
        self._met: dict[str, tuple[Behaviour, float]] = {}
        """By branch: what a request met, and until when that is remembered."""
        self._passed: dict[str, deque[float]] = {}
        """When the last requests passed, as many as pass in a second; by method, ``""`` for the server."""

    def change(self, behaviour: Behaviour) -> None:
        """Let *behaviour* hold from now on."""
        if behaviour.counts and not self.behaviour.counts:
            self._before = self.behaviour
        self.behaviour = behaviour
        self._met.clear()
        self._passed.clear()

    def judge(self, message: Message, now: float) -> tuple[Behaviour, float]:
        """The behaviour that holds for *message*, and how many seconds it waits for its turn."""
        while self._met and now >= next(iter(self._met.values()))[1]:
            del self._met[next(iter(self._met))]
        if not self._met and not self.behaviour.counts and not self._limited():
            return self.behaviour, 0.0
        if not isinstance(message, Request):
            return self._of_the_past(message.branch or ""), 0.0
        branch, method = self._fingerprint.branch(message), message.method
        if branch in self._met or method not in COUNTED:
            return self._of_the_past(branch), 0.0
        before = self.behaviour
        found, keep = self._counted(method), before.counts
        wait = 0.0
        for scope, own in (("", before), (method, before.per_method.get(method))):
            if own is None or own.rate is None:
                continue
            pause = self._pause(scope, own.rate, now)
            if own.then is Over.SLOW:
                self._passed[scope].append(now + pause)
                wait = max(wait, pause)
            elif not pause:
                self._passed[scope].append(now)
                keep = True
            elif own.then is Over.SILENT:
                return Behaviour(BehaviourKind.SILENT), 0.0
            else:
                status = 503 if own.then is None else own.then
                found = replace(
                    found.for_method(method),
                    kind=BehaviourKind.STATUS,
                    status=status,
                    retry_after=own.retry_after,
                    min_expires=None,
                )
                keep = True
                break
        if keep:
            self._remember(branch, found, now)
        return found, wait

    def _limited(self) -> bool:
        """Whether it takes so many requests a second only, in any part."""
        own = self.behaviour.per_method.values()
        return self.behaviour.rate is not None or any(each.rate is not None for each in own)

    def _counted(self, method: str) -> Behaviour:
        """What holds for one more request of that *method*, which counts."""
        whole = self.behaviour
        own = whole.per_method.get(method)
        if own is None:
            if whole.next is not None:
                left = whole.next - 1
                self.behaviour = replace(whole, next=left) if left else self._before
            return whole
        if own.next is not None:
            left = own.next - 1
            after = replace(own, next=left) if left else _of_one_method(self._before, method)
            rest = {name: each for name, each in whole.per_method.items() if name != method}
            plain = replace(whole, per_method=rest)
            is_as_all = not left and after == plain.for_method(method)
            self.behaviour = (
                plain if is_as_all else replace(whole, per_method={**whole.per_method, method: after})
            )
        return whole

    def _of_the_past(self, branch: str) -> Behaviour:
        """What a message meets that does not count: what its request met, else as if nothing were counted."""
        met = self._met.get(branch)
        if met is not None:
            return met[0]
        whole = self.behaviour
        if whole.next is not None:
            return self._before
        own = {
            method: each if each.next is None else _of_one_method(self._before, method)
            for method, each in whole.per_method.items()
        }
        return replace(whole, per_method=own)

    def _pause(self, scope: str, rate: int, now: float) -> float:
        """Seconds until one more request may pass."""
        passed = self._passed.setdefault(scope, deque(maxlen=rate))
        return max(0.0, passed[0] + 1.0 - now) if len(passed) == rate else 0.0

    def _remember(self, branch: str, met: Behaviour, now: float) -> None:
        if len(self._met) >= MAX_REMEMBERED:
            del self._met[next(iter(self._met))]
        self._met[branch] = met, now + REMEMBERED


def _of_one_method(whole: Behaviour, method: str) -> Behaviour:
    """What *whole* is for *method*, as an exception among others: who is not there answers nothing."""
    own = whole.for_method(method)
    kind = BehaviourKind.SILENT if own.kind is BehaviourKind.REFUSE else own.kind
    return replace(own, kind=kind, close_after=None, certificate=None, rate=None, then=None)
