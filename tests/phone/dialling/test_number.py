"""What a user may dial, and what becomes of it (RFC 3966, ``features.call_num_filter``)."""

from __future__ import annotations

import pytest

from phone_emulator.config.model import TransportType
from phone_emulator.phone import CallError
from phone_emulator.phone.dialling.number import asked_by, at_address, dialled, why_undialable
from phone_emulator.sip.tel import number_in
from phone_emulator.sip.uri_request import UriRequest
from tests.phone.far_end import Play, play

UDP, TCP, TLS = TransportType.UDP, TransportType.TCP, TransportType.TLS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("1002", "1002"), ("030 1234", "0301234"), ("(030)1-2/3", "030123"), (" 1002 ", "1002")),
        *(("+49 (0)30 12,34", "+490301234"), ("*43#", "*43#"), ("#31# 030-1234", "#31#0301234")),
        *(("030\N{NO-BREAK SPACE}12\N{THIN SPACE}34", "0301234"), ("030\t12", "03012")),
        *(("030\N{EN DASH}12\N{NON-BREAKING HYPHEN}3\N{MINUS SIGN}4", "0301234"), ("030.1234", "030.1234")),
        *(("\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}", "12"), ("---", "")),
        ("\N{LEFT-TO-RIGHT MARK}030 12\N{ZERO WIDTH SPACE}34\N{POP DIRECTIONAL FORMATTING}", "0301234"),
        # names, addresses and URIs stay as they are
        *(("al-ice", "al-ice"), ("zo(ë)", "zo(ë)"), ("10-02@pbx-1.example", "10-02@pbx-1.example")),
        *(("030-1@192.0.2.5", "030-1@192.0.2.5"), ("192.0.2.5", "192.0.2.5"), ("fd00::13", "fd00::13")),
        *(("sip:10-02@pbx.example", "sip:10-02@pbx.example"), ("1-800-FLOWERS", "1-800-FLOWERS")),
        # a tel URI is its number
        *(("tel:+49-30-123", "+4930123"), ("TEL:(030)12.3;phone-context=+49", "030123")),
        *(("tel:+49 30 / 12-3", "+4930123"), ("tel:*43#", "*43#"), ("tel:", "")),
    ],
)
def test_what_is_dialled(text: str, number: str) -> None:
    assert dialled(text) == number


@pytest.mark.parametrize(
    ("filtered", "number"),
    [
        (",-", "(030) 1234"),
        ("", "(030) 12-34"),
        ("3", "(00) 12-4"),
        (" ()-", "0301234"),
        ("0123456789", "() -"),
    ],
)
def test_the_characters_that_go_are_the_users_to_choose(filtered: str, number: str) -> None:
    assert dialled("(030) 12-34", filtered) == number


@pytest.mark.parametrize(
    "number",
    [
        *("1002", "+4930123456", "*72", "#21#", "alice", "alice@example.com", "1002@192.168.1.13:5070"),
        *("sip:1002@example.com", "SIPS:a@b.example;transport=tcp", "sip:example.com", "sip:a@[::1]:5060"),
        *("tel:+49-30-123", "tel:(030)123;phone-context=+49", "10 02", "192.0.2.5:5070", "[fd00::13]:5070"),
        "fd00::13",
    ],
)
def test_what_can_be_dialled(number: str) -> None:
    assert why_undialable(number) == ""


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("", "'' is no number to dial"),
        (" - ", "' - ' is no number to dial"),
        ("Bob Smith", "'Bob Smith' is no number to dial"),
        ("10\x0002", r"'10\x0002' is no number to dial"),
        ("sip:", "'sip:' is no SIP URI"),
        ("sip:1002@", "'sip:1002@' is no SIP URI"),
        ("tel:", "'tel:' is no TEL URI"),
        ("tel:--", "'tel:--' is no TEL URI"),
        ("@example.com", "'@example.com': expected USER@HOST"),
        ("1002@", "'1002@': expected USER@HOST"),
        ("sip:1002@example.com;method=BYE", "asks for BYE, not for a call"),
        ("sip:1002@example.com?Replaces", "is no SIP URI"),
        ("mailto:a@example.com", "expected a number, USER@HOST, an IP address, or a sip, sips or tel URI"),
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


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("192.0.2.5", ("sip:192.0.2.5", "192.0.2.5", None, UDP)),
        ("192.0.2.5:5070", ("sip:192.0.2.5:5070", "192.0.2.5", 5070, UDP)),
        ("fd00:0::13", ("sip:[fd00::13]", "fd00::13", None, UDP)),
        ("[fd00::13]:5070", ("sip:[fd00::13]:5070", "fd00::13", 5070, UDP)),
        ("1001@192.0.2.5", ("1001@192.0.2.5", "192.0.2.5", None, UDP)),
        ("*72#@192.0.2.5", ("*72#@192.0.2.5", "192.0.2.5", None, UDP)),
        ("1001@[fd00::13]", ("1001@[fd00::13]", "fd00::13", None, UDP)),
        ("sip:a@192.0.2.5;transport=TCP", ("sip:a@192.0.2.5;transport=TCP", "192.0.2.5", None, TCP)),
        ("sips:a@192.0.2.5", ("sips:a@192.0.2.5", "192.0.2.5", None, TLS)),
    ],
)
def test_who_is_called_at_an_address(
    number: str, expected: tuple[str, str, int | None, TransportType]
) -> None:
    found = at_address(number)
    assert found is not None
    assert (found.number, found.host, found.port, found.transport) == expected


@pytest.mark.parametrize(
    "number",
    [
        *("1002", "1.2.3", "alice", "1002@pbx.example", "sip:1002@pbx.example", "0.0.0.0", "224.0.1.75"),
        *("1001@255.255.255.255", "sip:a@192.0.2.5;transport=sctp", "+4930123", "192.0.2.256"),
    ],
)
def test_all_else_goes_to_the_servers(number: str) -> None:
    assert at_address(number) is None


def called(number: str, **settings: object) -> tuple[str, str, str]:
    """Request-URI, the URI of To, and what people see, of a call to *number*."""
    found: list[tuple[str, str, str]] = []

    async def story(on: Play) -> None:
        call = on.phone.dial(number)
        invite = await on.far.heard("INVITE")
        found.append((invite.uri, str(invite.to_address.uri), call.remote))
        on.far.answer(invite, 404)
        await call.over()

    play(story, None, stop=True, **settings)
    [only] = found
    return only


@pytest.mark.parametrize(
    ("typed", "sent", "seen"),
    [
        ("030 1234", "0301234", "0301234"),
        ("(030)1-2/3", "030123", "030123"),
        ("tel:+49-30-123", "+4930123", "+4930123"),
        ("*43#", "*43%23", "*43#"),
    ],
)
def test_what_people_type_is_filtered_on_its_way_out(typed: str, sent: str, seen: str) -> None:
    uri = f"sip:{sent}@192.168.1.13:5060"
    assert called(typed) == (uri, uri, seen)


def test_the_filter_of_the_cfg_file() -> None:
    assert called("030-12/34", features__call_num_filter="-")[2] == "03012/34"
    assert called("030-12/34", features__call_num_filter="%EMPTY%")[2] == "030-12/34"

    async def story(on: Play) -> None:
        with pytest.raises(CallError, match="'030 1234' is no number to dial"):
            on.phone.dial("030 1234")

    play(story, None, stop=True, features__call_num_filter=",-")
