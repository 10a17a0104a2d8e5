"""TLS contexts, and why a handshake failed, in words.

The peer's certificate is checked against the configured name, also when the connection goes to an IP address.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import reasons
from .base import TlsClient, TlsFailed, TlsServer, WorldError

# OpenSSL's X509_V_ERR_… numbers.
_VERIFICATION = {
    9: "certificate is not valid yet",
    10: "certificate has expired",
    18: reasons.TLS_SELF_SIGNED,
    19: reasons.TLS_UNKNOWN_CA,
    20: reasons.TLS_UNKNOWN_CA,
    21: reasons.TLS_UNKNOWN_CA,
    23: "certificate is revoked",
    26: "certificate is not meant for servers",
}
_WRONG_NAME, _WRONG_ADDRESS = 62, 64

_HANDSHAKE = {
    "WRONG_VERSION_NUMBER": reasons.TLS_NOT_SPOKEN,
    "RECORD_LAYER_FAILURE": reasons.TLS_NOT_SPOKEN,
    "PACKET_LENGTH_TOO_LONG": reasons.TLS_NOT_SPOKEN,
    "HTTP_REQUEST": reasons.TLS_NOT_SPOKEN,
    "UNSUPPORTED_PROTOCOL": "the peer offers only TLS versions older than 1.2",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the peer takes no TLS version that we offer",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer refused: no cipher in common, or it wants a certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the peer wants a certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the peer knows no such server name",
    "TLSV1_ALERT_UNKNOWN_CA": "the peer does not trust our certificate",
    "UNEXPECTED_EOF_WHILE_READING": reasons.TLS_CLOSED,
}
"""By OpenSSL's reason, as Python spells it."""


def client_context(tls: TlsClient, address: str) -> tuple[ssl.SSLContext, str]:
    """How to open a connection to *address*, and the name that the server must prove; raises TlsFailed."""
    wanted = (tls.server_name or address).rstrip(".")
    try:
        wanted.encode("idna")
    except UnicodeError as error:
        raise TlsFailed(f"{wanted!r} cannot be used as a server name: {error}") from None
    try:
        return _client_context(tls.verify, tls.ca_pem, os.environ.get("SSLKEYLOGFILE")), wanted
    except (ssl.SSLError, ValueError) as error:
        raise TlsFailed(f"the trusted certificates cannot be used: {error}") from None


@lru_cache(maxsize=32)  # reading the machine's own CAs takes 10 ms
def _client_context(verify: bool, ca_pem: str | None, keylog: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslobject_class = _NamingObject
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_pem is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=ca_pem)
    if keylog:
        context.keylog_filename = keylog
    return context


def server_context(tls: TlsServer) -> ssl.SSLContext:
    """How to accept connections; raises WorldError when the certificate is unusable."""
    names = ", ".join(tls.names) or "no name"
    if not tls.certificate_pem or not tls.key_pem:
        raise WorldError(f"cannot listen for TLS: no certificate and key are given for {names}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # OpenSSL reads a chain from files only.
    with tempfile.TemporaryDirectory(prefix="phone-emulator-") as folder:
        path = Path(folder, "chain.pem")
        path.touch(mode=0o600)
        path.write_text(f"{tls.key_pem}\n{tls.certificate_pem}\n", encoding="utf-8")
        try:
            context.load_cert_chain(path)
        except (ssl.SSLError, ValueError) as error:
            raise WorldError(f"cannot use the TLS certificate for {names}: {error}") from None
    if keylog := os.environ.get("SSLKEYLOGFILE"):
        context.keylog_filename = keylog
    return context


class _NamingObject(ssl.SSLObject):
    """Notes the names of a certificate that failed the check, for `handshake_in_words`."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            error.names = _names_of(self)  # type: ignore[attr-defined]
            raise


def _names_of(handshake: Any) -> tuple[str, ...]:
    """The names in the peer's certificate, as far as Python shows a certificate that it does not accept."""
    try:
        certificate = handshake._sslobj.get_unverified_chain()[0].get_info()
        return tuple(
            value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")
        )
    except (AttributeError, IndexError, TypeError, ValueError):
        return ()


def handshake_in_words(error: OSError, wanted: str) -> str:
    """Why the handshake with a server that should be *wanted* failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
            return reasons.wrong_name(getattr(error, "names", ()), wanted)
        return _VERIFICATION.get(error.verify_code, f"certificate is not accepted: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return _HANDSHAKE.get(reason, f"TLS handshake failed: {reason.replace('_', ' ').lower() or error}")
    if isinstance(error, ConnectionAbortedError):
        return "the TLS handshake was not finished in time"
    if isinstance(error, ConnectionError):
        return reasons.TLS_CLOSED
    return f"TLS handshake failed: {reasons.in_words(error)}"
