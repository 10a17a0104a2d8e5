"""What `check` warns of: settings by which strangers get in, listen, or learn a password."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from phone_emulator.config import examine, examine_reading, load_text
from phone_emulator.config.reader import Reading, read_sources

PHONE = (
    "#!version:1.0.0.1\naccount.1.enable = 1\naccount.1.user_name = 1001\n"
    "account.1.sip_server.1.address = pbx.example.com\naccount.1.password = Some-Secret-1\n"
)
CODES = {"answers-strangers", "unchecked-certificate", "password-in-clear", "weak-key", "old-tls"}


def told(text: str, name: str = "x.cfg") -> list[str]:
    """What is said of a phone's file that *text* ends, called *name*: its place, severity and code."""
    found = examine_reading(read_sources([(name, (PHONE + text).encode())]))
    return [f"{each.line}:{each.severity}:{each.code}" for each in found if each.code in CODES]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("account.1.auto_answer = 1", ["6:warning:answers-strangers"]),
        ("account.1.auto_answer = 1\nsip.trust_ctrl = 0", ["6:warning:answers-strangers"]),
        ("account.1.auto_answer = 1\nsip.trust_ctrl = 1", []),
        ("account.1.auto_answer = 1\naccount.1.sip_trust_ctrl = 1", []),
        ("account.1.auto_answer = 1\nsip.request_validation.source.list = INVITE", []),
        ("account.1.auto_answer = 1\nsip.request_validation.digest.list = INVITE, NOTIFY", []),
        ("account.2.auto_answer = 1", []),  # which is not enabled
        ("static.security.trust_certificates = 0", ["6:warning:unchecked-certificate"]),
        ("security.trust_certificates = 0", ["6:warning:unchecked-certificate"]),
        ("static.security.trust_certificates = 1", []),
        ("static.security.cn_validation = 0", ["6:hint:unchecked-certificate"]),
        ("static.security.cn_validation = 1", []),
        ("static.security.default_ssl_method = 0", ["6:warning:old-tls"]),
        ("static.security.server_ssl_method = 4", ["6:warning:old-tls"]),
        ("static.security.server_ssl_method = 3", []),
        ("static.security.default_ssl_method = 5", []),
        ("static.auto_provision.server.url = http://h/x", ["6:warning:password-in-clear"]),
        ("static.auto_provision.server.url = HTTP://h/x", ["6:warning:password-in-clear"]),
        ("static.auto_provision.server.url = h/x", ["6:warning:password-in-clear"]),
        ("static.auto_provision.server.url = ftp://h/x", ["6:warning:password-in-clear"]),
        ("static.auto_provision.server.url = https://h/x", []),
        ("static.auto_provision.server.url =", []),
        ("account.1.password =\nstatic.auto_provision.server.url = http://h/x", []),
        (
            "static.auto_provision.server.url = http://h/x\n"
            "static.auto_provision.aes_key_16.com = 0123456789abcdef",
            [],
        ),
        ("## phone-emulator: ignore old-tls\nstatic.security.default_ssl_method = 0", []),
    ],
)
def test_a_risk_is_told_at_its_line(text: str, expected: list[str]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http://h/x.cfg", ["5:warning:password-in-clear"]),
        ("ftp://h/x.cfg", ["5:warning:password-in-clear"]),
        ("tftp://h/x.cfg", ["5:warning:password-in-clear"]),
        ("https://h/x.cfg", []),
        ("file:/srv/x.cfg", []),
        ("x.cfg", []),
    ],
)
def test_a_file_with_passwords_that_came_in_clear(name: str, expected: list[str]) -> None:
    assert told("static.auto_provision.server.password = Some-Secret-2", name) == expected


def test_other_commands_do_not_repeat_it() -> None:
    loaded = load_text(f"{PHONE}static.security.trust_certificates = 0\naccount.1.auto_answer = 1\n")
    assert CODES.isdisjoint(found.code for found in loaded.diagnostics)


def test_no_password_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.cfg"
    file.write_text(f"{PHONE}static.auto_provision.server.url = http://u:hunter2@h/x\n")
    said = "\n".join(map(str, examine([file])))
    assert "password-in-clear" in said
    assert "hunter2" not in said
    assert "Some-Secret-1" not in said


