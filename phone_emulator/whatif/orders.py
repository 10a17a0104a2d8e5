"""The orders of a what-if, in the order in which they were written: ``--down … --at …``, ``--call …``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phone_emulator.lab.behaviour import Behaviour
from phone_emulator.phone.dialling.number import why_undialable

from .changes import Change, parse_change
from .stage import Site
from .timeline import AFTERMATH, MAX_CALLS, CallOrder, Timeline

SHORTEST = 1.0
"""Seconds from one call to the next, at least."""


class OrderError(ValueError):
    """The orders make no sense; the text is for people and begins with the option."""


@dataclass(slots=True)
class _Order:
    word: str
    """``down``, ``up`` or ``call``."""
    value: Any
    at: float | None = None
    every: float | None = None

    def __str__(self) -> str:
        value = "=".join(self.value) if isinstance(self.value, tuple) else self.value
        return f"--{self.word} {value}"


def read_orders(
    words: Sequence[tuple[str, Any]],
    names: Mapping[str, str],
    *,
    line: int,
    length: float | None,
    duration: float,
    register: bool,
) -> Timeline:
    """The timeline that *words* ask for.

    Args:
        words: in order: ``("down", (role, behaviour))``, ``("up", …)``, ``("call", destination)``,
            ``("at", seconds)``, ``("every", seconds)``; the last two belong to the order before them.
        names: the roles that there are.
        line: that calls.
        length: seconds that the whole takes at least; None finds one.
        duration: seconds that a call stays up.
        register: whether the line registers at first.

    Raises:
        OrderError: they make no sense.
    """
    orders = _grouped(words)
    changes: list[Change] = []
    calls: list[CallOrder] = []
    for order in orders:
        if order.word == "call":
            check_destination(order.value)
            calls.append(CallOrder(order.value, order.at, order.every))
            continue
        if order.word == "up" and order.at is None:
            raise OrderError(f"{order}: say when, with --at after it")
        role, behaviour = order.value
        try:
            changes.append(parse_change(names, role, behaviour, order.at or 0.0))
        except ValueError as error:
            raise OrderError(f"--{order.word}: {error}") from None
    timed = [order.at for order in orders if order.at is not None]
    if length is None and (timed or any(order.every for order in orders)):
        length = max(timed, default=0.0) + AFTERMATH
    for order in orders:
        if length is not None and (order.at or 0.0) > length:
            raise OrderError(f"{order} --at {order.at:g}s is after the end (--for {length:g}s)")
    timeline = Timeline(
        line=line,
        changes=tuple(changes),
        calls=tuple(calls),
        length=length,
        duration=duration,
        register=register,
    )
    if timeline.count() > MAX_CALLS:
        raise OrderError(
            f"--every: {timeline.count()} calls are more than {MAX_CALLS}: "
            "call less often, or make --for shorter"
        )
    return timeline


def check_changes(changes: Iterable[Change], site: Site) -> None:
    """Refuse behaviours that mean nothing of the server which they are for; raises OrderError."""
    places = {place.name: place for place in site.places}
    for change in changes:
        if isinstance(change.behaviour, Behaviour):
            place = places[site.names[change.role]]
            if wrong := change.behaviour.why_not(place.transports):
                raise OrderError(f"{change.role}: {wrong}")


def check_destination(number: str) -> None:
    """Refuse what cannot be dialled; raises OrderError."""
    if wrong := why_undialable(number):
        raise OrderError(f"--call: {wrong}")


def _grouped(words: Sequence[tuple[str, Any]]) -> list[_Order]:
    """Each order with the times that follow it."""
    orders: list[_Order] = []
    for word, value in words:
        last = orders[-1] if orders else None
        if word == "at":
            if last is None:
                raise OrderError("--at belongs after a --down, an --up or a --call: the time of that")
            if last.at is not None:
                raise OrderError(f"{last} has two times: {last.at:g}s and {value:g}s")
            last.at = value
        elif word == "every":
            if last is None or last.word != "call":
                raise OrderError("--every belongs after a --call: how often that is placed")
            if last.every is not None:
                raise OrderError(f"{last} has two --every: {last.every:g}s and {value:g}s")
            if value < SHORTEST:
                raise OrderError(f"--every {value:g}s: at least {SHORTEST:g}s")
            last.every = value
        else:
            orders.append(_Order(word, value))
    return orders
