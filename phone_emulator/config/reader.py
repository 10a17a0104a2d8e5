"""Cfg files in, settings out: the syntax, and where each value came from.

A line is ``key = value``; the first ``=`` parts them. ``#`` begins a comment at the start of a line only,
quotes are part of the value, the last word wins, and a blank last word means the default.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from phone_emulator.cleaning import brief
from phone_emulator.config.catalogue import catalogue, suggestion
from phone_emulator.config.diagnostic import Code, Diagnostic, Findings, Severity
from phone_emulator.config.ignores import Ignores
from phone_emulator.config.models import DEFAULT_MODEL, product_of
from phone_emulator.config.secret import Secret
from phone_emulator.scarcity import raise_shortage

HEADER = "#!version:1.0.0.1"
MOST_BYTES = 64 * 2**20
MOST_LINES = 500_000
LONGEST_LINE = 64 * 2**10
OVERRIDES = "--set"
"""The file that overrides of the command line are said to come from."""
SET_FROM = "--set-from"
"""The same for those whose value was read elsewhere."""
COMMAND_LINE = (OVERRIDES, SET_FROM)

_BLANKS = " \t"
_PLAIN_LINE = re.compile(r"[ \t]*([a-z0-9_]+(?:\.[a-z0-9_]+)*)[ \t]*=[ \t]*(.*)").match
_PLAIN_KEY = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*").fullmatch
_KEY = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*").fullmatch
_MODELS = re.compile(r"\[([^\]=]*)\](.*)", re.DOTALL).fullmatch
_PLACEHOLDER = re.compile(r"(^|\.)(X|Y|Z|N)(\.|$)|[{}<>$%]").search
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]").search
_URL_PASSWORD = re.compile(r"(://[^/@:\s]*:)[^/@\s]*@").sub
_LINE_ENDS = re.compile(r"[\0\r\n]").search
_EACH_COUNTS = {"static.security.user_password", "security.user_password"}
"""Keys whose lines add up, one per user (``user:password``), instead of replacing each other."""
_BOOT_ONLY = {"overwrite_mode", "specific_model.excluded_mode", "static.specific_model.excluded_mode"}


class ReadElsewhere(str):
    """An override, ``KEY=VALUE``, whose value was read where nobody else sees it (``--set-from``)."""


class CfgError(Exception):
    """The files cannot be used; nothing was loaded."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = list(faults)
        """Each one ``file:line: message``."""


class Origin(StrEnum):
    """Who said it."""

    FACTORY = "factory"
    PROVISIONED = "provisioned"
    USER = "user"
    """At the phone, or with ``--set`` or ``--set-from``; kept in ``<mac>-local.cfg``."""


class Setting(NamedTuple):
    """One key's last word."""

    key: str
    value: str
    """As it stands in the file, blanks around it removed; a `Secret` where the key says so."""
    file: str
    """The file as the user named it, or ``--set``, or ``--set-from``."""
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

    @property
    def origin(self) -> Origin:
        """Who said it, as far as the file's name tells."""
        user = self.file in COMMAND_LINE or self.file.endswith("-local.cfg")
        return Origin.USER if user else Origin.PROVISIONED

    @property
    def slot(self) -> str:
        """What the value replaces when it is set: its key, and the user where each user has one."""
        return slot_of(self.key, self.value)

    @property
    def shown(self) -> str:
        """The value for people's eyes."""
        return masked(Secret(self.value) if self._read_elsewhere else self.value)

    @property
    def quoted(self) -> str:
        """The value as a message may quote it."""
        hidden = self._read_elsewhere or isinstance(self.value, Secret)
        return "the value" if hidden else brief(self.value)

    @property
    def _read_elsewhere(self) -> bool:
        """Whether it was read where nobody else sees it: the file may be another one than was meant."""
        return bool(self.value) and self.file == SET_FROM


def masked(value: str) -> str:
    """*value* for people's eyes: a password is dots, and so is one in a URL."""
    if isinstance(value, Secret):
        return str(value)
    return brief(_URL_PASSWORD("\\1••••@", value) if "://" in value else value, most=200)


