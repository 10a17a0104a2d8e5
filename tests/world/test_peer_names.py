"""Whose certificate it is (RFC 5922)."""

from __future__ import annotations

from typing import Any

import pytest

from phone_emulator.world.peer_names import fault, names_of


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("a.example",), "a.example"),
        (("A.Example",), "a.example."),
        (("other.example", "sip:a.example"), "a.example"),
        (("sip:A.EXAMPLE",), "a.example"),
        (("192.168.1.13",), "192.168.1.13"),
        (("fd00:0::13",), "fd00::13"),
        (("sip:[fd00::13]",), "fd00::13"),
        (("xn--mnchen-3ya.example",), "m\u00fcnchen.example"),
    ],
)
def test_names_that_fit(names: tuple[str, ...], wanted: str) -> None:
    assert fault(names, wanted) == ""


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("a.example",), "xa.example"),
        (("a.example",), "example"),
        (("example",), "a.example"),
        (("sips:a.example",), "a.example"),
        (("192.168.1.13",), "192.168.1.14"),
        ((), "a.example"),
        (("a.example",), ""),
    ],
)
def test_names_that_do_not_fit(names: tuple[str, ...], wanted: str) -> None:
    why = fault(names, wanted)
    assert why.startswith("certificate is ")
    assert why.endswith(wanted)


def test_a_name_that_stands_twice_is_told_once() -> None:
    """Many certificates repeat their address as the common name."""
    assert fault(("192.168.1.13", "192.168.1.13"), "a.example") == (
        "certificate is for 192.168.1.13, not a.example"
    )


@pytest.mark.parametrize("wanted", ["a.example", "A.EXAMPLE"])
def test_a_wildcard_names_no_sip_domain(wanted: str) -> None:
    """RFC 5922 section 7.2; the reason says it, since web browsers take such a certificate."""
    why = fault(("*.example",), wanted)
    assert why == f"certificate is for *.example, not {wanted}: a wildcard names no SIP domain (RFC 5922)"
    assert fault(("*.example",), "b.a.example") == "certificate is for *.example, not b.a.example"


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (
            {
                "subject": ((("commonName", "cn.example"),),),
                "subjectAltName": (
                    ("DNS", "dns.example"),
                    ("URI", "sip:uri.example"),
                    ("URI", "sip:someone@uri.example"),
                    ("URI", "https://uri.example"),
                    ("IP Address", "192.0.2.1"),
                ),
            },
            ("sip:uri.example", "192.0.2.1"),
        ),
        ({"subjectAltName": (("DNS", "dns.example"), ("URI", "sip:a@uri.example"))}, ("dns.example",)),
        ({"subject": ((("commonName", "cn.example"),),)}, ("cn.example",)),
        (
            {"subject": ((("commonName", "cn.example"),),), "subjectAltName": (("IP Address", "192.0.2.1"),)},
            ("192.0.2.1",),
        ),
        ({}, ()),
    ],
)
def test_the_names_in_a_certificate(certificate: dict[str, Any], names: tuple[str, ...]) -> None:
    """RFC 5922 section 7.1: a domain counts only beside no SIP URI, the common name only by itself."""
    assert names_of(certificate) == names
