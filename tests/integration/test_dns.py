"""Name servers that die, change their mind, say no, say nothing, or say too much for a datagram."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from phone_emulator.events import Source
from phone_emulator.phone import Call
from tests.integration.harness.capture import Capture
from tests.integration.harness.kamailio import Kamailio
from tests.integration.harness.live import LivePhone, aside, outcomes
from tests.integration.harness.net import DNS_PORT, DOMAIN, Net
from tests.integration.harness.nsd import Nsd, guide_zone
from tests.integration.harness.phone import Phone
from tests.patience import EARLY

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("callee")]

TTL = 300
"""Seconds that records live."""
ONE_TRY = {"static.network.dns.query_timeout": "2", "static.network.dns.retry_times": "0"}
TWO_TRIES = {"static.network.dns.query_timeout": "1", "static.network.dns.retry_times": "1"}


def static_records(net: Net) -> dict[str, str]:
    """The guide's zone as cfg keys."""
    service = f"_sip._udp.{DOMAIN}"
    naptr = {"name": DOMAIN, "flags": "s", "order": 10, "preference": 50, "service": "SIP+D2U"}
    tables: list[tuple[str, dict[str, object]]] = [
        ("naptr.1", naptr | {"replace": service, "ttl": 300}),
        ("srv.1", {"name": service, "port": 5060, "priority": 0, "weight": 1, "target": f"srv1.{DOMAIN}"}),
        ("srv.2", {"name": service, "port": 5060, "priority": 1, "weight": 1, "target": f"srv2.{DOMAIN}"}),
        ("a.1", {"name": f"srv1.{DOMAIN}", "ip": net.primary, "ttl": 300}),
        ("a.2", {"name": f"srv2.{DOMAIN}", "ip": net.secondary, "ttl": 300}),
    ]
    return {
        f"account.1.dns_cache_{record}.{key}": str(value)
        for record, values in tables
        for key, value in values.items()
    }


def age(live: LivePhone, seconds: float) -> None:
    """Let what the phone has in its cache be so much older: nobody waits for that."""
    entries = live.phone.context.resolver._cache._entries
    for key, (expires, result) in entries.items():
        entries[key] = (expires - seconds, result)


