"""What random worlds found, each as the smallest world that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from phone_emulator.phone import CallResult
from tests.worlds.recording import Recording, play
from tests.worlds.test_random_worlds import judge
from tests.worlds.world import DOMAINS, Domain, World

LINE = "account.1."
BASE = {
    f"{LINE}enable": "1",
    f"{LINE}user_name": "1001",
    f"{LINE}auth_name": "1001",
    f"{LINE}password": "random-World-1",
}
ONE_SERVER = {f"{LINE}sip_server.2.address": "192.168.1.15"}


def world(settings: Mapping[str, str], *steps: Mapping[str, Any], **behaviours: str) -> World:
    """A world with the server ``s15``, which behaves as *behaviours* say."""
    return World(
        (),
        {"s15": {"address": "192.168.1.15", "behaviour": behaviours.get("s15", "ok")}},
        {**BASE, **ONE_SERVER, **settings},
        steps,
    )


def registers(recording: Recording) -> list[float]:
    """When a REGISTER left that is no de-registration."""
    return [
        seen.at
        for seen in recording.messages
        if seen.sent
        and seen.request is not None
        and seen.request.method == "REGISTER"
        and seen.request.headers.get("Expires") != "0"
    ]


def test_a_retry_interval_of_0_leaves_time_to_the_rest_of_the_world() -> None:
    # rule R7
    played = play(
        world({f"{LINE}reg_fail_retry_interval": "0"}, {"register": {}}, {"wait": "10s"}, s15="refuse")
    )
    assert registers(played) == [float(second) for second in range(10)]


def test_a_register_under_way_ends_with_the_unregistration() -> None:
    # rule R12
    story = world({}, {"register": {}}, {"server": {"name": "s15", "behaviour": "silent"}}, {"wait": "3550s"})
    played = play(story)
    assert [at for at in registers(played) if at > 3539] == [3540.0, 3540.5, 3541.5, 3543.5, 3547.5]
    judge(story)


def test_a_call_in_progress_when_the_phone_stops_is_explained() -> None:
    # rule C1
    story = world(
        {},
        {"call": {"to": "2001", "id": "c1", "background": True}},
        {"wait": "1s"},
        {"reboot": {}},
        s15="silent",
    )
    call = play(story).outgoing[0]
    assert call.result is CallResult.CANCELLED
    assert [(str(each.outcome), each.detail, each.ended) for each in call.route] == [
        ("cancelled", "the phone was stopped", 1.0)
    ]
    judge(story)


@pytest.mark.parametrize("callee", ["answer", "busy"])
def test_an_answer_to_an_invite_that_leaves_as_the_phone_reboots_finds_nobody(callee: str) -> None:
    # rule C8
    call = {"call": {"to": "2001", "id": "c1", "background": True}}
    judge(replace(world({}, {"register": {}}, call, {"reboot": {}}), callee=callee))


def test_a_call_that_rings_again_after_a_reboot_is_another_one() -> None:
    # rule C4
    story = world(
        {},
        {"register": {}},
        {"incoming": {"from": "9001", "id": "i1"}},
        {"answer": {"call": "i1"}},
        {"wait": "500ms"},
        {"reboot": {}},
        s15="delay 300ms",
    )
    judge(story)


def test_a_hold_that_draws_a_100_only_is_cancelled() -> None:
    # rule C9
    call = {"to": "2001", "background": False}
    silent = {"server": {"name": "s15", "behaviour": "trying"}}
    judge(world({}, {"register": {}}, {"call": call}, silent, {"call": call}))


def test_no_cancel_after_a_final_response_that_came_with_the_1xx() -> None:
    # rule C9
    story = world(
        {},
        {"callee": "busy"},
        {"call": {"to": "2001", "id": "c1", "background": True}},
        {"wait": "2.5s"},
        {"hangup": {"call": "c1"}},
        s15="delay 2s",
    )
    judge(story)
    sent = [seen.message.cseq.method for seen in play(story).messages if seen.sent]
    assert "CANCEL" not in sent
    assert sent[-1] == "ACK"


def test_a_call_that_registers_first_and_the_refresh_beside_it_share_no_cseq() -> None:
    # rule R9
    servers = {
        "s14": {"address": "192.168.1.14", "behaviour": "silent"},
        "s15": {"address": "192.168.1.15", "behaviour": "refuse"},
    }
    settings = {
        f"{LINE}sip_server.1.address": DOMAINS[0],
        f"{LINE}sip_server.1.register_on_enable": "1",
        "sip.timer_t1": "1",
    }
    steps: list[Mapping[str, Any]] = [{"register": {}}, {"wait": "1200100ms"}]
    steps += [{"call": {"to": f"200{n}", "id": f"c{n}"}} for n in (1, 2, 3)]
    domain = Domain(DOMAINS[0], own=("192.168.1.15", "192.168.1.14"))
    judge(World((domain,), servers, BASE | settings, tuple(steps)))


def test_a_registration_that_was_lost_keeps_no_connection_open() -> None:
    # rule R12
    settings = {
        f"{LINE}sip_server.1.address": DOMAINS[0],
        f"{LINE}sip_server.1.port": "0",
        f"{LINE}sip_server.1.transport_type": "1",
        f"{LINE}sip_server.1.expires": "60",
        "account.1.dns_cache_type": "0",
    }
    steps: list[Mapping[str, Any]] = [{"register": {}}, {"dns": {"behaviour": "silent"}}]
    steps += [{"call": {"to": "2001", "id": "c1"}}, {"wait": "100s"}]
    domain = Domain(DOMAINS[0], own=("192.168.1.13",))
    judge(World((domain,), {"s13": {"address": "192.168.1.13"}}, BASE | settings, tuple(steps)))


def test_a_registration_that_a_call_made_of_an_unregistered_line_ends_with_its_lease() -> None:
    # rule R9
    # rule R12
    servers = {
        "s13": {"address": "192.168.1.13", "behaviour": "503"},
        "s14": {"address": "192.168.1.14"},
    }
    settings = {
        f"{LINE}sip_server.1.address": DOMAINS[0],
        f"{LINE}sip_server.1.port": "5060",
        f"{LINE}sip_server.1.expires": "60",
        f"{LINE}sip_server.1.register_on_enable": "1",
    }
    steps = (
        {"call": {"to": "2001", "id": "c1"}},
        {"hangup": {"call": "c1"}},
        {"wait": "59s"},
        {"wait": "10s"},
    )
    domain = Domain(DOMAINS[0], own=("192.168.1.13", "192.168.1.14"))
    story = World((domain,), servers, BASE | settings, steps)
    moments = [(each.at, [target.role for target in each.targets[1]]) for each in play(story).bindings]
    assert moments == [(0.0, ["secondary"]), (0.0, ["secondary"]), (59.0, ["secondary"]), (69.0, [])]
    judge(story)


SILENT_PRIMARY: dict[str, dict[str, Any]] = {
    "s13": {"address": "192.168.1.13", "behaviour": "ok, INVITE: silent"},
    "s14": {"address": "192.168.1.14"},
}
BY_NAME = {
    f"{LINE}sip_server.1.address": DOMAINS[0],
    f"{LINE}sip_server.1.port": "5060",
    f"{LINE}sip_server.1.expires": "120",
}
BOTH = Domain(DOMAINS[0], own=("192.168.1.13", "192.168.1.14"), ttl=30)


Steps = tuple[Mapping[str, Any], ...]


def overlapping(settings: Mapping[str, str], servers: Mapping[str, Any], *steps: Mapping[str, Any]) -> World:
    """A line with a primary and a secondary, in which no step waits for another."""
    return World((BOTH,), servers, {**BASE, **BY_NAME, **settings}, steps, overlapping=True)


@pytest.mark.parametrize("mode", ["1", "2", "3"])
def test_dns_takes_the_secondary_away_where_the_line_is_registered(mode: str) -> None:
    # rule R9
    first = {"call": {"to": "2001", "id": "c1", "background": True}}
    second = {"call": {"to": "2002", "id": "c2", "background": True}}
    gone = {"dns": {"zone": replace(BOTH, own=("192.168.1.13",)).text()}}
    end = {"hangup": {"call": "c1"}}
    steps: Steps = (
        {"register": {}},
        first,
        {"wait": "40s"},
        end,
        gone,
        {"wait": "31s"},
        second,
        {"wait": "35s"},
    )
    keys = {f"{LINE}sip_server.1.failback_mode": mode, f"{LINE}sip_server.1.register_on_enable": "1"}
    story = overlapping(keys, SILENT_PRIMARY, *steps)
    assert {target.address for target in play(story).bindings[3].targets[1]} == {"192.168.1.14"}
    judge(story)


def test_a_failed_failback_waits_for_the_end_of_the_new_record() -> None:
    # rule F1
    # rule F5
    keys = {f"{LINE}sip_server.1.failback_mode": "1", f"{LINE}register_expires_overlap": "110"}
    servers = {name: {"address": each["address"]} for name, each in SILENT_PRIMARY.items()}
    silent = {"server": {"name": "s13", "behaviour": "silent"}}
    judge(overlapping(keys, servers, {"register": {}}, {"wait": "65s"}, silent, {"wait": "120s"}))


def test_a_primary_that_refuses_the_renewal_keeps_the_line_where_it_is() -> None:
    # rule F5
    keys = {f"{LINE}sip_server.1.failback_mode": "2", f"{LINE}sip_server.1.register_on_enable": "1"}
    servers = SILENT_PRIMARY | {"s13": {"address": "192.168.1.13", "behaviour": "503"}}
    refuses = {"server": {"name": "s13", "behaviour": "480"}}
    call = {"call": {"to": "2001", "id": "c1", "background": True}}
    steps: Steps = ({"register": {}}, {"wait": "30s"}, refuses, {"wait": "31s"}, call, {"wait": "1s"})
    story = overlapping(keys, servers, *steps)
    assert [str(each.outcome) for each in play(story).outgoing[0].route] == ["answered"]
    judge(story)


def test_a_connection_that_is_lost_behind_a_challenge_is_made_anew() -> None:
    # rule C3
    call = {"call": {"to": "2001", "id": "c1", "background": True}}
    steps: Steps = (
        {"register": {}},
        call,
        {"wait": "10ms"},
        {"server": {"name": "s13", "behaviour": "refuse"}},
        {"server": {"name": "s13", "behaviour": "ok"}},
        {"wait": "10ms"},
    )
    servers = {"s13": {"address": "192.168.1.13", "behaviour": "ok, INVITE: delay 5ms"}}
    story = overlapping({f"{LINE}sip_server.1.transport_type": "1"}, servers, *steps)
    assert [invite.at for invite in play(story).first_invites] == [0.0, 0.005, 0.01]
    judge(story)


@pytest.mark.parametrize("again", [True, False])
def test_a_connection_is_lost_behind_a_challenge_and_can_be_made_again_or_not(*, again: bool) -> None:
    """Where it can no INVITE leaves after the hang-up; where not, the next server gets the same one."""

    # rule C7
    # rule C9
    calls = [{"call": {"to": f"200{n}", "id": f"c{n}", "background": True}} for n in (1, 2, 3)]
    late = {"server": {"name": "s14", "behaviour": "delay 12s"}}
    steps: Steps = (
        {"register": {}},
        *calls[:2],
        late,
        calls[2],
        {"wait": "60s"},
        {"server": {"name": "s13", "behaviour": "ok"}},
        {"server": {"name": "s14", "behaviour": "refuse"}},
        *(({"server": {"name": "s14", "behaviour": "ok"}},) if again else ({"wait": "10ms"},)),
        {"server": {"name": "s13", "behaviour": "ok"}},
    )
    servers = {
        "s13": {"address": "192.168.1.13", "behaviour": "silent"},
        "s14": {"address": "192.168.1.14"},
    }
    servers |= {"s15": {"address": "192.168.1.15"}}
    story = overlapping({f"{LINE}sip_server.1.transport_type": "1"}, servers, *steps)
    if not again:
        story = replace(story, domains=(replace(BOTH, own=(*BOTH.own, "192.168.1.15")),))
    judge(story)