def slot_of(key: str, value: str) -> str:
    """See `Setting.slot`: ``static.security.user_password[admin]``, of a value ``admin:…``."""
    if key not in _EACH_COUNTS or ":" not in value:
        return key
    return f"static.security.user_password[{value.partition(':')[0]}]"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files say, before anybody asks what it means."""

    settings: dict[str, Setting]
    """Each key's last word, by its `Setting.slot`."""
    diagnostics: list[Diagnostic]
    files: list[str]
    model: str = DEFAULT_MODEL
    earlier: dict[str, list[Setting]] = field(default_factory=dict)
    """What the last word has replaced, oldest first, where there was more than one."""
    ignores: Ignores = field(default_factory=Ignores)
    """What the files ask not to be told."""


def read(files: Sequence[Path | str], overrides: Sequence[str] = (), model: str = DEFAULT_MODEL) -> Reading:
    """The settings of *files*, later ones winning, then of *overrides*, each ``KEY=VALUE``.

    *model* is the phone that ``[MODEL]`` prefixes are compared with. Raises `CfgError` with every fault.
    """
    return read_sources([(str(file), None) for file in files], overrides, model)


def read_text(text: str, name: str, overrides: Sequence[str] = (), model: str = DEFAULT_MODEL) -> Reading:
    """As `read`, of one file that is already in memory and called *name*."""
    return read_sources([(name, text.encode("utf-8", "surrogatepass"))], overrides, model)


def read_sources(
    sources: Sequence[tuple[str, bytes | None]], overrides: Sequence[str] = (), model: str = DEFAULT_MODEL
) -> Reading:
    """As `read`, of files by name and content; None for those that are on this machine under that name."""
    reader = _Reader(model)
    faults: list[str] = []
    for name, data in sources:
        try:
            reader.read(name, file_bytes(name) if data is None else data)
        except CfgError as error:
            faults += error.faults
    faults += reader.override(overrides)
    if faults:
        raise CfgError(faults)
    reader.wiped()
    names = [name for name, _ in sources]
    told = reader.ignores.without(reader.findings.list())
    return Reading(reader.settings, told, names, model, reader.earlier, reader.ignores)


def file_bytes(name: str) -> bytes:
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
        raise_shortage(error, name)
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise CfgError([f"{brief(name, most=1000)}:1: cannot be read: {why}"]) from error


