"""Two calls of one phone in a scenario: one talks at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from .playing import failures_of, played

CONFIGS = Path(__file__).parents[2] / "configs"
HEAD = f"""name: t
config: {CONFIGS / "guide-example.cfg"}
zone: {CONFIGS / "guide-example.zone"}
servers: {{primary: 192.168.1.13, secondary: 192.168.1.14, fallback: 192.168.1.15}}
"""


@pytest.mark.parametrize(
    ("steps", "talks", "held"),
    [
        ("", "c2", "c1"),
        ("  - swap: c1\n", "c1", "c2"),
        ("  - swap:\n", "c1", "c2"),  # the last call above is the one that talks
        ("  - swap: c2\n", "c1", "c2"),
        ("  - resume: c1\n", "c1", "c2"),
        ("  - swap: c1\n  - swap: c1\n", "c2", "c1"),
        ("  - hold: c2\n  - swap: c2\n", "c2", "c1"),
    ],
)
def test_a_second_call_holds_the_first_and_swap_takes_it_back(steps: str, talks: str, held: str) -> None:
    text = (
        f"{HEAD}steps:\n  - call: {{to: '1002', id: c1}}\n  - call: {{to: '1003', id: c2}}\n{steps}"
        f"  - expect: {{call: {talks}, state: talking}}\n  - expect: {{call: {held}, state: held}}\n"
    )
    assert failures_of(played(text)) == []


def test_a_swap_without_a_second_call_fails() -> None:
    text = f"{HEAD}steps:\n  - call: {{to: '1002', id: c1}}\n  - swap:\n    expect: {{state: talking}}\n"
    assert failures_of(played(text)) == [
        "step 2 (swap): there is no call on hold to swap with (if it is meant to: expect 'fails: true')"
    ]


def test_two_calls_in_the_background_end_up_one_held() -> None:
    text = (
        f"{HEAD}steps:\n  - call: {{to: '1002', id: c1, background: true}}\n"
        "  - call: {to: '1003', id: c2, background: true}\n  - wait: 1s\n"
        "  - expect: {call: c1, state: held}\n  - expect: {call: c2, state: talking}\n"
    )
    assert failures_of(played(text)) == []
