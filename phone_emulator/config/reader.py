"""Cfg files in, settings out: the syntax, and where each value came from.

A line is ``key = value``; the first ``=`` parts them. ``#`` begins a comment at the start of a line only,
quotes are part of the value, the last word wins, and a blank last word means the default.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from phone_emulator.config.catalogue import catalogue, suggestion
from phone_emulator.config.diagnostic import Diagnostic, Findings, Severity, printable
from phone_emulator.config.model import Secret

HEADER = "#!version:1.0.0.1"
MOST_BYTES = 64 * 2**20
MOST_LINES = 500_000
LONGEST_LINE = 64 * 2**10
OVERRIDES = "--set"
"""The file that overrides of the command line are said to come from."""

_BLANKS = " \t"
_PLAIN_LINE = re.compile(r"[ \t]*([a-z0-9_]+(?:\.[a-z0-9_]+)*)[ \t]*=[ \t]*(.*)").match
_PLAIN_KEY = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*").fullmatch
_KEY = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*").fullmatch
_MODELS = re.compile(r"\[([^\]=]*)\](.*)", re.DOTALL).fullmatch
_PLACEHOLDER = re.compile(r"(^|\.)(X|Y|Z|N)(\.|$)|[{}<>$%]").search
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]").search
_LINE_ENDS = re.compile(r"[\0\r\n]").search
_EACH_COUNTS = ("static.security.user_name", "static.security.user_password", "security.user_password")
"""Keys whose lines add up, one per user, instead of replacing each other."""


class CfgError(Exception):
    """The files cannot be used; nothing was loaded."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)
        """Each one ``file:line: message``."""


