"""The header lines of a SIP message, in order, each as it was spelt (RFC 3261 section 7.3).

A line is kept as the text between two line ends and taken apart only when its value is asked for: reading a
message costs one pass, and a line that nobody changed leaves the program byte for byte as it came in.
Bytes that are no UTF-8 survive as surrogates (``surrogateescape``); ``mended`` makes them fit to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Self

from phone_emulator.numbers import MAX_UINT32, at_most


class MessageError(ValueError):
    """The bytes do not form a SIP message; the text says why, in one line, and never quotes credentials.

    Args:
        text: for people.
        status: what a request with this fault is answered with.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}
"""Compact form -> long name, in lower case (RFC 3261 section 7.3.3 and the IANA registry)."""

SHORT = {COMPACT[letter]: letter for letter in "vftimlckouse"}
"""Key -> the compact form that `CompactHeaders` writes: those of RFC 3261 and RFC 6665."""

COMMON = """
    Accept Allow Allow-Events Authorization Call-ID Contact Content-Length Content-Type CSeq Date
    Event Expires From Max-Forwards Min-Expires P-Asserted-Identity Proxy-Authenticate
    Proxy-Authorization RAck Reason Record-Route Refer-To Referred-By Replaces Require Retry-After
    Route RSeq Server Session-Expires Subject Subscription-State Supported To Unsupported User-Agent
    Via Warning WWW-Authenticate
"""

KEYS: dict[str, str] = {
    **{spelling: name.lower() for name in COMMON.split() for spelling in (name, name.lower(), name.upper())},
    **{spelling: name for letter, name in COMPACT.items() for spelling in (letter, letter.upper())},
}
"""Spelling -> key, for the usual spellings; ``key_of`` knows the others."""

BEGINNINGS = {f"{name}:": key for name, key in KEYS.items()}
"""The same by the first word of a line, colon included, where a blank follows it."""

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
FOLD = re.compile(r"[ \t]*\r\n[ \t]+")
LWS = " \t"


def key_of(name: str) -> str:
    """What a header of this *name* is filed under: the long name in lower case."""
    key = KEYS.get(name)
    if key is not None:
        return key
    lower = name.lower()
    return COMPACT.get(lower, lower)


def value_of(line: str) -> str:
    """The value of a header line, unfolded."""
    value = line.partition(":")[2].strip(LWS)
    if "\r" in value:
        value = FOLD.sub(" ", value).strip(" \t\r\n")
    return value


def line_of(name: str, value: str) -> str:
    """A header line.

    Raises MessageError when name or value hold a line break, which would smuggle in another header.
    """
    line = f"{name}: {value}"
    if "\r" in line or "\n" in line:
        raise MessageError(
            f"{name.splitlines()[0] if name else 'a header'}: a header cannot hold a line break"
        )
    return line


