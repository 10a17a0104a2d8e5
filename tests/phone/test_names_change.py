"""A phone whose DNS is slow, gone, wrong for a while, or changes under it: what its calls do (D6, D7, D8)."""

from __future__ import annotations

import asyncio

import pytest

from phone_emulator.dns.resolver import shown_source
from tests.phone.sites import Site, play, zone_of

A = "@ A 192.168.1.11\nb A 192.168.1.12\nc A 192.168.1.13"
SRV = (
    '@ NAPTR 10 10 s SIP+D2U "" _sip._udp\n'
    "_sip._udp SRV 1 1 5060 a\n_sip._udp SRV 2 1 5060 b\n"
    "a A 192.168.1.11\nb A 192.168.1.12"
)
PORT: dict[str, object] = {"account.1.sip_server.1.port": 5060}
"""A names only: one lookup a call."""
STATIC_A = {"dns_cache_a.1.name": "pbx.test", "dns_cache_a.1.ip": "192.168.1.12", "dns_cache_a.1.ttl": 300}
STATIC_SRV = {
    "dns_cache_naptr.1.name": "pbx.test",
    "dns_cache_naptr.1.flags": "S",
    "dns_cache_naptr.1.order": 1,
    "dns_cache_naptr.1.preference": 1,
    "dns_cache_naptr.1.service": "SIP+D2T",
    "dns_cache_naptr.1.replace": "_sip._tcp.pbx.test",
    "dns_cache_srv.1.name": "_sip._tcp.pbx.test",
    "dns_cache_srv.1.priority": 1,
    "dns_cache_srv.1.weight": 1,
    "dns_cache_srv.1.port": 5060,
    "dns_cache_srv.1.target": "b.pbx.test",
    "dns_cache_a.1.name": "b.pbx.test",
    "dns_cache_a.1.ip": "192.168.1.12",
}
FIRST = {"account.1.static_cache_pri": 1}
TWO_SERVERS: dict[str, object] = {
    "static.network.primary_dns": "192.0.2.1",
    "static.network.secondary_dns": "192.0.2.2",
}

BY_DNS, BY_STATIC = ["primary .11/udp answered"], ["primary .12/udp answered"]
NOWHERE = ["primary unresolved"]


# -- static records: rule D7 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dns", "settings", "expected", "took"),
    [
        ("ok", {}, BY_DNS, 0.0),
        ("ok", FIRST, BY_STATIC, 0.0),
        ("silent", {}, BY_STATIC, 9.0),
        ("silent", FIRST, BY_STATIC, 0.0),
        ("refuse", {}, BY_STATIC, 0.0),
        ("servfail", {}, BY_STATIC, 0.0),
        ("refused", {}, BY_STATIC, 0.0),
    ],
)
def test_static_records(dns: str, settings: dict[str, object], expected: list[str], took: float) -> None:
    # rule D7
    # rule D8
    async def story(site: Site) -> None:
        await site.lab.dns_behave(dns)
        assert await site.dial() == expected
        assert site.world.now() == took

    play(story, A, PORT | STATIC_A | settings)


@pytest.mark.parametrize(("first", "took"), [(0, 9.0), (1, 0.0)])
def test_static_records_all_the_way(first: int, took: float) -> None:
    """NAPTR, SRV and A from the cfg; without priority, DNS servers that are gone are waited for once."""

    # rule D7
    # rule D8
    async def story(site: Site) -> None:
        await site.lab.dns_behave("silent")
        assert await site.dial() == ["primary .12/tcp answered"]
        assert site.world.now() == took
        told = [line for line in site.asked() if line.endswith(": static")]
        names = ["NAPTR pbx.test", "SRV _sip._tcp.pbx.test", "A b.pbx.test"]
        assert told == [f"{name}: static" for name in names]

    play(story, SRV, STATIC_SRV | {"account.1.static_cache_pri": first})


@pytest.mark.parametrize(("account", "expected"), [(1, BY_STATIC), (2, NOWHERE)])
def test_static_records_of_one_account(account: int, expected: list[str]) -> None:
    # rule D7
    async def story(site: Site) -> None:
        await site.lab.dns_behave("refuse")
        assert await site.dial() == expected

    old = {f"account.{account}.{key}": value for key, value in STATIC_A.items()}
    play(story, A, PORT | old)


