"""The order of targets, without any asking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.config.model import TransportType
from phone_emulator.dns.order import (
    AddressOnly,
    Everything,
    Literal,
    ServerAddresses,
    first_step,
    naptr_order,
    srv_names,
    srv_order,
    targets_of,
)
from phone_emulator.dns.records import NaptrRecord, SrvRecord
from phone_emulator.events import Source, Transport

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS


def naptr(
    order: int, preference: int, service: str = "SIP+D2U", flags: str = "s", replacement: str = "x.example"
) -> NaptrRecord:
    return NaptrRecord(order, preference, flags, service, "", replacement)


# rule D1
@pytest.mark.parametrize(
    ("host", "port", "transport_type", "expected"),
    [
        ("192.168.1.13", 5070, TransportType.UDP, Literal("192.168.1.13", UDP, 5070)),
        ("192.168.1.13", 5070, TransportType.TCP, Literal("192.168.1.13", TCP, 5070)),
        ("192.168.1.13", 5070, TransportType.TLS, Literal("192.168.1.13", TLS, 5070)),
        ("192.168.1.13", 5070, TransportType.DNS_NAPTR, Literal("192.168.1.13", UDP, 5070)),
        ("192.168.1.13", 0, TransportType.UDP, Literal("192.168.1.13", UDP, 5060)),
        ("192.168.1.13", 0, TransportType.TCP, Literal("192.168.1.13", TCP, 5060)),
        ("192.168.1.13", 0, TransportType.TLS, Literal("192.168.1.13", TLS, 5061)),
        ("192.168.1.13", 0, TransportType.DNS_NAPTR, Literal("192.168.1.13", UDP, 5060)),
        ("2001:DB8::1", 0, TransportType.TCP, Literal("2001:db8::1", TCP, 5060)),
        ("[2001:db8::1]", 5061, TransportType.TLS, Literal("2001:db8::1", TLS, 5061)),
    ],
)
def test_an_ip_address_is_taken_as_it_is(
    host: str, port: int, transport_type: TransportType, expected: Literal
) -> None:
    assert first_step(host, port, transport_type) == expected


# rule D1
@pytest.mark.parametrize(
    ("port", "transport_type", "transport", "used"),
    [
        (5070, TransportType.UDP, UDP, 5070),
        (5070, TransportType.TCP, TCP, 5070),
        (5070, TransportType.TLS, TLS, 5070),
        (5070, TransportType.DNS_NAPTR, UDP, 5070),
        (0, TransportType.UDP, UDP, 5060),
        (0, TransportType.TCP, TCP, 5060),
        (0, TransportType.TLS, TLS, 5061),
    ],
)
def test_a_name_with_a_port_or_a_fixed_transport_asks_for_addresses_only(
    port: int, transport_type: TransportType, transport: Transport, used: int
) -> None:
    step = first_step("yealink.pbx.com", port, transport_type)
    assert isinstance(step, AddressOnly)
    assert (step.transport, step.port) == (transport, used)
    assert "NAPTR" in step.why


# rule D1
@pytest.mark.parametrize("host", ["yealink.pbx.com", "[192.168.1.13]", "192.168.1", "192.168.1.013"])
def test_a_name_without_port_and_transport_type_3_asks_for_everything(host: str) -> None:
    assert first_step(host, 0, TransportType.DNS_NAPTR) == Everything()


# rule D2
def test_naptr_goes_by_order_then_by_preference() -> None:
    best, second, third = naptr(10, 50), naptr(10, 60, "SIP+D2T"), naptr(20, 1, "SIPS+D2T")
    assert naptr_order([third, second, best]) == [best, second, third]


# rule D2
def test_naptr_of_other_services_and_flags_are_passed_over() -> None:
    usable = [
        naptr(1, 1, "sips+d2t", "S"),
        naptr(2, 1, "SIP+D2U", "a"),
        naptr(3, 1, "", ""),
        naptr(4, 1, "SIP+D2T", ""),
    ]
    unusable = [
        naptr(0, 1, "E2U+sip"),
        naptr(0, 1, "SIP+D2S"),
        naptr(0, 1, "E2U+sip", ""),
        naptr(0, 1, "SIP+D2U", "u"),
        naptr(0, 1, "", "s"),
        naptr(0, 1, replacement="."),
    ]
    assert naptr_order(unusable + usable) == usable


# rule D2
def test_naptr_that_are_equally_good_prefer_udp_then_tcp_then_tls() -> None:
    udp, tcp, tls = naptr(1, 1), naptr(1, 1, "SIP+D2T"), naptr(1, 1, "SIPS+D2T")
    assert naptr_order([tls, tcp, udp]) == [udp, tcp, tls]


# rule D3
def test_without_naptr_build_only_udp_is_looked_for() -> None:
    assert srv_names("pbx.com", naptr_build=False) == [("_sip._udp.pbx.com", UDP)]


# rule D3
def test_with_naptr_build_every_transport_is_looked_for() -> None:
    assert srv_names("pbx.com", naptr_build=True) == [
        ("_sip._udp.pbx.com", UDP),
        ("_sip._tcp.pbx.com", TCP),
        ("_sips._tcp.pbx.com", TLS),
    ]


# rule D4
def test_srv_goes_by_priority_then_by_the_higher_weight() -> None:
    first, second = SrvRecord(1, 90, 5060, "b.example"), SrvRecord(1, 10, 5060, "a.example")
    third, last = SrvRecord(2, 0, 5060, "c.example"), SrvRecord(3, 65535, 5060, "d.example")
    for seed in range(20):
        assert srv_order([last, second, third, first], seed) == [first, second, third, last]


# rule D4
def test_equal_weights_share_the_load_but_one_phone_keeps_its_order() -> None:
    records = [SrvRecord(1, 5, 5060, f"srv{number}.example") for number in range(3)]
    leaders = [srv_order(records, seed)[0].target for seed in range(600)]
    for record in records:
        assert 150 < leaders.count(record.target) < 250
    assert srv_order(records, 7) == srv_order(reversed(records), 7)


# rule D4
def test_a_target_that_is_the_root_is_left_out() -> None:
    assert srv_order([SrvRecord(0, 0, 0, ".")], 1) == []


NAMES = st.sampled_from(["a.example", "B.example", "b.example", "c.example", "."])
SRVS = st.builds(SrvRecord, st.integers(0, 3), st.integers(0, 2), st.sampled_from([5060, 5070]), NAMES)
NAPTRS = st.builds(
    NaptrRecord,
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["s", "S", "a", "", "u"]),
    st.sampled_from(["SIP+D2U", "sip+d2t", "SIPS+D2T", "E2U+sip", ""]),
    st.just(""),
    NAMES,
)


# rule D4
@given(st.data(), st.lists(SRVS, max_size=8), st.integers(0, 2**64 - 1))
def test_the_order_of_srv_in_the_answer_does_not_matter(
    data: st.DataObject, records: list[SrvRecord], seed: int
) -> None:
    ordered = srv_order(records, seed)
    assert srv_order(data.draw(st.permutations(records)), seed) == ordered
    ranks = [(record.priority, -record.weight) for record in ordered]
    assert ranks == sorted(ranks)
    assert set(ordered) == {record for record in records if record.target != "."}


# rule D2
@given(st.data(), st.lists(NAPTRS, max_size=8))
def test_the_order_of_naptr_in_the_answer_does_not_matter(
    data: st.DataObject, records: list[NaptrRecord]
) -> None:
    ordered = naptr_order(records)
    assert naptr_order(data.draw(st.permutations(records))) == ordered
    ranks = [(record.order, record.preference) for record in ordered]
    assert ranks == sorted(ranks)


# rule D2
def test_naptr_records_that_only_letter_case_tells_apart_keep_one_order() -> None:
    records = [
        NaptrRecord(1, 2, flags, service, "", name)
        for flags in ("s", "S")
        for service in ("SIP+D2T", "sip+d2t")
        for name in ("b.example", "B.example")
    ]
    assert naptr_order(reversed(records)) == naptr_order(records)
    assert len(naptr_order(records)) == len(records)


# rule D4
def test_targets_keep_answer_order_and_are_listed_once() -> None:
    hops = [
        ServerAddresses(("192.168.1.14", "192.168.1.13"), 5060, UDP, Source.DNS, 60),
        ServerAddresses(("192.168.1.13",), 5060, UDP, Source.STATIC, 30),
        ServerAddresses(("192.168.1.13",), 5070, UDP, Source.DNS, 30),
    ]
    found = [(target.role, str(target.remote), target.ttl) for target in targets_of(1, "x", hops)]
    assert found == [
        ("primary", "192.168.1.14:5060", 60),
        ("secondary", "192.168.1.13:5060", 60),
        ("target-3", "192.168.1.13:5070", 30),
    ]
    assert [target.role for target in targets_of(2, "x", hops)] == ["fallback", "fallback-2", "fallback-3"]
