"""How the phone provisions: the ``static.auto_provision.*`` parameters, read from settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from phone_emulator.config import Setting
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
    """The parameters that provisioning honours; names without ``static.`` go after ``static.auto_provision.``."""

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
    sync: bool = False
    """Whether ``<mac>-local.cfg`` is fetched, too. ``custom.sync``"""
    sync_path: str = ""
    """Where it is; empty: with the others. ``custom.sync.path``"""
    only_encrypted: bool = False
    """``update_file_mode``"""
    common_key: Secret = field(default_factory=Secret)
    """``aes_key_16.com``"""
    mac_key: Secret = field(default_factory=Secret)
    """Empty: the common key. ``aes_key_16.mac``"""
    trust_certificates: bool = True
    """Whether the server's certificate is checked. ``static.security.trust_certificates``"""
    notify_reboot: NotifyReboot = NotifyReboot.ALWAYS
    """``sip.notify_reboot_enable``"""


_OWN = "static.auto_provision."
_TEXTS = {
    "user": "server.username",
    "password": "server.password",
    "wildcard": "url_wildcard.pn",
    "sync_path": "custom.sync.path",
    "common_key": "aes_key_16.com",
    "mac_key": "aes_key_16.mac",
}
_NUMBERS = {
    "timeout": (_OWN + "attempt_expired_time", 1, 300),
    "attempts": (_OWN + "attempt_before_failed", 1, 10),
    "retry_delay": (_OWN + "retry_delay_after_file_transfer_failed", 0, 300),
    "repeat": (_OWN + "repeat.enable", 0, 1),
    "repeat_minutes": (_OWN + "repeat.minutes", 1, 43200),
    "mac_in_user_agent": (_OWN + "user_agent_mac.enable", 0, 1),
    "sync": (_OWN + "custom.sync", 0, 1),
    "only_encrypted": (_OWN + "update_file_mode", 0, 1),
    "trust_certificates": ("static.security.trust_certificates", 0, 1),
    "notify_reboot": ("sip.notify_reboot_enable", 0, 2),
}
"""Field -> parameter, lowest and highest value; another value keeps the default."""
_SECRET = ("password", "common_key", "mac_key")
_KINDS: dict[str, Callable[[int], int]] = {
    "repeat": bool,
    "mac_in_user_agent": bool,
    "sync": bool,
    "only_encrypted": bool,
    "trust_certificates": bool,
    "notify_reboot": NotifyReboot,
}
"""What a field holds, where it is no plain number."""


def provisioning_settings(settings: Mapping[str, Setting]) -> ProvisioningSettings:
    """What *settings* ask for; names of before V81, without ``static.``, count where today's are not set."""
    facts: dict[str, object] = {}
    for field, name in _TEXTS.items():
        text = _given(settings, _OWN + name)
        if text is not None:
            facts[field] = Secret(text) if field in _SECRET else text
    for field, (key, low, high) in _NUMBERS.items():
        text = _given(settings, key)
        if text is None or not (text.isascii() and text.isdigit() and low <= int(text[:9]) <= high):
            continue
        facts[field] = _KINDS.get(field, int)(int(text))
    return ProvisioningSettings(**facts)  # type: ignore[arg-type]


def _given(settings: Mapping[str, Setting], key: str) -> str | None:
    """The value of *key*, or of its older name; None where there is none. A secret's own text."""
    for name in (key, key.removeprefix("static.")):
        setting = settings.get(name)
        if setting is not None and setting.given is not None:
            value = setting.given
            return value.reveal() if isinstance(value, Secret) else value
    return None