@pytest.fixture
def silent_dns(net: Net) -> Iterator[socket.socket]:
    """A secondary name server's address where somebody listens and never says anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((net.second_dns, DNS_PORT))
        yield deaf


def test_cached_answers_outlive_the_name_server(
    primary: Kamailio, fallback: Kamailio, nsd: Nsd, net: Net, live: LivePhone, capture: Capture
) -> None:
    calls: list[Call] = []

    async def story() -> None:
        calls.append(await live.call())
        await aside(nsd.stop)
        calls.append(await live.call())

    live.play(story)
    wire = capture.read()
    assert [outcomes(call.route) for call in calls] == [[("primary", "answered")]] * 2  # rule D6
    live.agrees([attempt for call in calls for attempt in call.route], wire, "INVITE")
    assert wire.questions(net.phone, net.dns) == [
        ("NAPTR", DOMAIN),
        ("SRV", f"_sip._udp.{DOMAIN}"),
        ("A", f"srv1.{DOMAIN}"),
        ("A", f"srv2.{DOMAIN}"),
    ], "each record is asked for once"
    assert {lookup.source for lookup in live.lookups[-4:]} == {"cache"}


def test_when_the_cache_runs_out_too_the_name_is_unresolved(
    primary: Kamailio, fallback: Kamailio, nsd: Nsd, net: Net, live: LivePhone, capture: Capture
) -> None:
    calls: list[Call] = []

    async def story() -> None:
        calls.append(await live.call())
        await aside(nsd.stop)
        age(live, TTL)
        calls.append(await live.call())

    live.play(story)
    wire = capture.read()
    live.agrees([attempt for call in calls for attempt in call.route], wire, "INVITE")
    assert [outcomes(call.route) for call in calls] == [
        [("primary", "answered")],
        [("primary", "unresolved"), ("fallback", "answered")],  # rule C2
    ]
    unresolved = calls[1].route[0]
    assert unresolved.sent == 0
    assert "ICMP port unreachable" in unresolved.detail
    assert net.dns in unresolved.detail
    # A name server that is known to be gone is not asked for every type. rule D8
    assert wire.questions(net.phone, net.dns)[4:] == [("NAPTR", DOMAIN)]


def test_static_records_help_when_the_name_server_is_gone(
    primary: Kamailio, nsd: Nsd, net: Net, live: LivePhone, capture: Capture
) -> None:
    nsd.stop()
    calls: list[Call] = []

    async def story() -> None:
        calls.append(await live.call())

    live.play(story, static_records(net))
    wire = capture.read()
    live.agrees(calls[0].route, wire, "INVITE")
    (attempt,) = calls[0].route
    assert outcomes([attempt]) == [("primary", "answered")]  # rule D7
    assert attempt.target.source is Source.STATIC
    assert wire.questions(net.phone, net.dns), "static records are the second choice"  # rule D7


def test_a_zone_that_changes_moves_the_next_call(
    primary: Kamailio, secondary: Kamailio, nsd: Nsd, net: Net, live: LivePhone, capture: Capture
) -> None:
    calls: list[Call] = []

    async def story() -> None:
        calls.append(await live.call())
        await aside(lambda: nsd.load(guide_zone(net, "SIP+D2U", swapped=True)))
        calls.append(await live.call())
        age(live, TTL)
        calls.append(await live.call())

    live.play(story)
    wire = capture.read()
    live.agrees([attempt for call in calls for attempt in call.route], wire, "INVITE")
    assert all(outcomes(call.route) == [("primary", "answered")] for call in calls)
    # The second call comes within the TTL. rule D6
    assert [call.route[0].target.address for call in calls] == [net.primary, net.primary, net.secondary]


def test_a_name_that_does_not_exist(
    primary: Kamailio, fallback: Kamailio, net: Net, phone: Phone, capture: Capture
) -> None:
    name = f"nowhere.{DOMAIN}"
    call = phone.call(settings={"account.1.sip_server.1.address": name})
    wire = capture.read()
    assert call.outcomes == [("primary", "unresolved"), ("fallback", "answered")]  # rule C2
    assert call.hops == wire.route(net.phone), wire.ladder()
    assert "no such name" in call.attempts[0]["detail"]
    assert name in call.attempts[0]["detail"]
    # What is not there is remembered as well: REGISTER asked, INVITE does not ask again. rule D6
    asked = wire.questions(net.phone, net.dns)
    assert len(asked) == len(set(asked))


def test_a_silent_name_server_costs_its_time_and_no_more(
    primary: Kamailio,
    fallback: Kamailio,
    silent_dns: socket.socket,
    net: Net,
    live: LivePhone,
    capture: Capture,
) -> None:
    calls: list[Call] = []

    async def story() -> None:
        calls.append(await live.call())

    live.play(story, TWO_TRIES, dns=[net.second_dns])
    wire = capture.read()
    live.agrees(calls[0].route, wire, "INVITE")
    assert outcomes(calls[0].route) == [("primary", "unresolved"), ("fallback", "answered")]
    assert f"no answer after 2.0 s ({net.second_dns}:{DNS_PORT})" in calls[0].route[0].detail
    # rule D8: query_timeout * (1 + retry_times), for one question
    assert wire.questions(net.phone, net.second_dns) == [("NAPTR", DOMAIN)] * 2
    invited = wire.requests("INVITE", source=net.phone)[0]
    assert invited.time - wire.dns[0].time > 2.0 - EARLY


def test_the_secondary_name_server_helps_when_the_first_is_silent(
    primary: Kamailio,
    silent_dns: socket.socket,
    nsd: Nsd,
    net: Net,
    live: LivePhone,
    capture: Capture,
) -> None:
    calls: list[Call] = []

    async def story() -> None:
        calls.append(await live.call())

    live.play(story, ONE_TRY, dns=[net.second_dns, net.dns])
    wire = capture.read()
    live.agrees(calls[0].route, wire, "INVITE")
    assert outcomes(calls[0].route) == [("primary", "answered")]  # rule D8
    assert sorted(wire.questions(net.phone, net.second_dns)) == sorted(wire.questions(net.phone, net.dns))
    waits = [
        helped.time - asked.time
        for asked in wire.dns
        for helped in wire.dns
        if (asked.destination.host, helped.destination.host) == (net.second_dns, net.dns)
        and (asked.name, asked.rdtype) == (helped.name, helped.rdtype)
    ]
    assert len(waits) == 4
    assert min(waits) > 2.0 - EARLY


def test_an_answer_too_long_for_udp_is_asked_for_over_tcp(
    primary: Kamailio, secondary: Kamailio, nsd: Nsd, net: Net, live: LivePhone, capture: Capture
) -> None:
    filler = "a-long-name-to-fill-the-datagram"
    spare = [f"_sip._udp SRV 2 1 5060 {filler}-{n}\n{filler}-{n} A {net.fallback}" for n in range(24)]
    nsd.load(guide_zone(net, "SIP+D2U") + "\n".join(spare) + "\n")
    calls: list[Call] = []
    primary.behave(503, "INVITE")

    async def story() -> None:
        calls.append(await live.call())

    live.play(story)
    wire = capture.read()
    live.agrees(calls[0].route, wire, "INVITE")
    assert outcomes(calls[0].route) == [("primary", "unavailable"), ("secondary", "answered")]
    service = ("SRV", f"_sip._udp.{DOMAIN}")
    truncated = [message for message in wire.dns if message.truncated]
    assert [(message.rdtype, message.name) for message in truncated] == [service]
    assert wire.questions(net.phone, net.dns, "tcp") == [service]  # rule D8
    assert service in wire.questions(net.phone, net.dns, "udp")
    assert [lookup.answer for lookup in live.lookups if lookup.source.endswith("/tcp")] == ["26 records"]
