"""DNS messages: what is an answer to a question, and what hostile bytes do (nothing)."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_emulator.dns.message import Question, Reply, decode, parse_record
from phone_emulator.dns.records import AddressRecord, NaptrRecord, RdType, RecordSet, SrvRecord

QUESTION = Question(4711, "yealink.pbx.com", RdType.A)


def reply(
    *answers: str,
    question: Question = QUESTION,
    authority: tuple[str, ...] = (),
    additional: tuple[str, ...] = (),
) -> dns.message.Message:
    """An answer to *question* with records in master-file form (``name ttl IN type data``)."""
    message = dns.message.make_response(dns.message.from_wire(question.encode()))
    for section, lines in (
        (message.answer, answers),
        (message.authority, authority),
        (message.additional, additional),
    ):
        for line in lines:
            name, ttl, rdclass, rdtype, data = line.split(None, 4)
            rrset = message.find_rrset(
                section,
                dns.name.from_text(name),
                dns.rdataclass.from_text(rdclass),
                dns.rdatatype.from_text(rdtype),
                create=True,
            )
            rrset.add(dns.rdata.from_text(rdclass, rdtype, data), int(ttl))
    return message


def wire(message: dns.message.Message) -> bytes:
    return message.to_wire(want_shuffle=False)


def read(message: dns.message.Message, question: Question = QUESTION) -> Reply:
    decoded = decode(wire(message), question)
    assert decoded is not None
    return decoded


def test_a_question_is_a_plain_query() -> None:
    message = dns.message.from_wire(QUESTION.encode())
    assert message.id == 4711
    assert message.flags == dns.flags.RD
    assert message.question[0].to_text() == "yealink.pbx.com. IN A"
    assert message.opt is None


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".com", ".".join(["abcdefgh"] * 40)])
def test_what_is_no_domain_name_is_said_so(name: str) -> None:
    with pytest.raises(ValueError, match="not a domain name"):
        Question(1, name, RdType.A).encode()


def test_addresses_come_in_the_order_of_the_answer() -> None:
    found = read(
        reply("YEALINK.pbx.com. 60 IN A 192.168.1.14", "yealink.pbx.com. 30 IN A 192.168.1.13"),
    )
    assert found.records == (AddressRecord("192.168.1.14"), AddressRecord("192.168.1.13"))
    assert (found.rcode, found.ttl, found.alias) == ("NOERROR", 30, None)


def test_srv_naptr_and_aaaa_are_read() -> None:
    srv = Question(1, "_sip._udp.x", RdType.SRV)
    assert read(reply("_sip._udp.x. 60 IN SRV 1 2 5060 srv1.x.", question=srv), srv).records == (
        SrvRecord(1, 2, 5060, "srv1.x"),
    )
    naptr = Question(1, "x", RdType.NAPTR)
    line = 'x. 60 IN NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.x.'
    assert read(reply(line, question=naptr), naptr).records == (
        NaptrRecord(10, 20, "s", "SIP+D2U", "", "_sip._udp.x"),
    )
    aaaa = Question(1, "x", RdType.AAAA)
    assert read(reply("x. 60 IN AAAA 2001:db8::1", question=aaaa), aaaa).records == (
        AddressRecord("2001:db8::1"),
    )


# rule D6
def test_only_what_the_records_lead_to_is_taken_from_the_additional_section() -> None:
    srv = Question(1, "_sip._udp.x", RdType.SRV)
    message = reply(
        "_sip._udp.x. 60 IN SRV 1 2 5060 srv1.x.",
        question=srv,
        additional=(
            "srv1.x. 50 IN A 192.168.1.13",
            "bank.example. 99999 IN A 10.6.6.6",
            "srv1.x. 1 IN TXT x",
        ),
    )
    assert read(message, srv).additional == (
        RecordSet("srv1.x", RdType.A, (AddressRecord("192.168.1.13"),), 50),
    )


def test_cnames_are_followed_with_the_shortest_ttl() -> None:
    found = read(
        reply(
            "yealink.pbx.com. 20 IN CNAME b.example.",
            "c.example. 60 IN A 192.168.1.13",
            "b.example. 40 IN CNAME c.example.",
        )
    )
    assert (found.records, found.ttl, found.alias) == ((AddressRecord("192.168.1.13"),), 20, "c.example")


def test_cnames_in_a_circle_are_noticed() -> None:
    assert read(
        reply("yealink.pbx.com. 20 IN CNAME b.example.", "b.example. 40 IN CNAME yealink.pbx.com.")
    ).looped
    chain = [f"c{n}.example. 60 IN CNAME c{n + 1}.example." for n in range(30)]
    assert read(reply("yealink.pbx.com. 20 IN CNAME c0.example.", *chain)).looped


# rule D6
@pytest.mark.parametrize(("ttl", "minimum", "expected"), [(60, 10, 10), (10, 60, 10), (0, 60, 0)])
def test_an_absence_lives_as_the_soa_says(ttl: int, minimum: int, expected: int) -> None:
    soa = f"pbx.com. {ttl} IN SOA ns.pbx.com. h.pbx.com. 1 2 3 4 {minimum}"
    assert read(reply(authority=(soa,))).negative_ttl == expected


# rule D6
def test_an_absence_without_soa_is_not_to_be_remembered() -> None:
    assert read(reply()).negative_ttl == 0


def test_a_referral_is_told_from_an_absence() -> None:
    referral = reply(authority=("pbx.com. 60 IN NS ns.pbx.com.",))
    referral.flags &= ~dns.flags.RA
    assert read(referral).referral
    referral.flags |= dns.flags.RA
    assert not read(referral).referral


def test_a_ttl_with_the_top_bit_set_counts_as_zero() -> None:
    data = wire(reply("yealink.pbx.com. 60 IN A 192.168.1.14"))
    place = data.rindex(b"\x00\x00\x00\x3c")
    found = decode(data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :], QUESTION)
    assert found is not None
    assert found.ttl == 0


def test_a_truncated_answer_says_so_even_when_cut_within_a_record() -> None:
    message = reply("yealink.pbx.com. 60 IN A 192.168.1.14")
    message.flags |= dns.flags.TC
    assert read(message).truncated
    cut = decode(wire(message)[:-2], QUESTION)
    assert cut is not None
    assert cut.truncated


@pytest.mark.parametrize(
    "question",
    [
        Question(4712, "yealink.pbx.com", RdType.A),
        Question(4711, "other.pbx.com", RdType.A),
        Question(4711, "yealink.pbx.com", RdType.AAAA),
    ],
)
def test_an_answer_to_another_question_is_none(question: Question) -> None:
    assert decode(wire(reply("yealink.pbx.com. 60 IN A 192.168.1.14")), question) is None


def test_a_query_an_update_and_an_answer_without_question_are_none() -> None:
    assert decode(QUESTION.encode(), QUESTION) is None
    message = reply()
    message.question.clear()
    assert decode(wire(message), QUESTION) is None
    data = bytearray(wire(reply()))
    data[2] |= 5 << 3
    assert decode(bytes(data), QUESTION) is None


@given(st.binary(max_size=600))
def test_random_bytes_are_no_answer(data: bytes) -> None:
    assert decode(data, QUESTION) is None


@given(st.data())
def test_a_damaged_answer_is_an_answer_or_none_and_raises_nothing(data: st.DataObject) -> None:
    srv = Question(1, "_sip._udp.x", RdType.SRV)
    message = bytearray(
        wire(
            reply(
                "_sip._udp.x. 60 IN SRV 1 2 5060 srv1.x.",
                question=srv,
                additional=("srv1.x. 50 IN A 192.168.1.13",),
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(message)))
    for damaged in (bytes(message), bytes(message[:cut])):
        found = decode(damaged, srv)
        assert found is None or isinstance(found, Reply)


def test_an_answer_to_many_questions_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """dnspython would take long over thousands of them."""
    many = wire(reply())
    many = many[:4] + (1000).to_bytes(2) + many[6:] + b"\0\0\x01\0\x01" * 999
    reads = list[int]()
    monkeypatch.setattr(dns.message, "from_wire", lambda data, **options: reads.append(len(data)))
    assert decode(many, QUESTION) is None
    assert reads == []


def test_static_text_that_is_no_record_is_said_so() -> None:
    for rdtype, text in (
        (RdType.A, "192.168.1"),
        (RdType.SRV, "1 2 3"),
        (RdType.NAPTR, ""),
        (RdType.A, "ü.."),
    ):
        with pytest.raises(ValueError, match=f"type {rdtype}"):
            parse_record(rdtype, text)
