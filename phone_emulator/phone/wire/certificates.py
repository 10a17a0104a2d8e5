"""Whom the phone trusts over TLS, and which certificate of its own it shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from phone_emulator.config.model import PhoneConfig
from phone_emulator.world.base import TlsClient

MACHINE_ONLY, USERS_ONLY, BOTH = 0, 1, 2
"""Values of ``static.security.ca_cert``."""
USERS_CERTIFICATE = 1
"""Value of ``static.security.dev_cert``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The PEM files that the user gave."""

    trusted_pem: str = ""
    """``static.trusted_certificates.url``; empty for none."""
    own_pem: str = field(default="", repr=False)
    """``static.server_certificates.url``: the phone's certificate and its key; empty for none."""
    client_pem: str = field(default="", repr=False)
    """The same as the user says beside the files (``--client-cert``), whatever ``dev_cert`` is."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How the phone meets TLS servers."""

    verify: bool
    check_name: bool
    ca_pem: str | None
    machine_cas: bool
    identity_pem: str = field(repr=False)

    def client(self, domain: str) -> TlsClient:
        """How to open a connection to a server of *domain*, as configured."""
        return TlsClient(
            domain,
            verify=self.verify,
            ca_pem=self.ca_pem,
            machine_cas=self.machine_cas,
            check_name=self.check_name,
            identity_pem=self.identity_pem,
        )


def trust_of(config: PhoneConfig, ca_pem: str | None, given: Certificates) -> Trust:
    """What ``static.security.*`` makes of the certificates *given*.

    *ca_pem* (``--ca``, the lab's) stands in for the machine's own CAs and is trusted whatever ``ca_cert``
    says. A name is checked unless a file says ``cn_validation = 0``: the documented default, which checks
    none, would let anybody with a certificate pass for the server. The built-in certificate of
    ``dev_cert = 0`` is the vendor's and not to be had: such a phone shows none.
    """
    users = given.trusted_pem if config.ca_cert in (USERS_ONLY, BOTH) else ""
    machine = ca_pem is None and config.ca_cert in (MACHINE_ONLY, BOTH)
    trusted = "\n".join(filter(None, (ca_pem, users)))
    own = given.own_pem if config.dev_cert == USERS_CERTIFICATE else ""
    return Trust(
        verify=config.trust_certificates,
        check_name=config.cn_validation is not False,
        ca_pem=None if machine and not trusted else trusted,
        machine_cas=machine,
        identity_pem=given.client_pem or own,
    )