# -- certificates ------------------------------------------------------------------------------------------

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
LATER = datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC)
SHA1 = """-----BEGIN CERTIFICATE-----
MIIBAzCBrAIBATAJBgcqhkjOPQQBMA0xCzAJBgNVBAMMAmNhMCAXDTI2MTEyODEx
MjYxMloYDzIwNTEwNzIwMTEyNjEyWjAQMQ4wDAYDVQQDDAVwaG9uZTBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABGVekexnwOk+3q/aTIHh9Wy/HDuwFTT5ShQjmIax
uw5gT7YqML4EzEB4vSoj9niV2QwhohlU1LAzfnBFfIkfLU8wCQYHKoZIzj0EAQNH
ADBEAiAnVOAON2OtpnnY/+0FiSZRxTe+NmcbjI/Lbyy1e0dI8gIgd5YqFTVBlzq9
cio+A4hJ9HR4yySjEyTrMlRKHQ3NkcI=
-----END CERTIFICATE-----
"""
"""A certificate that a CA has signed with SHA-1: made by OpenSSL for this test."""
SHA1_ROOT = """-----BEGIN CERTIFICATE-----
MIIBbzCCARagAwIBAgIUONYqBbwHgk8kLWlxgWXOssNlwHYwCQYHKoZIzj0EATAN
MQswCQYDVQQDDAJjYTAgFw0yNjExMjgxMTI2MTJaGA8yMDUxMDcyMDExMjYxMlow
DTELMAkGA1UEAwwCY2EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT0nCL6sMAX
jx41DZHOqOFejgQ8wkthR4/y+KkiO9DBxt0CcChwOET8/3r8OgIuyfJN/YxjmbdE
OzpkQ+XgUBMro1MwUTAdBgNVHQ4EFgQUiTXDJ2hBTnvdQVUhZeNC0zyXohAwHwYD
VR0jBBgwFoAUiTXDJ2hBTnvdQVUhZeNC0zyXohAwDwYDVR0TAQH/BAUwAwEB/zAJ
BgcqhkjOPQQBA0gAMEUCIHREfyDx36ZBTQit4wRnMwZ9B/a3YhmCh9hIB95GMdME
AiEAvgn+XVqZ+f5lPrlrAVqZhZqf3lfJREGe8EaxwiPKTys=
-----END CERTIFICATE-----
"""
"""The same of a CA that has signed itself."""
STRONG = ec.generate_private_key(ec.SECP256R1())


def pem(key: Key) -> str:
    """A certificate of *key*, issued by a strong one, and *key*."""
    phone, ca = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in ("phone", "ca"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(phone)
        .issuer_name(ca)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(LATER - datetime.timedelta(days=1))
        .not_valid_after(LATER)
        .sign(STRONG, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (certificate.public_bytes(Encoding.PEM) + private).decode()


@pytest.mark.parametrize("key", ["static.trusted_certificates.url", "static.server_certificates.url"])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (pem(rsa.generate_private_key(65537, 1024)), "has an RSA key of 1024 bits: expected 2048 at least"),
        (pem(rsa.generate_private_key(65537, 2048)), ""),
        (pem(ec.generate_private_key(ec.SECP192R1())), "has an elliptic key of 192 bits: expected 224 at"),
        (pem(STRONG), ""),
        (SHA1, "is signed with SHA1, which can be forged: expected SHA-256"),
        (SHA1_ROOT, ""),
        (pem(STRONG) + pem(rsa.generate_private_key(65537, 1024)), "has an RSA key of 1024 bits"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----", ""),
    ],
)
def test_weak_certificates(key: str, text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    path.write_text(text)
    found = [each for each in examine_reading(_phone(f"{key} = {path}")) if each.code == "weak-key"]
    assert len(found) == bool(why)
    for each in found:
        assert str(each).startswith(f"x.cfg:6: warning: weak-key: {key}: {path}: the certificate of CN=")
        assert why in each.message


def test_a_certificate_on_a_server_is_not_asked_for() -> None:
    for url in ("http://192.0.2.1/ca.pem", "ca.pem"):
        assert told(f"static.trusted_certificates.url = {url}") == []


def _phone(text: str) -> Reading:
    return read_sources([("x.cfg", (PHONE + text).encode())])