@pytest.mark.parametrize("records", ["other A 192.168.1.13", "@ AAAA fd00::1"])
def test_static_records_where_dns_knows_nothing(records: str) -> None:
    """No such name, or no address of it: DNS gives nothing."""

    # rule D7
    async def story(site: Site) -> None:
        site.lab.change_zone(zone_of(records))
        assert await site.dial() == BY_STATIC

    play(story, A, PORT | STATIC_A)


def test_without_a_dns_server_there_are_static_records_only() -> None:
    # rule D7
    async def story(site: Site) -> None:
        assert await site.dial() == BY_STATIC
        assert site.world.now() == 0.0
        assert site.asked() == ["A pbx.test: static"]

    play(story, A, PORT | STATIC_A, nameservers=[])


def test_dns_comes_back_and_counts_again() -> None:
    # rule D7
    # rule D6
    async def story(site: Site) -> None:
        await site.lab.dns_behave("silent")
        assert await site.dial() == BY_STATIC
        await site.lab.dns_behave("ok")
        assert await site.dial() == BY_DNS
        await site.lab.dns_behave("silent")
        assert await site.dial() == BY_DNS  # from the cache, for the hour of its TTL
        await asyncio.sleep(3600)
        assert await site.dial() == BY_STATIC

    play(story, A, PORT | STATIC_A)


# -- servers and their time: rule D8 ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "took"),
    [
        ({}, 9.0),
        ({"static.network.dns.query_timeout": 1}, 3.0),
        ({"static.network.dns.retry_times": 0}, 3.0),
        ({"static.network.dns.query_timeout": 2, "static.network.dns.retry_times": 4}, 10.0),
        (TWO_SERVERS, 18.0),
        ({"sip.dns_transport_type": 1}, 9.0),
    ],
)
def test_how_long_a_dead_dns_holds_a_call_up(settings: dict[str, object], took: float) -> None:
    """One lookup's time for the whole server, then server 2, whose address needs none."""

    # rule D8
    # rule C2
    async def story(site: Site) -> None:
        await site.lab.dns_behave("silent")
        assert await site.dial() == ["primary unresolved", "fallback .12/udp answered"]
        assert site.world.now() == took

    play(story, SRV, {"account.1.sip_server.2.address": "192.168.1.12"} | settings)


@pytest.mark.parametrize(("dead", "took"), [("silent", 9.0), ("refuse", 0.0), ("servfail", 0.0)])
def test_the_secondary_dns_server(dead: str, took: float) -> None:
    # rule D8
    async def story(site: Site) -> None:
        primary, _ = site.lab.nameservers
        await primary.behave(dead)
        assert await site.dial() == BY_DNS
        assert site.world.now() == took
        assert [shown_source(line.split(": ")[1]) for line in site.asked()] == ["192.0.2.1", "192.0.2.2"]

    play(story, A, PORT | TWO_SERVERS)


def test_the_secondary_dns_server_is_not_asked_when_the_primary_knows_no_such_name() -> None:
    # rule D8
    async def story(site: Site) -> None:
        site.lab.nameservers[0].zone = zone_of("other A 192.168.1.13")
        assert await site.dial() == NOWHERE
        assert site.asked() == ["A pbx.test: 192.0.2.1:53/udp"]

    play(story, A, PORT | TWO_SERVERS)


def test_a_registration_waits_for_dns_as_a_call_does() -> None:
    # rule D8
    # rule R7
    async def story(site: Site) -> None:
        await site.lab.dns_behave("silent")
        assert await site.register() == NOWHERE
        assert site.world.now() == 9.0
        await site.lab.dns_behave("ok")
        await asyncio.sleep(31)  # reg_fail_retry_interval = 30
        assert [target.role for target in site.phone.line(1).bindings.targets] == ["primary"]

    play(story, A, PORT)


def test_hanging_up_does_not_wait_for_dns() -> None:
    # rule C9
    # rule D8
    async def story(site: Site) -> None:
        await site.lab.dns_behave("silent")
        call = site.phone.dial("1002")
        await asyncio.sleep(1)
        await call.hang_up()
        await call.over()
        assert (call.result, site.world.now()) == ("cancelled", 1.0)
        assert call.route == []

    play(story, A, PORT)


# -- truncated answers: rule D8 ---------------------------------------------------------------------------

MANY = SRV + "".join(f"\n_sip._udp SRV 3 {n} 5060 a-rather-long-name-of-a-server-{n}" for n in range(40))


