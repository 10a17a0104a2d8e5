"""Reading behaviours as people write them: text, a status code, or a mapping as YAML gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from .vocabulary import METHODS, Changes, Entry

_CLAUSE = re.compile(r"(?P<method>[A-Za-z]+)\s*[:=]\s*(?P<rest>.*)", re.DOTALL)


class Said(NamedTuple):
    """A word, and what it changes."""

    entry: Entry
    changes: Changes


class Wording:
    """Reads the words of one table.

    Args:
        table: the words, by name.
        lead: how a complaint begins: ``there is no behaviour``.
        hint: what can be written, for people.
        bare: the word whose value may stand without it (a status).
        methods: whether a request may have a behaviour of its own.
    """

    def __init__(
        self, table: Mapping[str, Entry], lead: str, hint: str, *, bare: str = "", methods: bool = False
    ) -> None:
        self._table = table
        self._lead = lead
        self._help = hint
        self._bare = bare
        self._methods = methods

    def read(self, value: object) -> tuple[list[Said], dict[str, object]]:
        """What is said for all requests, and by method what is written for it; raises ValueError."""
        if isinstance(value, Mapping):
            said, methods = self._mapping(value)
        elif isinstance(value, str):
            said, methods = self._text(value)
        elif isinstance(value, int) and not isinstance(value, bool) and self._bare:
            said, methods = [self._word(str(value), value)], {}
        else:
            raise ValueError(f"{self._lead} {shown(value)}: {self._help}")
        seen: set[str] = set()
        for entry, _ in said:
            if entry.name in seen:
                raise ValueError(f"{entry.name} stands there twice")
            seen.add(entry.name)
        ways = [entry.name for entry, _ in said if entry.way]
        if len(ways) > 1:
            raise ValueError(f"{ways[0]} and {ways[1]}: only one of them can be")
        return said, methods

    def _mapping(self, value: Mapping[Any, Any]) -> tuple[list[Said], dict[str, object]]:
        if not value:
            raise ValueError(f"the behaviour is empty: {self._help}")
        said: list[Said] = []
        methods: dict[str, object] = {}
        for key, setting in value.items():
            name = _named(str(key))
            if name in self._table:
                said.append(self._valued(self._table[name], str(key), setting))
            else:
                methods[self._method(str(key))] = setting
        return said, methods

    def _valued(self, entry: Entry, key: str, value: object) -> Said:
        """What ``key: value`` of a mapping says."""
        if entry.reads is None:
            if value is not True and str(value).strip().lower() != "true":
                raise ValueError(f"{key} cannot be {shown(value)}: write 'true', or leave it out")
            return Said(entry, entry.changes)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"{key} cannot be {shown(value)}")
        return self._read(entry, str(value), value)

    def _text(self, text: str) -> tuple[list[Said], dict[str, object]]:
        if text.lstrip().startswith("{"):
            return self._mapping(self._as_in_a_scenario(text))
        said: list[Said] = []
        methods: dict[str, object] = {}
        for clause in text.split(","):
            match = _CLAUSE.fullmatch(clause.strip())
            if match and _named(match["method"]) not in self._table:
                methods[self._method(match["method"])] = match["rest"]
            else:
                said += self._words(clause)
        return said, methods

    def _as_in_a_scenario(self, text: str) -> Mapping[Any, Any]:
        """The mapping that *text* is, in YAML: what a scenario file may say, a command may be told."""
        try:
            value = yaml.load(text, Loader=yaml.BaseLoader)  # its numbers are read like all others
        except (yaml.YAMLError, RecursionError):
            value = None
        if not isinstance(value, Mapping):
            raise ValueError(f"{self._lead} {shown(text)}: {self._help}")
        return value

    def _words(self, text: str) -> Sequence[Said]:
        """What words such as ``503 retry-after 30 delay=2s`` say."""
        words = re.sub(r"\s*[:=]\s*", " ", text).split()
        if not words:
            raise ValueError(f"the behaviour is empty: {self._help}")
        said: list[Said] = []
        position = 0
        while position < len(words):
            written = words[position]
            position += 1
            entry = self._table.get(_named(written))
            if entry is None or entry.reads is None:
                said.append(self._word(written, written))
                continue
            following = words[position] if position < len(words) else None
            if entry.left_out is not None and (
                following is None or _named(following) not in entry.left_out[1]
            ):
                following, position = entry.left_out[0], position - 1
            if following is None:
                raise ValueError(f"{written} needs a value, as in {entry.form.strip('`')}")
            said.append(self._read(entry, following, following))
            position += 1
        return said

    def _word(self, written: str, value: object) -> Said:
        """What one word without a value says: one of the table, or a bare value."""
        entry = self._table.get(_named(written))
        if entry is not None:
            return Said(entry, entry.changes)
        if not self._bare:
            raise ValueError(f"{self._lead} {shown(value)}: {self._help}")
        return self._read(self._table[self._bare], written, value)

    def _read(self, entry: Entry, text: str, value: object) -> Said:
        assert entry.reads is not None
        try:
            return Said(entry, entry.reads(text))
        except ValueError as fault:
            if str(fault):
                raise
            raise ValueError(f"{self._lead} {shown(value)}: {self._help}") from None

    def _method(self, name: str) -> str:
        method = name.strip().upper()
        if self._methods and method in METHODS:
            return method
        said = f"there is no request {name!r}, and a behaviour has no such setting"
        raise ValueError(f"{said if self._methods else f'{self._lead} {name!r}'}: {self._help}")


def shown(value: object) -> str:
    """*value* as a complaint tells it."""
    return "empty" if value is None else repr(value)


def _named(text: str) -> str:
    return text.strip().lower().replace("_", "-")
