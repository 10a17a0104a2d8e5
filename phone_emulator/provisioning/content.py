"""What came: a cfg file in clear, an encrypted one, or something that is neither."""

from __future__ import annotations

import re

from phone_emulator.config import crypt
from phone_emulator.config.model import Secret
from phone_emulator.provisioning.errors import ProvisioningError
from phone_emulator.provisioning.settings import ProvisioningSettings

_BOM = b"\xef\xbb\xbf"
_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|body|\?xml|!--)", re.IGNORECASE)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_HEAD = 4096
"""Bytes that tell text from the rest."""


def in_clear(data: bytes, name: str, settings: ProvisioningSettings) -> bytes:
    """The file *name* in clear; raises ProvisioningError."""
    head = data[:_HEAD].removeprefix(_BOM)
    if _PAGE.match(head):
        raise ProvisioningError([f"{name}:1: is a page of HTML or XML, not a cfg file"])
    if not crypt.is_container(data) and _BINARY.search(head) is None:
        if settings.only_encrypted and not name.endswith(".boot"):
            why = "is not encrypted, and static.auto_provision.update_file_mode = 1 wants it to be"
            raise ProvisioningError([f"{name}:1: {why}"])
        return data
    try:
        return crypt.decrypt(data, [crypt.read_key(key.reveal()) for key in _keys(settings)])
    except crypt.CryptError as error:
        hint = "" if any(_keys(settings)) else " (static.auto_provision.aes_key_16.com or .mac)"
        raise ProvisioningError([f"{name}:1: {error}{hint}"]) from None


def _keys(settings: ProvisioningSettings) -> list[Secret]:
    """The phone's own key first; one that is blank is no key."""
    return [key for key in (settings.mac_key, settings.common_key) if key]
