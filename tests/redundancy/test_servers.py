"""The servers of a line, in the order in which a call tries them."""

from __future__ import annotations

import pytest

from phone_emulator.config.model import (
    AccountConfig,
    FailbackMode,
    FailoverConfig,
    ProxyConfig,
    RedundancyType,
    ServerConfig,
)
from phone_emulator.redundancy import hops, server_order
from phone_emulator.redundancy.servers import successive

ONE = ServerConfig(number=1, address="yealink.pbx.com", port=0, failover=FailoverConfig(retry_counts=1))
TWO = ServerConfig(number=2, address="192.168.1.15", failover=FailoverConfig(retry_counts=2))
PROXY_1 = ProxyConfig(
    number=1, address="proxy1.example.com", port=5080, failover=FailoverConfig(retry_counts=5)
)
PROXY_2 = ProxyConfig(
    number=2, address="192.168.1.19", failover=FailoverConfig(failback_mode=FailbackMode.DURATION)
)


def account(
    *servers: ServerConfig,
    proxies: tuple[ProxyConfig, ...] = (),
    enable: bool = True,
    kind: RedundancyType = RedundancyType.CONCURRENT,
) -> AccountConfig:
    return AccountConfig(
        index=1, servers=servers, proxies=proxies, outbound_proxy_enable=enable, redundancy_type=kind
    )


def order(line: AccountConfig, registered: int | None) -> list[int]:
    return [hop.server for hop in server_order(line, registered)]


@pytest.mark.parametrize("registered", [None, 1, 2])
def test_concurrent_calls_start_at_server_1(registered: int | None) -> None:
    # rule R3
    assert order(account(ONE, TWO), registered) == [1, 2]


@pytest.mark.parametrize(("registered", "expected"), [(None, [1, 2]), (1, [1, 2]), (2, [2, 1])])
def test_successive_calls_start_where_the_line_is_registered(
    registered: int | None, expected: list[int]
) -> None:
    # rule R4
    # rule R5
    assert order(account(ONE, TWO, kind=RedundancyType.SUCCESSIVE), registered) == expected


@pytest.mark.parametrize("server", [ONE, TWO])
@pytest.mark.parametrize("kind", list(RedundancyType))
@pytest.mark.parametrize("registered", [None, 1, 2])
def test_one_server_alone(server: ServerConfig, kind: RedundancyType, registered: int | None) -> None:
    # rule C12
    assert order(account(server, kind=kind), registered) == [server.number]


def test_no_server_at_all() -> None:
    # rule C12
    assert hops(account()) == ()
    assert server_order(account(), None) == ()


def test_a_proxy_replaces_the_next_hop_and_nothing_else() -> None:
    # rule O1
    # rule O2
    first, second = hops(account(ONE, TWO, proxies=(PROXY_1, PROXY_2)))
    assert (first.host, first.port, first.failover, first.identity) == (
        "proxy1.example.com",
        5080,
        PROXY_1.failover,
        ONE,
    )
    assert (second.host, second.failover, second.identity) == ("192.168.1.19", PROXY_2.failover, TWO)
    assert first.proxy
    assert second.proxy


def test_two_proxies_before_one_server() -> None:
    # rule O1
    found = hops(account(ONE, proxies=(PROXY_1, PROXY_2)))
    assert [(hop.identity, hop.proxy) for hop in found] == [(ONE, True), (ONE, True)]


def test_proxies_count_only_when_enabled() -> None:
    # rule O1
    found = hops(account(ONE, TWO, proxies=(PROXY_1, PROXY_2), enable=False))
    assert [(hop.host, hop.proxy) for hop in found] == [("yealink.pbx.com", False), ("192.168.1.15", False)]


def test_between_two_proxies_only_successive() -> None:
    # rule O3
    assert successive(account(ONE, proxies=(PROXY_1, PROXY_2)))
    assert order(account(ONE, proxies=(PROXY_1, PROXY_2)), 2) == [2, 1]
    assert not successive(account(ONE, TWO, proxies=(PROXY_1,)))
    assert not successive(account(ONE, TWO, proxies=(PROXY_1, PROXY_2), enable=False))