class Setting(NamedTuple):
    """One key's last word."""

    key: str
    value: str
    """As it stands in the file, blanks around it removed; a `Secret` where the key says so."""
    file: str
    """The file as the user named it, or ``--set``."""
    line: int

    @property
    def given(self) -> str | None:
        """The value, or None where the default is asked for: blank, or ``%NULL%``."""
        match self.value:
            case "" | "%NULL%":
                return None
            case "%EMPTY%":
                return ""
            case value:
                return value


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files say, before anybody asks what it means."""

    settings: dict[str, Setting]
    diagnostics: list[Diagnostic]
    files: list[str]


def read(files: Sequence[Path | str], overrides: Sequence[str] = (), model: str = "SIP-T46S") -> Reading:
    """The settings of *files*, later ones winning, then of *overrides*, each ``KEY=VALUE``.

    *model* is the phone that ``[MODEL]`` prefixes are compared with. Raises `CfgError` with every fault.
    """
    return _read([(str(file), None) for file in files], overrides, model)


def read_text(text: str, name: str, overrides: Sequence[str] = (), model: str = "SIP-T46S") -> Reading:
    """As `read`, of one file that is already in memory and called *name*."""
    return _read([(name, text.encode("utf-8", "surrogatepass"))], overrides, model)


def _read(sources: Sequence[tuple[str, bytes | None]], overrides: Sequence[str], model: str) -> Reading:
    reader = _Reader(model)
    faults: list[str] = []
    for name, data in sources:
        try:
            reader.read(name, _file_bytes(name) if data is None else data)
        except CfgError as error:
            faults += error.faults
    faults += reader.override(overrides)
    if faults:
        raise CfgError(faults)
    return Reading(reader.settings, reader.findings.list(), [name for name, _ in sources])


def _file_bytes(name: str) -> bytes:
    """What the file holds. Raises `CfgError` where it is not a file of bearable size."""
    path = Path(name)
    try:
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise CfgError([f"{name}:1: is a folder, expected a cfg file"])
        if not stat.S_ISREG(facts.st_mode):
            raise CfgError([f"{name}:1: is not a regular file"])
        if facts.st_size > MOST_BYTES:
            raise CfgError([f"{name}:1: is larger than {MOST_BYTES >> 20} MiB, no cfg file is"])
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise CfgError([f"{printable(name, most=1000)}:1: cannot be read: {why}"]) from error


class _Reader:
    """Takes in files one after the other, then the command line."""

    def __init__(self, model: str) -> None:
        self.settings: dict[str, Setting] = {}
        self.findings = Findings()
        self._model = model.upper().removeprefix("SIP-")

    def read(self, name: str, data: bytes) -> None:
        """Takes in a file. Raises `CfgError` where it is no cfg text, or holds no setting at all."""
        text = self._decode(name, data).replace("\r\n", "\n").replace("\r", "\n")
        if text.partition("\n")[0].rstrip(_BLANKS) != HEADER:
            message = f"the first line is not {HEADER}; a phone may refuse the file"
            self._warn(name, 1, "", "no-header", message)
        controls = _CONTROL(text) is not None
        assignments = 0
        for number, line in enumerate(text.split("\n"), 1):
            plain = _PLAIN_LINE(line) if len(line) <= LONGEST_LINE else None
            if plain is not None and not (controls and _CONTROL(line)):
                self._set(plain[1], plain[2].rstrip(_BLANKS), name, number)
                assignments += 1
            elif (stripped := line.strip(_BLANKS)) and stripped[0] != "#":
                assignments += self._odd_line(name, number, stripped)
        if not assignments:
            raise CfgError(
                [f"{name}:1: holds no setting at all, expected lines such as account.1.enable = 1"]
            )

    def override(self, overrides: Sequence[str]) -> list[str]:
        """Takes in the command line's last words; returns a fault for each that is none."""
        faults = []
        for number, text in enumerate(overrides, 1):
            key, equals, value = text.partition("=")
            key = key.strip()
            if not equals or not _KEY(key) or _LINE_ENDS(text) or _CONTROL(text):
                faults.append(f"{OVERRIDES}:{number}: expected KEY=VALUE, such as account.1.enable=1")
                continue
            if not _PLAIN_KEY(key):
                key = catalogue().in_case(key) or key
            if catalogue().pattern(key) is None:
                message = f"{printable(key)} is not a known parameter{suggestion(key)}"
                self._warn(OVERRIDES, number, key, "unknown-key", message)
            self._set(key, value.strip(_BLANKS), OVERRIDES, number)
        return faults

    def _decode(self, name: str, data: bytes) -> str:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise CfgError([f"{name}:1: is UTF-16 text; save it as UTF-8"])
        null = data.find(b"\0")
        if null >= 0:
            line = data.count(b"\n", 0, null) + 1
            raise CfgError([f"{name}:{line}: holds a NUL byte, so it is no cfg text (encrypted or damaged?)"])
        if data.removeprefix(b"\xef\xbb\xbf").startswith(b"#!encrypt"):
            raise CfgError([f"{name}:1: is an encrypted cfg file; decrypt it first"])
        if max(data.count(b"\n"), data.count(b"\r")) > MOST_LINES:
            raise CfgError([f"{name}:{MOST_LINES}: has more than {MOST_LINES} lines, no cfg file has"])
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            text = data.decode("latin-1")
            if _CONTROL(text):
                fault = f"{name}:{line}: is neither UTF-8 nor Latin-1 text (encrypted or damaged?)"
                raise CfgError([fault]) from error
            self._warn(name, line, "", "not-utf8", "is not UTF-8 from here on; the file is read as Latin-1")
            return text

    def _odd_line(self, name: str, number: int, line: str) -> int:
        """A line that is not plainly ``key = value``; returns how many assignments it holds, 0 or 1."""
        if len(line) > LONGEST_LINE:
            self._warn(name, number, "", "long-line", f"ignored: longer than {LONGEST_LINE} characters")
            return 0
        if _CONTROL(line):
            self._warn(name, number, "", "control-character", "ignored: holds control characters")
            return 0
        prefixed = _MODELS(line)
        if prefixed is not None:
            line = prefixed[2].strip(_BLANKS)
        key, equals, value = line.partition("=")
        key = key.rstrip(_BLANKS)
        if not equals:
            self._no_equals(name, number, line)
            return 0
        if prefixed is not None and not self._names_this_phone(prefixed[1]):
            return 1
        if _PLACEHOLDER(key):
            message = f"ignored: {printable(key)} still has a placeholder where a number belongs"
            self._warn(name, number, "", "placeholder", message)
            return 1
        if not _KEY(key):
            self._warn(name, number, "", "bad-key", f"ignored: {printable(key)!r} is no parameter name")
            return 0
        if not _PLAIN_KEY(key):
            known = catalogue().in_case(key) or key
            if known != key:
                self._warn(name, number, known, "key-case", f"{printable(key)} is taken as {known}")
                key = known
        self._set(key, value.lstrip(_BLANKS), name, number)
        return 1

    def _names_this_phone(self, models: str) -> bool:
        return self._model in (model.strip().upper().removeprefix("SIP-") for model in models.split(","))

    def _no_equals(self, name: str, number: int, line: str) -> None:
        if line.startswith("include:"):
            message = "ignored: includes work in boot files only; name the included files on the command line"
            self._warn(name, number, "", "include", message)
        else:
            self._warn(name, number, "", "no-equals", "ignored: expected key = value, found no =")

    def _set(self, key: str, value: str, file: str, line: int) -> None:
        previous = self.settings.get(key)
        if value and ("password" in key or "aes_key" in key):
            value = Secret(value)
        self.settings[key] = Setting(key, value, file, line)
        if previous is None or not previous.value or previous.value == value:
            return
        if not value:
            message = f"{key} is blank here, which wipes its value of {previous.file}:{previous.line}"
            self._warn(file, line, key, "blank-duplicate", message)
        elif previous.file == file and key not in _EACH_COUNTS:
            message = f"{key} has another value in line {previous.line}; the one here wins"
            self.findings.add(file, line, key, Severity.HINT, "duplicate", message)

    def _warn(self, file: str, line: int, key: str, code: str, message: str) -> None:
        self.findings.add(file, line, key, Severity.WARNING, code, message)
