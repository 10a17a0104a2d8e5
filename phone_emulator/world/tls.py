"""TLS contexts, and why a handshake failed, in words.

A SIP server's certificate is checked against the configured domain (`peer_names`), an HTTPS server's against
its host name by OpenSSL.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import replace
from functools import lru_cache
from typing import Any

from phone_emulator.scarcity import numbered

from . import peer_names, reasons
from .base import TlsClient, TlsFailed, TlsServer, WorldError

# OpenSSL's X509_V_ERR_… numbers.
_VERIFICATION = {
    9: "certificate is not valid yet",
    10: reasons.TLS_EXPIRED,
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
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": reasons.TLS_NO_CERTIFICATE,
    "TLSV1_UNRECOGNIZED_NAME": "the peer knows no such server name",
    "TLSV1_ALERT_UNKNOWN_CA": reasons.TLS_NOT_TRUSTED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the peer does not trust our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the peer does not accept our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the peer says that our certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "the peer says that our certificate is revoked",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "the peer cannot use our kind of certificate",
    "TLSV1_ALERT_ACCESS_DENIED": "the peer does not let the owner of our certificate in",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer shows no certificate",
    "UNEXPECTED_EOF_WHILE_READING": reasons.TLS_CLOSED,
}
"""By OpenSSL's reason, as Python spells it."""


def client_context(tls: TlsClient, address: str, *, sip: bool = False) -> tuple[ssl.SSLContext, str]:
    """How to open a connection to *address*, and the name that the server must prove; raises TlsFailed.

    With *sip* the name is not looked at during the handshake but by `check_name` after it.
    """
    wanted = (tls.server_name or address).rstrip(".")
    try:
        wanted.encode("idna")
    except UnicodeError as error:
        raise TlsFailed(f"{wanted!r} cannot be used as a server name: {error}") from None
    try:
        alike = replace(tls, server_name="", check_name=True)
        named = os.environ.get("SSLKEYLOGFILE"), os.environ.get("SSL_CERT_FILE")
        return _client_context(alike, sip, *named), wanted
    except WorldError as error:
        raise TlsFailed(str(error)) from None
    except (ssl.SSLError, ValueError) as error:
        raise TlsFailed(f"the trusted certificates cannot be used: {error}") from None
    except OSError as error:
        raise numbered(TlsFailed(f"no TLS here: {reasons.in_words(error)}"), error) from None


@lru_cache(maxsize=32)  # reading the machine's own CAs takes 10 ms
def _client_context(tls: TlsClient, sip: bool, keylog: str | None, machine: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslobject_class = _NamingObject
    if sip or not tls.verify:
        context.check_hostname = False
    if not tls.verify:
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca_pem is None or tls.machine_cas:
        context.load_default_certs()
    if tls.verify and tls.ca_pem:
        context.load_verify_locations(cadata=tls.ca_pem)
    if tls.identity_pem:
        _show(context, tls.identity_pem, "our own certificate")
    if keylog:
        context.keylog_filename = keylog
    return context


def check_name(tls: TlsClient, wanted: str, certificate: dict[str, Any] | None) -> None:
    """Look whether *certificate*, which a SIP server has shown, is one for *wanted*; raises TlsFailed."""
    if (
        tls.verify
        and tls.check_name
        and (why := peer_names.fault(peer_names.names_of(certificate or {}), wanted))
    ):
        raise TlsFailed(why)


def server_context(tls: TlsServer) -> ssl.SSLContext:
    """How to accept connections; raises WorldError when the certificate is unusable."""
    names = ", ".join(tls.names) or "no name"
    if not tls.certificate_pem or not tls.key_pem:
        raise WorldError(f"cannot listen for TLS: no certificate and key are given for {names}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _show(context, f"{tls.key_pem}\n{tls.certificate_pem}\n", f"the TLS certificate for {names}")
    if tls.client_ca_pem:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(cadata=tls.client_ca_pem)
        except (ssl.SSLError, ValueError) as error:
            raise WorldError(f"cannot use the CAs of the clients of {names}: {error}") from None
    if keylog := os.environ.get("SSLKEYLOGFILE"):
        context.keylog_filename = keylog
    return context


def _show(context: ssl.SSLContext, pem: str, what: str) -> None:
    """Let *context* show the certificate in *pem*, which holds its key too; raises WorldError."""
    # OpenSSL reads a chain from files only.
    try:
        _load_chain(context, pem, what)
    except OSError as error:
        if isinstance(error, WorldError):
            raise
        raise numbered(WorldError(f"cannot use {what}: {reasons.in_words(error)}"), error) from None


def _load_chain(context: ssl.SSLContext, pem: str, what: str) -> None:
    descriptor, path = tempfile.mkstemp(prefix="phone-emulator-", suffix=".pem")  # its owner's alone
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(pem)
        # A key that wants a password would make OpenSSL ask for one at the terminal.
        context.load_cert_chain(path, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise WorldError(f"cannot use {what}: {reason.replace('_', ' ').lower()}") from None
    finally:
        os.unlink(path)  # which takes no descriptor: with none left, the key is not left behind


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


def ended_in_words(error: ssl.SSLError) -> str:
    """Why TLS ended a connection: in TLS 1.3 a server refuses our certificate only after the handshake."""
    return _HANDSHAKE.get(
        error.reason or "", f"TLS error: {(error.reason or str(error)).replace('_', ' ').lower()}"
    )


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
