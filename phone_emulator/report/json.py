"""One JSON object a line, for scripts."""

from __future__ import annotations

from typing import Any, Protocol

from phone_emulator.cleaning import clean_json


class HasJson(Protocol):
    """A result, a call or an attempt."""

    def as_json(self) -> dict[str, Any]: ...


def json_line(value: HasJson | dict[str, Any]) -> str:
    """*value* on one line, without its line end; text outside ASCII stays readable."""
    plain = value if isinstance(value, dict) else value.as_json()
    return clean_json(plain, allow_nan=False)
