"""From names to targets: what is asked, in which order, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phone_emulator.config.model import DnsCacheType, DnsConfig, StaticRecord, TransportType
from phone_emulator.dns import Located, Resolver, Unresolved, locate, locate_sent_by
from phone_emulator.dns.locate import MAX_LOOKUPS
from phone_emulator.dns.records import RdType
from phone_emulator.events import Address, Source, Transport

from .conftest import FIRST, SECOND, Lab

GUIDE = Path(__file__).parents[2] / "configs" / "guide-example.zone"
NAPTR = TransportType.DNS_NAPTR


async def find(resolver: Resolver, host: str = "pbx.com", **how: Any) -> Located:
    how = {"server": 1, "port": 0, "transport_type": NAPTR} | how
    return await locate(resolver, host=host, **how)


def shown(located: Located) -> list[str]:
    return [f"{target.role} {target.remote}/{target.transport}" for target in located.targets]


def targets(lab: Lab, zone: str, host: str = "pbx.com", **how: Any) -> list[str]:
    """The targets that *host* has with *zone*."""
    found: list[str] = []

    async def main() -> None:
        await lab.serve(zone)
        found.extend(shown(await find(lab.resolver(), host, **how)))

    lab.run(main)
    return found


def why_unresolved(lab: Lab, zone: str, host: str = "pbx.com", **how: Any) -> str:
    reason: list[str] = []

    async def main() -> None:
        await lab.serve(zone)
        with pytest.raises(Unresolved) as unresolved:
            await find(lab.resolver(), host, **how)
        reason.append(str(unresolved.value))

    lab.run(main)
    return reason[0]


# rule D1, rule D2, rule D4: the guide's example
def test_the_guides_example_has_a_primary_and_a_secondary(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(GUIDE.read_text())
        located = await find(lab.resolver(), "yealink.pbx.com")
        assert shown(located) == ["primary 192.168.1.13:5060/udp", "secondary 192.168.1.14:5060/udp"]
        primary = located.targets[0]
        assert (primary.host, primary.source, primary.ttl) == ("yealink.pbx.com", Source.DNS, 3600)
        assert located.detail == ("NAPTR SIP+D2U -> _sip._udp.yealink.pbx.com; SRV _sip._udp.yealink.pbx.com")

    lab.run(main)
    assert lab.asked == [
        "NAPTR yealink.pbx.com",
        "SRV _sip._udp.yealink.pbx.com",
        "A srv1.pbx.com",
        "A srv2.pbx.com",
    ]


# rule D1
def test_with_a_port_the_guides_example_has_the_same_targets_by_a_alone(lab: Lab) -> None:
    found = targets(lab, GUIDE.read_text(), "yealink.pbx.com", port=5070)
    assert found == ["primary 192.168.1.13:5070/udp", "secondary 192.168.1.14:5070/udp"]
    assert lab.asked == ["A yealink.pbx.com"]


# rule C2
@pytest.mark.parametrize("host", ["", "  "])
def test_a_blank_host_is_not_asked_for(lab: Lab, host: str) -> None:
    assert why_unresolved(lab, "", host, server=2) == "server 2 has no address"
    assert lab.asked == []


# rule D1
@pytest.mark.parametrize("host", ["192.168.1.15", "2001:db8::1", "[2001:db8::1]"])
def test_an_address_is_not_asked_for(lab: Lab, host: str) -> None:
    async def main() -> None:
        (target,) = (await find(lab.resolver(), host, server=2)).targets
        assert (target.role, target.source, target.ttl) == ("fallback", Source.LITERAL, None)
        assert (target.address, target.host) == (host.strip("[]"), host)

    lab.run(main)
    assert lab.told == []


# rule D1
@pytest.mark.parametrize(
    ("port", "transport_type", "expected"),
    [
        (5070, TransportType.UDP, "5070/udp"),
        (5070, TransportType.TCP, "5070/tcp"),
        (5070, TransportType.TLS, "5070/tls"),
        (5070, TransportType.DNS_NAPTR, "5070/udp"),
        (0, TransportType.UDP, "5060/udp"),
        (0, TransportType.TCP, "5060/tcp"),
        (0, TransportType.TLS, "5061/tls"),
    ],
)
def test_port_and_transport_where_only_the_address_is_asked_for(
    lab: Lab, port: int, transport_type: TransportType, expected: str
) -> None:
    zone = "pbx.com. A 192.168.1.13\n_sip._udp.pbx.com. SRV 1 1 5099 other.pbx.com."
    found = targets(lab, zone, port=port, transport_type=transport_type)
    assert found == [f"primary 192.168.1.13:{expected}"]
    assert lab.asked == ["A pbx.com"]


# rule D1
@pytest.mark.parametrize(
    ("sources", "hosts", "asked"),
    [
        ((), ["192.168.1.13"], ["A pbx.com"]),
        (("192.168.1.21",), ["192.168.1.13"], ["A pbx.com"]),
        (("2001:db8::21",), ["[2001:db8::13]"], ["AAAA pbx.com"]),
        (("192.168.1.21", "2001:db8::21"), ["[2001:db8::13]", "192.168.1.13"], ["A pbx.com", "AAAA pbx.com"]),
        # An address for use within a site leads less surely to the world than IPv4 does (RFC 6724).
        (("192.168.1.21", "fd00::21"), ["192.168.1.13", "[2001:db8::13]"], ["A pbx.com", "AAAA pbx.com"]),
    ],
)
def test_the_phones_addresses_tell_which_records_count(
    lab: Lab, sources: tuple[str, ...], hosts: list[str], asked: list[str]
) -> None:
    zone = "pbx.com. AAAA 2001:db8::13\npbx.com. A 192.168.1.13"
    found = targets(lab, zone, port=5060, sources=sources)
    assert found == [
        f"{role} {host}:5060/udp" for role, host in zip(("primary", "secondary"), hosts, strict=False)
    ]
    assert lab.asked == asked


# rule D1
@pytest.mark.parametrize("sources", [("2001:db8::21",), ("192.168.1.21", "2001:db8::21")])
def test_aaaa_alone_will_do(lab: Lab, sources: tuple[str, ...]) -> None:
    assert targets(lab, "pbx.com. AAAA 2001:db8::13", sources=sources) == ["primary [2001:db8::13]:5060/udp"]


# rule D4
def test_addresses_of_one_ip_version_keep_the_order_of_the_answer(lab: Lab) -> None:
    zone = "$ORIGIN pbx.com.\n@ A 127.0.0.9\n@ A 10.0.0.1\n"
    found = targets(lab, zone, port=5060, sources=("192.168.1.21",))
    assert found == ["primary 127.0.0.9:5060/udp", "secondary 10.0.0.1:5060/udp"]


# rule D4
def test_the_priority_of_srv_goes_before_the_ip_version(lab: Lab) -> None:
    zone = (
        "_sip._udp.pbx.com. SRV 1 1 5060 four.pbx.com.\n_sip._udp.pbx.com. SRV 2 1 5060 both.pbx.com.\n"
        "four.pbx.com. A 192.168.1.13\nboth.pbx.com. A 192.168.1.14\nboth.pbx.com. AAAA 2001:db8::14"
    )
    assert targets(lab, zone, sources=("192.168.1.21", "2001:db8::21")) == [
        "primary 192.168.1.13:5060/udp",
        "secondary [2001:db8::14]:5060/udp",
        "target-3 192.168.1.14:5060/udp",
    ]


HOSTS = "\n".join(f"h{number}.pbx.com. A 10.0.0.{number}" for number in range(10))


# rule D2
@pytest.mark.parametrize(
    ("naptr", "expected"),
    [
        (['20 10 "s" "SIP+D2T" "" t', '10 10 "s" "SIP+D2U" "" u'], "10.0.0.1:5060/udp"),
        (['10 20 "s" "SIP+D2U" "" u', '10 10 "s" "SIP+D2T" "" t'], "10.0.0.2:5070/tcp"),
        (['10 10 "s" "SIPS+D2T" "" s', '10 20 "s" "SIP+D2T" "" t'], "10.0.0.3:5061/tls"),
        (
            ['1 1 "s" "SIP+D2S" "" x', '1 1 "u" "E2U+sip" "!.*!x!" .', '9 9 "s" "SIP+D2T" "" t'],
            "10.0.0.2:5070/tcp",
        ),
        (['1 1 "a" "SIP+D2T" "" h7'], "10.0.0.7:5060/tcp"),
        (['1 1 "A" "SIPS+D2T" "" h7'], "10.0.0.7:5061/tls"),
        (['1 1 "S" "sip+d2u" "" u'], "10.0.0.1:5060/udp"),
        (['1 1 "" "" "" next', '1 2 "s" "SIP+D2T" "" t'], "10.0.0.3:5061/tls"),
        (['1 1 "s" "SIP+D2U" "" missing', '1 2 "s" "SIP+D2T" "" t'], "10.0.0.2:5070/tcp"),
    ],
)
def test_naptr_chooses_one_transport(lab: Lab, naptr: list[str], expected: str) -> None:
    zone = "\n".join(
        [
            "$ORIGIN pbx.com.",
            *(f"@ NAPTR {record}" for record in naptr),
            'next NAPTR 1 1 "s" "SIPS+D2T" "" s',
            "u SRV 1 1 5060 h1",
            "t SRV 1 1 5070 h2",
            "s SRV 1 1 5061 h3",
            "_sip._udp SRV 1 1 5099 h9",
            HOSTS,
        ]
    )
    assert targets(lab, zone) == [f"primary {expected}"]


def naptr_chain(length: int) -> str:
    links = [f'n{number} NAPTR 1 1 "" "" "" n{number + 1}' for number in range(length)]
    end = f'n{length} NAPTR 1 1 "s" "SIP+D2T" "" t'
    return "\n".join(["$ORIGIN pbx.com.", *links, end, "t SRV 1 1 5070 h2", "n0 A 10.0.0.9", HOSTS])


# rule D2
@pytest.mark.parametrize(("length", "expected"), [(5, "10.0.0.2:5070/tcp"), (6, "10.0.0.9:5060/udp")])
def test_naptr_without_flag_is_followed_five_deep(lab: Lab, length: int, expected: str) -> None:
    assert targets(lab, naptr_chain(length), "n0.pbx.com") == [f"primary {expected}"]


# rule D2
def test_naptr_in_a_circle_ends(lab: Lab) -> None:
    zone = '$ORIGIN pbx.com.\n@ NAPTR 1 1 "" "" "" b\nb NAPTR 1 1 "" "" "" @'
    reason = why_unresolved(lab, zone, dns_cache_type=DnsCacheType.NONE)
    assert reason == "b.pbx.com: its NAPTR records lead in a circle, or too far"
    assert [asked for asked in lab.asked if asked.startswith("NAPTR")] == ["NAPTR pbx.com", "NAPTR b.pbx.com"]


# rule D2
def test_the_way_that_is_told_leads_to_the_targets(lab: Lab) -> None:
    async def main() -> None:
        await lab.serve(
            f"""
            $ORIGIN pbx.com.
            @ NAPTR 1 1 "s" "SIP+D2T" "" nowhere
            @ NAPTR 2 1 "" "" "" other
            other NAPTR 1 1 "s" "SIP+D2U" "" _sip._udp.other
            _sip._udp.other SRV 1 1 5070 h1
            {HOSTS}
            """.replace("            ", "")
        )
        assert (await find(lab.resolver())).detail == (
            "NAPTR of pbx.com -> other.pbx.com; NAPTR SIP+D2U -> _sip._udp.other.pbx.com; "
            "SRV _sip._udp.other.pbx.com"
        )

    lab.run(main)


SRV_ZONE = f"""
$ORIGIN pbx.com.
_sip._udp SRV 1 1 5060 h1
_sip._tcp SRV 1 1 5070 h2
_sips._tcp SRV 1 1 5061 h3
@ A 10.0.0.9
{HOSTS}
"""


def without(*labels: str) -> str:
    return "\n".join(line for line in SRV_ZONE.splitlines() if not line.startswith(labels))


# rule D3
@pytest.mark.parametrize(
    ("missing", "naptr_build", "expected"),
    [
        ((), False, "10.0.0.1:5060/udp"),
        ((), True, "10.0.0.1:5060/udp"),
        (("_sip._udp",), False, "10.0.0.9:5060/udp"),
        (("_sip._udp",), True, "10.0.0.2:5070/tcp"),
        (("_sip._udp", "_sip._tcp"), True, "10.0.0.3:5061/tls"),
        (("_",), True, "10.0.0.9:5060/udp"),
    ],
)
def test_without_naptr_srv_is_looked_for(
    lab: Lab, missing: tuple[str, ...], naptr_build: bool, expected: str
) -> None:
    zone = without(*missing) if missing else SRV_ZONE
    assert targets(lab, zone, naptr_build=naptr_build) == [f"primary {expected}"]


# rule D4
def test_srv_goes_by_priority_then_weight_and_keeps_addresses_together(lab: Lab) -> None:
    zone = f"""
    $ORIGIN pbx.com.
    _sip._udp SRV 20 99 5060 h4
    _sip._udp SRV 10 5 5060 h3
    _sip._udp SRV 10 50 5062 two
    two A 10.0.1.2
    two A 10.0.1.1
    {HOSTS}
    """
    assert targets(lab, "\n".join(line.strip() for line in zone.splitlines())) == [
        "primary 10.0.1.2:5062/udp",
        "secondary 10.0.1.1:5062/udp",
        "target-3 10.0.0.3:5060/udp",
        "target-4 10.0.0.4:5060/udp",
    ]


# rule D4
def test_equal_weights_keep_one_order_for_one_phone_and_differ_between_phones(lab: Lab) -> None:
    zone = HOSTS + "\n" + "\n".join(f"_sip._udp.pbx.com. SRV 1 1 5060 h{n}.pbx.com." for n in range(3))

    async def main() -> None:
        await lab.serve(zone)
        orders = set()
        for _ in range(20):
            resolver = lab.resolver()
            first, again = [shown(await find(resolver, dns_cache_type=DnsCacheType.NONE)) for _ in range(2)]
            assert first == again
            orders.add(tuple(first))
        assert len(orders) > 3

    lab.run(main)


# rule D4
def test_a_target_without_address_is_left_out_and_twins_count_once(lab: Lab) -> None:
    zone = f"""