def cfg_text(name: str, data: bytes, findings: Findings) -> str:
    """The text of a file with that *data*, its lines ended by line feeds; what is odd goes to *findings*.

    Raises `CfgError` where it is no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CfgError([f"{name}:1: is UTF-16 text; save it as UTF-8"])
    null = data.find(b"\0")
    if null >= 0:
        line = data.count(b"\n", 0, null) + 1
        raise CfgError([f"{name}:{line}: holds a NUL byte, so it is no cfg text (encrypted or damaged?)"])
    if data.removeprefix(b"\xef\xbb\xbf").startswith(b"#!encrypt"):
        fault = f"{name}:1: is an encrypted cfg file; decrypt it first (phone-emulator cfg decrypt)"
        raise CfgError([fault])
    if max(data.count(b"\n"), data.count(b"\r")) > MOST_LINES:
        raise CfgError([f"{name}:{MOST_LINES}: has more than {MOST_LINES} lines, no cfg file has"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = data.decode("latin-1")
        if _CONTROL(text):
            fault = f"{name}:{line}: is neither UTF-8 nor Latin-1 text (encrypted or damaged?)"
            raise CfgError([fault]) from error
        message = "is not UTF-8 from here on; the file is read as Latin-1"
        findings.add(name, line, "", Severity.WARNING, "not-utf8", message)
    return text.replace("\r\n", "\n").replace("\r", "\n")


_new = tuple.__new__
"""Makes a `Setting` in half the time: files have thousands of lines."""


class _Reader:
    """Takes in files one after the other, then the command line."""

    def __init__(self, model: str) -> None:
        self.settings: dict[str, Setting] = {}
        self.earlier: dict[str, list[Setting]] = {}
        self.findings = Findings()
        self.ignores = Ignores()
        self._product = product_of(model)

    def read(self, name: str, data: bytes) -> None:
        """Takes in a file. Raises `CfgError` where it is no cfg text, or holds no setting at all."""
        if name.endswith(".boot"):
            raise CfgError([f"{name}:1: is a boot file; name the cfg files that it includes"])
        text = cfg_text(name, data, self.findings)
        if text.partition("\n")[0].rstrip(_BLANKS) != HEADER:
            message = f"the first line is not {HEADER}; a phone may refuse the file"
            self._warn(name, 1, "", "no-header", message)
        self.ignores.read(name, text, self.findings)
        controls = _CONTROL(text) is not None
        settings, ordinary = self.settings, catalogue().is_ordinary
        assignments = 0
        for number, line in enumerate(text.split("\n"), 1):
            plain = _PLAIN_LINE(line) if len(line) <= LONGEST_LINE else None
            if plain is not None and not (controls and _CONTROL(line)):
                key, value = plain.groups()
                value = value.rstrip(_BLANKS)
                if key not in settings and ordinary(key):
                    settings[key] = _new(Setting, (key, value, name, number))
                else:
                    self._set(key, value, name, number)
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
        count = dict.fromkeys(COMMAND_LINE, 0)
        for text in overrides:
            source = SET_FROM if isinstance(text, ReadElsewhere) else OVERRIDES
            count[source] += 1
            number = count[source]
            key, equals, value = text.partition("=")
            key = key.strip()
            if not equals or not _KEY(key) or _LINE_ENDS(text) or _CONTROL(text):
                faults.append(f"{source}:{number}: expected KEY=VALUE, such as account.1.enable=1")
                continue
            if not _PLAIN_KEY(key):
                key = catalogue().in_case(key) or key
            if catalogue().pattern(key) is None:
                message = f"{brief(key)} is not a known parameter{suggestion(key)}"
                self._warn(source, number, key, "unknown-key", message)
            self._set(key, value.strip(_BLANKS), source, number)
        return faults

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
            message = f"ignored: {brief(key)} still has a placeholder where a number belongs"
            self._warn(name, number, "", "placeholder", message)
            return 1
        if not _KEY(key):
            self._warn(name, number, "", "bad-key", f"ignored: {brief(key)!r} is no parameter name")
            return 0
        if not _PLAIN_KEY(key):
            known = catalogue().in_case(key) or key
            if known != key:
                self._warn(name, number, known, "key-case", f"{brief(key)} is taken as {known}")
                key = known
        self._set(key, value.lstrip(_BLANKS), name, number)
        return 1

    def _names_this_phone(self, models: str) -> bool:
        return self._product in (product_of(model.strip()) for model in models.split(","))

    def _no_equals(self, name: str, number: int, line: str) -> None:
        if line.startswith("include:"):
            message = "ignored: includes work in boot files only; name the included files on the command line"
            self._warn(name, number, "", "include", message)
        else:
            self._warn(name, number, "", "no-equals", "ignored: expected key = value, found no =")

    def _set(self, key: str, value: str, file: str, line: int) -> None:
        if value and catalogue().is_secret(key):
            value = Secret(value)
        setting = Setting(key, value, file, line)
        slot = key
        if key in _BOOT_ONLY:
            self._warn(file, line, key, "boot-only", f"{key} is ignored: it works in boot files only")
            return
        if key in _EACH_COUNTS:
            slot = setting.slot
        previous = self.settings.get(slot)
        self.settings[slot] = setting
        if previous is None:
            return
        self.earlier.setdefault(slot, []).append(previous)
        if previous.file == file and value and previous.value and previous.value != value:
            message = f"{key} has another value in line {previous.line}; the one here wins"
            self.findings.add(file, line, key, Severity.HINT, "duplicate", message)

    def wiped(self) -> None:
        """Notes each key whose last word is blank, and which had a value before."""
        for slot, earlier in self.earlier.items():
            last = self.settings[slot]
            lost = None if last.value else next((each for each in reversed(earlier) if each.value), None)
            if lost is not None:
                message = f"{last.key} is blank here, which wipes its value of {lost.file}:{lost.line}"
                self._warn(last.file, last.line, last.key, "blank-duplicate", message)

    def _warn(self, file: str, line: int, key: str, code: Code, message: str) -> None:
        self.findings.add(file, line, key, Severity.WARNING, code, message)
