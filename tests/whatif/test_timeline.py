"""Timelines: what happens when, and what a user would have noticed."""

from __future__ import annotations

from collections.abc import Callable

from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.nameserver import Behaviour as DnsBehaviour
from phone_emulator.whatif.changes import Change
from phone_emulator.whatif.stage import Site
from phone_emulator.whatif.timeline import CallOrder, Timeline, play

SiteOf = Callable[..., Site]
SILENT = Behaviour.parse("silent")
BUSY_LATE = (Change("primary", SILENT, 60.0), Change("primary", Behaviour(), 600.0))


def test_an_outage_of_the_primary_makes_calls_late_and_loses_none(example: SiteOf) -> None:
    timeline = Timeline(line=1, changes=BUSY_LATE, calls=(CallOrder("1002", every=30.0),), length=900.0)
    found = play(example(), timeline)
    sums = found.noticed
    assert (sums.placed, sums.answered, sums.lost) == (30, 30, 0)
    # The call of 570 s is answered by the primary's first answer after its return, at 601.5 s.
    assert sums.delays == (31.5, *[32.0] * 17)
    assert [call.via for call in found.calls].count("secondary") == 17
    assert sums.registered.by_role == {"fallback": 900.0, "primary": 900.0}
    assert [(m.at, m.event, m.what) for m in found.moments if m.event == "server"] == [
        (60.0, "server", "the primary 192.168.1.13: silent"),
        (600.0, "server", "the primary 192.168.1.13: ok"),
    ]


def test_what_is_due_at_one_time_changes_first(example: SiteOf) -> None:
    changes = (Change("primary", Behaviour.parse("503"), 60.0),)
    timeline = Timeline(line=1, changes=changes, calls=(CallOrder("1002", at=60.0),), length=61.0)
    assert [call.via for call in play(example(), timeline).calls] == ["secondary"]


def test_a_registration_that_moves_is_counted_where_it_was(example: SiteOf) -> None:
    # rule R8: the refresh is due at 3540 s; rule R2: the silent primary is given up 7.5 s later.
    changes = (Change("primary", SILENT, 60.0),)
    found = play(example(), Timeline(line=1, changes=changes, length=4000.0))
    assert found.noticed.registered.by_role == {"fallback": 4000.0, "primary": 3547.5, "secondary": 452.5}
    moved = found.moments[-1]
    assert (moved.at, moved.what) == (3547.5, "moves to the secondary 192.168.1.14")
    assert moved.reason == "primary no-response"


def test_nowhere_registered_and_not_to_be_called(example: SiteOf) -> None:
    site = example("account.1.sip_server.2.address=")
    changes = tuple(Change(role, SILENT, 60.0) for role in ("primary", "secondary"))
    found = play(site, Timeline(line=1, changes=changes, length=3600.0))
    spans = found.noticed.registered
    # The phone notices at 3540 + 7.5 + 32 s; until then it believes to be registered.
    assert spans.nowhere == 3600.0 - 3579.5
    assert spans.unreachable == 3579.5 - 60.0
    assert not found.registered


def test_without_dns_the_fallback_answers(example: SiteOf) -> None:
    timeline = Timeline(line=1, changes=(Change("dns", DnsBehaviour.SILENT),), calls=(CallOrder("1002"),))
    found = play(example(), timeline)
    assert found.moments[0].what == "DNS: silent"
    assert [(call.via, call.elapsed) for call in found.calls] == [("fallback", 9.0)]


def test_a_busy_user_is_no_lost_call(example: SiteOf) -> None:
    changes = (Change("callee", CalleeBehaviour.BUSY),)
    found = play(example(), Timeline(line=1, changes=changes, calls=(CallOrder("1002"),)))
    assert (found.noticed.refused, found.noticed.lost, found.noticed.answered) == (1, 0, 0)
    assert found.noticed.lines()[0] == "1 call placed: 0 answered, 1 refused, 0 lost."


def test_the_same_seed_gives_the_same_outcome(example: SiteOf) -> None:
    timeline = Timeline(line=1, changes=BUSY_LATE, calls=(CallOrder("1002", every=100.0),), length=700.0)
    site = example()
    assert play(site, timeline).as_json() == play(site, timeline).as_json()
