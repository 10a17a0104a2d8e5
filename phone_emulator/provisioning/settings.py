"""How the phone provisions: the ``static.auto_provision.*`` parameters, read from settings."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from phone_emulator.config import Setting
from phone_emulator.config.catalogue import catalogue
from phone_emulator.config.model import Secret


class NotifyReboot(IntEnum):
    """What a check-sync NOTIFY does beside provisioning (``sip.notify_reboot_enable``)."""

    AS_ASKED = 0
    """Reboots where its Event header says ``reboot=true``."""
    ALWAYS = 1
    IGNORED = 2
    """The NOTIFY does nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningSettings:
    """What provisioning honours. Parameters that do not say otherwise are of ``static.auto_provision.``."""

    user: str = ""
    """``server.username``"""
    password: Secret = field(default_factory=Secret)
    """``server.password``"""
    wildcard: str = ""
    """What ``$PN`` stands for; empty: the product name. ``url_wildcard.pn``"""
    timeout: int = 5
    """Seconds that a server may be silent. ``attempt_expired_time``"""
    attempts: int = 3
    """``attempt_before_failed``"""
    retry_delay: int = 5
    """Seconds before the next attempt. ``retry_delay_after_file_transfer_failed``"""
    repeat: bool = False
    """``repeat.enable``"""
    repeat_minutes: int = 1440
    """``repeat.minutes``"""
    mac_in_user_agent: bool = True
    """``user_agent_mac.enable``"""
    protect: bool = False
    """Whether what the user has changed wins. ``custom.protect``"""
    sync: bool = False
    """Whether ``<mac>-local.cfg`` is fetched, too. ``custom.sync``"""
    sync_path: str = ""
    """Where it is; empty: with the others. ``custom.sync.path``"""
    sync_path_source: str = ""
    """The file that says ``custom.sync.path``."""
    only_encrypted: bool = False
    """``update_file_mode``"""
    common_key: Secret = field(default_factory=Secret)
    """``aes_key_16.com``"""
    mac_key: Secret = field(default_factory=Secret)
    """Empty: the common key. ``aes_key_16.mac``"""
    trust_certificates: bool = True
    """Whether the server's certificate is checked. ``static.security.trust_certificates``"""
    notify_reboot: int = NotifyReboot.ALWAYS
    """A `NotifyReboot`. ``sip.notify_reboot_enable``"""


_OWN = "static.auto_provision."
_KEYS = {
    "user": _OWN + "server.username",
    "password": _OWN + "server.password",
    "wildcard": _OWN + "url_wildcard.pn",
    "timeout": _OWN + "attempt_expired_time",
    "attempts": _OWN + "attempt_before_failed",
    "retry_delay": _OWN + "retry_delay_after_file_transfer_failed",
    "repeat": _OWN + "repeat.enable",
    "repeat_minutes": _OWN + "repeat.minutes",
    "mac_in_user_agent": _OWN + "user_agent_mac.enable",
    "protect": _OWN + "custom.protect",
    "sync": _OWN + "custom.sync",
    "sync_path": _OWN + "custom.sync.path",
    "only_encrypted": _OWN + "update_file_mode",
    "common_key": _OWN + "aes_key_16.com",
    "mac_key": _OWN + "aes_key_16.mac",
    "trust_certificates": "static.security.trust_certificates",
    "notify_reboot": "sip.notify_reboot_enable",
}


def provisioning_settings(settings: Mapping[str, Setting]) -> ProvisioningSettings:
    """What *settings*, by today's names, ask for; a value that is none keeps the default."""
    facts: dict[str, Any] = {}
    for attribute, key in _KEYS.items():
        parameter, setting = catalogue().find(key), settings.get(key)
        text = None if setting is None else setting.given
        if parameter is None or text is None:
            continue
        with suppress(ValueError):  # which is said when the files are loaded
            facts[attribute] = parameter.parse(text)
            if attribute == "sync_path" and setting is not None:
                facts["sync_path_source"] = setting.file
    return ProvisioningSettings(**facts)
