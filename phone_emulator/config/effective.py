"""What settings come to, by today's names: each value in force, and where it comes from.

Two files say the same when their effective values are equal, however they spell them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from phone_emulator.config.build import todays_names
from phone_emulator.config.catalogue import Parameter, catalogue
from phone_emulator.config.codec_slots import by_factory_number, is_numbered
from phone_emulator.config.models import MOST_ACCOUNTS
from phone_emulator.config.reader import Origin, Setting, masked
from phone_emulator.config.secret import Secret

_ACCOUNT = re.compile(r"account\.([0-9]{1,4})\.").match
_NUMBERS = re.compile(r"([0-9]{1,9})").split
_NOT_SET_IS_OWN = re.compile(r"\.sip_server\.[12]\.(invite_)?retry_counts$").search
"""Keys whose absence means something else than their default (rule C5)."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The value of one parameter that is in force."""

    key: str
    """Today's name."""
    value: str
    """As it would stand in a file; a `Secret` where the key says so. Blank: no value."""
    setting: Setting | None
    """Who says so; None where it is the factory's default."""
    parameter: Parameter | None
    """None where the key is not known."""

    @property
    def origin(self) -> Origin:
        """Who says so."""
        return Origin.FACTORY if self.setting is None else self.setting.origin

    @property
    def shown(self) -> str:
        """The value for people's eyes."""
        return masked(self.value)


def by_todays_name(settings: Mapping[str, Setting], accounts: int = MOST_ACCOUNTS) -> dict[str, Setting]:
    """*settings* by today's names only; where an older name and today's are both set, today's counts.

    The names are slots, see `Setting.slot`. Those of accounts beyond the last of *accounts* are left out.
    """
    settings = {slot: each for slot, each in settings.items() if _account(slot) <= accounts}
    settings = dict(by_factory_number(settings))
    values = todays_names(settings, list(range(1, accounts + 1)))
    for slot, setting in settings.items():
        names = _todays(slot, setting)
        if names == (slot,):
            continue
        del values[slot]
        for name in names:
            if name not in values or (setting.value and not values[name].value):
                values[name] = setting
    return values


def _todays(slot: str, setting: Setting) -> tuple[str, ...]:
    return (slot,) if slot != setting.key and not is_numbered(slot) else catalogue().todays(slot)


def _account(slot: str) -> int:
    """The number of the account that *slot* belongs to; 0 where it belongs to none."""
    account = _ACCOUNT(slot)
    return 0 if account is None else int(account[1])


def effective(settings: Mapping[str, Setting], accounts: int = MOST_ACCOUNTS) -> dict[str, Effective]:
    """What *settings*, by slot, come to: by slot of today's name, in natural order of name.

    *accounts* is how many the phone has.
    """
    named = by_todays_name(settings, accounts)
    return {slot: value_in_force(slot, named.get(slot)) for slot in sorted(named, key=natural_order)}


def value_in_force(slot: str, setting: Setting | None) -> Effective:
    """The value of *slot*, which *setting* sets, if any: its own where it is one, else the default."""
    key = slot.partition("[")[0]
    parameter = catalogue().find(key)
    text = None if setting is None else setting.given
    value = None if text is None else canonical(parameter, text)
    if value is None:
        default = "" if parameter is None or _NOT_SET_IS_OWN(key) else parameter.default
        return Effective(key, default, None, parameter)
    if setting is not None and isinstance(setting.value, Secret):
        value = Secret(value)
    return Effective(key, value, setting, parameter)


def canonical(parameter: Parameter | None, text: str) -> str | None:
    """*text* in the one spelling of its value; None where it is no value of *parameter*."""
    if parameter is None:
        return text
    if not text and parameter.type == "host":
        return None
    try:
        value = parameter.parse(text)
    except ValueError:
        return None
    if isinstance(value, bool):
        return text
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return value.reveal() if isinstance(value, Secret) else str(value)


@dataclass(frozen=True, slots=True)
class Difference:
    """A parameter that two phones disagree about."""

    left: Effective
    right: Effective


def differences(
    left: Mapping[str, Setting], right: Mapping[str, Setting], accounts: int = MOST_ACCOUNTS
) -> list[Difference]:
    """Where two sets of settings come to different values, in natural order of name."""
    one, other = effective(left, accounts), effective(right, accounts)
    found = []
    for slot in sorted({**one, **other}, key=natural_order):
        a = one.get(slot) or value_in_force(slot, None)
        b = other.get(slot) or value_in_force(slot, None)
        if _plain(a.value) != _plain(b.value):
            found.append(Difference(a, b))
    return found


def slots_of(key: str, settings: Mapping[str, Setting]) -> list[str]:
    """The slots that *key*, by any name, stands for; each user's where each user has one."""
    todays = catalogue().todays(key)
    users = [slot for slot in settings if slot != key and slot.partition("[")[0] in todays and "[" in slot]
    return users or list(todays)


def natural_order(name: str) -> tuple[object, ...]:
    """A sort key by which ``account.2`` comes before ``account.10``."""
    parts = _NUMBERS(name)
    return tuple((part, 0) if n % 2 == 0 else ("", int(part)) for n, part in enumerate(parts)), name


def _plain(value: str) -> str:
    return value.reveal() if isinstance(value, Secret) else value
