"""A certificate authority and server certificates, made anew for each run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.integration.harness.net import DOMAIN


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The files of one server certificate."""

    chain_file: Path
    key_file: Path


class Certificates:
    """A CA that the phone trusts (`ca_file`), and one that it does not."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._trusted = trustme.CA(organization_name="trusted by the phone")
        self._stranger = trustme.CA(organization_name="unknown to the phone")
        self.ca_file = directory / "ca.pem"
        self._trusted.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str = DOMAIN, *, trusted: bool = True) -> ServerCertificate:
        """A certificate that carries *name*, signed by the trusted CA or by the unknown one."""
        leaf = (self._trusted if trusted else self._stranger).issue_cert(name, common_name=name)
        stem = f"{name}-{'trusted' if trusted else 'unknown'}"
        files = ServerCertificate(self._directory / f"{stem}.pem", self._directory / f"{stem}.key")
        files.chain_file.unlink(missing_ok=True)
        for pem in leaf.cert_chain_pems:
            pem.write_to_path(files.chain_file, append=True)
        leaf.private_key_pem.write_to_path(files.key_file)
        return files
