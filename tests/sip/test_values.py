"""Values that are read the quick way are read as the full grammar reads them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phone_emulator.sip import values
from phone_emulator.sip.headers import split, value_of
from tests.bad_numbers import NO_NUMBERS, shown

pieces = st.sampled_from(
    [
        *("SIP/2.0/UDP", "SIP/2.0/TCP", "sip/2.0/UDP", "SIP / 2.0 / UDP", "SIP/3.0/UDP"),
        *(" ", "  ", "a.example", "192.0.2.1", "[2001:db8::1]", ":5060", ":99999999", "pbx1"),
        *(";branch=", ";branch=z9hG4bK1", ";Branch=x", ";rport", ";rport=9", ";received=192.0.2.9", ";a=b=c"),
        *(";", ",", "=", '"', ";self", "é", "²", "\udcff", "\t", "z9hG4bK7", ";ttl=1;maddr=224.0.1.75"),
    ]
)


def read(reader: object, line: str) -> object:
    assert callable(reader)
    try:
        found = reader(line)
    except ValueError:
        return "refused"
    assert isinstance(found, (values.Via, values.Address))
    return found


def by_the_grammar(line: str) -> values.Via:
    return values.read_via(split(value_of(line), ",")[0])


@given(st.lists(pieces, max_size=6).map("".join), st.lists(pieces, max_size=4).map("".join))
@example("SIP/2.0/UDP 192.0.2.1:5060", ";branch=z9hG4bK1;rport")
@example("SIP/2.0/UDP 192.0.2.1:5060", ";branch=z9hG4bK1;")
@example("SIP/2.0/UDP 192.0.2.1", ";branch=z9hG4bK1, SIP/2.0/UDP a.example;branch=z9hG4bK2;rport")
@example("SIP/2.0/UDP a.example, SIP/2.0/UDP b.example", ";branch=z9hG4bK2;rport")
@example("SIP/2.0/UDP 192.0.2.1", ";rport;branch=z9hG4bK1")
def test_a_via(sent: str, parameters: str) -> None:
    line = f"Via: {sent}{parameters}"
    assert read(values.top_via, line) == read(by_the_grammar, line)


places = st.sampled_from(
    [
        *("<", ">", "sip:", "sips:", "SIP:", "tel:", "1001", "1002@", "a.example", "[2001:db8::1]", ":5060"),
        *('"', '"Alice" ', "Alice ", "Alice Liddell ", '"A\\"" ', '"100%" ', '"é" ', "é", "²", "\udcff"),
        *(
            ";tag=1",
            ";tag=",
            ";tag=1;x",
            ";x;tag=1",
            ";transport=tcp",
            ";expires=60",
            ";self",
            "@",
            ",",
            " ",
            "\t",
        ),
        *("?Subject=x", ":secret@", "%41", "\r\n ", "="),
    ]
)


@given(st.lists(places, max_size=9).map("".join))
@example('"Alice" <sip:1001@a.example>;tag=1')
@example("<sip:1001@a.example:5060>")
@example("<sip:²@a.example>;tag=1")
@example("<sip:1001@a.example:123456>")
@example('"<sip:1@b>" <sip:1001@a.example>')
def test_an_address(value: str) -> None:
    line = f"From: {value}"
    assert read(values.address_in, line) == read(values.read_address, value_of(line))


@pytest.mark.parametrize("bad", [bad for bad in NO_NUMBERS if bad != ""], ids=shown)
def test_a_port_that_is_none(bad: str) -> None:
    for read, text in (
        (values.uri, f"sip:a@b:{bad}"),
        (values.uri, f"sip:a@b:5060{bad}"),
        (values.read_address, f'"A" <sip:a@b:{bad}>;tag=1'),
        (values.read_via, f"SIP/2.0/UDP b:{bad};branch=z9hG4bK1"),
    ):
        with pytest.raises(ValueError):
            read(text)
