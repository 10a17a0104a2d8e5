"""YAML as a tree that knows its lines, so that every fault can name one.

Built from PyYAML's event stream and not by its composer: the C composer recurses and crashes the
process on deep nesting, drops duplicate keys, and expands aliases without end.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.resolver import Resolver

MAX_DEPTH = 32
MAX_NODES = 100_000
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = Resolver()
_OPENING = (
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
)
_CLOSING = (yaml.BlockEndToken, yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "value", "merge", "map", "seq"})
_INT = re.compile(r"-?(0|[1-9][0-9]{0,38})")
_FLOAT = re.compile(r"-?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")
_TRUE = frozenset({"true", "yes", "on"})


class TreeError(Exception):
    """The text is not YAML, or not YAML that is read here."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class RawInt(int):
    """A whole number that remembers how it was written (``007``)."""

    raw: str


class RawFloat(float):
    """A number that remembers how it was written (``1.50``)."""

    raw: str


@dataclass(slots=True)
class Node:
    """A scalar, a list or a mapping, and where it stands."""

    line: int
    """Line of the value; for a value in a mapping, line of its key."""
    value: Any
    """A scalar, ``list[Node]`` or ``dict[str, Node]``."""
    text_line: int = 0
    """For text: the line its first line stands on."""
    size: int = field(default=1, repr=False)

    def plain(self) -> Any:
        """The value without lines: scalars, lists and dicts."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def find(self, path: Sequence[str | int]) -> Node:
        """The node at *path*, or the nearest one above it that exists."""
        node = self
        for step in path:
            value = node.value
            if isinstance(value, dict) and step in value:
                node = value[str(step)]
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                node = value[step]
            else:
                break
        return node


def build(text: str) -> tuple[Node | None, list[tuple[int, str]]]:
    """The tree of the one document in *text* and the faults (line, message) that do not stop reading.

    :raises TreeError: at the first fault that does.
    """
    builder = _Builder()
    try:
        root = builder.document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        deep = _too_deep(text[: mark.index]) if mark else None
        if deep is not None:
            raise TreeError(deep, TOO_DEEP) from None
        raise TreeError(mark.line + 1 if mark else 1, f"not valid YAML: {_problem(error, text)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise TreeError(line, f"not valid YAML: {error.reason} (character {error.character!r})") from None
    return root, builder.faults


def _too_deep(text: str) -> int | None:
    """The line of *text* (cut where PyYAML found a fault) that nests deeper than is read; or None.

    PyYAML looks ahead of the events that it gives, so its own bound on nesting can strike first, and each
    release words that in its own way. Its scanner in Python keeps the tokens that were looked at.
    """
    tokens: list[Any] = []
    scanner: Any = None
    with contextlib.suppress(yaml.YAMLError):
        scanner = yaml.SafeLoader(text)
        while scanner.check_token():
            tokens.append(scanner.get_token())
    depth = -1
    for token in (*tokens, *getattr(scanner, "tokens", ())):
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > MAX_DEPTH:
            return int(token.start_mark.line) + 1
    return None


def _problem(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = str(error.problem or "unreadable")
    mark, started = error.problem_mark, error.context_mark
    if mark is not None and "cannot start any token" in problem:
        lines = text.splitlines()
        found = lines[mark.line][mark.column :][:1] if mark.line < len(lines) else ""
        return (
            "a tab where only spaces may indent" if found == "\t" else f"{found!r} cannot stand here unquoted"
        )
    if error.context and started is not None:
        return f"{problem} ({error.context} that starts on line {started.line + 1})"
    return problem


class _Builder:
    def __init__(self) -> None:
        self.faults: list[tuple[int, str]] = []
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    line = int(event.start_mark.line) + 1  # type: ignore[union-attr]
                    raise TreeError(line, "a second document: write one scenario a file")
            elif isinstance(event, yaml.NodeEvent):
                root = self.node(event, events, 0)
        return root

    def node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        line = event.start_mark.line + 1
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise TreeError(line, TOO_DEEP)
        if self.nodes > MAX_NODES:
            raise TreeError(line, f"more than {MAX_NODES} values in one file")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, line)
        self.check_tag(event.tag, line)
        if isinstance(event, yaml.ScalarEvent):
            node = self.scalar(event, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(line, events, depth)
        else:
            node = self.mapping(line, events, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, line: int) -> Node:
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            raise TreeError(line, f"not valid YAML: nothing above is named &{event.anchor}")
        self.nodes += anchored.size
        return Node(line, anchored.value, anchored.text_line, anchored.size)

    def sequence(self, line: int, events: Iterator[Any], depth: int) -> Node:
        items: list[Node] = []
        size = 1
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.node(event, events, depth + 1))
            size += items[-1].size
        return Node(line, items, size=size)

    def mapping(self, line: int, events: Iterator[Any], depth: int) -> Node:
        entries: dict[str, Node] = {}
        size = 1
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key_line = event.start_mark.line + 1
            key = self.key(event, key_line, self.node(event, events, depth + 1))
            value = self.node(next(events), events, depth + 1)
            value.line = key_line
            size += value.size
            if key in entries:
                self.faults.append(
                    (key_line, f"the key {key!r} stands here twice, first on line {entries[key].line}")
                )
            elif key is not None:
                entries[key] = value
        return Node(line, entries, size=size)

    def key(self, event: Any, line: int, node: Node) -> str | None:
        """The key as written: ``5060`` and ``yes`` are the names of what they look like."""
        if not isinstance(event, yaml.ScalarEvent):
            shown = "an alias" if isinstance(event, yaml.AliasEvent) else "a list or a mapping"
            self.faults.append((line, f"a key must be a word, not {shown}"))
            return None
        if node.value is None:
            self.faults.append((line, "a key is empty"))
            return None
        if event.value == "<<" and event.implicit[0]:
            self.faults.append((line, "merge keys (<<) are not read here: write the keys out"))
            return None
        return str(event.value)

    def scalar(self, event: Any, line: int) -> Node:
        text = event.value
        # The content of a block scalar begins on the line below its | or >.
        text_line = line + 1 if event.style in ("|", ">") else line
        tag = event.tag or _RESOLVER.resolve(yaml.ScalarNode, text, event.implicit)
        return Node(line, _value(tag.removeprefix(_TAG), text), text_line)

    def check_tag(self, tag: str | None, line: int) -> None:
        if tag not in (None, "!") and str(tag).removeprefix(_TAG) not in _TAGS:
            self.faults.append((line, f"the tag {tag} means nothing here"))


def _value(tag: str, text: str) -> Any:
    """The scalar that *text* is.

    What YAML 1.1 takes for a date, or for a number in another base or with a plus or underscores, stays text.
    """
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in _TRUE
    if tag == "int" and _INT.fullmatch(text):
        number = RawInt(text)
        number.raw = text
        return number
    if tag == "float" and _FLOAT.fullmatch(text):
        real = RawFloat(text)
        real.raw = text
        return real
    return text