$ORIGIN pbx.com.
_sip._udp SRV 1 1 5060 missing
_sip._udp SRV 2 1 5060 h1
_sip._udp SRV 3 1 5060 twin
_sip._udp SRV 4 1 0 h2
twin A 10.0.0.1
{HOSTS}
"""
    assert targets(lab, zone) == ["primary 10.0.0.1:5060/udp", "secondary 10.0.0.2:5060/udp"]


# rule C2: why a name does not resolve
@pytest.mark.parametrize(
    ("zone", "how", "reason"),
    [
        (
            "x.pbx.com. A 10.0.0.1",
            {"host": "nothere.pbx.com"},
            "nothere.pbx.com: no such name (192.168.1.53)",
        ),
        ("pbx.com. AAAA ::1", {"port": 5060}, "pbx.com: no A record (192.168.1.53)"),
        ("pbx.com. A 10.0.0.1", {"host": "pbx.example"}, "pbx.example: REFUSED (192.168.1.53)"),
        ("pbx.com. A 10.0.0.1", {"host": "a..b"}, "a..b: not a domain name: A DNS label is empty."),
        ("pbx.com. A 10.0.0.1", {"host": " "}, "server 1 has no address"),
        (
            "_sip._udp.pbx.com. SRV 1 1 5060 gone.pbx.com.\npbx.com. A 10.0.0.1",
            {},
            "gone.pbx.com: no such name (192.168.1.53)",
        ),
        (
            "_sip._udp.pbx.com. SRV 1 1 5060 gone.pbx.com.\n_sip._tcp.pbx.com. SRV 1 1 5060 off.pbx.com.",
            {"naptr_build": True},
            "gone.pbx.com: no such name (192.168.1.53); off.pbx.com: no such name (192.168.1.53)",
        ),
        (
            "_sip._udp.pbx.com. SRV 0 0 0 .\npbx.com. A 10.0.0.1",
            {},
            "_sip._udp.pbx.com: the service is not offered (192.168.1.53)",
        ),
    ],
)
def test_the_reason_for_no_target_is_told(lab: Lab, zone: str, how: dict[str, Any], reason: str) -> None:
    assert why_unresolved(lab, zone, **how) == reason


# rule D8
def test_servers_that_do_not_answer_are_waited_for_once_not_for_each_type(lab: Lab) -> None:
    async def main() -> None:
        for address in (FIRST, SECOND):
            await (await lab.serve("pbx.com. A 10.0.0.1", address)).behave("silent")
        with pytest.raises(Unresolved) as unresolved:
            await find(lab.resolver([FIRST, SECOND]))
        assert str(unresolved.value) == (
            "pbx.com: no answer after 9.0 s (192.168.1.53); no answer after 9.0 s (192.168.1.54)"
        )
        assert lab.world.now() == 18.0

    lab.run(main)


# rule D6
def test_what_is_cached_serves_while_no_server_answers(lab: Lab) -> None:
    async def main() -> None:
        server = await lab.serve("_sip._udp.pbx.com. SRV 1 1 5060 h1.pbx.com.\n" + HOSTS)
        resolver = lab.resolver()
        await resolver.query("h1.pbx.com", RdType.A)
        await resolver.query("_sip._udp.pbx.com", RdType.SRV)
        await server.behave("silent")
        assert shown(await find(resolver)) == ["primary 10.0.0.1:5060/udp"]
        assert lab.world.now() == 9.0

    lab.run(main)


STATIC = DnsConfig(
    static_records=(
        StaticRecord(name="pbx.com", rdtype="NAPTR", text='1 1 "s" "SIP+D2T" "" t.pbx.com', ttl=100),
        StaticRecord(name="t.pbx.com", rdtype="SRV", text="1 1 5070 h1.pbx.com", ttl=100),
        StaticRecord(name="h1.pbx.com", rdtype="A", text="10.9.9.9", ttl=50),
        StaticRecord(name="h1.pbx.com", rdtype="A", text="10.9.9.8", ttl=50, account=2),
    )
)


# rule D7
def test_static_records_alone_lead_to_targets(lab: Lab) -> None:
    async def main() -> None:
        located = await find(lab.resolver([], STATIC), account=2)
        assert shown(located) == ["primary 10.9.9.9:5070/tcp", "secondary 10.9.9.8:5070/tcp"]
        assert {(target.source, target.ttl) for target in located.targets} == {(Source.STATIC, 50)}
        with pytest.raises(Unresolved, match=r"other.com: no DNS server to ask, and no static record"):
            await find(lab.resolver([], STATIC), "other.com")

    lab.run(main)


# rule D7
@pytest.mark.parametrize(
    ("how", "expected"),
    [({}, "10.0.0.1"), ({"static_cache_pri": False}, "10.0.0.1"), ({"static_cache_pri": True}, "10.9.9.9")],
)
def test_static_records_first_or_where_dns_gives_nothing(
    lab: Lab, how: dict[str, Any], expected: str
) -> None:
    async def main() -> None:
        await lab.serve("h1.pbx.com. A 10.0.0.1")
        located = await find(lab.resolver(config=STATIC), **how)
        assert shown(located) == [f"primary {expected}:5070/tcp"]

    lab.run(main)


# -- any order, any answer -------------------------------------------------------------------------------

RECORDS = [
    '@ NAPTR 10 10 "s" "SIP+D2T" "" t',
    '@ NAPTR 10 20 "s" "SIP+D2U" "" u',
    '@ NAPTR 5 1 "s" "E2U+sip" "" x',
    "t SRV 1 5 5060 h1",
    "t SRV 1 5 5060 h2",
    "t SRV 1 9 5060 h3",
    "t SRV 0 0 5060 h4",
    "u SRV 1 1 5060 h5",
]


# rule D2, rule D4
@settings(max_examples=30)
@given(st.permutations(RECORDS))
def test_any_order_of_the_answers_gives_the_same_list(records: list[str]) -> None:
    zone = "\n".join(["$ORIGIN pbx.com.", *records, HOSTS])
    assert targets(Lab(), zone) == targets(Lab(), "\n".join(["$ORIGIN pbx.com.", *RECORDS, HOSTS]))


def test_a_server_that_always_knows_one_more_name_is_left_in_the_end(lab: Lab) -> None:
    """Every NAPTR question is answered with ten more names to ask for NAPTR."""
    count = 0

    class Endless:
        async def start(self) -> None:
            self.socket = await lab.world.open_udp(FIRST, self)

        def datagram_received(self, data: bytes, remote: Address) -> None:
            nonlocal count
            count += 1
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            if query.question[0].rdtype.name == "NAPTR":
                lines = [f'1 1 "" "" "" n{count}-{number}.example.' for number in range(10)]
                reply.answer.append(dns.rrset.from_text(query.question[0].name, 0, "IN", "NAPTR", *lines))
            self.socket.send(reply.to_wire(), remote)

        def datagram_failed(self, remote: Address, reason: str, data: bytes) -> None:
            pass

    async def main() -> None:
        await Endless().start()
        with pytest.raises(Unresolved, match="circle, or too far"):
            await find(lab.resolver())

    lab.run(main)
    assert count == MAX_LOOKUPS


@settings(max_examples=40)
@given(st.data())
def test_whatever_the_records_are_there_are_targets_or_a_reason(data: st.DataObject) -> None:
    names = ["@", "a", "b", "c", "_sip._udp", "_sip._udp.a"]
    name = st.sampled_from(names)
    record = st.one_of(
        st.tuples(name, st.sampled_from(["A 10.0.0.1", "A 10.0.0.2", "AAAA ::1"])),
        st.tuples(name, st.builds("SRV {} {} 5060 {}".format, st.integers(0, 2), st.integers(0, 2), name)),
        st.tuples(
            name,
            st.builds(
                'NAPTR {} 1 "{}" "{}" "" {}'.format,
                st.integers(0, 2),
                st.sampled_from(["s", "a", "", "u"]),
                st.sampled_from(["SIP+D2U", "SIPS+D2T", "", "x"]),
                name,
            ),
        ),
    )
    lines = [f"{owner} {rest}" for owner, rest in data.draw(st.lists(record, max_size=12))]
    lab = Lab()

    async def main() -> None:
        await lab.serve("\n".join(["$ORIGIN pbx.com.", "other A 10.0.0.9", *lines]))
        try:
            located = await find(lab.resolver(), naptr_build=True, sources=("192.168.1.21", "2001:db8::21"))
        except Unresolved as unresolved:
            reason = str(unresolved)
        else:
            reason = located.detail
            places = [(target.remote, target.transport) for target in located.targets]
            assert len(set(places)) == len(places) > 0
        assert reason

    lab.run(main)


@pytest.mark.parametrize(
    ("host", "port", "transport", "expected"),
    [
        ("192.168.1.13", None, Transport.TLS, ["192.168.1.13:5061"]),
        ("2001:db8::13", 5070, Transport.TCP, ["[2001:db8::13]:5070"]),
        ("pbx.com", None, Transport.TCP, ["10.0.0.2:5070"]),
        ("pbx.com", None, Transport.TLS, ["10.0.0.3:5061"]),
        ("pbx.com", 5080, Transport.TCP, ["10.0.0.9:5080"]),
        ("h1.pbx.com", None, Transport.TCP, ["10.0.0.1:5060"]),
        ("nobody.pbx.com", None, Transport.TCP, []),
        ("..", None, Transport.TCP, []),
        ("x" * 300, 5060, Transport.TCP, []),
    ],
)
def test_where_a_sent_by_leads(
    lab: Lab, host: str, port: int | None, transport: Transport, expected: list[str]
) -> None:
    """RFC 3263 section 5."""
    found: list[str] = []

    async def main() -> None:
        await lab.serve(SRV_ZONE)
        resolver = lab.resolver()
        found.extend(map(str, await locate_sent_by(resolver, host, port, transport)))

    lab.run(main)
    assert found == expected


def test_static_records_come_second_to_where_a_sent_by_leads(lab: Lab) -> None:
    # rule D7
    found: list[str] = []
    static = DnsConfig(
        static_records=(
            StaticRecord(name="h1.pbx.com", rdtype="A", text="10.9.9.9", ttl=300),
            StaticRecord(name="static.pbx.com", rdtype="A", text="10.9.9.8", ttl=300),
        )
    )

    async def main() -> None:
        await lab.serve(SRV_ZONE)
        resolver = lab.resolver(config=static)
        for host in ("h1.pbx.com", "static.pbx.com"):
            found.extend(map(str, await locate_sent_by(resolver, host, 5060, Transport.UDP)))

    lab.run(main)
    assert found == ["10.0.0.1:5060", "10.9.9.8:5060"]
