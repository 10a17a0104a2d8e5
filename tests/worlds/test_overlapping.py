"""The whole phone in worlds where everything overlaps, against what must hold in every one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given

from phone_emulator.events import ServerChanged
from tests.worlds.invariants.routes import as_dns_says
from tests.worlds.invariants.table import broken
from tests.worlds.overlapping import LINE, NAME, SERVERS, overlapping_worlds, zone
from tests.worlds.profiles import overlapping_profile
from tests.worlds.recording import Recording, play
from tests.worlds.test_random_worlds import judge
from tests.worlds.world import World, zone_text


@overlapping_profile()
@given(overlapping_worlds())
def test_every_invariant_holds_where_everything_overlaps(world: World) -> None:
    judge(world)


def test_a_line_that_did_not_find_back_is_told() -> None:
    # rule R8
    recording = play(_back_after("silent"))
    assert _names(recording) == {"registered-again"}
    assert _names(play(_back_after("ok"))) == set()


def test_an_empty_outcome_and_a_call_where_no_registration_is_are_told() -> None:
    # rule R9
    # rule R16
    recording = play(_back_after("ok"))
    call = recording.outgoing[0]
    assert [str(attempt.outcome) for attempt in call.route] == ["answered"]
    registration = recording.registrations[0]
    registration.target = replace(registration.target, role="secondary", address="192.168.1.14")
    assert "registered-where-it-calls" in _names(recording)
    call.route[0].outcome = None
    assert "no-outcome-is-empty" in _names(recording)


def test_a_call_is_under_way_when_another_step_begins() -> None:
    # rule R13
    # rule R16
    recording = play(_back_after("delay 2s"))
    changed = next(event.at for event in recording.events if isinstance(event, ServerChanged))
    first = recording.registrations[0]
    assert first.ended is not None
    assert first.started < changed < first.ended


def test_a_route_that_dns_has_not_given_is_told() -> None:
    # rule D6
    said, says = zone(("s13", "s14")), zone(("s14",))
    world = _back_after("ok")
    cfg = {**world.cfg, f"{LINE}sip_server.1.address": NAME, f"{LINE}sip_server.1.port": "5060"}
    call = {"call": {"to": "2001", "id": "c1", "background": True}}
    changes = {"dns": {"zone": zone_text([says])}}
    steps: tuple[Mapping[str, Any], ...]
    steps = ({"register": {}}, changes, {"wait": "70s"}, call, {"wait": "40s"})
    servers = {name: {"address": address} for name, address in SERVERS.items()}
    recording = play(replace(world, domains=(said,), servers=servers, cfg=cfg, steps=steps, zones=(says,)))
    (attempt,) = recording.outgoing[0].route
    assert attempt.target.address == SERVERS["s14"]
    assert list(as_dns_says(recording)) == []
    # True for 30 s more, and a lookup's time.
    attempt.target = replace(attempt.target, address=SERVERS["s13"])
    assert len(list(as_dns_says(recording))) == 1


def _names(recording: Recording) -> set[str]:
    return {invariant.name for invariant, _ in broken(recording)}


def _back_after(behaviour: str) -> World:
    """A line that registers, while its only server comes to behave so; and a call."""
    cfg = {
        f"{LINE}enable": "1",
        f"{LINE}user_name": "1001",
        f"{LINE}password": "random-World-1",
        f"{LINE}sip_server.1.address": "192.168.1.13",
        f"{LINE}sip_server.1.expires": "60",
        f"{LINE}sip_server.1.register_on_enable": "1",
        f"{LINE}sip_server.1.failback_mode": "2",
    }
    steps: list[Mapping[str, Any]] = [
        {"register": {}},
        {"wait": "1s"},
        {"server": {"name": "s13", "behaviour": behaviour}},
        {"call": {"to": "2001", "id": "c1", "background": True}},
        {"wait": "400s"},
    ]
    late = {"behaviour": "delay 2s"} if behaviour.startswith("delay") else {}
    servers = {"s13": {"address": "192.168.1.13", **late}}
    return World((), servers, cfg, tuple(steps), overlapping=True, calm=400.0)