def mended(text: str) -> str:
    """*text* fit to be shown and printed: bytes that were no UTF-8 become question marks."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def split(value: str, separator: str) -> list[str]:
    """*value* split at each *separator* that is not inside quotes or angle brackets; blanks stripped."""
    if separator not in value:
        return [value.strip(LWS)]
    if '"' not in value and "<" not in value:
        return [part.strip(LWS) for part in value.split(separator)]
    parts = []
    start = place = 0
    while place < len(value):
        char = value[place]
        if char == '"':
            quoted = QUOTED.match(value, place)
            place = quoted.end() if quoted else len(value)
            continue
        if char == "<":
            place = value.find(">", place)
            if place < 0:
                break
        elif char == separator:
            parts.append(value[start:place].strip(LWS))
            start = place + 1
        place += 1
    parts.append(value[start:].strip(LWS))
    return parts


def after_address(value: str) -> str:
    """The header parameters of a From, To or Contact value: what follows the address, with its semicolons."""
    tail = value[value.rfind(">") + 1 :]
    if '"' in tail:
        quoted = QUOTED.match(value)
        opening = value.find("<", quoted.end() if quoted else 0)
        if opening >= 0:
            closing = value.find(">", opening)
            return value[closing + 1 :] if closing >= 0 else ""
    _, semicolon, parameters = tail.partition(";")
    return semicolon + parameters


def parameter(parameters: str, name: str) -> str | None:
    """The value of parameter *name* (lower case) in ``x;a=b;c``; empty when bare, None when absent."""
    _, found, rest = parameters.partition(f";{name}=")
    if found and '"' not in parameters:
        return rest.partition(";")[0].strip(LWS)
    for part in split(parameters, ";")[1:]:
        key, _, value = part.partition("=")
        if key.strip(LWS).lower() == name:
            return value.strip(LWS)
    return None


def before_parameters(value: str) -> str:
    """What a value such as that of Event or Content-Type says before its parameters."""
    return value.partition(";")[0].strip(LWS)


def delta_seconds(value: str | None) -> int | None:
    """The seconds that *value* says, as of Expires, Min-SE or Retry-After; None where it says none.

    More than ``2**32-1`` count as that (RFC 3261 section 20.19); parameters and a comment are passed over.
    """
    text = before_parameters(value or "").partition("(")[0]
    return at_most(text.rstrip(LWS), MAX_UINT32)


def unquoted(text: str) -> str:
    """*text* without its quotes and escapes, where it is a quoted string (RFC 3261 section 25.1)."""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL) if QUOTED.fullmatch(text) else text


def tag_of(value: str) -> str | None:
    """The tag of a From or To value, without the full grammar."""
    return parameter(after_address(value), "tag") or None


def tag_in(line: str) -> str | None:
    """The tag in a From or To line, without the full grammar."""
    if line[-1:] == ">":
        return None
    before, _, tag = line.rpartition(";tag=")
    if before and tag.isalnum():
        # Nothing follows it, so it stands neither in the brackets of a URI nor in quotes.
        return tag
    return tag_of(value_of(line))


class Headers:
    """Headers in order; names are compared without case, and compact forms are found under the long name."""

    __slots__ = ("_lines", "first")
    LENGTH = "Content-Length"
    """How that header is spelt where the message itself adds it."""

    first: dict[str, str]
    """Key -> first line of that key; in order, and all there is, while no key comes twice.

    Not to be changed by the reader."""
    _lines: list[tuple[str, str]] | None
    """(key, line) pairs in order, once a key has come twice."""

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.first, self._lines = {}, None
        for name, value in items:
            self._append(key_of(name), line_of(name, value))

    @classmethod
    def from_lines(cls, lines: list[tuple[str, str]]) -> Self:
        """Headers of (key, line) pairs; for the parser. Takes the list over."""
        headers = cls.__new__(cls)
        headers._take(lines)
        return headers

    @classmethod
    def from_unique(cls, lines: dict[str, str]) -> Self:
        """Headers of key -> line, none of which comes twice; for the parser. Takes the dictionary over."""
        headers = cls.__new__(cls)
        headers.first, headers._lines = lines, None
        return headers

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(key, line) pairs; a line has no line end. Not to be changed by the reader."""
        return list(self.first.items()) if self._lines is None else self._lines

    @property
    def texts(self) -> Collection[str]:
        """The lines alone, in order."""
        return self.first.values() if self._lines is None else [line for _, line in self._lines]

    @property
    def unique(self) -> bool:
        """Whether no key comes twice."""
        return self._lines is None

    def get(self, name: str) -> str | None:
        """The value of the first line of that name."""
        line = self.first.get(KEYS.get(name) or key_of(name))
        return None if line is None else value_of(line)

    def get_all(self, name: str) -> list[str]:
        """One value for each line of that name."""
        key = KEYS.get(name) or key_of(name)
        if self._lines is None:
            return [value_of(self.first[key])] if key in self.first else []
        return [value_of(line) for other, line in self._lines if other == key]

    def values(self, name: str) -> list[str]:
        """The values of all lines of that name, lines split at their top-level commas.

        For list headers only (Via, Route, Contact, Supported …), not for Authorization or Date.
        """
        if len(found := self.get_all(name)) == 1 and "," not in found[0]:
            return found if found[0] else []
        return [part for value in found for part in split(value, ",") if part]

    def set(self, name: str, value: str) -> None:
        """Replace the first line of that name and drop the later ones; append when there is none."""
        key, line = key_of(name), line_of(name, value)
        if self._lines is None:
            self.first[key] = line
            return
        place = self._place(key)
        if place is None:
            self._append(key, line)
        else:
            later = [pair for pair in self._lines[place + 1 :] if pair[0] != key]
            self._take([*self._lines[:place], (key, line), *later])

    def set_line(self, key: str, line: str) -> None:
        """Put *line*, which holds no line break, in the place of the first line of *key*, which there is."""
        self.first[key] = line
        if self._lines is not None:
            self._lines[self._place(key) or 0] = (key, line)

    def add(self, name: str, value: str) -> None:
        """Append a line."""
        key, line = KEYS.get(name) or key_of(name), line_of(name, value)
        if self._lines is None and key not in self.first:
            self.first[key] = line
        else:
            self._append(key, line)

    def prepend(self, name: str, value: str) -> None:
        """Insert a line before the first of that name, else at the top."""
        key, line = key_of(name), line_of(name, value)
        if self._lines is None and key not in self.first:
            self.first = {key: line, **self.first}
        else:
            lines = self.lines
            lines.insert(self._place(key) or 0, (key, line))
            self._take(lines)

    def insert_after(self, anchor: str, name: str, value: str) -> None:
        """Insert a line after the last line of *anchor*; append when there is none."""
        key, lines = key_of(anchor), self.lines
        place = max((n for n, (other, _) in enumerate(lines) if other == key), default=len(lines))
        lines.insert(place + 1, (key_of(name), line_of(name, value)))
        self._take(lines)

    def arrange(self, places: Mapping[str, int]) -> None:
        """Order the lines by the places of their keys; those of no place of their own go to that of ``*``."""
        rest = places["*"]
        keys = self.first if self._lines is None else [key for key, _ in self._lines]
        taken = [places.get(key, rest) for key in keys]
        if taken != sorted(taken):
            self._take(sorted(self.lines, key=lambda pair: places.get(pair[0], rest)))

    def remove(self, name: str) -> None:
        """Drop all lines of that name."""
        key = key_of(name)
        if self._lines is None:
            self.first.pop(key, None)
        else:
            self._take([pair for pair in self._lines if pair[0] != key])

    def remove_first(self, name: str) -> None:
        """Drop the first value of that name: the top Via or Route, also where one line holds several."""
        key = key_of(name)
        line = self.first.get(key)
        if line is None:
            return
        rest = [part for part in split(value_of(line), ",") if part][1:]
        lines, place = self.lines, self._place(key) or 0
        kept = [(key, line_of(line.partition(":")[0], ", ".join(rest)))] if rest else []
        self._take([*lines[:place], *kept, *lines[place + 1 :]])

    def select(self, keys: Collection[str]) -> Headers:
        """A copy of the lines of these *keys* (names in lower case), in their order."""
        if self._lines is None:
            first = self.first
            return Headers.from_unique({key: first[key] for key in keys if key in first})
        return Headers.from_lines([pair for key in keys for pair in self._lines if pair[0] == key])

    def copy(self) -> Self:
        """The same headers, to be changed apart."""
        if self._lines is None:
            return self.from_unique(self.first.copy())
        return self.from_lines(self._lines.copy())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and key_of(name) in self.first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for line in self.texts:
            yield line.partition(":")[0].rstrip(LWS), value_of(line)

    def __len__(self) -> int:
        return len(self.first if self._lines is None else self._lines)

    def __repr__(self) -> str:
        return f"<Headers {', '.join(name for name, _ in self)}>"

    def _append(self, key: str, line: str) -> None:
        if self._lines is None:
            if key not in self.first:
                self.first[key] = line
                return
            self._lines = self.lines
        self._lines.append((key, line))
        self.first.setdefault(key, line)

    def _take(self, lines: list[tuple[str, str]]) -> None:
        self.first, self._lines = dict(lines), None
        if len(self.first) < len(lines):
            self.first, self._lines = dict(reversed(lines)), lines

    def _place(self, key: str) -> int | None:
        return next((n for n, (other, _) in enumerate(self.lines) if other == key), None)


class CompactHeaders(Headers):
    """Headers that are spelt in their compact forms (RFC 3261 section 7.3.3)."""

    __slots__ = ()
    LENGTH = "l"

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__((_compact(name), value) for name, value in items)

    def set(self, name: str, value: str) -> None:
        super().set(_compact(name), value)

    def add(self, name: str, value: str) -> None:
        super().add(_compact(name), value)

    def prepend(self, name: str, value: str) -> None:
        super().prepend(_compact(name), value)

    def insert_after(self, anchor: str, name: str, value: str) -> None:
        super().insert_after(anchor, _compact(name), value)


def _compact(name: str) -> str:
    return SHORT.get(key_of(name), name)
