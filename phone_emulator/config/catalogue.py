"""The parameters that are known, as data: ``catalogue.yaml`` read into `Parameter` objects.

In a pattern such as ``account.X.sip_server.Y.port`` a capital letter between dots stands for a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

from phone_emulator.config.secret import Secret
from phone_emulator.media.call_tone import is_tone
from phone_emulator.numbers import number

Value = bool | int | float | str

MOST_REMEMBERED = 20_000
"""Keys of which is kept what they stand for."""

SERVERS = (1, 2)
"""Y in ``sip_server.Y`` and ``outbound_proxy.Y``."""

_INTEGER = re.compile(r"-?[0-9]{1,12}").fullmatch
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?").fullmatch
_HOST_NAME = re.compile(r"(?!-)(?:[\w-]{1,63}\.)*(?![0-9]+\.?$)[\w-]{1,63}\.?").fullmatch
_INDEX = re.compile(r"\.[0-9]+(?=\.|$)")
_LETTER = re.compile(r"\.[NX-Z](?=\.|$)")
_ACCOUNT = re.compile(r"account\.([0-9]+)\.").match
_RANGE = re.compile(r"(-?[0-9]+)\.\.(-?[0-9]+)").fullmatch
_PERHAPS_SECRET = re.compile(r"pas+w|pwd|passcode|secret|token|aes|(?:^|[._])pin(?:$|[._])|pincode").search


def is_ip(host: str) -> bool:
    """Whether *host* is an IPv4 or IPv6 address in text."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Effect(StrEnum):
    """What a parameter does here."""

    ACTS = "acts"
    """It changes what the phone does."""
    SHOWS = "shows only"
    """It changes what people see, nothing else."""
    NONE = "without effect"
    """It is read and known, and nothing looks at it."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One known parameter."""

    name: str
    """The pattern of its key."""
    type: str = "string"
    """``bool``, ``int``, ``float``, ``enum``, ``string``, ``host``, ``secret``, ``tone``, or empty: not
    known."""
    default: str = ""
    """As it would stand in a file; blank where there is none."""
    range: tuple[float, float] | None = None
    """Lowest and highest value."""
    gap: tuple[int, int] | None = None
    """Values within the range that a phone takes as the next one after the gap."""
    values: tuple[str, ...] = ()
    """All allowed values, where they are few."""
    acting: tuple[str, ...] = ()
    """The values that are acted upon, where others do nothing."""
    field: str = ""
    """Where it goes in `phone_emulator.config.model`: ``ServerConfig.port``."""
    use: str = ""
    """Who looks at it, where that is not the phone: ``provisioning``, or nobody but ``people``."""
    since: int = 0
    """The first firmware generation that knows it: 81 of V81; 0 where that is not known."""

    @property
    def effect(self) -> Effect:
        """What setting it comes to."""
        if self.use == "people":
            return Effect.SHOWS
        return Effect.ACTS if self.field or self.use else Effect.NONE

    @cached_property
    def default_value(self) -> Value:
        """The default, typed."""
        return self.parse(self.default)

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.values:
            return f"one of {', '.join(self.values)}"
        if self.type == "bool":
            return "0 or 1"
        if self.range is not None:
            low, high = self.range
            gap = "" if self.gap is None else f", not {self.gap[0]}..{self.gap[1]}"
            return f"{'a number' if self.type == 'float' else 'an integer'} in {low:g}..{high:.0f}{gap}"
        words = {
            "host": "a domain name or an IP address",
            "url": "a URL or a file",
            "int": "an integer",
            "float": "a number",
            "tone": "a tone, 440+480/2000,0/4000",
        }
        return words.get(self.type, "a password" if self.type == "secret" else "any text")

    def parse(self, text: str) -> Value:
        """*text*, a value as it stands in a file, typed.

        A value in the gap is raised to the next one. Raises `ValueError`, which tells what was expected.
        """
        if self.values and text not in self.values:
            raise ValueError(f"expected {self.expected}")
        match self.type:
            case "bool":
                if not self.values and text not in ("0", "1"):
                    raise ValueError(f"expected {self.expected}")
                return text != "0"
            case "int" | "enum":
                return self._number(int(text)) if _INTEGER(text) else self._refuse()
            case "float":
                return self._number(float(text)) if _NUMBER(text) else self._refuse()
            case "secret":
                return text if isinstance(text, Secret) else Secret(text)
            case "host":
                host = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
                return host if is_ip(host) or (len(host) <= 255 and _HOST_NAME(host)) else self._refuse()
            case "tone":
                return text if not text or is_tone(text) else self._refuse()
            case _:
                return text

    def _number(self, number: float) -> Value:
        if self.range is not None and not self.range[0] <= number <= self.range[1]:
            self._refuse()
        if self.gap is not None and self.gap[0] <= number <= self.gap[1]:
            return self.gap[1] + 1
        return number

    def _refuse(self) -> Value:
        raise ValueError(f"expected {self.expected}")


