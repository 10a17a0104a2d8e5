"""The registrar on its own: REGISTER in, status and headers out (RFC 3261 section 10.3)."""

from __future__ import annotations

import pytest

from phone_emulator.events import Address, Transport
from phone_emulator.lab.flow import Flow
from phone_emulator.lab.registrar import MAX_CONTACTS, Registrar
from phone_emulator.sip.message import Headers, Request

HERE = Flow(Transport.UDP, Address("192.168.1.21", 5060))
CONTACT = "<sip:1001@192.168.1.21:5060>"


def register(
    *contacts: str, cseq: int = 1, call_id: str = "c1", expires: str | None = None, user: str = "1001"
) -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 192.168.1.21:5060;branch=z9hG4bK1"),
            ("From", f"<sip:{user}@yealink.pbx.com>;tag=1"),
            ("To", f"<sip:{user}@yealink.pbx.com>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} REGISTER"),
            *(("Contact", contact) for contact in contacts),
        ]
    )
    if expires is not None:
        headers.add("Expires", expires)
    return Request("REGISTER", "sip:yealink.pbx.com", headers)


def registrar(max_expires: int = 3600, min_expires: int = 0) -> Registrar:
    return Registrar({"1001": "x", "1002": "x"}, max_expires=max_expires, min_expires=min_expires)


@pytest.mark.parametrize(
    ("contact", "expires", "granted"),
    [
        (CONTACT, None, 3600),
        (CONTACT, "600", 600),
        (f"{CONTACT};expires=120", "600", 120),
        (f"{CONTACT};expires=86400", None, 3600),
        (f"{CONTACT};expires=soon", None, 3600),
        ("sip:1001@192.168.1.21:5060;expires=60", None, 60),
    ],
)
def test_grants_what_is_asked_up_to_the_maximum(contact: str, expires: str | None, granted: int) -> None:
    status, extra = registrar().register(register(contact, expires=expires), HERE, 0.0)
    assert status == 200
    assert extra == [("Contact", f"<sip:1001@192.168.1.21:5060>;expires={granted}")]


def test_a_binding_lapses_at_its_time() -> None:
    reg = registrar()
    reg.register(register(CONTACT, expires="60"), HERE, 10.0)
    assert reg.lookup("1001", 69.9) is not None
    assert reg.bindings(69.9)["1001"][0].expires_at == 70.0
    assert reg.lookup("1001", 70.0) is None
    assert reg.bindings(70.0) == {}


def test_a_query_lists_the_seconds_that_are_left() -> None:
    reg = registrar()
    reg.register(register(CONTACT, expires="60"), HERE, 0.0)
    assert reg.register(register(cseq=2), HERE, 20.0) == (
        200,
        [("Contact", "<sip:1001@192.168.1.21:5060>;expires=40")],
    )


def test_expires_0_removes_that_contact_only() -> None:
    reg = registrar()
    reg.register(register(CONTACT, "<sip:1001@192.168.1.22>"), HERE, 0.0)
    status, extra = reg.register(register(f"{CONTACT};expires=0", cseq=2), HERE, 1.0)
    assert status == 200
    assert [value.partition(";")[0] for _, value in extra] == ["<sip:1001@192.168.1.22>"]


def test_a_star_removes_everything() -> None:
    # rule R11
    reg = registrar()
    reg.register(register(CONTACT, "<sip:1001@192.168.1.22>"), HERE, 0.0)
    assert reg.register(register("*", expires="0", cseq=2), HERE, 1.0) == (200, [])
    assert reg.bindings(1.0) == {}


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [(["*"], None), (["*"], "60"), (["*", CONTACT], "0"), (["<tel:1001>"], None), (["<>"], None)],
)
def test_nonsense_contacts_are_400_and_change_nothing(contacts: list[str], expires: str | None) -> None:
    reg = registrar()
    reg.register(register(CONTACT), HERE, 0.0)
    assert reg.register(register(*contacts, expires=expires, cseq=2), HERE, 1.0)[0] == 400
    assert reg.lookup("1001", 1.0) is not None


def test_too_brief_a_lease_is_423_with_the_minimum() -> None:
    # rule R8
    reg = registrar(min_expires=120)
    assert reg.register(register(CONTACT, expires="60"), HERE, 0.0) == (423, [("Min-Expires", "120")])
    assert reg.register(register(CONTACT, expires="120"), HERE, 0.0)[0] == 200
    assert reg.register(register(CONTACT, expires="0", cseq=2), HERE, 0.0) == (200, [])


def test_an_unknown_user_is_404() -> None:
    assert registrar().register(register(CONTACT, user="1009"), HERE, 0.0) == (404, [])


def test_a_retransmission_does_not_prolong_and_an_older_one_fails() -> None:
    reg = registrar()
    reg.register(register(CONTACT, expires="60", cseq=5), HERE, 0.0)
    status, extra = reg.register(register(CONTACT, expires="60", cseq=5), HERE, 4.0)
    assert (status, extra) == (200, [("Contact", "<sip:1001@192.168.1.21:5060>;expires=56")])
    assert reg.register(register(CONTACT, expires="0", cseq=4), HERE, 5.0)[0] == 500
    assert reg.register(register("*", expires="0", cseq=4), HERE, 5.0)[0] == 500
    assert reg.lookup("1001", 5.0) is not None


def test_one_binding_a_contact_and_a_bounded_number_of_contacts() -> None:
    reg = registrar()
    for n in range(3):
        reg.register(register(CONTACT, cseq=n + 1), HERE, float(n))
    assert len(reg.bindings(3.0)["1001"]) == 1
    for n in range(MAX_CONTACTS + 5):
        reg.register(register(f"<sip:1001@192.168.1.21:{6000 + n}>", call_id=f"c{n}"), HERE, 10.0 + n)
    contacts = reg.bindings(30.0)["1001"]
    assert len(contacts) == MAX_CONTACTS
    assert contacts[-1].uri == f"sip:1001@192.168.1.21:{6000 + MAX_CONTACTS + 4}"


def test_the_latest_contact_is_called() -> None:
    reg = registrar()
    reg.register(register("<sip:1001@192.168.1.21>"), HERE, 0.0)
    reg.register(register("<sip:1001@192.168.1.22>", call_id="c2"), HERE, 0.0)
    reg.register(register("<sip:1001@192.168.1.21>", cseq=2), HERE, 1.0)
    binding = reg.lookup("1001", 1.0)
    assert binding is not None
    assert binding.uri == "sip:1001@192.168.1.21"


def test_quoted_names_and_parameters_do_not_confuse_the_uri() -> None:
    contact = '"A <b>; c" <sip:1001@192.168.1.21;transport=tcp>;+sip.instance="<urn:uuid:1>";expires=90'
    status, extra = registrar().register(register(contact), HERE, 0.0)
    assert (status, extra) == (200, [("Contact", "<sip:1001@192.168.1.21;transport=tcp>;expires=90")])
