"""Cfg files in, a typed and checked `PhoneConfig` out: the way from text to `Loaded`, and to findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phone_emulator.config.boot import read_boot
from phone_emulator.config.build import build
from phone_emulator.config.certificates import unusable
from phone_emulator.config.check import Rule, surprises
from phone_emulator.config.diagnostic import Diagnostic, Findings, Severity
from phone_emulator.config.effective import by_todays_name
from phone_emulator.config.effects import without_effect
from phone_emulator.config.ignores import Ignores
from phone_emulator.config.keys import oddities
from phone_emulator.config.model import PhoneConfig
from phone_emulator.config.models import DEFAULT_MODEL
from phone_emulator.config.reader import CfgError, Reading, Setting, file_bytes, read, read_text
from phone_emulator.config.risks import risks


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files ask for, and what was odd about them."""

    config: PhoneConfig
    settings: Mapping[str, Setting]
    """Each key's last word, by its `Setting.slot` as it stands in the files."""
    diagnostics: list[Diagnostic]
    """In order of file and line."""
    ignores: Ignores
    """What the files ask not to be told; `diagnostics` are without it."""

    def without_effect(self) -> list[Diagnostic]:
        """A finding for each key that does nothing here, which `diagnostics` do not tell."""
        return self.ignores.without(without_effect(dict.fromkeys(self.settings.values())))


def load(
    paths: Sequence[Path | str],
    overrides: Sequence[str] = (),
    model: str = DEFAULT_MODEL,
    *,
    strict: bool = True,
) -> Loaded:
    """Reads cfg files; later ones win, then *overrides*, each ``KEY=VALUE``.

    *model* (``SIP-T46S``) decides which ``[MODEL]`` lines count. Raises `CfgError` where a file cannot be
    used and, unless *strict* is False, where a phone could not start (`Severity.ERROR`).
    """
    return _loaded(read(paths, overrides, model), strict)


def load_text(
    text: str,
    name: str = "text.cfg",
    overrides: Sequence[str] = (),
    model: str = DEFAULT_MODEL,
    *,
    strict: bool = True,
) -> Loaded:
    """As `load`, of one file that is already in memory and is called *name* in messages."""
    return _loaded(read_text(text, name, overrides, model), strict)


def examine(
    paths: Sequence[Path | str],
    overrides: Sequence[str] = (),
    model: str = DEFAULT_MODEL,
    *,
    firmware: str = "",
    more: Sequence[Rule] = (),
) -> list[Diagnostic]:
    """All there is to say about the files: what `load` says, and what is odd about single keys.

    A boot file among them is examined by itself; what it includes is not fetched. *firmware* is the version
    of the phone, empty for the model's last; *more* are rules beside those of `phone_emulator.config.check`.

    Raises `CfgError` where a file cannot be used at all.
    """
    boots = [str(path) for path in paths if str(path).endswith(".boot")]
    told = [found for name in boots for found in read_boot(file_bytes(name), name).diagnostics]
    cfgs = [path for path in paths if str(path) not in boots]
    if boots and not cfgs:
        return told
    return told + examine_reading(read(cfgs, overrides, model), firmware=firmware, more=more)


def examine_reading(reading: Reading, *, firmware: str = "", more: Sequence[Rule] = ()) -> list[Diagnostic]:
    """As `examine`, of files that are read already."""
    loaded = _loaded(reading, strict=False, more=more)
    odd = oddities(reading, firmware)
    # A fused line is also a wrong value; it is told once.
    fused = {(found.file, found.line, "bad-value") for found in odd if found.code == "fused-line"}
    said = [found for found in loaded.diagnostics if (found.file, found.line, found.code) not in fused]
    risky = reading.ignores.without(risks(loaded.config, by_todays_name(loaded.settings)))
    idle = Findings()
    for found in loaded.without_effect():
        idle.add(found.file, found.line, found.key, found.severity, found.code, found.message)
    return _in_order(reading, [*said, *reading.ignores.without(odd), *risky, *idle.list()])


def load_settings(
    store: Mapping[str, Setting],
    model: str = DEFAULT_MODEL,
    *,
    strict: bool = True,
    ignores: Ignores | None = None,
) -> Loaded:
    """As `load`, of settings by slot that are already there, such as those that provisioning leaves.

    *ignores* is what the files that they come from ask not to be told.
    """
    files = list(dict.fromkeys(setting.file for setting in store.values()))
    return _loaded(Reading(dict(store), [], files, model, ignores=ignores or Ignores()), strict)


def _loaded(reading: Reading, strict: bool, more: Sequence[Rule] = ()) -> Loaded:
    built = build(reading)
    files = unusable(built.config, built.values)
    found = reading.ignores.without([*built.diagnostics, *surprises(built, more), *files])
    diagnostics = _in_order(reading, [*reading.diagnostics, *found])
    errors = [str(found) for found in diagnostics if found.severity is Severity.ERROR]
    if errors and strict:
        raise CfgError(errors)
    return Loaded(built.config, reading.settings, diagnostics, reading.ignores)


def _in_order(reading: Reading, diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    place = {name: position for position, name in enumerate(reading.files)}
    return sorted(diagnostics, key=lambda found: (place.get(found.file, len(place)), found.line))
