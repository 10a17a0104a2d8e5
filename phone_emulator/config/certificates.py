"""The certificate files that cfg files name: read, and judged where they are on this machine."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from phone_emulator.cleaning import brief
from phone_emulator.config.diagnostic import Diagnostic, Findings, Severity
from phone_emulator.config.local_files import named_file
from phone_emulator.config.model import PhoneConfig
from phone_emulator.config.reader import Setting
from phone_emulator.scarcity import raise_shortage

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TRUSTED, OWN = "static.trusted_certificates.url", "static.server_certificates.url"
LARGEST = 5 * 1024 * 1024
"""Bytes of a certificate file, as the phone takes them."""
SHOWS_ITS_OWN = 1
"""Value of ``static.security.dev_cert``."""


def read_pem(path: Path) -> str:
    """The certificates in the file at *path* as PEM text; raises ValueError, which says why not."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError("is no file")  # but a folder or a device, which may never end
        with path.open("rb") as file:
            return pem(file.read(LARGEST + 1))
    except OSError as error:
        raise_shortage(error, str(path))
        raise ValueError(error.strerror or str(error)) from None


def pem(data: bytes) -> str:
    """*data*, PEM or DER, as PEM text; raises ValueError."""
    if len(data) > LARGEST:
        raise ValueError(f"is larger than {LARGEST >> 20} MiB, no certificate is")
    if b"-----BEGIN " in data:
        try:
            return data.decode("ascii")
        except UnicodeDecodeError:
            raise ValueError("is not PEM text: it has characters that are not ASCII") from None
    if data[:1] == b"\x30":  # an ASN.1 SEQUENCE, as each certificate is
        text = b64encode(data).decode()
        lines = [text[start : start + 64] for start in range(0, len(text), 64)]  # RFC 7468 section 2
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
    raise ValueError("is neither PEM nor DER")


def need_key(text: str) -> None:
    """Raises ValueError where the PEM *text* has no key: such a certificate cannot be shown to anybody."""
    if "PRIVATE KEY-----" not in text:
        raise ValueError("holds no private key: expected the certificate and its key, PEM, in one file")


def weaknesses(text: str) -> list[str]:
    """What is weak about the certificates in the PEM *text*, a sentence for each that is.

    As NIST SP 800-57 part 1 (table 2) and SP 800-131A have it: 112 bits of strength, no MD5 and no SHA-1.
    """
    from cryptography import x509  # slow to import, and seldom needed
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        return []
    found = []
    for certificate in certificates:
        try:
            why = _weakness(certificate)
            subject = brief(certificate.subject.rfc4514_string()) or "no name"
        except (ValueError, UnsupportedAlgorithm):
            continue
        if why:
            found.append(f"the certificate of {subject} {why}")
    return found


def _weakness(certificate: Certificate) -> str:
    """Why *certificate* is weak, or nothing. A root's own signature protects nothing."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey) and key.key_size < 2048:
        kind = "an RSA" if isinstance(key, rsa.RSAPublicKey) else "a DSA"
        return f"has {kind} key of {key.key_size} bits: expected 2048 at least"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < 224:
        return f"has an elliptic key of {key.curve.key_size} bits: expected 224 at least"
    signed = certificate.signature_hash_algorithm
    if signed is not None and signed.name in ("md5", "sha1") and certificate.issuer != certificate.subject:
        return f"is signed with {signed.name.upper()}, which can be forged: expected SHA-256"
    return ""


def unusable(config: PhoneConfig, values: Mapping[str, Setting]) -> list[Diagnostic]:
    """What is wrong with the files of this machine that *config* names.

    Args:
        config: of the phone.
        values: the settings it was made of, by today's names.
    """
    findings = Findings()
    shown = config.dev_cert == SHOWS_ITS_OWN
    for key, url in ((TRUSTED, config.trusted_certificates_url), (OWN, config.server_certificates_url)):
        path = named_file(url, key) if url else None
        if path is None:
            continue
        severity = Severity.ERROR
        try:
            text = read_pem(path)
            if key == OWN:
                severity = Severity.ERROR if shown else Severity.WARNING
                need_key(text)
                _fit(text)
        except ValueError as error:
            setting = values[key]
            message = f"{key}: {path}: {error}"
            findings.add(setting.file, setting.line, key, severity, "bad-certificate", message)
    return findings.list()


def _fit(text: str) -> None:
    """Raises ValueError where certificate and key in the PEM *text* are of no use together.

    What is only odd is left to TLS to judge, at the handshake.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # slow to import, and seldom needed
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        public = load_pem_private_key(text.encode(), None).public_key()
        fits = load_pem_x509_certificate(text.encode()).public_key() == public
    except TypeError:
        raise ValueError("cannot be used: its key wants a password") from None
    except (ValueError, UnsupportedAlgorithm):
        return
    if not fits:
        raise ValueError("cannot be used: its key is that of another certificate")
