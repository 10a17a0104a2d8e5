"""What public sources leave open of the real phone: for whom, what is in force, what else it might be."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from phone_emulator.config import load_text
from phone_emulator.config.model import AccountConfig, TimerConfig
from phone_emulator.redundancy import Silence
from phone_emulator.redundancy.readings import Reading, open_readings, reaction_reading
from tests.phone.stage import server_1, server_2

NAME = server_1(address="pbx.example.com")
ADDRESS = server_1(address="192.168.1.13")
PROXY = {"account.1.outbound_proxy_enable": "1", "account.1.outbound_proxy.1.address": "proxy.example.com"}
TIMERS = TimerConfig()


def account(*settings: Mapping[str, str]) -> AccountConfig:
    facts = {"account.1.enable": "1", "account.1.user_name": "1001"}
    for each in settings:
        facts |= each
    text = "\n".join(["#!version:1.0.0.1", *(f"{key} = {value}" for key, value in facts.items())])
    return load_text(text, name="x.cfg").config.accounts[0]


def readings(of: AccountConfig, silence: Silence = Silence.AUTO) -> dict[str, Reading]:
    return {each.rule: each for each in open_readings(of, TIMERS, silence)}


@pytest.mark.parametrize(
    ("silence", "call", "register"),
    [
        (
            Silence.AUTO,
            (32.0, {"retry-counts": 7.5, "attempts": 3.5}),
            (7.5, {"timer-b": 32.0, "attempts": 3.5}),
        ),
        (
            Silence.TIMER_B,
            (32.0, {"retry-counts": 7.5, "attempts": 3.5}),
            (32.0, {"retry-counts": 7.5, "attempts": 3.5}),
        ),
        (
            Silence.RETRY_COUNTS,
            (7.5, {"timer-b": 32.0, "attempts": 3.5}),
            (7.5, {"timer-b": 32.0, "attempts": 3.5}),
        ),
        (
            Silence.ATTEMPTS,
            (3.5, {"timer-b": 32.0, "retry-counts": 7.5}),
            (3.5, {"timer-b": 32.0, "retry-counts": 7.5}),
        ),
    ],
)
def test_the_reading_in_force_is_the_one_that_was_chosen(
    silence: Silence, call: tuple[float, dict[str, float]], register: tuple[float, dict[str, float]]
) -> None:
    # rule C5
    # rule R2
    found = readings(account(NAME), silence)
    assert (found["C5"].in_force, found["C5"].others) == call
    assert (found["R2"].in_force, found["R2"].others) == register
    assert f"a call waits {call[0]} s for a silent target" in found["C5"].message
    assert f"a REGISTER waits {register[0]} s for a silent target" in found["R2"].message


def test_each_counts_by_its_own_key() -> None:
    # rule C5
    # rule R2
    found = readings(account(NAME, server_1(invite_retry_counts=2, retry_counts=1)))
    assert (found["C5"].in_force, found["R2"].in_force) == (3.5, 1.5)


def test_waits_are_told_to_a_tenth_of_a_second() -> None:
    # rule C5
    odd = TimerConfig(t1=0.55)
    (found,) = [each for each in open_readings(account(NAME), odd) if each.rule == "R2"]
    assert found.in_force == pytest.approx(7.85)
    assert "waits 7.9 s for a silent target" in found.message
    assert "35.2 s by timer-b" in found.message


def test_after_which_keys_a_reading_is_told() -> None:
    own = "sip_server.1"
    found = {rule: each.keys for rule, each in readings(account(NAME, server_1(failback_mode=1))).items()}
    assert found == {
        "C5": (f"{own}.invite_retry_counts", f"{own}.retry_counts", f"{own}.address"),
        "R2": (f"{own}.retry_counts",),
        "F4": (f"{own}.failback_mode",),
        "F1": (f"{own}.failback_mode",),
        "R8": (f"{own}.expires", "register_expires_overlap"),
    }


def test_a_proxys_keys_come_before_those_that_it_takes_over() -> None:
    # rule O2
    found = readings(account(NAME, PROXY))["R2"]
    assert found.keys == ("outbound_proxy.1.retry_counts", "sip_server.1.retry_counts")
    assert "a silent target of outbound_proxy.1 that is not its last" in found.message


def test_which_server_would_be_silent_after_a_failover() -> None:
    # rule F4
    remembers = account(NAME, server_1(failback_mode=3, invite_retry_counts=1))
    found = readings(remembers)["F4"]
    assert (found.in_force, found.others) == (0.0, {"last-registered": 1.5})
    assert readings(remembers, Silence.TIMER_B)["F4"].others == {"last-registered": 32.0}
    assert "F4" not in readings(account(NAME, server_1(failback_mode=3, register_on_enable=1)))
    assert "F4" not in readings(account(NAME))


def test_when_a_lease_is_renewed() -> None:
    # rule R8
    found = readings(account(ADDRESS, server_1(expires=3600)))["R8"]
    assert (found.in_force, found.others) == (3540.0, {"90-percent": 3240.0, "at-most-900-s": 900.0})
    # A short one has no time that is 60 s before its end.
    assert readings(account(ADDRESS, server_1(expires=60)))["R8"].others == {"90-percent": 54.0}
    assert readings(account(ADDRESS, {"account.1.register_expires_overlap": "1"})) == {}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ([NAME], True),  # its name may have two targets
        ([ADDRESS], False),
        ([ADDRESS, server_2(address="192.168.1.15")], True),
        ([NAME, server_2(address="192.168.1.15")], True),
    ],
)
def test_how_soon_it_moves_on_is_told_where_there_is_somewhere_to_go(
    settings: list[dict[str, str]], told: bool
) -> None:
    # rule C2
    found = list(reaction_reading(account(*settings), 0.0))
    assert [(each.rule, each.in_force, each.others) for each in found] == (
        [("C2", 0.0, {"one trace": 0.07})] if told else []
    )
    assert all("about 70 ms from the answer" in each.message for each in found)
    assert list(reaction_reading(account(*settings), 0.07)) == []  # it is the user's own figure


def test_a_reading_as_programs_read_it() -> None:
    # rule F1
    (found,) = reaction_reading(account(NAME), 0.0)
    assert found.as_json() == {
        "rule": "C2",
        "message": found.message,
        "in_force": 0.0,
        "others": {"one trace": 0.07},
    }
    without_figures = readings(account(NAME, server_1(failback_mode=1)))["F1"].as_json()
    assert (without_figures["in_force"], without_figures["others"]) == (None, {})
