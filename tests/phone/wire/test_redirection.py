"""Calls that a server sends elsewhere: 3xx, and what becomes of its Contacts (RFC 3261 section 8.1.3.4)."""

from __future__ import annotations

import pytest

from phone_emulator.phone.wire.redirection import MAX_TRIED, Redirection
from phone_emulator.sip.digest import challenge_value
from phone_emulator.sip.message import Headers, Response
from tests.bad_numbers import NO_NUMBERS
from tests.phone.far_end import Play, offer, play

FIRST = "sip:1002@192.168.1.13:5060"


def moved(*contacts: str) -> Response:
    return Response(302, "Moved Temporarily", Headers([("Contact", contact) for contact in contacts]))


def everyone(*responses: Response) -> list[str]:
    """All URIs that are tried when each answers with the next of *responses*, the last one in the end."""
    redirection, found = Redirection(FIRST), []
    redirection.redirected(responses[0])
    for response in (*responses[1:], *[responses[-1]] * 50):
        uri = redirection.next()
        if uri is None:
            break
        found.append(uri)
        redirection.redirected(response)
    return found


@pytest.mark.parametrize(
    ("contacts", "order"),
    [
        (["<sip:a@x>;q=0.2", "<sip:b@x>;q=0.7", "<sip:c@x>"], ["sip:c@x", "sip:b@x", "sip:a@x"]),
        (["<sip:a@x>;q=0.5, <sip:b@x>;q=0.5"], ["sip:a@x", "sip:b@x"]),
        (["<sip:a@x>;q=rubbish", "<sip:b@x>;q=0.1", "<sip:c@x>;q=9"], ["sip:b@x", "sip:a@x", "sip:c@x"]),
        (["<sip:a@x>", "<sip:a@x>;q=0.1"], ["sip:a@x"]),
        *(
            ([f"<sip:a@x>;q={q}", "<sip:b@x>;q=0.1"], ["sip:b@x", "sip:a@x"])
            for q in NO_NUMBERS
            if q and q != "1.5"
        ),
        ([f"<{FIRST}>", "<mailto:a@x>", "<tel:+123>"], ["tel:+123"]),
        (["<sip:a@x?Subject=hello>"], ["sip:a@x"]),
        (["<sip:a@x;new=1;lr;method=INVITE;transport=tcp?Subject=x>"], ["sip:a@x;new=1;lr;transport=tcp"]),
        (["<sip:a@x;method=BYE>", "<sip:b@x>"], ["sip:b@x"]),
        (["<sip:a@x;method=>", "<sip:a@x?Subject>", "<sip:a@x?Subject=%0d%0aX:y>"], []),
        (["<sip:a%20b@x>", "<tel:+1;method=BYE>"], ["sip:a%20b@x", "tel:+1;method=BYE"]),
        (["*"], []),
        (["<nonsense", "<sip:a@x>"], ["sip:a@x"]),
        ([], []),
    ],
)
def test_contacts_are_tried_in_order_of_q(contacts: list[str], order: list[str]) -> None:
    assert everyone(moved(*contacts)) == order


def test_what_is_redirected_to_later_waits_by_its_q() -> None:
    first = moved("<sip:a@x>;q=0.9", "<sip:b@x>;q=0.3")
    assert everyone(first, moved("<sip:c@x>;q=0.5"), moved()) == ["sip:a@x", "sip:c@x", "sip:b@x"]


def test_loops_and_endless_redirections_end() -> None:
    back = moved(f"<{FIRST}>", "<sip:a@x>", "<sip:b@x>")
    assert everyone(back) == ["sip:a@x", "sip:b@x"]
    redirection = Redirection(FIRST)
    tried = 0
    for number in range(100):
        redirection.redirected(moved(*(f"<sip:{number}-{each}@x>" for each in range(100))))
        tried += redirection.next() is not None
    assert tried == MAX_TRIED - 1


def test_the_next_contact_is_tried_where_one_fails() -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        first = await on.far.heard("INVITE")
        contacts = "<sip:1003@a.example>;q=0.9, <sip:1004@b.example>;q=0.8, <sip:1005@c.example>;q=0.7"
        on.far.answer(first, 300, extra=[("Contact", contacts)])
        await on.far.heard("ACK")
        for number, status in ((1003, 486), (1004, 404)):
            invite = await on.far.heard("INVITE")
            assert invite.uri.startswith(f"sip:{number}@")
            assert invite.call_id == first.call_id
            assert invite.headers.get("To") == first.headers.get("To")
            on.far.answer(invite, status)
            await on.far.heard("ACK")
        last = await on.far.heard("INVITE")
        assert (last.uri, last.cseq.number) == ("sip:1005@c.example", 4)
        on.far.answer(last, 200, body=offer())
        await on.far.heard("ACK")
        await call.settled()
        assert (len(call.route), call.route[0].sent) == (1, 4), "all at the same target"

    play(story)


