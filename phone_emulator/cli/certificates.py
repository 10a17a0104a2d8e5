"""The certificates that a phone's files and the command line name, read."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phone_emulator.config.model import PhoneConfig

from .talk import say

if TYPE_CHECKING:
    from phone_emulator.phone import PhoneOptions

TRUSTED, OWN = "static.trusted_certificates.url", "static.server_certificates.url"
LARGEST = 5 * 1024 * 1024
"""Bytes of a certificate file, as the phone takes them."""


def pem_of(path: Path, option: str) -> str:
    """The PEM text in the file that *option* names; raises click.BadParameter."""
    try:
        return _pem(path.read_bytes())
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param_hint=option) from None
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint=option) from None


def identity_of(path: Path, option: str) -> str:
    """The same for a file that holds a certificate and its key."""
    pem = pem_of(path, option)
    if "PRIVATE KEY-----" not in pem:
        raise click.BadParameter(
            f"{path}: holds no private key: expected the certificate and its key, PEM, in one file",
            param_hint=option,
        )
    return pem


def with_certificates(options: PhoneOptions, config: PhoneConfig, *, fetch: bool) -> PhoneOptions:
    """*options* with the certificates that *config* names.

    A file of this machine (``file:`` or a path) that cannot be read raises click.UsageError; one on a server
    that cannot be fetched is told, and the phone goes on without it, as a phone does.

    Args:
        options: of the phone.
        config: of the phone.
        fetch: whether files on servers are fetched; a simulation leaves the network alone.
    """
    trusted = _read(TRUSTED, config.trusted_certificates_url, options, config, fetch=fetch)
    own = _read(OWN, config.server_certificates_url, options, config, fetch=fetch)
    given = dataclasses.replace(options.certificates, trusted_pem=trusted, own_pem=own)
    return dataclasses.replace(options, certificates=given)


def _read(key: str, url: str, options: PhoneOptions, config: PhoneConfig, *, fetch: bool) -> str:
    if not url:
        return ""
    if url.startswith(("/", "./", "../")) or url.lower().startswith("file:") or Path(url).is_file():
        path = (
            Path(url.removeprefix("file:").removeprefix("//"))
            if url.lower().startswith("file:")
            else Path(url)
        )
        try:
            return _pem(path.read_bytes())
        except OSError as error:
            raise click.UsageError(f"{key}: {path}: {error.strerror}") from None
        except ValueError as error:
            raise click.UsageError(f"{key}: {path}: {error}") from None
    if not fetch:
        say(
            f"warning: {key} is not fetched in the simulated world; only files of this machine are read there"
        )
        return ""
    return _fetched(key, url, options, config)


def _fetched(key: str, url: str, options: PhoneOptions, config: PhoneConfig) -> str:
    from phone_emulator.provisioning.fetch import fetch
    from phone_emulator.provisioning.fetching import FetchError, Manner
    from phone_emulator.provisioning.location import LocationError, parse_location, without_credentials

    manner = Manner(
        user_agent=options.device.user_agent(config),
        verify=config.trust_certificates,
        ca_pem=options.ca_pem,
        local_host=options.first_address,
    )
    try:
        return _pem(asyncio.run(fetch(parse_location(url), manner)))
    except (LocationError, FetchError, ValueError) as error:
        say(f"warning: {key}: {without_credentials(url)}: {error}; the phone goes on without it")
        return ""


def _pem(data: bytes) -> str:
    """*data*, PEM or DER, as PEM text; raises ValueError."""
    if len(data) > LARGEST:
        raise ValueError(f"is larger than {LARGEST >> 20} MiB, no certificate is")
    if b"-----BEGIN " in data:
        try:
            return data.decode("ascii")
        except UnicodeDecodeError:
            raise ValueError("is not PEM text: it has characters that are not ASCII") from None
    if data[:1] == b"\x30":  # an ASN.1 SEQUENCE, as each certificate is
        return ssl.DER_cert_to_PEM_cert(data)
    raise ValueError("is neither PEM nor DER")
