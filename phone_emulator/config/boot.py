"""Boot files in, what they ask for out: which cfg files, in which order, and what a blank value means.

``include:config "x.cfg"`` or ``<x.cfg>``, perhaps behind ``[T46S,T48S]``; ``overwrite_mode`` and
``specific_model.excluded_mode``. A phone older than V81 ignores boot files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from phone_emulator.cleaning import brief
from phone_emulator.config.diagnostic import Code, Diagnostic, Findings, Severity
from phone_emulator.config.ignores import Ignores
from phone_emulator.config.models import product_of
from phone_emulator.config.reader import HEADER, cfg_text

_LINE = re.compile(r"(?:\[([^\]]*)\])?[ \t]*(.*)", re.DOTALL).fullmatch
_INCLUDE = re.compile(r"include:([a-z]+)[ \t]*(.*)").fullmatch
_TARGET = re.compile(r'<([^<>"]+)>|"([^<>"]+)"').fullmatch
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]").search
_MODES = {
    "overwrite_mode": "overwrite_mode",
    "specific_model.excluded_mode": "excluded_mode",
    "static.specific_model.excluded_mode": "excluded_mode",
}


@dataclass(frozen=True, slots=True)
class Include:
    """One ``include:config`` line."""

    target: str
    """Relative to the boot file, or an absolute URL; as it stands there, and it ends in ``.cfg``."""
    models: tuple[str, ...]
    """The products that it is for, ``T46S``; empty: for all."""
    line: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot file asks for."""

    name: str
    includes: tuple[Include, ...]
    overwrite_mode: bool
    """Whether a blank or absent value brings the factory's back. ``overwrite_mode``"""
    excluded_mode: bool
    """Whether lines for the phone's model drive out those for all. ``specific_model.excluded_mode``"""
    diagnostics: list[Diagnostic]
    """In order of line; an error is a line that cannot be followed and is left out."""

    def includes_for(self, model: str) -> list[Include]:
        """What the phone called *model* (``SIP-T46S``) fetches, in order."""
        product = product_of(model)
        own = [include for include in self.includes if product in include.models]
        if self.excluded_mode and own:
            return own
        return [include for include in self.includes if not include.models or product in include.models]


def read_boot(data: bytes | str, name: str) -> Boot:
    """The boot file with that *data*, called *name* in messages. Raises `CfgError` where it is no text."""
    findings = Findings()
    encoded = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    text = cfg_text(name, encoded, findings)
    ignores = Ignores()
    ignores.read(name, text, findings)
    lines = text.split("\n")
    if lines[0].rstrip(" \t") != HEADER:
        message = f"the first line is not {HEADER}; a phone may refuse the file"
        findings.add(name, 1, "", Severity.WARNING, "no-header", message)
    reader = _BootReader(name, findings)
    for number, raw in enumerate(lines, 1):
        line = raw.strip(" \t")
        if line and not line.startswith("#"):
            reader.read(number, line)
    found = sorted(ignores.without(findings.list()), key=lambda each: each.line)
    modes = reader.modes
    overwrite, excluded = modes.get("overwrite_mode", False), modes.get("excluded_mode", False)
    return Boot(name, tuple(reader.includes), overwrite, excluded, found)


class _BootReader:
    """Takes in the lines one after the other."""

    def __init__(self, name: str, findings: Findings) -> None:
        self.includes: list[Include] = []
        self.modes: dict[str, bool] = {}
        self._name = name
        self._findings = findings

    def read(self, number: int, text: str) -> None:
        """Takes in a line that is neither blank nor a comment."""
        parts = _LINE(text)
        assert parts is not None
        models, line = parts[1], parts[2]
        include = _INCLUDE(line)
        if include is not None:
            self._include(number, models, include[1], include[2])
            return
        key, equals, value = (word.strip(" \t") for word in line.partition("="))
        if not equals:
            expected = 'expected include:config "x.cfg" or overwrite_mode = 1'
            self._add(number, "", Severity.ERROR, "boot-line", f"ignored: {expected}")
        elif key not in _MODES:
            message = f"ignored: {brief(key)} has no place in a boot file, settings belong into cfg files"
            self._add(number, key, Severity.WARNING, "boot-key", message)
        elif value not in ("0", "1"):
            message = f"{key} = {brief(value)}: expected 0 or 1; 0 is kept"
            self._add(number, key, Severity.WARNING, "bad-value", message)
        else:
            self.modes[_MODES[key]] = value == "1"

    def _include(self, number: int, models: str | None, kind: str, quoted: str) -> None:
        target = _TARGET(quoted)
        name = "" if target is None else (target[1] or target[2]).strip(" \t")
        named = [each.strip(" \t") for each in (models or "").split(",")]
        products = tuple(product_of(each) for each in named if each)
        if kind != "config":
            fault = f"include:{kind} is not known, expected include:config"
        elif not name or _UNPRINTABLE(name):
            fault = 'expected include:config <x.cfg> or include:config "x.cfg"'
        elif not name.lower().endswith(".cfg"):
            fault = f"{brief(name)} does not end in .cfg"
        elif models is not None and not products:
            fault = "[] names no model"
        else:
            self.includes.append(Include(name, products, number))
            return
        self._add(number, "", Severity.ERROR, "boot-include", f"ignored: {fault}")

    def _add(self, number: int, key: str, severity: Severity, code: Code, message: str) -> None:
        self._findings.add(self._name, number, key, severity, code, message)
