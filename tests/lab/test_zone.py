"""Zones: short master files are read, wrong ones are told with their line."""

from __future__ import annotations

from pathlib import Path

import dns.name
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.lab.zone import Zone, ZoneError, parse_zone, read_zone

GUIDE = Path(__file__).parents[2] / "configs" / "guide-example.zone"


def records(zone: Zone, name: str, rdtype: str) -> list[str]:
    found = zone.find(dns.name.from_text(name), dns.rdatatype.from_text(rdtype))
    return [] if found is None else [rdata.to_text() for rdata in found]


def ttl(zone: Zone, name: str, rdtype: str = "A") -> int:
    found = zone.find(dns.name.from_text(name), dns.rdatatype.from_text(rdtype))
    assert found is not None
    return found.ttl


def origins(zone: Zone) -> set[str]:
    return {origin.to_text() for origin in zone.origins}


@pytest.mark.parametrize(
    "line", ["root:$6$hash$xyz:19000:0:99999:7:::", "password = hunter2", "-----BEGIN KEY-----"]
)
def test_of_a_file_that_is_no_zone_nothing_is_quoted(line: str) -> None:
    with pytest.raises(ZoneError) as caught:
        parse_zone(f"; a comment\n{line}\n", file="x")
    assert (
        str(caught.value) == "x:2: no DNS master file: expected such as 'pbx.example.com. 60 IN A 192.0.2.1'"
    )


def test_the_guides_example_is_read() -> None:
    zone = read_zone(GUIDE)
    assert origins(zone) == {"pbx.com."}
    assert records(zone, "yealink.pbx.com", "NAPTR") == ['10 10 "s" "SIP+D2U" "" _sip._udp.yealink.pbx.com.']
    assert records(zone, "_sip._udp.yealink.pbx.com", "SRV") == [
        "1 1 5060 srv1.pbx.com.",
        "2 1 5060 srv2.pbx.com.",
    ]
    assert records(zone, "srv1.pbx.com", "A") == ["192.168.1.13"]
    assert records(zone, "yealink.pbx.com", "A") == ["192.168.1.13", "192.168.1.14"]
    assert ttl(zone, "srv2.pbx.com") == 3600
    assert zone.addresses() == ["192.168.1.13", "192.168.1.14"]


def test_names_in_full_need_no_origin_and_no_final_dot() -> None:
    zone = parse_zone("srv1.pbx.com A 10.0.0.1\nsrv2.pbx.com. A 10.0.0.2\nx.pbx.com CNAME srv1.pbx.com")
    assert records(zone, "SRV1.pbx.com", "A") == ["10.0.0.1"]
    assert records(zone, "srv2.pbx.com", "A") == ["10.0.0.2"]
    assert records(zone, "x.pbx.com", "CNAME") == ["srv1.pbx.com."]
    assert origins(zone) == {"pbx.com."}


def test_origins_owners_and_ttls_carry_on() -> None:
    zone = parse_zone(
        """
        $TTL 10m
$ORIGIN pbx.com.
@       IN A 10.0.0.1
        IN 30 A 10.0.0.2
        60 IN AAAA ::1
$ORIGIN sub
$TTL 20
a       A 10.0.0.3
a.b     A 10.0.0.4
""".replace("        $TTL", "$TTL")
    )
    assert records(zone, "pbx.com", "A") == ["10.0.0.1", "10.0.0.2"]
    assert (ttl(zone, "pbx.com"), ttl(zone, "pbx.com", "AAAA")) == (30, 60)
    assert records(zone, "a.sub.pbx.com", "A") == ["10.0.0.3"]
    assert (records(zone, "a.b.sub.pbx.com", "A"), ttl(zone, "a.b.sub.pbx.com")) == (["10.0.0.4"], 20)


def test_comments_parentheses_and_quotes() -> None:
    zone = parse_zone(
        "; a comment ( that opens nothing\n"
        "pbx.com. SOA ns.pbx.com. root.pbx.com. (\n"
        "  1   ; serial )\n"
        "  2 3 4\r\n"
        "  60 )\n"
        'pbx.com. NAPTR 1 1 "s" "SIP+D2U" "!^.*$!a;(b!" .\n'
        "pbx.com. TXT a\\;b ; c\n"
    )
    assert zone.soa(dns.name.from_text("pbx.com"))[0].minimum == 60
    assert records(zone, "pbx.com", "NAPTR") == ['1 1 "s" "SIP+D2U" "!^.*$!a;(b!" .']
    assert records(zone, "pbx.com", "TXT") == ['"a;b"']


def test_origins_are_the_soas_the_given_one_and_else_two_labels() -> None:
    soa = "sub.a.example. SOA ns.a.example. h.a.example. 1 2 3 4 5\n"
    zone = parse_zone(soa + "x.sub.a.example. A 10.0.0.1\ny.b.test. A 10.0.0.2\nlocalhost. A 127.0.0.1")
    assert origins(zone) == {"sub.a.example.", "b.test.", "localhost."}
    given = parse_zone("x A 10.0.0.1", origin="deep.pbx.com")
    assert origins(given) == {"deep.pbx.com."}
    assert records(given, "x.deep.pbx.com", "A") == ["10.0.0.1"]


def test_the_closest_origin_is_found() -> None:
    zone = parse_zone(
        "a.example. SOA n. h. 1 2 3 4 5\nsub.a.example. SOA n. h. 1 2 3 4 5\nx.sub.a.example. A 10.0.0.1"
    )
    for name, origin in (("x.sub.a.example.", "sub.a.example."), ("x.a.example.", "a.example.")):
        assert zone.origin_of(dns.name.from_text(name)) == dns.name.from_text(origin)
    assert zone.origin_of(dns.name.from_text("b.example.")) is None


