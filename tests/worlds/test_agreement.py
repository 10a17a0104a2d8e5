"""Two phones agree on their calls though the network loses, doubles and reorders datagrams (docs/loss.md)."""

from __future__ import annotations

import os

import pytest

from phone_emulator.phone import CallResult
from phone_emulator.world.network import Disturbance
from tests.worlds.disturbed import CALLED, CALLER, PROXY, Act, Outage, Plan, draw, faults, play, tally, told

CALLS = 1000 if os.environ.get("CI") == "true" else 150
PARTS = 10
"""Tests that the calls are spread over, so that they run side by side."""
BAD = Disturbance(loss=0.3, duplicate=0.3, reorder=0.3)
FINE = Disturbance()
ANSWERED, CANCELLED, FAILED = CallResult.ANSWERED, CallResult.CANCELLED, CallResult.FAILED


def quiet(*acts: Act, outages: tuple[Outage, ...] = (), proxied: bool = False, after: float = 1.0) -> Plan:
    """A call without dice: taken after a second, over a network that loses nothing but in outages."""
    return Plan(2, FINE, 0.02, proxied, "answer", after, acts, outages)


@pytest.mark.parametrize("part", range(PARTS))
def test_both_ends_agree_on_every_call(part: int) -> None:
    # rule C8, C9
    calls = range(part, CALLS, PARTS)
    counts = tally(calls, BAD)
    assert counts["answered"] + counts["crossed"] + counts["not answered"] == len(calls)
    assert counts["answered"] > len(calls) / 3
    assert counts["up for good"]


@pytest.mark.parametrize(
    ("plan", "caller", "called", "deaf"),
    [
        pytest.param(quiet(), ANSWERED, ANSWERED, [], id="nothing happens"),
        pytest.param(
            # The ACKs are lost for 64*T1: the called one ends the call with a BYE, which arrives.
            quiet(outages=(Outage(CALLER, CALLED, 0.5, 33.02),)),
            *(ANSWERED, ANSWERED, []),
            id="ACK lost",
        ),
        pytest.param(
            # Nothing arrives at the caller: it gives up after 64*T1, and ends the late answer with a BYE.
            quiet(outages=(Outage(CALLED, CALLER, 0.0, 32.5),), after=10.0),
            *(FAILED, ANSWERED, []),
            id="answer comes when the caller has given up",
        ),
        pytest.param(
            # The same, and even the late answer does not arrive: no ACK, so the called one hangs up.
            quiet(outages=(Outage(CALLED, CALLER, 0.0, 75.0),), after=10.0),
            *(FAILED, ANSWERED, []),
            id="answer never comes",
        ),
        pytest.param(
            # CANCEL and 200 cross: the 200 draws an ACK and a BYE.
            quiet(Act(1.03, True, "hang up")),
            *(CANCELLED, ANSWERED, []),
            id="CANCEL crosses the 200",
        ),
        pytest.param(
            quiet(Act(1.0, True, "hang up"), outages=(Outage(CALLER, CALLED, 0.9, 20.0),)),
            *(CANCELLED, ANSWERED, []),
            id="CANCEL lost while the call is answered",
        ),
        pytest.param(
            # Every BYE is lost: the called one cannot know, until it hangs up itself and hears 481.
            quiet(Act(5.0, True, "hang up"), outages=(Outage(CALLER, CALLED, 4.0, 75.0),)),
            *(ANSWERED, ANSWERED, ["the called one"]),
            id="BYE lost",
        ),
        pytest.param(
            quiet(Act(5.0, False, "hang up"), outages=(Outage(PROXY, CALLER, 4.0, 75.0),), proxied=True),
            *(ANSWERED, ANSWERED, ["the caller"]),
            id="BYE lost behind the proxy",
        ),
        pytest.param(
            quiet(Act(5.0, True, "hang up"), Act(5.0, False, "hang up")),
            *(ANSWERED, ANSWERED, []),
            id="both hang up at once",
        ),
        pytest.param(
            quiet(Act(5.0, True, "hold"), Act(5.0, False, "hold"), Act(20.0, True, "resume")),
            *(ANSWERED, ANSWERED, []),
            id="both hold at once",
        ),
        pytest.param(
            # The 200 to the re-INVITE is lost for 64*T1: the caller ends the call that it cannot be sure of.
            quiet(Act(5.0, True, "hold"), outages=(Outage(CALLED, CALLER, 4.0, 40.0),)),
            *(ANSWERED, ANSWERED, []),
            id="answer to hold lost",
        ),
    ],
)
def test_what_can_go_wrong(plan: Plan, caller: CallResult, called: CallResult, deaf: list[str]) -> None:
    played = play(plan)
    found = faults(played)
    assert not found, told(played, found)
    assert played.call.result is caller, told(played, [])
    assert [call.result for call in played.called.calls] == [called]
    assert list(dict.fromkeys(played.deaf)) == deaf


def test_a_call_is_the_same_every_time() -> None:
    first, again = (play(draw(4, BAD)) for _ in range(2))
    assert first.caller.events == again.caller.events
    assert first.called.events == again.called.events


def test_a_failing_seed_shows_both_ladders() -> None:
    """Each check sees what it is for."""
    played = play(quiet())
    assert faults(played) == []
    played.call.result = CANCELLED
    assert [fault for fault in faults(played) if "the caller heard it at" in fault]
    played.agreed = (True, True), (True, False)
    played.left.append("a task")
    played.called.calls.append(played.called.calls[0])
    played.call.route[0].outcome = None
    found = faults(played)
    assert len(found) >= 4
    text = told(played, found)
    assert "left over: a task" in text
    assert "- INVITE -" in text
    assert "<- INVITE -" in text
