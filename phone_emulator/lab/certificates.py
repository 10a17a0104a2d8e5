"""Certificates for the lab's servers: a CA of its own, and a certificate for the names a server has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from phone_emulator.config.catalogue import is_ip
from phone_emulator.lab.flow import bare
from phone_emulator.lab.vocabulary import BadCertificate
from phone_emulator.world.base import UNKNOWN_CA, TlsServer

LIFETIME = timedelta(days=30)
WRONG_NAME = "wrong-name.invalid"
"""The only name in the certificate that is for somebody else."""


def certificates(names: Iterable[str], *, now: datetime | None = None) -> TlsServer:
    """A new CA (EC P-256) and a server certificate signed by it.

    *names*: domain names and IP addresses in text, at least one; they become the subjectAltNames.
    *now*: the wall clock; valid from an hour before to 30 days after.
    Raises ValueError when *names* is empty or holds an empty name.
    """
    return Authority(now=now).issue(names)


def simulated_fault(good: TlsServer, wrong: BadCertificate) -> TlsServer:
    """What stands in the simulated world for a certificate with that fault, in place of the *good* one."""
    return {
        BadCertificate.EXPIRED: replace(good, expired=True),
        BadCertificate.WRONG_NAME: replace(good, names=(WRONG_NAME,)),
        BadCertificate.UNKNOWN_CA: replace(good, ca_pem=UNKNOWN_CA),
    }[wrong]


class Authority:
    """A CA of its own (EC P-256). *now*: the wall clock; valid from an hour before to 30 days after."""

    def __init__(self, *, now: datetime | None = None) -> None:
        # Here, because importing it takes longer than the rest of the lab does to start.
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        self._now = now or datetime.now(UTC)
        self._name = "phone-emulator lab CA"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = (
            self._builder(self._name, self._key.public_key(), self._now + LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=False,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=True,
                    crl_sign=True,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, names: Iterable[str], *, expired: bool = False) -> TlsServer:
        """A server certificate for *names*, at least one; *expired*: it was good until half an hour ago.

        Raises ValueError when *names* is empty or holds an empty name.
        """
        from ipaddress import ip_address

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        kept = tuple(dict.fromkeys(bare(name) for name in names))
        if not kept or not all(kept):
            raise ValueError("a certificate needs at least one name, and no empty one")
        key = ec.generate_private_key(ec.SECP256R1())
        until = self._now - timedelta(minutes=30) if expired else self._now + LIFETIME
        alternatives = [x509.IPAddress(ip_address(n)) if is_ip(n) else x509.DNSName(n) for n in kept]
        certificate = (
            self._builder(kept[0], key.public_key(), until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        return TlsServer(
            names=kept,
            certificate_pem=certificate.public_bytes(pem).decode(),
            key_pem=key.private_bytes(
                pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
            ca_pem=self._certificate.public_bytes(pem).decode(),
        )

    def issue_bad(self, names: Iterable[str], wrong: BadCertificate) -> TlsServer:
        """A server certificate for *names* that clients should not accept."""
        if wrong is BadCertificate.UNKNOWN_CA:
            return Authority(now=self._now).issue(names)
        expired = wrong is BadCertificate.EXPIRED
        return self.issue(names if expired else (WRONG_NAME,), expired=expired)

    def _builder(self, name: str, key: Any, until: datetime) -> Any:
        from cryptography import x509
        from cryptography.x509.oid import NameOID

        def subject(name: str) -> x509.Name:
            # A common name holds 64 characters at most; the names that count are the subjectAltNames.
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])

        return (
            x509.CertificateBuilder()
            .subject_name(subject(name))
            .issuer_name(subject(self._name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(hours=1))
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
