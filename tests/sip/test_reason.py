"""Reason as others write it (RFC 3326)."""

from __future__ import annotations

import pytest

from phone_emulator.sip.message import Headers, Request, Response
from phone_emulator.sip.reason import MAX_REASONS, completed_elsewhere, reasons_of, said_by, told


def given(*lines: str) -> Request:
    return Request("BYE", "sip:1001@192.168.1.21", Headers([("Reason", line) for line in lines]))


@pytest.mark.parametrize(
    ("line", "read"),
    [
        # The examples of section 2, 3.1 and 3.4.
        ('SIP ;cause=200 ;text="Call completed elsewhere"', 'SIP 200 "Call completed elsewhere"'),
        ('Q.850 ;cause=16 ;text="Terminated"', 'Q.850 16 "Terminated"'),
        ('SIP ;cause=600 ;text="Busy Everywhere"', 'SIP 600 "Busy Everywhere"'),
        ('SIP ;cause=580 ;text="Precondition Failure"', 'SIP 580 "Precondition Failure"'),
        # As they are met.
        ("SIP;cause=200", "SIP 200"),
        ('sip;CAUSE=200;Text="a;b, \\"c\\""', 'sip 200 "a;b, "c""'),
        ("Q.850;cause=16,SIP;cause=200", "Q.850 16, SIP 200"),
        ("SIP", "SIP"),
        ("SIP;cause=", "SIP"),
        ("SIP;cause=+200", "SIP"),
        ("SIP;cause=99999999999999999999999", "SIP"),
        ("SIP;cause=²", "SIP"),
        ("SIP;cause=200;text=unquoted", 'SIP 200 "unquoted"'),
        ('SIP;text="a\x1b[31m b"', 'SIP "a\\x1b[31m b"'),
        ('X-Vendor;cause=7;text="??";more', 'X-Vendor 7 "??"'),
        # None.
        ("", ""),
        (";cause=200", ""),
        ('"SIP";cause=200', ""),
        ("SIP 200", ""),
    ],
)
def test_what_is_read(line: str, read: str) -> None:
    assert told(reasons_of(given(line))) == read


def test_several_lines_are_one_list() -> None:
    found = reasons_of(given("Q.850;cause=17", 'SIP;cause=486;text="Busy Here"'))
    assert [(each.protocol, each.cause, each.text) for each in found] == [
        ("Q.850", 17, ""),
        ("SIP", 486, "Busy Here"),
    ]


def test_only_so_many_and_so_much_of_each_is_read() -> None:
    found = reasons_of(given(*[f'SIP;cause=200;text="{"x" * 5000}"'] * 50))
    assert len(found) == MAX_REASONS
    assert all(len(each.text) == 200 for each in found)


@pytest.mark.parametrize(
    ("line", "elsewhere"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', True),
        ("sip; cause=200", True),
        ("Q.850;cause=26", True),
        ("Q.850;cause=16, SIP;cause=200", True),
        ("Q.850;cause=200", False),
        ("SIP;cause=487", False),
        ("SIP", False),
        ('SIP;text="Call completed elsewhere"', False),
    ],
)
def test_completed_elsewhere(line: str, elsewhere: bool) -> None:
    """The cause decides: the text is for people, in any language (section 2)."""
    assert completed_elsewhere(reasons_of(given(line))) is elsewhere


def test_a_response_in_words() -> None:
    busy = Response(486, "Busy Here", Headers([("Reason", 'Q.850;cause=17;text="User busy"')]))
    assert said_by(busy) == '486 Busy Here (Q.850 17 "User busy")'
    assert said_by(Response(486, "Busy Here", Headers())) == "486 Busy Here"
