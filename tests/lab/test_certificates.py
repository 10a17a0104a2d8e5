"""The lab's certificates, judged by the machine's own TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from phone_emulator.lab.certificates import LIFETIME, certificates
from phone_emulator.world.base import TlsServer

NAMES = ("yealink.pbx.com", "127.0.0.13", "::1")


@pytest.fixture(scope="module")
def made() -> TlsServer:
    return certificates(NAMES)


def handshake(made: TlsServer, name: str, folder: Path) -> None:
    """A TLS handshake in memory between a client that wants *name* and the server."""
    chain = folder / "server.pem"
    chain.write_text(made.certificate_pem + made.key_pem)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(chain)
    client_context = ssl.create_default_context(cadata=made.ca_pem)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_good(made: TlsServer, name: str, tmp_path: Path) -> None:
    handshake(made, name, tmp_path)


@pytest.mark.parametrize("name", ["other.pbx.com", "127.0.0.14"])
def test_another_name_is_not(made: TlsServer, name: str, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        handshake(made, name, tmp_path)


def test_another_ca_is_not_trusted(made: TlsServer, tmp_path: Path) -> None:
    other = certificates(NAMES)
    mixed = TlsServer(NAMES, made.certificate_pem, made.key_pem, other.ca_pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(mixed, NAMES[0], tmp_path)


def test_it_is_valid_for_a_month_from_now() -> None:
    now = datetime(2031, 1, 1, tzinfo=UTC)
    certificate = x509.load_pem_x509_certificate(
        certificates(["a.example"], now=now).certificate_pem.encode()
    )
    assert certificate.not_valid_after_utc == now + LIFETIME
    assert certificate.not_valid_before_utc < now


def test_names_are_kept_once_and_bare() -> None:
    assert certificates(["A.example.", "a.example", "[::1]"]).names == ("a.example", "::1")


@pytest.mark.parametrize("names", [[], [""], ["a.example", ""]])
def test_a_certificate_needs_names(names: list[str]) -> None:
    with pytest.raises(ValueError, match="at least one name"):
        certificates(names)
