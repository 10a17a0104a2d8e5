"""Keys that do nothing here, as data: ``effects.yaml`` says what is missed where a file sets one.

A key is told that a file sets to other than its default. Where the default is not known, ``0`` counts as it
unless the value is text: what is off is missed by nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from phone_emulator.config.catalogue import MOST_REMEMBERED, Effect, Parameter, catalogue
from phone_emulator.config.diagnostic import Code, Diagnostic, Severity
from phone_emulator.config.effective import canonical
from phone_emulator.config.reader import Setting

CODE: Code = "no-effect-here"
LONGEST_REMEMBERED = 100
"""Characters of a value whose judgement is kept."""

_OFF = "0"
_TEXTS = ("string", "host", "secret")


@dataclass(frozen=True, slots=True)
class Missed:
    """What is missed."""

    severity: Severity
    """A warning where it decides whether a call works, whom it reaches or who can listen."""
    sentence: str
    """``calls go out unencrypted``"""


@cache
def missed(name: str) -> Missed:
    """What is missed where the parameter whose pattern is *name* does nothing."""
    starts = _table()
    return next(starts[name[:length]] for length in range(len(name), -1, -1) if name[:length] in starts)


def without_effect(settings: Iterable[Setting]) -> Iterator[Diagnostic]:
    """A finding for each of *settings* that does nothing and is set to other than its default."""
    judged = _judged()
    for setting in settings:
        said = setting[:2]
        if not said[1]:
            continue
        try:
            found = judged[said]
        except KeyError:
            found = _judge(setting)
            if len(said[1]) <= LONGEST_REMEMBERED and len(judged) < MOST_REMEMBERED:
                judged[said] = found
        if found is not None:
            message = f"{setting.key} has no effect here: {found.sentence}"
            yield Diagnostic(setting.file, setting.line, setting.key, found.severity, CODE, message)


def in_one_line(found: Collection[Diagnostic]) -> str:
    """The sum of *found*, what `without_effect` finds in files; empty where it is nothing."""
    if not found:
        return ""
    matter = sum(each.severity is Severity.WARNING for each in found)
    if len(found) == 1:
        said = "1 key of these files has no effect here" + (", and it matters" if matter else "")
    else:
        said = f"{len(found)} keys of these files have no effect here"
        said += f", {matter} of them matter{'s' * (matter == 1)}" if matter else ""
    return f"{said}: see phone-emulator check"


def _judge(setting: Setting) -> Missed | None:
    """What is missed where *setting* does nothing; None where it acts, or asks for the default."""
    text = setting.given
    parameter = None if text is None else catalogue().find(setting.key)
    if text is None or parameter is None or _acts(parameter, text):
        return None
    return None if _is_default(parameter, text) else missed(parameter.name)


def _acts(parameter: Parameter, text: str) -> bool:
    if parameter.acting:
        return canonical(parameter, text) in (None, *parameter.acting)
    return parameter.effect is not Effect.NONE


def _is_default(parameter: Parameter, text: str) -> bool:
    if not parameter.default:
        return not text or (text == _OFF and parameter.type not in _TEXTS)
    return canonical(parameter, text) in (None, canonical(parameter, parameter.default))


@cache
def _judged() -> dict[tuple[str, str], Missed | None]:
    """Keys and values that have been judged: most files say the same."""
    return {}


@cache
def _table() -> dict[str, Missed]:
    """By how patterns begin."""
    text = Path(__file__).with_name("effects.yaml").read_bytes()
    data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {
        start: Missed(Severity(severity), sentence)
        for severity, sentences in data.items()
        for start, sentence in sentences.items()
    }
