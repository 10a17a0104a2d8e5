"""Whom the phone trusts over TLS, and the certificate that it shows (``static.security.*``)."""

from __future__ import annotations

import datetime
from functools import cache
from typing import Any

import pytest
import trustme

from phone_emulator.config import load_text
from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import Address, Attempt
from phone_emulator.phone import Certificates, Phone, PhoneOptions
from phone_emulator.phone.wire.certificates import trust_of
from phone_emulator.sip.framing import Framer
from phone_emulator.sip.message import Request, response_to
from phone_emulator.sip.parser import parse
from phone_emulator.world import RealWorld, Stream, TlsServer
from phone_emulator.world.base import TlsClient
from tests.patience import patient

CFG = "account.1.enable = 1\naccount.1.user_name = 1001\naccount.1.sip_server.1.address = pbx.example\n"
HOST = "127.0.0.13"


def config(**security: object) -> PhoneConfig:
    lines = "".join(f"static.security.{key} = {value}\n" for key, value in security.items())
    return load_text(CFG + lines).config


@pytest.mark.parametrize(
    ("ca_cert", "given", "users", "trusted", "machine"),
    [
        ("0", None, "", None, True),
        ("0", None, "users", None, True),
        ("1", None, "users", "users", False),
        ("1", None, "", "", False),
        ("2", None, "users", "users", True),
        ("2", None, "", None, True),
        ("", None, "users", "users", True),
        ("0", "given", "users", "given", False),
        ("1", "given", "users", "given\nusers", False),
        ("2", "given", "users", "given\nusers", False),
    ],
)
def test_whom_it_trusts(
    ca_cert: str, given: str | None, users: str, trusted: str | None, machine: bool
) -> None:
    trust = trust_of(config(ca_cert=ca_cert), given, Certificates(trusted_pem=users))
    assert (trust.ca_pem, trust.machine_cas) == (trusted, machine)


@pytest.mark.parametrize(
    ("security", "own", "said", "shown"),
    [
        ({}, "own", "", ""),
        ({"dev_cert": 0}, "own", "", ""),
        ({"dev_cert": 1}, "own", "", "own"),
        ({"dev_cert": 1}, "", "", ""),
        ({"dev_cert": 0}, "own", "said", "said"),
        ({"dev_cert": 1}, "own", "said", "said"),
    ],
)
def test_which_certificate_it_shows(security: dict[str, Any], own: str, said: str, shown: str) -> None:
    trust = trust_of(config(**security), None, Certificates(own_pem=own, client_pem=said))
    assert trust.client("pbx.example").identity_pem == shown
    assert "own" not in repr(trust)
    assert "said" not in repr(trust)


@pytest.mark.parametrize(
    ("security", "verify", "name"),
    [
        ({}, True, True),
        ({"cn_validation": 1}, True, True),
        ({"cn_validation": 0}, True, False),
        ({"trust_certificates": 0}, False, True),
    ],
)
def test_what_it_checks(security: dict[str, Any], verify: bool, name: bool) -> None:
    client = trust_of(config(**security), "ca", Certificates()).client("pbx.example")
    assert client == TlsClient("pbx.example", verify=verify, ca_pem="ca", check_name=name)


# -- on real sockets -----------------------------------------------------------------------------------------


@cache
def authority(which: str) -> trustme.CA:
    return trustme.CA(organization_name=which)


def ca(which: str = "ours") -> str:
    return authority(which).cert_pem.bytes().decode()


def issued(name: str, which: str = "ours", **how: Any) -> trustme.LeafCert:
    return authority(which).issue_cert(name, **how)


class Registrar:
    """Answers every request on a connection with 200."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._framer = Framer()

    def data_received(self, data: bytes) -> None:
        for each in self._framer.feed(data):
            message = parse(each)
            assert isinstance(message, Request)
            contact = message.headers.get("Contact") or ""
            extra = [("Contact", f"{contact};expires=60")]
            self._stream.send(response_to(message, 200, to_tag="1", extra=extra).to_bytes())

    def connection_lost(self, reason: str) -> None:
        """Nobody is to be told."""


def register(certificate: trustme.LeafCert, cfg: str, *, client_ca: str = "", **given: Any) -> Attempt:
    """A phone registers at pbx.example, whose A record leads to a server with *certificate*."""
    world = RealWorld(1, fast=False)
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems).decode()
    tls = TlsServer((), chain, certificate.private_key_pem.bytes().decode(), client_ca_pem=client_ca)

    async def main() -> Attempt:
        listener = await world.listen(Address(HOST, 0), Registrar, tls=tls)
        text = (
            f"{CFG}account.1.sip_server.1.transport_type = 2\n"
            f"account.1.sip_server.1.port = {listener.local.port}\n"
            f"dns_cache_a.1.name = pbx.example\ndns_cache_a.1.ip = {HOST}\ndns_cache_a.1.ttl = 300\n"
            f"account.1.static_cache_pri = 1\n{cfg}"
        )
        given["ca_pem"] = given.get("ca_pem", ca())
        options = PhoneOptions(local_address="127.0.0.21", local_port=0, **given)
        phone = Phone(load_text(text).config, world, options=options)
        await phone.start()
        await patient(phone.register())
        attempts = phone.line(1).bindings.attempts
        await phone.stop(unregister=False)
        return attempts[0]

    return world.run(main())


def own_pem(which: str = "ours", **how: Any) -> str:
    return issued("phone.example", which, **how).private_key_and_cert_chain_pem.bytes().decode()


YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("certificate", "cfg", "detail"),
    [
        (issued("pbx.example"), "", "200 OK"),
        (issued("other.example"), "", "certificate is for other.example, not pbx.example"),
        (issued("other.example"), "static.security.cn_validation = 0\n", "200 OK"),
        (issued("pbx.example", not_after=YESTERDAY), "", "certificate has expired"),
        (issued("pbx.example", "theirs"), "", "certificate is signed by an unknown authority"),
        (issued("other.example", "theirs"), "static.security.trust_certificates = 0\n", "200 OK"),
    ],
    ids=["good", "wrong name", "no name check", "expired", "unknown CA", "no check"],
)
def test_a_server_must_prove_who_it_is(certificate: trustme.LeafCert, cfg: str, detail: str) -> None:
    attempt = register(certificate, cfg)
    assert attempt.detail == detail
    assert attempt.outcome == ("answered" if detail == "200 OK" else "tls-failed")


def test_the_users_own_cas() -> None:
    attempt = register(
        issued("pbx.example", "theirs"),
        "static.security.ca_cert = 1\n",
        certificates=Certificates(trusted_pem=ca("theirs")),
    )
    assert attempt.detail == "200 OK"


def test_a_server_that_wants_the_phones_certificate_gets_it() -> None:
    own = Certificates(own_pem=own_pem())
    attempt = register(
        issued("pbx.example"), "static.security.dev_cert = 1\n", client_ca=ca(), certificates=own
    )
    assert attempt.detail == "200 OK"


@pytest.mark.parametrize("own", ["", own_pem("theirs")], ids=["none", "of another CA"])
def test_a_server_that_does_not_get_it_is_no_server(own: str) -> None:
    """In TLS 1.3 the connection ends after the handshake; asyncio's servers do not say why."""
    attempt = register(issued("pbx.example"), "", client_ca=ca(), certificates=Certificates(client_pem=own))
    assert attempt.outcome in ("send-failed", "tls-failed", "connect-failed")
    assert attempt.detail
