"""The phone's effective configuration as a clean cfg file, which loads back to the same settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from phone_emulator.config.effective import Effective, effective
from phone_emulator.config.models import MOST_ACCOUNTS
from phone_emulator.config.reader import HEADER, Origin, Setting, masked
from phone_emulator.config.secret import Secret

WHAT = ("all", "local", "static", "non-static")
"""What can be exported: ``local`` is what the user has changed, without ``static.*``."""


def export(
    settings: Mapping[str, Setting],
    what: str = "all",
    *,
    reveal: bool = False,
    accounts: int = MOST_ACCOUNTS,
) -> str:
    """*settings*, by slot, as the text of a cfg file: today's names, one spelling, in natural order.

    Defaults that nobody has set, and accounts beyond the last of *accounts*, are left out. Passwords are dots
    unless *reveal*. Such a file loads back to the same settings.
    """
    values = effective(settings, accounts).values()
    chosen = [each for each in values if each.setting is not None and _is(each, what)]
    return "\n".join([HEADER, *_lines(chosen, reveal), ""])


def _lines(chosen: list[Effective], reveal: bool) -> Iterator[str]:
    for _, group in groupby(chosen, key=lambda each: _group(each.key)):
        yield ""
        for each in group:
            yield f"{each.key} = {_text(each.value, reveal)}"


def _is(each: Effective, what: str) -> bool:
    static = each.key.startswith("static.")
    match what:
        case "local":
            return each.origin is Origin.USER and not static
        case "static":
            return static
        case "non-static":
            return not static
        case _:
            return True


def _text(value: str, reveal: bool) -> str:
    if isinstance(value, Secret):
        value = value.reveal() if reveal else masked(value)
    elif not reveal and "://" in value:
        value = masked(value)
    return value or "%EMPTY%"


def _group(key: str) -> str:
    """Account by account, and what begins alike stands together."""
    first, _, rest = key.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first in ("account", "static") else first
