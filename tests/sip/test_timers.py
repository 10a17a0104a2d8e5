"""RFC 3261 table 4 and RFC 6026, with the defaults and with other T1, T2, T4."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from phone_emulator.sip.timers import RETRANSMITS, Timer, Timers

# timer: over UDP, over TCP; with the defaults
TABLE_4: dict[Timer, tuple[float | None, float | None]] = {
    Timer.A: (0.5, None),
    Timer.B: (32.0, 32.0),
    Timer.D: (32.0, 0.0),
    Timer.E: (0.5, None),
    Timer.F: (32.0, 32.0),
    Timer.G: (0.5, None),
    Timer.H: (32.0, 32.0),
    Timer.I: (5.0, 0.0),
    Timer.J: (32.0, 0.0),
    Timer.K: (5.0, 0.0),
    Timer.L: (32.0, 32.0),
    Timer.M: (32.0, 32.0),
    Timer.TRYING: (0.2, 0.2),
}


@pytest.mark.parametrize("timer", Timer)
def test_defaults_are_those_of_the_rfc(timer: Timer) -> None:
    udp, tcp = TABLE_4[timer]
    assert Timers().duration(timer, reliable=False) == udp
    assert Timers().duration(timer, reliable=True) == tcp


def test_all_follow_from_t1_t2_and_t4() -> None:
    timers = Timers(t1=2.0, t2=9.0, t4=7.0)
    assert {timers.b, timers.d, timers.f, timers.h, timers.j, timers.l, timers.m} == {128.0}
    assert {timers.i, timers.k} == {7.0}


@pytest.mark.parametrize("timer", [Timer.B, Timer.D, Timer.F, Timer.H, Timer.I, Timer.J, Timer.K, Timer.L])
def test_property_and_duration_agree(timer: Timer) -> None:
    timers = Timers(t1=0.75, t2=3.0, t4=2.5)
    assert getattr(timers, timer.name.lower()) == timers.duration(timer, reliable=False)


def test_timer_d_is_at_least_32_seconds() -> None:
    assert Timers(t1=0.1).d == 32.0
    assert Timers(t1=1.0).d == 64.0


def ladder_of(timers: Timers, timer: Timer, *, proceeding: bool = False) -> list[float]:
    intervals = [timers.t1]
    while len(intervals) < 6:
        intervals.append(timers.next_interval(timer, intervals[-1], proceeding=proceeding))
    return intervals


def test_timer_a_doubles_without_a_cap() -> None:
    assert ladder_of(Timers(), Timer.A) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize("timer", [Timer.E, Timer.G])
def test_timers_e_and_g_double_up_to_t2(timer: Timer) -> None:
    assert ladder_of(Timers(), timer) == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert ladder_of(Timers(t2=3.0), timer) == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_timer_e_is_t2_once_a_1xx_was_heard() -> None:
    assert ladder_of(Timers(), Timer.E, proceeding=True) == [0.5, 4.0, 4.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize("timer", sorted(RETRANSMITS))
def test_intervals_never_shrink(timer: Timer) -> None:
    assert all(a <= b for a, b in pairwise(ladder_of(Timers(t1=0.6, t2=2.0), timer)))


@pytest.mark.parametrize("name", ["t1", "t2", "t4"])
@pytest.mark.parametrize("seconds", [0.0, -0.5, math.nan, math.inf])
def test_a_duration_that_cannot_be_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=rf"SIP timer {name.upper()} must be at least"):
        Timers(**{name: seconds})