def test_a_name_exists_when_something_is_below_it() -> None:
    zone = parse_zone("_sip._udp.pbx.com. SRV 1 1 5060 a.pbx.com.")
    assert zone.has_name(dns.name.from_text("_udp.pbx.com"))
    assert not zone.has_name(dns.name.from_text("_tcp.pbx.com"))


def test_an_soa_is_made_up() -> None:
    zone = parse_zone("a.pbx.com. A 10.0.0.1")
    soa = zone.soa(dns.name.from_text("pbx.com"))
    assert (soa.ttl, soa[0].minimum) == (60, 60)


def test_addresses_are_replaced_in_a_new_zone() -> None:
    zone = parse_zone(
        "a.x. 30 A 10.0.0.1\na.x. 30 A 10.0.0.2\nb.x. A 10.0.0.1\nc.x. AAAA fd00::1\nb.x. TXT 10.0.0.1"
    )
    mapped = zone.map_addresses({"10.0.0.1": "127.0.0.13", "fd00::1": "127.0.0.14", "10.0.0.9": "127.0.0.1"})
    assert records(mapped, "a.x", "A") == ["127.0.0.13", "10.0.0.2"]
    assert ttl(mapped, "a.x") == 30
    assert records(mapped, "b.x", "A") == ["127.0.0.13"]
    assert records(mapped, "b.x", "TXT") == ['"10.0.0.1"']
    assert (records(mapped, "c.x", "A"), records(mapped, "c.x", "AAAA")) == (["127.0.0.14"], [])
    assert records(zone, "a.x", "A") == ["10.0.0.1", "10.0.0.2"]
    assert mapped.origins == zone.origins


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nfoo A 1.2.3\n\n", "2: not the data of a record of type A: '1.2.3'"),
        ("a.x. SRV 1 2 5060\nb.x. A 10.0.0.1", "1: not the data of a record of type SRV: '1 2 5060'"),
        ("a.x. A 10.0.0.1\na.x. CNAME b.x.", "2: a.x has a CNAME record, so it may have no other"),
        ("a.x. CNAME b.x.\n\na.x. A 10.0.0.1", "3: a.x has a CNAME record, so it may have no other"),
        ("$TTL 9\na.x. BLAH 1", "2: 'BLAH' is not a record type"),
        ("$TTL 9\na.x. 300", "2: a record type was expected after the name a.x"),
        ("$TTL 9\na.x. CH TXT b", "2: class CH is not supported"),
        ("a..x. A 10.0.0.1", "1: 'a..x.' is not a domain name"),
        ("  A 10.0.0.1", "1: the first record of a file needs a name before its type"),
        ("\n\na.x. A ( 10.0.0.1\n\n", "3: a ( without its )"),
        ("a.x. A 10.0.0.1\n)", "2: a ) without its ("),
        ('a.x. TXT (\n b\n "c\n)', "3: a quoted string does not end on its line"),
        ("$TTL soon", "1: 'soon' is not a TTL"),
        ("$TTL", "1: $TTL takes one value, got 0"),
        ("$ORIGIN a b", "1: $ORIGIN takes one value, got 2"),
        ("$INCLUDE /etc/passwd", "1: $INCLUDE is not supported"),
        ("$GENERATE 1-999999999 a$ A 10.0.0.1", "1: $GENERATE is not supported"),
        ("a.x. 99999999999999999999 A 10.0.0.1", "1: '99999999999999999999' is not a TTL"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ZoneError) as error:
        parse_zone(text, file="my.zone")
    assert str(error.value).startswith(f"my.zone:{message}")


def test_lines_count_from_where_the_text_stands() -> None:
    with pytest.raises(ZoneError, match=r"^a\.scenario\.yaml:12: "):
        parse_zone("a.x. A 10.0.0.1\nb.x. A 1", file="a.scenario.yaml", first_line=11)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ZoneError, match=r"nothere\.zone: No such file"):
        read_zone(tmp_path / "nothere.zone")
    binary = tmp_path / "binary.zone"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ZoneError, match=r"binary\.zone:1: not a text file in UTF-8"):
        read_zone(binary)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bom.zone"
    path.write_bytes(b"\xef\xbb\xbfa.x. A 10.0.0.1\r\n")
    assert records(read_zone(path), "a.x", "A") == ["10.0.0.1"]


def test_an_enormous_text_is_refused() -> None:
    with pytest.raises(ZoneError, match="larger than"):
        parse_zone(";" * (5 * 1024 * 1024))


def test_an_empty_text_is_an_empty_zone() -> None:
    zone = parse_zone("; nothing\n\n")
    assert (origins(zone), zone.addresses()) == (set(), [])


WORDS = 'a b.x. @ A SRV NAPTR CNAME SOA IN CH 300 1h 10.0.0.1 ( ) " \\ ; $TTL $ORIGIN . .. ü TYPE65000 ANY'
PIECES = st.sampled_from([*WORDS.split(), " ", "\t", "\n", "\0"])


@given(st.lists(PIECES, max_size=20).map("".join) | st.text(max_size=60))
def test_any_text_is_a_zone_or_a_zone_error(text: str) -> None:
    try:
        zone = parse_zone(text)
    except ZoneError as error:
        message = str(error)
        assert message.startswith("zone:")
    else:
        zone.addresses()
