"""Passwords on their way in: read where nobody else sees them, and a warning where somebody does."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from phone_emulator.config.catalogue import catalogue
from phone_emulator.config.reader import LONGEST_LINE, ReadElsewhere
from phone_emulator.scarcity import raise_shortage

from .talk import say

_OPTION = "'--set-from'"
_EXPECTED = "expected KEY=file:PATH, KEY=env:NAME or KEY=prompt"
_URL_PASSWORD = re.compile(r"(?:^|://)[^/?#@:\s]*:[^/?#@\s]+@").search
"""User and password before a host; a URL without a scheme is TFTP."""


def read_elsewhere(texts: Sequence[str]) -> tuple[ReadElsewhere, ...]:
    """The ``KEY=VALUE`` of each ``--set-from`` in *texts*; raises click.BadParameter."""
    return tuple(map(_read, texts))


def files_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The files that the ``--set-from`` in *texts* read."""
    sources = (text.partition("=")[2].partition(":") for text in texts)
    return tuple(name for kind, _, name in sources if kind == "file")


def _read(text: str) -> ReadElsewhere:
    key, equals, where = text.partition("=")
    key, (kind, colon, name) = key.strip(), where.partition(":")
    if not equals or not key:
        raise _unusable(key or "an option without a key", _EXPECTED)
    if kind == "file" and name:
        value = _of_file(key, name)
    elif kind == "env" and name:
        value = _of_environment(key, name)
    elif kind == "prompt" and not colon:
        value = _asked(key)
    else:
        raise _unusable(key, _EXPECTED)  # what stands there may be the password itself
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise _unusable(key, f"{kind}:{name}: holds nothing")
    if "\n" in value or "\r" in value or len(value) > LONGEST_LINE:
        raise _unusable(key, f"{kind}:{name}: holds more than one line, no value does")
    return ReadElsewhere(f"{key}={value}")


def _of_file(key: str, name: str) -> str:
    """The text of a file, or of a pipe."""
    try:
        with Path(name).open("rb") as file:
            return file.read(LONGEST_LINE + 3).decode()
    except UnicodeDecodeError:
        raise _unusable(key, f"file:{name}: is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise_shortage(error, name)
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise _unusable(key, f"file:{name}: cannot be read: {why}") from None


def _of_environment(key: str, name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise _unusable(key, f"env:{name}: there is no such variable")
    return value


def _asked(key: str) -> str:
    if not sys.stdin.isatty():
        raise _unusable(key, "prompt: there is no terminal to ask at")
    return str(click.prompt(key, hide_input=True, err=True))


def _unusable(key: str, why: str) -> click.BadParameter:
    return click.BadParameter(f"{key}: {why}", param_hint=_OPTION)


def tell_of_exposed(overrides: Sequence[str], provision: str | None) -> None:
    """Say which passwords stand on the command line: every user of the machine can list it."""
    exposed = []
    for text in overrides:
        key, _, value = text.partition("=")
        key = key.strip()
        if isinstance(text, ReadElsewhere) or not value.strip():
            continue
        if catalogue().is_secret(key) or _with_password(value):
            exposed.append((f"--set {key}", key))
    if provision is not None and _URL_PASSWORD(provision):
        exposed.append(("--provision", "static.auto_provision.server.password"))
    for option, key in exposed:
        say(
            f"warning: {option}: whoever lists the processes of this machine reads the password; "
            f"--set-from {key}=file:PATH (or env:NAME, prompt) keeps it out of sight"
        )


def _with_password(value: str) -> bool:
    return "://" in value and _URL_PASSWORD(value) is not None
