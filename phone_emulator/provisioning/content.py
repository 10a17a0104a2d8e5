"""What came: a cfg file in clear, an encrypted one, or something that is neither."""

from __future__ import annotations

import re

from phone_emulator.provisioning._standin import crypt
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
    encrypted = head.startswith(b"#!encrypt") or _BINARY.search(head) is not None
    if not encrypted:
        return data
    common, own = settings.common_key, settings.mac_key
    if not common and not own:
        raise ProvisioningError(
            [
                f"{name}:1: is encrypted, or no cfg file: set static.auto_provision.aes_key_16.com "
                "or .mac to the key that it was encrypted with"
            ]
        )
    try:
        return crypt.decrypt(data, common_key=common.reveal(), mac_key=own.reveal())
    except ValueError as error:
        raise ProvisioningError([f"{name}:1: {error}"]) from None
