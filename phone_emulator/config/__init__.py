"""Cfg files in, a typed and checked `PhoneConfig` out.

`load` is what a phone starts with; `examine` is everything there is to say about the files. The names are
imported when they are used: `phone-emulator params` needs the catalogue alone, and should answer at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phone_emulator.config.diagnostic import Diagnostic, Severity
    from phone_emulator.config.loading import Loaded, examine, examine_reading, load, load_settings, load_text
    from phone_emulator.config.model import PhoneConfig
    from phone_emulator.config.reader import CfgError, Setting

__all__ = [
    "CfgError",
    "Diagnostic",
    "Loaded",
    "PhoneConfig",
    "Setting",
    "Severity",
    "examine",
    "examine_reading",
    "load",
    "load_settings",
    "load_text",
]

_HOMES = {
    "CfgError": "reader",
    "Diagnostic": "diagnostic",
    "PhoneConfig": "model",
    "Setting": "reader",
    "Severity": "diagnostic",
}
"""The module of each name that is not of ``loading``."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'loading')}"), name)
