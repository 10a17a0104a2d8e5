"""The certificate files that cfg files name, judged when the cfg files are loaded."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization as form

from phone_emulator.config import CfgError, load_text

CFG = "account.1.enable = 1\naccount.1.user_name = 1001\naccount.1.sip_server.1.address = pbx.example\n"


@pytest.mark.parametrize(("dev_cert", "severity"), [(1, "error"), (0, "warning")])
def test_a_certificate_that_cannot_be_shown_is_told_with_its_place(
    tmp_path: Path, dev_cert: int, severity: str
) -> None:
    one, other = trustme.CA().issue_cert("phone.example"), trustme.CA().issue_cert("phone.example")
    certificate, key = one.cert_chain_pems[0].bytes(), one.private_key_pem.bytes()
    path = tmp_path / "phone.pem"
    text = f"{CFG}static.security.dev_cert = {dev_cert}\nstatic.server_certificates.url = {path}\n"
    for content, why in (
        (certificate + key, None),
        (key + certificate, None),
        (certificate + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None),  # TLS tells
        (certificate, "holds no private key: expected the certificate and its key, PEM, in one file"),
        (
            certificate + other.private_key_pem.bytes(),
            "cannot be used: its key is that of another certificate",
        ),
        (ssl.PEM_cert_to_DER_cert(certificate.decode()), "holds no private key"),
    ):
        path.write_bytes(content)
        loaded = load_text(text, "x.cfg", strict=False)
        said = [str(each) for each in loaded.diagnostics if each.code == "bad-certificate"]
        place = f"x.cfg:5: {severity}: bad-certificate: static.server_certificates.url: {path}: "
        assert len(said) == (why is not None)
        assert why is None or said[0].startswith(place + why)


def test_a_key_that_wants_a_password_is_told(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("phone.example")
    key = form.load_pem_private_key(issued.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"x")
    )
    path = tmp_path / "phone.pem"
    path.write_bytes(issued.cert_chain_pems[0].bytes() + locked)
    with pytest.raises(
        CfgError, match=r"^x\.cfg:4: error: bad-certificate: .*: cannot be used: its key wants a password"
    ):
        load_text(f"{CFG}static.server_certificates.url = {path}\nstatic.security.dev_cert = 1", "x.cfg")


@pytest.mark.parametrize("name", ["/dev/zero", "/", "file:/dev/zero"])
def test_what_is_no_file_is_not_read(name: str) -> None:
    with pytest.raises(CfgError, match="is no file"):
        load_text(f"{CFG}static.trusted_certificates.url = {name}")


@pytest.mark.parametrize("name", ["x" * 5000, "~root/\u0101.pem"])
def test_names_that_no_file_can_have_are_left_to_the_fetching(name: str) -> None:
    config = load_text(f"{CFG}static.trusted_certificates.url = {name}").config
    assert config.trusted_certificates_url == name
