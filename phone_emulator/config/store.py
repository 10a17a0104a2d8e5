"""What the phone remembers between one provisioning and the next, and what a new one changes in it.

The store is a mapping from `Setting.slot` of today's name to the setting whose value is in force; a parameter
that is not in it has the factory's default. Each setting knows its origin, file and line.

What fetched files say     | ``overwrite_mode = 1`` | ``overwrite_mode = 0``, or no boot file
---------------------------|------------------------|----------------------------------------
``key = value``            | set                    | set
``key =``                  | the factory's default  | as before
nothing (``static.*``)     | as before              | as before
nothing (any other)        | the factory's default  | as before
``key = %NULL%``           | the factory's default  | the factory's default
``key = %EMPTY%``          | the empty text         | the empty text
"""

from __future__ import annotations

from collections.abc import Mapping

from phone_emulator.config.effective import by_todays_name
from phone_emulator.config.reader import Origin, Setting

Store = Mapping[str, Setting]


def provision(
    store: Store, fetched: Mapping[str, Setting], *, overwrite_mode: bool = False, protect: bool = False
) -> dict[str, Setting]:
    """The store after *fetched*, the merged settings of all files, is applied to it.

    *overwrite_mode* is the boot file's; *protect* is ``static.auto_provision.custom.protect``: what the user
    has changed wins, ``static.*`` apart.
    """
    news = by_todays_name(fetched)
    after = {
        slot: before
        for slot, before in store.items()
        if slot in news or not overwrite_mode or _is_static(slot) or (protect and _is_users(before))
    }
    for slot, new in news.items():
        before = store.get(slot)
        if (
            protect
            and before is not None
            and _is_users(before)
            and not _is_static(slot)
            and not _is_users(new)
        ):
            continue
        if new.given is not None:
            after[slot] = new
        elif new.value or overwrite_mode:
            after.pop(slot, None)
    return after


def changed_by_user(store: Store, key: str, value: str, file: str) -> dict[str, Setting]:
    """The store after the user has set *key* at the phone; *file* is the phone's ``<mac>-local.cfg``."""
    return {**store, **by_todays_name({key: Setting(key, value, file, 1)})}


def _is_users(setting: Setting) -> bool:
    return setting.origin is Origin.USER


def _is_static(slot: str) -> bool:
    return slot.startswith("static.")