@pytest.mark.parametrize(("records", "behaviour"), [(SRV, "truncate"), (MANY, "ok")])
def test_a_truncated_answer_is_asked_again_over_tcp(records: str, behaviour: str) -> None:
    # rule D8
    async def story(site: Site) -> None:
        await site.lab.dns_behave(behaviour)
        assert await site.dial() == ["primary .11/udp unavailable", "secondary .12/udp answered"]
        assert site.world.now() == 0.0
        assert any(line.startswith("SRV ") and line.endswith("/tcp") for line in site.asked())

    play(story, records, down={".11": 503})


# -- a zone that changes: rule D6 -------------------------------------------------------------------------

NEXT_DAY = "@ 60 A 192.168.1.12\n@ 60 A 192.168.1.13"
MOVED = ["primary .12/udp answered"]


@pytest.mark.parametrize(
    ("cache_type", "after", "expected"),
    [(0, 0, MOVED), (1, 0, BY_DNS), (1, 59, BY_DNS), (1, 60, MOVED), (2, 59, BY_DNS), (2, 60, MOVED)],
)
def test_a_call_after_the_zone_has_changed(cache_type: int, after: float, expected: list[str]) -> None:
    # rule D6
    async def story(site: Site) -> None:
        assert await site.dial() == BY_DNS
        site.lab.change_zone(zone_of(NEXT_DAY))
        await asyncio.sleep(after)
        assert await site.dial() == expected

    play(story, A.replace("@ A", "@ 60 A"), PORT | {"account.1.dns_cache_type": cache_type})


def test_a_refresh_goes_where_the_zone_says_then() -> None:
    # rule D6
    # rule R8
    async def story(site: Site) -> None:
        await site.register()
        site.lab.change_zone(zone_of(NEXT_DAY))
        await asyncio.sleep(3541)
        [target] = site.phone.line(1).bindings.targets
        assert target.address == "192.168.1.12"

    play(story, A.replace("@ A", "@ 60 A"), PORT)


def test_the_target_in_use_leaves_the_zone() -> None:
    """A memory of a target that DNS no longer names is dropped: the new primary is asked first."""

    # rule F3
    # rule D6
    async def story(site: Site) -> None:
        assert await site.dial() == ["primary .11/udp unavailable", "secondary .12/udp answered"]
        assert await site.dial() == ["secondary .12/udp answered"]
        site.lab.change_zone(zone_of("@ A 192.168.1.13"))
        assert await site.dial() == ["primary .13/udp answered"]

    settings = {"account.1.sip_server.1.failback_mode": 3, "account.1.dns_cache_type": 0}
    play(story, "@ A 192.168.1.11\n@ A 192.168.1.12\nc A 192.168.1.13", settings, down={".11": 503})


def test_a_dialog_keeps_its_server_when_the_zone_changes() -> None:
    # rule C11
    async def story(site: Site) -> None:
        call = site.phone.dial("1002")
        await call.settled()
        site.lab.change_zone(zone_of(NEXT_DAY))
        await asyncio.sleep(4000)
        await site.behave(".12", "silent")
        began = site.world.now()
        await call.hang_up()
        assert site.world.now() == began

    play(story, A, PORT)


def test_a_name_that_does_not_exist_yet() -> None:
    """An absence is remembered as long as the SOA says (RFC 2308); a failure of the server is not."""

    # rule D6
    async def story(site: Site) -> None:
        site.lab.change_zone(zone_of("@ SOA ns root 1 1 1 1 120\nother A 192.168.1.13"))
        assert await site.dial() == NOWHERE
        site.lab.change_zone(zone_of(A))
        await asyncio.sleep(119)
        assert await site.dial() == NOWHERE
        await asyncio.sleep(1)
        assert await site.dial() == BY_DNS

    play(story, A, PORT)


def test_a_failure_is_not_remembered() -> None:
    # rule D6
    async def story(site: Site) -> None:
        await site.lab.dns_behave("servfail")
        assert await site.dial() == NOWHERE
        await site.lab.dns_behave("ok")
        assert await site.dial() == BY_DNS

    play(story, A, PORT)


def test_srv_records_come_to_a_domain_that_had_none() -> None:
    # rule D3
    # rule D6
    async def story(site: Site) -> None:
        site.lab.change_zone(zone_of("@ SOA ns root 1 1 1 1 60\n@ 60 A 192.168.1.12"))
        assert await site.dial() == ["primary .12/udp answered"]
        site.lab.change_zone(zone_of(SRV))
        assert await site.dial() == ["primary .12/udp answered"]
        await asyncio.sleep(60)
        assert await site.dial() == ["primary .11/udp answered"]

    play(story, SRV)
