"""Orders of a what-if: which time belongs to what, and what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from phone_emulator.lab.behaviour import Behaviour, BehaviourKind, CalleeBehaviour
from phone_emulator.lab.nameserver import Behaviour as DnsBehaviour
from phone_emulator.whatif.changes import Change
from phone_emulator.whatif.orders import OrderError, read_orders
from phone_emulator.whatif.timeline import CallOrder, Timeline

NAMES = {"primary": "primary", "secondary": "secondary"}
DOWN = ("down", ("primary", "silent"))
SILENT = Behaviour(BehaviourKind.SILENT)


def read(*words: tuple[str, Any], length: float | None = None) -> Timeline:
    return read_orders(words, NAMES, line=1, length=length, duration=1.0, register=True)


def test_a_time_belongs_to_what_stands_before_it() -> None:
    found = read(
        DOWN,
        ("at", 60.0),
        ("up", ("primary", "ok")),
        ("at", 600.0),
        ("call", "1002"),
        ("every", 30.0),
    )
    assert found.changes == (Change("primary", SILENT, 60.0), Change("primary", Behaviour(), 600.0))
    assert found.calls == (CallOrder("1002", None, 30.0),)
    assert found.length == 900.0


def test_without_times_a_server_is_down_from_the_start_and_the_end_is_the_call_s() -> None:
    found = read(DOWN, ("call", "1002"))
    assert found.changes == (Change("primary", SILENT, 0.0),)
    assert found.length is None


def test_dns_and_the_called_user_can_fail_too() -> None:
    found = read(("down", ("dns", "servfail")), ("down", ("callee", "busy")))
    assert [change.behaviour for change in found.changes] == [DnsBehaviour.SERVFAIL, CalleeBehaviour.BUSY]


def test_each_call_has_its_own_times() -> None:
    found = read(("call", "1002"), ("at", 5.0), ("call", "1003"), ("every", 10.0), ("at", 7.0), length=27.0)
    assert found.calls == (CallOrder("1002", 5.0, None), CallOrder("1003", 7.0, 10.0))
    assert found.count() == 3


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([("at", 5.0)], "--at belongs after"),
        ([DOWN, ("every", 5.0)], "--every belongs after a --call"),
        ([("call", "1"), ("at", 5.0), ("at", 6.0)], "--call 1 has two times"),
        ([("call", "1"), ("every", 5.0), ("every", 6.0)], "two --every"),
        ([("call", "1"), ("every", 0.5)], "at least 1s"),
        ([("call", "a b")], "'a b' is no number"),
        ([("up", ("primary", "ok"))], "--up primary=ok: say when"),
        ([("down", ("tertiary", "silent"))], "no server 'tertiary' here: primary, secondary, dns, callee"),
        ([("down", ("dns", "deaf"))], "dns cannot be 'deaf'"),
        ([("down", ("primary", "deaf"))], "--down: primary: there is no behaviour 'deaf'"),
        ([DOWN, ("at", 1e6), ("call", "1"), ("every", 1.0)], "more than 5000"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[tuple[str, Any]], text: str) -> None:
    with pytest.raises(OrderError) as refused:
        read(*words)
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nothing_happens_after_the_end() -> None:
    with pytest.raises(OrderError, match="after the end"):
        read(("call", "1"), ("at", 60.0), length=30.0)