class Catalogue:
    """All known parameters, by the pattern of their name."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._since: dict[str, int] = data["since"]
        self.older: dict[str, str] = data["synonyms"]
        """Pattern of an older name: pattern of today's."""
        self.parameters = {
            name: _parameter(name, facts, self._since_of(name)) for name, facts in data["parameters"].items()
        }
        """Those that a `Parameter` is made of at once, because the phone needs them."""
        self._accepted = {line.partition(" ")[0]: line for line in data["accepted"].splitlines()}
        self.synonyms: dict[str, list[str]] = {}
        """Pattern of today's name: patterns of its older names."""
        for old, new in self.older.items():
            self.synonyms.setdefault(new, []).append(old)
        for name in self.parameters:
            if name.startswith("static."):
                self.synonyms.setdefault(name, []).append(name.removeprefix("static."))
        self._sections: dict[tuple[str, str], tuple[tuple[str, str, Parameter], ...]] = {}
        self._todays: dict[str, tuple[str, ...]] = {}
        self._found: dict[str, Parameter | None] = {}
        self._nearest: dict[str, str | None] = {}
        self._ordinary: dict[str, bool] = {}

    def __iter__(self) -> Iterator[Parameter]:
        """All parameters, those of use first."""
        yield from self.parameters.values()
        yield from map(self._parameter, self._accepted)

    def section(self, scope: str, model: str) -> tuple[tuple[str, str, Parameter], ...]:
        """(rest of the key after *scope*, attribute, parameter) for each one that fills a field of *model*.

        *scope* is how the pattern begins: ``account.X.``, or empty.
        """
        found = self._sections.get((scope, model))
        if found is None:
            found = self._sections[scope, model] = tuple(
                (name[len(scope) :], parameter.field.partition(".")[2], parameter)
                for name, parameter in self.parameters.items()
                if name.startswith(scope) and parameter.field.partition(".")[0] == model
            )
        return found

    def pattern(self, key: str) -> str | None:
        """The pattern of *key*, today's or an older one; None where the key is not known."""
        return self._by_shape.get(_shape(key))

    def older_names(self, name: str) -> list[str]:
        """The patterns of the older names of the parameter *name*."""
        without_static = [name.removeprefix("static.")] if name.startswith("static.") else []
        return self._older_by_name.get(name, []) + without_static

    @cached_property
    def _older_by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for old, new in self.older.items():
            found.setdefault(self.pattern(new) or new, []).append(old)
        return found

    def find(self, key: str) -> Parameter | None:
        """The parameter that *key* sets, under today's name or an older one; None where it is not known."""
        if key not in self._found:
            if len(self._found) > MOST_REMEMBERED:
                self._found.clear()
            name = self._by_shape.get(_shape(self.todays(key)[0]))
            self._found[key] = None if name is None else self._parameter(name)
        return self._found[key]

    def todays(self, key: str) -> tuple[str, ...]:
        """*key* by today's name; several where an older name stands for more than one."""
        found = self._todays.get(key)
        if found is None:
            if len(self._todays) > MOST_REMEMBERED:
                self._todays.clear()
            found = self._todays[key] = self._translated(key)
        return found

    def _translated(self, key: str) -> tuple[str, ...]:
        account = _ACCOUNT(key)
        new = self.older.get(f"account.X.{key[account.end() :]}" if account else key)
        if new is not None:
            new = new.replace(".X.", f".{account[1]}.") if account else new
            return tuple(fill(new, Y=y) for y in SERVERS) if ".Y." in new else (new,)
        if _shape(f"static.{key}") in self._by_shape:
            return (f"static.{key}",)
        return (key,)

    def is_secret(self, key: str) -> bool:
        """Whether the value of *key* is to be shown as dots: known as a password, or called like one."""
        low = key.lower()
        # The plain words first: this is asked of each line.
        some = "pas" in low or "pwd" in low or "pin" in low or "aes" in low
        if not (some or "secret" in low or "token" in low) or _PERHAPS_SECRET(low) is None:
            return False
        parameter = self.find(key)
        return parameter is None or parameter.type == "secret"

    def is_ordinary(self, key: str) -> bool:
        """Whether *key* is known, and no password: asked of each line, so the answer is remembered."""
        found = self._ordinary.get(key)
        if found is None:
            if len(self._ordinary) > MOST_REMEMBERED:
                self._ordinary.clear()
            known = self.pattern(key) is not None
            found = self._ordinary[key] = known and not self.is_secret(key)
        return found

    def in_case(self, key: str) -> str | None:
        """*key* with the capitals with which it is known; None where it is not known in any."""
        name = self._by_folded_shape.get(_shape(key).lower())
        if name is None:
            return None
        indices = iter(_INDEX.findall(key))
        return _LETTER.sub(lambda _: next(indices), name)

    @cached_property
    def _by_shape(self) -> dict[str, str]:
        todays = (*self._accepted, *self.parameters)
        without_static = (name.removeprefix("static.") for name in todays if name.startswith("static."))
        return {_LETTER.sub(".#", _shape(name)): name for name in (*without_static, *self.older, *todays)}

    @cached_property
    def _by_folded_shape(self) -> dict[str, str]:
        return {shape.lower(): name for shape, name in self._by_shape.items()}

    def nearest(self, key: str) -> str | None:
        """The known name that *key* is probably a slip of, or None where none is near."""
        shape = _shape(key).lower()
        if shape not in self._nearest:
            if len(self._nearest) > MOST_REMEMBERED:
                self._nearest.clear()
            self._nearest[shape] = self._nearest_shape(shape)
        near = self._nearest[shape]
        if near is None:
            return None
        name = self._by_folded_shape[near]
        indices = _INDEX.findall(key)
        if len(indices) != len(_LETTER.findall(name)):
            return name
        numbers = iter(indices)
        return _LETTER.sub(lambda _: next(numbers), name)

    def _nearest_shape(self, shape: str) -> str | None:
        from difflib import get_close_matches  # slow to import, and seldom needed

        alike = [known for known in self._by_folded_shape if abs(len(known) - len(shape)) <= 4]
        near = get_close_matches(shape, alike, n=1, cutoff=0.85)
        return near[0] if near else None

    def _since_of(self, name: str) -> int:
        if name in self.older:
            return 0
        return max((since for start, since in self._since.items() if name.startswith(start)), default=0)

    def _parameter(self, name: str) -> Parameter:
        """The parameter whose pattern is *name*, today's."""
        if name in self.parameters:
            return self.parameters[name]
        if name in self.older:
            # An account's own static record, which is no other name for the phone's: both are read.
            return replace(self.parameters[self.older[name]], name=name)
        words = self._accepted[name].split(" ")
        kind, default = (*words[1:], "", "")[:2]
        facts: dict[str, Any] = {"type": "" if kind == "-" else kind, "default": default}
        ends = _RANGE(kind)
        if ends is not None:
            facts |= {"type": "int", "range": (int(ends[1]), int(ends[2]))}
        elif "|" in kind:
            numbered = number(kind[0], 9) is not None
            facts |= {"type": "enum" if numbered else "string", "values": kind.split("|")}
        return _parameter(name, facts, self._since_of(name))


def suggestion(key: str) -> str:
    """``; did you mean …?`` with the known name nearest to *key*, or nothing where none is near."""
    name = catalogue().nearest(key)
    return "" if name is None else f"; did you mean {name}?"


def fill(pattern: str, **letters: int) -> str:
    """*pattern* with numbers for its letters: ``fill("account.X.enable", X=1)``."""
    for letter, index in letters.items():
        pattern = pattern.replace(f".{letter}.", f".{index}.")
    return pattern


@cache
def catalogue() -> Catalogue:
    """The catalogue that comes with the program."""
    text = Path(__file__).with_name("catalogue.yaml").read_bytes()
    return Catalogue(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _shape(key: str) -> str:
    return _INDEX.sub(".#", key)


def _parameter(name: str, facts: dict[str, Any], since: int) -> Parameter:
    return Parameter(
        name=name,
        type=facts.get("type", "string"),
        default=str(facts.get("default", "")),
        range=tuple(facts["range"]) if "range" in facts else None,
        gap=tuple(facts["gap"]) if "gap" in facts else None,
        values=tuple(map(str, facts.get("values", ()))),
        acting=tuple(map(str, facts.get("acting", ()))),
        field=facts.get("field", ""),
        use=facts.get("use", ""),
        since=since,
    )