@pytest.mark.parametrize("status", [600, 603])
def test_a_6xx_ends_the_search(status: int) -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        contacts = [("Contact", "<sip:1003@x>"), ("Contact", "<sip:1004@x>")]
        on.far.answer(await on.far.heard("INVITE"), 302, extra=contacts)
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("INVITE"), status)
        await on.far.heard("ACK")
        await call.over()
        assert call.status == status

    play(story)


def test_the_last_failure_is_the_answer() -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 302, extra=[("Contact", "<sip:1003@x>")])
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("INVITE"), 480)
        await on.far.heard("ACK")
        await call.over()
        assert (call.status, len(call.route)) == (480, 1)

    play(story)


def test_a_failure_without_redirection_is_an_answer() -> None:
    # rule C3
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        on.far.answer(await on.far.heard("INVITE"), 486, extra=[("Contact", "<sip:1003@x>")])
        await on.far.heard("ACK")
        await call.over()
        assert call.status == 486

    play(story)


def test_a_redirected_call_is_authenticated_at_once_where_the_nonce_is_known() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("1002")
        challenge = ("Proxy-Authenticate", challenge_value("r", "n"))
        on.far.answer(await on.far.heard("INVITE"), 407, extra=[challenge])
        await on.far.heard("ACK")
        on.far.answer(await on.far.heard("INVITE"), 302, extra=[("Contact", "<sip:1003@x>")])
        await on.far.heard("ACK")
        invite = await on.far.heard("INVITE")
        credentials = invite.headers.get("Proxy-Authorization") or ""
        assert 'uri="sip:1003@x"' in credentials
        assert "nc=00000002" in credentials

    play(story)


def test_a_user_who_hangs_up_is_not_redirected() -> None:
    # rule C9
    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        invite = await on.far.heard("INVITE")
        on.far.answer(invite, 180)
        await on.rest()
        await call.hang_up()
        on.far.answer(await on.far.heard("CANCEL"), 200)
        on.far.answer(invite, 302, extra=[("Contact", "<sip:1003@x>")])
        await on.far.heard("ACK")
        await call.over()
        await on.far.nothing()

    play(story)


def test_what_a_contact_asks_for_beside_a_call() -> None:
    """RFC 3261 section 19.1.5: a few headers, each Contact for itself, and none that the INVITE has."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002", headers=[("Priority", "normal")])
        first = await on.far.heard("INVITE")
        contacts = (
            "<sip:1003@x;method=INVITE?Subject=first&Priority=urgent&From=x&Route=%3Csip:x%3E>;q=0.9, "
            "<sip:1004@x?User-to-User=56a390f3%3Bencoding%3Dhex>;q=0.8, <sip:1005@x;method=MESSAGE>"
        )
        on.far.answer(first, 302, extra=[("Contact", contacts)])
        await on.far.heard("ACK")
        second = await on.far.heard("INVITE")
        assert (second.uri, second.headers.get("Subject")) == ("sip:1003@x", "first")
        assert (second.headers.get("Priority"), second.headers.values("Route")) == ("normal", [])
        assert second.headers.get("From") == first.headers.get("From")
        on.far.answer(second, 404)
        await on.far.heard("ACK")
        third = await on.far.heard("INVITE")
        assert (third.uri, third.headers.get("Subject")) == ("sip:1004@x", None)
        assert third.headers.get("User-to-User") == "56a390f3;encoding=hex"
        on.far.answer(third, 404)
        await on.far.heard("ACK")
        await call.over()

    play(story)


def test_a_contact_that_asks_for_another_method_is_told() -> None:
    """RFC 3261 section 19.1.5."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        extra = [("Contact", "<sip:1003@x;method=MESSAGE>")]
        on.far.answer(await on.far.heard("INVITE"), 302, extra=extra)
        await on.far.heard("ACK")
        await call.over()
        assert (call.result, call.status) == ("rejected", 302)
        why = "(its Contact sip:1003@x asks for MESSAGE: this phone only calls)"
        assert call.route[-1].detail.endswith(why)

    play(story)


def test_a_dialled_uri_asks_for_a_call_of_its_own_kind() -> None:
    async def story(on: Play) -> None:
        on.phone.dial("sip:1003@192.168.1.13;new=1;method=INVITE?Subject=hello&Via=x")
        invite = await on.far.heard("INVITE")
        assert (invite.uri, invite.headers.get("Subject")) == ("sip:1003@192.168.1.13;new=1", "hello")
        assert len(invite.headers.values("Via")) == 1

    play(story)


def test_a_remote_target_is_no_more_than_a_uri() -> None:
    """RFC 3261 section 19.1.1, table 1: a Contact has no method, and no headers."""

    async def story(on: Play) -> None:
        call = on.phone.dial("1002")
        contact = [("Contact", "<sip:1002@192.168.1.13:5060;new=1;method=BYE?Subject=x>")]
        on.far.answer(await on.far.heard("INVITE"), 200, body=offer(), extra=contact)
        assert (await on.far.heard("ACK")).uri == "sip:1002@192.168.1.13:5060;new=1"
        await call.settled()

    play(story)
