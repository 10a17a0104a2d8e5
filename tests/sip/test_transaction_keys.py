"""What messages find their transactions by (RFC 3261 sections 17.1.3 and 17.2.3)."""

from __future__ import annotations

import pytest

from phone_emulator.sip.message import Headers, Request, response_to
from phone_emulator.sip.transaction import ack_to, client_key, server_key

VIA = "SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK776"
OLD = "SIP/2.0/UDP 192.168.1.50:5060;branch=1"


def request(
    method: str = "INVITE",
    via: str = VIA,
    *,
    number: int = 7,
    tag: str = "a",
    to: str = "<sip:102@x>",
    call_id: str = "c1",
) -> Request:
    headers = Headers(
        [
            ("Via", via),
            ("From", f"<sip:101@x>;tag={tag}"),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
        ]
    )
    return Request(method, "sip:102@x", headers, b"")


def test_a_response_finds_the_request_it_answers() -> None:
    assert client_key(response_to(request(), 200)) == client_key(request())


def test_a_response_to_cancel_is_not_one_to_its_invite() -> None:
    assert client_key(response_to(request("CANCEL"), 200)) != client_key(request("INVITE"))


def test_each_branch_is_its_own() -> None:
    # rule C7: the retried INVITE has a new branch, so answers of the abandoned target stay apart
    assert client_key(request(via=VIA + "x")) != client_key(request())


def test_branches_are_compared_without_case() -> None:
    assert client_key(request(via=VIA.replace("z9hG4bK776", "Z9HG4BK776"))) == client_key(request())


def test_ack_to_a_failure_finds_its_invite() -> None:
    invite = request()
    assert server_key(ack_to(invite, response_to(invite, 486, to_tag="far"))) == server_key(invite)


def test_ack_to_a_2xx_has_a_branch_of_its_own() -> None:
    assert server_key(request("ACK", VIA + "x")) != server_key(request())


def test_cancel_is_a_transaction_of_its_own_and_names_the_one_it_cancels() -> None:
    assert server_key(request("CANCEL")) != server_key(request())
    assert server_key(request("CANCEL"), "INVITE") == server_key(request())


def test_the_same_branch_from_another_sender_is_another_transaction() -> None:
    assert server_key(request(via=VIA.replace(".50:", ".51:"))) != server_key(request())
    assert server_key(request(via=VIA.replace(":5060", ":5070"))) != server_key(request())


@pytest.mark.parametrize(
    "via",
    [
        "SIP / 2.0 / UDP 192.168.1.50 : 5060 ;branch=z9hG4bK776",
        "SIP/2.0/UDP  192.168.1.50:5060;rport;branch=z9hG4bK776",
        "SIP/2.0/UDP\t192.168.1.50:5060; branch=z9hG4bK776",
        VIA + ", SIP/2.0/UDP 192.168.1.99;branch=z9hG4bKother",
    ],
)
def test_blanks_parameters_and_further_vias_do_not_matter(via: str) -> None:
    assert server_key(request(via=via)) == server_key(request())


def test_ipv6_senders_are_told_apart() -> None:
    one = request(via="SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK776")
    two = request(via="SIP/2.0/TCP [2001:db8::2]:5060;branch=z9hG4bK776")
    assert server_key(one) != server_key(two)


def test_hosts_are_compared_without_case() -> None:
    one = request(via="SIP/2.0/UDP phone.example;branch=z9hG4bK776")
    assert server_key(one) == server_key(request(via="SIP/2.0/UDP PHONE.example;branch=z9hG4bK776"))


# -- RFC 2543 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", [OLD, "SIP/2.0/UDP 192.168.1.50:5060"])
def test_without_the_cookie_the_whole_request_is_compared(via: str) -> None:
    assert server_key(request(via=via)) == server_key(request(via=via))
    assert server_key(request(via=via, number=8)) != server_key(request(via=via))
    assert server_key(request(via=via, tag="b")) != server_key(request(via=via))
    assert server_key(request("CANCEL", via)) != server_key(request(via=via))


@pytest.mark.parametrize("cookie", ["z9hG4bK", "Z9HG4BK"])
def test_the_bare_cookie_is_a_branch_that_proves_nothing(cookie: str) -> None:
    via = VIA.replace("z9hG4bK776", cookie)
    assert server_key(request(via=via)) == server_key(request(via=via))
    assert server_key(request(via=via, number=8)) != server_key(request(via=via))
    assert server_key(request(via=via, tag="b")) != server_key(request(via=via))
    one_more = via + "1"
    assert server_key(request(via=one_more, number=8)) == server_key(request(via=one_more))


def test_without_the_cookie_an_ack_with_its_to_tag_finds_the_invite() -> None:
    assert server_key(request("ACK", OLD, to="<sip:102@x>;tag=far")) == server_key(request(via=OLD))


def test_an_empty_via_is_no_accident() -> None:
    assert server_key(request(via=",")) == server_key(request(via=","))


def test_a_response_finds_the_server_transaction_of_its_request() -> None:
    assert server_key(response_to(request(), 180, to_tag="a")) == server_key(request())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # The same letters, cut elsewhere.
        (
            request(via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK7"),
            request(via="SIP/2.0/UDP 92.0.2.1;branch=z9hG4bK71"),
        ),
        (
            request(via="SIP/2.0/UDP pbx1:5060;branch=z9hG4bK7"),
            request(via="SIP/2.0/UDP pbx:15060;branch=z9hG4bK7"),
        ),
        (request("0INFO", VIA.replace(":5060", ":506")), request("INFO")),
        (request(via=OLD, call_id="c1", number=12), request(via=OLD, call_id="c11", number=2)),
        (request(via=OLD, call_id="c1", tag="a"), request(via=OLD, call_id="1", tag="ac")),
    ],
)
def test_where_one_part_of_a_key_ends_counts(one: Request, other: Request) -> None:
    assert server_key(one) != server_key(other)
