"""Certificates for the lab's servers: a CA of its own, and a certificate for the names a server has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from phone_emulator.config.catalogue import is_ip
from phone_emulator.lab.flow import bare
from phone_emulator.world.base import TlsServer

LIFETIME = timedelta(days=30)


def certificates(names: Iterable[str], *, now: datetime | None = None) -> TlsServer:
    """A new CA (EC P-256) and a server certificate signed by it.

    *names*: domain names and IP addresses in text, at least one; they become the subjectAltNames.
    *now*: the wall clock; valid from an hour before to 30 days after.
    Raises ValueError when *names* is empty or holds an empty name.
    """
    # Here, because importing it takes longer than the rest of the lab does to start.
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    kept = tuple(dict.fromkeys(bare(name) for name in names))
    if not kept or not all(kept):
        raise ValueError("a certificate needs at least one name, and no empty one")
    now = now or datetime.now(UTC)

    def subject(name: str) -> x509.Name:
        # A common name holds 64 characters at most; the names that count are the subjectAltNames.
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])

    def builder(name: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject(name))
            .issuer_name(subject(issuer))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    ca_name = "phone-emulator lab CA"
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = (
        builder(ca_name, ca_name, ca_key.public_key())
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
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = [x509.IPAddress(ip_address(n)) if is_ip(n) else x509.DNSName(n) for n in kept]
    certificate = (
        builder(kept[0], ca_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return TlsServer(
        names=kept,
        certificate_pem=certificate.public_bytes(pem).decode(),
        key_pem=key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        ca_pem=ca.public_bytes(pem).decode(),
    )
