"""The certificates that a phone's files and the command line name, read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phone_emulator.config.certificates import OWN, TRUSTED, need_key, pem, read_pem
from phone_emulator.config.local_files import named_file
from phone_emulator.config.model import PhoneConfig

from .talk import say

if TYPE_CHECKING:
    from phone_emulator.phone import PhoneOptions


def pem_of(path: Path, option: str) -> str:
    """The PEM text in the file that *option* names; raises click.BadParameter."""
    try:
        return read_pem(path)
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint=option) from None


def identity_of(path: Path, option: str) -> str:
    """The same for a file that holds a certificate and its key."""
    text = pem_of(path, option)
    try:
        need_key(text)
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint=option) from None
    return text


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
    path = named_file(url, key)  # `build` has refused those that a server named
    if path is not None:
        try:
            return read_pem(path)
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
    from phone_emulator.world.system_loop import run_on_a_loop

    manner = Manner(
        user_agent=options.device.user_agent(config),
        verify=config.trust_certificates,
        ca_pem=options.ca_pem,
        local_host=options.first_address,
    )
    try:
        text = pem(run_on_a_loop(fetch(parse_location(url), manner), fast=False))
        if key == OWN:
            need_key(text)
    except (LocationError, FetchError, ValueError) as error:
        say(f"warning: {key}: {without_credentials(url)}: {error}; the phone goes on without it")
        return ""
    return text
