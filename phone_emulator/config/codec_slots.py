"""The numbered codecs of files up to V80: of which codec ``account.X.codec.Y`` is.

Each number has a codec of the factory's (the catalogue's older names); ``.payload_type`` names another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from phone_emulator.config.reader import Setting

NUMBERS = {
    "PCMU": 1,
    "PCMA": 2,
    "G723_53": 3,
    "G723_63": 4,
    "G729": 5,
    "G722": 6,
    "ILBC": 7,
    "G726_16": 8,
    "G726_24": 9,
    "G726_32": 10,
    "G726_40": 11,
}
"""What ``.payload_type`` says, in capitals and with ``_`` for ``-`` -> the factory's number of that codec."""
_PAYLOAD_TYPE = re.compile(r"(account\.[0-9]+\.codec\.)([0-9]+)\.payload_type").fullmatch
_NUMBERED = re.compile(r"account\.[0-9]+\.codec\.[0-9]+\.(enable|priority)").fullmatch


def is_numbered(slot: str) -> bool:
    """Whether *slot* is a key of a numbered codec that has a name today."""
    return _NUMBERED(slot) is not None


def by_factory_number(settings: Mapping[str, Setting]) -> Mapping[str, Setting]:
    """*settings*, each numbered codec under the number that the codec of its ``payload_type`` has.

    What has no ``payload_type``, or one that nobody knows, keeps its number; where both want the same, the
    one that names its codec has it.
    """
    moved: dict[str, str] = {}
    for slot, setting in settings.items():
        found = _PAYLOAD_TYPE(slot)
        number = NUMBERS.get(setting.value.strip().upper().replace("-", "_")) if found else None
        if found is None or number is None:
            continue
        for rest in ("enable", "priority"):
            moved[f"{found[1]}{found[2]}.{rest}"] = f"{found[1]}{number}.{rest}"
    if all(slot == there for slot, there in moved.items()):
        return settings
    placed = {slot: setting for slot, setting in settings.items() if slot not in moved}
    return placed | {there: settings[slot] for slot, there in moved.items() if slot in settings}
