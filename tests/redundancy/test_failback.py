"""When the primary is asked first again, by failback mode."""

from __future__ import annotations

import math

import pytest

from phone_emulator.config.model import FailbackMode, FailoverConfig
from phone_emulator.events import Transport
from phone_emulator.redundancy import Failback
from tests.redundancy.ladder import targets

LIST = targets(1, ".13", ".14", ".16", ttl=300.0)
PRIMARY, SECONDARY, THIRD = LIST
REMEMBERING = [FailbackMode.DNS_TTL, FailbackMode.REGISTRATION, FailbackMode.DURATION]


def failback(mode: FailbackMode, timeout: int = 3600, looked_up: float = 0.0) -> Failback:
    memory = Failback(FailoverConfig(failback_mode=mode, failback_timeout=timeout))
    memory.located(LIST, looked_up)
    return memory


def roles(memory: Failback, now: float, *, idle: bool = True) -> list[str]:
    return [target.role for target in memory.order(LIST, now, idle=idle)[0]]


IN_ORDER = ["primary", "secondary", "target-3"]
SECONDARY_FIRST = ["secondary", "primary", "target-3"]


@pytest.mark.parametrize("mode", list(FailbackMode))
def test_before_any_failover(mode: FailbackMode) -> None:
    # rule R1
    memory = failback(mode)
    assert (memory.current, memory.due_at) == (None, math.inf)
    memory.worked(PRIMARY, LIST, 0.0)
    memory.failed_back(0.0)
    memory.renewal()
    assert memory.order(LIST, 10.0**9, idle=True) == (LIST, None, False)


def test_mode_0_has_no_memory() -> None:
    # rule F0
    memory = failback(FailbackMode.NEW_REQUESTS)
    memory.worked(SECONDARY, LIST, 0.0)
    assert memory.current is None
    assert roles(memory, 0.0) == IN_ORDER


@pytest.mark.parametrize("mode", REMEMBERING)
def test_modes_1_to_3_ask_the_last_one_first(mode: FailbackMode) -> None:
    # rule F4
    memory = failback(mode)
    memory.worked(SECONDARY, LIST, 0.0)
    ordered, current, returning = memory.order(LIST, 1.0, idle=True)
    assert [target.role for target in ordered] == SECONDARY_FIRST
    assert (current, returning) == (SECONDARY, False)
    memory.worked(THIRD, LIST, 2.0)
    assert roles(memory, 3.0) == ["target-3", "primary", "secondary"]


@pytest.mark.parametrize("mode", REMEMBERING)
def test_the_primary_works_again(mode: FailbackMode) -> None:
    # rule R1
    memory = failback(mode)
    memory.worked(SECONDARY, LIST, 0.0)
    memory.worked(PRIMARY, LIST, 1.0)
    assert (memory.current, memory.due_at) == (None, math.inf)
    assert roles(memory, 1.0) == IN_ORDER


@pytest.mark.parametrize(
    ("mode", "due"), [(FailbackMode.DNS_TTL, 300.0), (FailbackMode.DURATION, 3600.0)], ids=["ttl", "duration"]
)
def test_the_failback_is_due(mode: FailbackMode, due: float) -> None:
    # rule F1
    # rule F3
    memory = failback(mode, looked_up=100.0)
    memory.worked(SECONDARY, LIST, 100.0)
    memory.worked(SECONDARY, LIST, 200.0)  # working on starts nothing anew
    just_before = math.nextafter(100.0 + due, 0.0)
    assert roles(memory, just_before) == SECONDARY_FIRST
    assert memory.order(LIST, 100.0 + due, idle=True) == (LIST, None, True)
    assert roles(memory, 100.0 + due, idle=False) == SECONDARY_FIRST  # waits until the line is idle
    assert roles(memory, 100.0 + due + 5) == IN_ORDER


@pytest.mark.parametrize("mode", [FailbackMode.DNS_TTL, FailbackMode.DURATION])
def test_a_failed_failback_starts_the_wait_again(mode: FailbackMode) -> None:
    # rule F5
    memory = failback(mode, 300)
    memory.worked(SECONDARY, LIST, 0.0)
    assert roles(memory, 300.0) == IN_ORDER
    memory.located(LIST, 332.0)
    memory.worked(SECONDARY, LIST, 332.0)
    memory.failed_back(332.0)
    assert memory.current == SECONDARY
    assert roles(memory, 631.9) == SECONDARY_FIRST
    assert roles(memory, 632.0) == IN_ORDER


def test_mode_1_counts_from_the_lookup() -> None:
    """The record's own end counts, however long the primary was waited for."""

    # rule F1
    memory = failback(FailbackMode.DNS_TTL)
    memory.worked(SECONDARY, LIST, 32.0)
    assert memory.due_at == 300.0


def test_a_failed_failback_waits_for_the_end_of_the_record_that_it_looked_up() -> None:
    # rule F5
    # rule F1
    memory = failback(FailbackMode.DNS_TTL)
    cached = targets(1, ".13", ".14", ttl=10.0)
    memory.located(cached, 290.0)
    memory.worked(cached[1], cached, 290.0)
    fresh = targets(1, ".13", ".14", ttl=300.0)
    memory.located(fresh, 300.0)
    memory.failed_back(307.5)
    memory.worked(fresh[1], fresh, 307.5)
    assert memory.due_at == 600.0


