"""What a user may dial."""

from __future__ import annotations

import pytest

from phone_emulator.phone.dialling.number import asked_by, why_undialable
from phone_emulator.sip.tel import number_in
from phone_emulator.sip.uri_request import UriRequest


@pytest.mark.parametrize(
    "number",
    [
        *("1002", "+4930123456", "*72", "#21#", "alice", "alice@example.com", "1002@192.168.1.13:5070"),
        *("sip:1002@example.com", "SIPS:a@b.example;transport=tcp", "sip:example.com", "sip:a@[::1]:5060"),
        *("tel:+49-30-123", "tel:(030)123;phone-context=+49"),
    ],
)
def test_what_can_be_dialled(number: str) -> None:
    assert why_undialable(number) == ""


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("", "'' is no number to dial"),
        ("10 02", "'10 02' is no number to dial"),
        ("10\x0002", r"'10\x0002' is no number to dial"),
        ("sip:", "'sip:' is no SIP URI"),
        ("sip:1002@", "'sip:1002@' is no SIP URI"),
        ("tel:", "'tel:' is no TEL URI"),
        ("@example.com", "'@example.com': expected USER@HOST"),
        ("1002@", "'1002@': expected USER@HOST"),
        ("sip:1002@example.com;method=BYE", "asks for BYE, not for a call"),
        ("sip:1002@example.com?Replaces", "is no SIP URI"),
        ("mailto:a@example.com", "expected a number, USER@HOST, or a sip, sips or tel URI"),
    ],
)
def test_what_cannot_is_told_why(number: str, why: str) -> None:
    assert why in why_undialable(number)


def test_a_tel_uri_is_dialled_as_its_number() -> None:
    assert number_in("tel:+49-30-(123);ext=4") == "+4930123"
    assert number_in("1-800") == "1-800"


def test_what_a_uri_asks_for() -> None:
    """RFC 3261 section 19.1.5: headers, but those alone that do no harm; a number asks for nothing."""
    asked = asked_by("sip:1002@example.com;x=y;method=INVITE?Subject=a%20b&From=x")
    assert (asked.uri, asked.taken) == ("sip:1002@example.com;x=y", (("Subject", "a b"),))
    assert asked_by("1002?Subject=a") == UriRequest("1002?Subject=a")
