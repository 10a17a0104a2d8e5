"""Transactions are woken when their machine's next timer is due."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from phone_emulator.world.base import TimerHandle
from phone_emulator.world.tasks import Tasks

from .transaction import Transaction


class Sleeper(Protocol):
    """A transaction as its user holds it."""

    timer: TimerHandle | None

    @property
    def machine(self) -> Transaction:
        """What decides."""


_Sleeper = TypeVar("_Sleeper", bound=Sleeper)


def wake(
    tasks: Tasks,
    transaction: _Sleeper,
    fire: Callable[[_Sleeper], None],
    fault: Callable[[_Sleeper, Exception], None],
) -> None:
    """Have *fire* called when the next timer of the machine is due, not before; *fault* where it raises."""
    stop_timer(transaction)
    due = transaction.machine.next_timer
    if due is not None:
        name = f"timing {transaction.machine.request.method}"
        on_fault = partial(fault, transaction)
        transaction.timer = tasks.call_at(due, partial(fire, transaction), name, on_fault=on_fault)


def stop_timer(transaction: Sleeper) -> None:
    """Have nothing called any more."""
    if transaction.timer is not None:
        transaction.timer.cancel()
        transaction.timer = None