@pytest.mark.parametrize("returning", [False, True])
def test_a_record_that_runs_out_while_the_primary_is_waited_for_counts_once_more(*, returning: bool) -> None:
    # rule F5
    # rule F1
    short = targets(1, ".13", ".14", ttl=30.0)
    memory = failback(FailbackMode.DNS_TTL)
    memory.located(short, 0.0)
    memory.worked(short[1], short, 32.0)
    assert memory.due_at == 62.0
    if returning:
        memory.located(short, 62.0)
        memory.failed_back(94.0)
        assert memory.due_at == 124.0


def test_mode_2_returns_with_the_renewal() -> None:
    # rule F2
    memory = failback(FailbackMode.REGISTRATION)
    memory.worked(SECONDARY, LIST, 0.0)
    assert roles(memory, 10.0**9) == SECONDARY_FIRST
    memory.renewal()
    assert roles(memory, 10.0, idle=False) == SECONDARY_FIRST
    assert roles(memory, 10.0) == IN_ORDER
    memory.failed_back(20.0)
    assert roles(memory, 20.0) == SECONDARY_FIRST


@pytest.mark.parametrize("mode", [FailbackMode.NEW_REQUESTS, FailbackMode.DNS_TTL, FailbackMode.DURATION])
def test_a_renewal_is_nothing_to_the_other_modes(mode: FailbackMode) -> None:
    # rule F2
    memory = failback(mode)
    memory.worked(SECONDARY, LIST, 0.0)
    memory.renewal()
    assert not memory.is_due(1.0)


def test_duration_0_never_returns_until_the_current_one_fails() -> None:
    # rule F3
    memory = failback(FailbackMode.DURATION, 0)
    memory.worked(SECONDARY, LIST, 0.0)
    assert roles(memory, 10.0**9) == SECONDARY_FIRST
    memory.worked(PRIMARY, LIST, 10.0**9)  # the secondary failed, so the primary was asked next
    assert roles(memory, 10.0**9) == IN_ORDER


def test_an_address_without_ttl_is_kept_in_mode_1() -> None:
    # rule F1
    memory = failback(FailbackMode.DNS_TTL)
    static = targets(1, ".13", ".14", ttl=None)
    memory.located(static, 0.0)
    memory.worked(static[1], static, 0.0)
    assert not memory.is_due(10.0**9)


@pytest.mark.parametrize("mode", REMEMBERING)
def test_a_current_target_that_dns_no_longer_names_goes_first_no_more(mode: FailbackMode) -> None:
    # rule F4
    memory = failback(mode)
    memory.worked(SECONDARY, LIST, 0.0)
    others = [PRIMARY, THIRD]
    assert memory.order(others, 1.0, idle=True) == (others, None, False)
    assert memory.dropped(others) == SECONDARY
    assert roles(memory, 2.0) == SECONDARY_FIRST  # a zone that was wrong for a while
    memory.worked(THIRD, others, 3.0)
    assert memory.order(others, 4.0, idle=True)[1] == THIRD
    assert memory.dropped(others) is None


def test_a_new_ttl_does_not_make_it_another_target() -> None:
    # rule F4
    memory = failback(FailbackMode.DNS_TTL)
    memory.worked(SECONDARY, LIST, 0.0)
    fresh = targets(1, ".13", ".14", ".16", ttl=77.0)
    assert memory.order(fresh, 1.0, idle=True)[1] == fresh[1]
    memory.worked(fresh[1], fresh, 1.0)
    assert memory.due_at == 300.0


def test_the_same_address_over_another_transport_is_another_target() -> None:
    # rule F4
    (over_udp,) = targets(1, ".13")
    (over_tcp,) = targets(1, ".13", transport=Transport.TCP)
    memory = failback(FailbackMode.DURATION)
    memory.worked(over_tcp, [over_udp, over_tcp], 0.0)
    assert memory.current == over_tcp
    assert memory.order([over_udp, over_tcp], 1.0, idle=True) == ([over_tcp, over_udp], over_tcp, False)
    assert memory.order([over_udp], 2.0, idle=True) == ([over_udp], None, False)  # DNS names it no more


def test_a_target_without_ttl_is_kept_whatever_the_last_one_had() -> None:
    # rule F1
    memory = failback(FailbackMode.DNS_TTL)
    memory.worked(SECONDARY, LIST, 0.0)
    assert memory.is_due(300.0)
    (static,) = targets(1, ".16", ttl=None)
    memory.located([*LIST[:2], static], 100.0)
    memory.worked(static, LIST, 100.0)
    assert not memory.is_due(10.0**9)


def test_the_current_one_is_no_exception_where_dns_lists_it_first_by_now() -> None:
    # rule F4
    memory = failback(FailbackMode.DURATION)
    memory.worked(SECONDARY, LIST, 0.0)
    turned = [SECONDARY, PRIMARY, THIRD]
    assert memory.order(turned, 1.0, idle=True) == (turned, None, False)
    assert memory.order(turned, 10.0**9, idle=True) == (turned, None, False)
