"""Dialogs as pure state (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from phone_emulator.sip.dialog import (
    Dialog,
    dialog_of_notify,
    dialog_of_request,
    dialog_of_response,
    dialog_to_end,
)
from phone_emulator.sip.message import Headers, MessageError, Request, Response, response_to

CALL = [("From", "<sip:a@x>;tag=1"), ("To", "<sip:b@x>"), ("Call-ID", "c"), ("CSeq", "7 INVITE")]


def invite(*extra: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:b@x", Headers([("Via", "SIP/2.0/UDP x;branch=z9hG4bK1"), *CALL, *extra]))


def answer(*extra: tuple[str, str], tag: str | None = "2") -> Response:
    return response_to(invite(), 200, to_tag=tag, extra=extra)


def test_the_calling_end() -> None:
    dialog = dialog_of_response(
        invite(),
        answer(("Contact", "<sip:b@192.0.2.2:5070;ob>"), ("Record-Route", "<sip:p2;lr>, <sip:p1;lr>")),
    )
    assert dialog.key == ("c", "1", "2")
    assert dialog.route_set == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert dialog.next_hop() == "sip:p1;lr"
    bye = dialog.start_request("BYE")
    assert bye.uri == "sip:b@192.0.2.2:5070;ob"
    assert list(bye.headers) == [
        ("Route", "<sip:p1;lr>"),
        ("Route", "<sip:p2;lr>"),
        ("From", "<sip:a@x>;tag=1"),
        ("To", "<sip:b@x>;tag=2"),
        ("Call-ID", "c"),
        ("CSeq", "8 BYE"),
    ]


def test_the_called_end() -> None:
    request = invite(("Record-Route", "<sip:p2;lr>"), ("Record-Route", "<sip:p1;lr>"))
    dialog = dialog_of_request(request, "2")
    assert dialog.key == ("c", "2", "1")
    assert dialog.route_set == ["<sip:p2;lr>", "<sip:p1;lr>"], "in the order of the request"
    assert dialog.remote_target == "sip:a@x", "without a Contact, From"
    assert (dialog.local_address, dialog.remote_address) == ("<sip:b@x>;tag=2", "<sip:a@x>;tag=1")
    assert dialog.start_request("BYE").cseq == (1, "BYE")


@pytest.mark.parametrize(
    ("first", "strict"),
    [
        ("<sip:p1>", True),
        ("<sip:p1;lr>", False),
        ("<sip:p1;lr=on>", False),
        ("<sip:p1;LR>", False),
        ("<sip:p1;lrx>", True),
        ("<sip:p1>;lr", True),
        ("<sip:pbx1:5070;transport=tcp>", True),
    ],
)
def test_strict_and_loose_routers(first: str, strict: bool) -> None:
    """Section 12.2.1.1: a strict router expects itself in the Request-URI, the target last in the Route."""
    dialog = Dialog(
        call_id="c",
        local_tag="1",
        remote_tag="2",
        local_address="<sip:a@x>;tag=1",
        remote_address="<sip:b@x>;tag=2",
        remote_target="sip:b@192.0.2.2",
        route_set=[first, "<sip:p2;lr>"],
    )
    request = dialog.start_request("INFO")
    assert dialog.next_hop() == first.partition(">")[0][1:]
    if strict:
        assert request.uri == first.partition(">")[0][1:]
        assert request.headers.values("Route") == ["<sip:p2;lr>", "<sip:b@192.0.2.2>"]
    else:
        assert request.uri == "sip:b@192.0.2.2"
        assert request.headers.values("Route") == [first, "<sip:p2;lr>"]


def test_cseq_of_both_directions() -> None:
    dialog = dialog_of_request(invite(), "2")
    info = Request("INFO", "sip:b@x", Headers([("CSeq", "9 INFO")]))
    assert dialog.accept_cseq(info)
    assert dialog.accept_cseq(info), "the same number is no lower one"
    assert not dialog.accept_cseq(Request("INFO", "sip:b@x", Headers([("CSeq", "8 INFO")])))
    assert dialog.remote_cseq == 9


def test_an_ack_takes_the_number_of_its_invite() -> None:
    dialog = dialog_of_response(invite(), answer())
    dialog.start_request("INFO")
    assert dialog.start_request("ACK").cseq == (7, "ACK")
    assert dialog.start_request("INVITE").cseq == (9, "INVITE")
    dialog.start_request("INFO")
    assert dialog.start_request("ACK").cseq == (9, "ACK")


def test_target_refresh() -> None:
    dialog = dialog_of_response(invite(), answer(("Contact", "<sip:b@192.0.2.2>")))
    dialog.refresh_target(answer())
    assert dialog.remote_target == "sip:b@192.0.2.2", "no Contact, no refresh"
    dialog.refresh_target(answer(("m", '"B" <sip:b@192.0.2.3;transport=tcp>;expires=3')))
    assert dialog.remote_target == "sip:b@192.0.2.3;transport=tcp"
    with pytest.raises(MessageError, match="Contact"):
        dialog.refresh_target(answer(("Contact", "<nonsense")))
    assert dialog.remote_target == "sip:b@192.0.2.3;transport=tcp"


def test_a_late_2xx_does_not_move_the_target_back() -> None:
    def moved(user: str) -> tuple[str, str]:
        return "Contact", f"<sip:{user}@x>"

    dialog = dialog_of_response(invite(), answer(moved("first")))
    older, newer = dialog.start_request("UPDATE"), dialog.start_request("NOTIFY")
    dialog.refresh_target(response_to(newer, 200, extra=[moved("second")]))
    assert dialog.remote_target == "sip:second@x"
    dialog.refresh_target(response_to(older, 200, extra=[moved("first")]))
    assert dialog.remote_target == "sip:second@x", "it is older than what moved the target"
    pending = dialog.start_request("INVITE")
    dialog.refresh_target(invite())
    dialog.refresh_target(response_to(pending, 200, extra=[moved("third")]))
    assert dialog.remote_target == "sip:third@x", "a request without a Contact has moved nothing"
    pending = dialog.start_request("INVITE")
    dialog.refresh_target(invite(moved("fourth")))
    dialog.refresh_target(response_to(pending, 200, extra=[moved("third")]))
    assert dialog.remote_target == "sip:fourth@x", "what the peer asks itself is newer"
    dialog.refresh_target(response_to(dialog.start_request("INVITE"), 200, extra=[moved("fifth")]))
    assert dialog.remote_target == "sip:fifth@x"


def test_a_peer_of_rfc_2543_has_a_null_tag() -> None:
    """Section 12.1.2: a response without a To tag; section 12.2.1.1: a null tag is written nowhere."""
    dialog = dialog_of_response(invite(), answer(("Contact", "<sip:b@192.0.2.2>"), tag=None))
    assert dialog.key == ("c", "1", "")
    assert dialog.start_request("BYE").headers.get("To") == "<sip:b@x>"


def test_the_remote_uri_is_that_of_the_request() -> None:
    """Section 12.1.2: whatever the peer has made of To in its response."""
    response = answer()
    response.headers.set("To", '"Somebody else" <sip:other@y;x=1>;tag=2')
    assert dialog_of_response(invite(), response).remote_address == "<sip:b@x>;tag=2"
    subscribe = invite()
    notify = Request(
        "NOTIFY", "sip:a@x", Headers([("From", "<sip:other@y>;tag=2"), ("To", "<sip:z@z>;tag=1")])
    )
    dialog = dialog_of_notify(subscribe, notify)
    assert (dialog.local_address, dialog.remote_address) == ("<sip:a@x>;tag=1", "<sip:b@x>;tag=2")


def test_what_ends_a_dialog_that_cannot_be_used() -> None:
    """Section 13.2.2.4: a 2xx is acknowledged, also where its Contact and Record-Route cannot be read."""
    request = invite(("Route", "<sip:p1;lr>"))
    dialog = dialog_to_end(request, answer(("Contact", "<nonsense"), ("Record-Route", "nonsense")))
    ack = dialog.start_request("ACK")
    assert (ack.uri, ack.cseq) == ("sip:b@x", (7, "ACK"))
    assert ack.headers.values("Route") == ["<sip:p1;lr>"]
    assert ack.headers.get("To") == "<sip:b@x>;tag=2"


def test_what_makes_no_dialog() -> None:
    for odd in ("<nonsense", "nonsense", "<sip:>"):
        with pytest.raises(MessageError, match="Record-Route"):
            dialog_of_response(invite(), answer(("Record-Route", odd)))
        with pytest.raises(MessageError, match="Record-Route"):
            dialog_of_request(invite(("Record-Route", odd)), "2")
