"""One JSON object a line, for scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

from phone_emulator.cleaning import clean_json

SCHEMA = 1
"""Of the objects that ``run``, ``call`` and ``register`` print; another one where a key goes or changes."""


class HasJson(Protocol):
    """A result, a call or an attempt."""

    def as_json(self) -> dict[str, Any]: ...


def json_line(value: HasJson | dict[str, Any]) -> str:
    """*value* on one line, without its line end; text outside ASCII stays readable."""
    plain = value if isinstance(value, dict) else value.as_json()
    return clean_json(plain, allow_nan=False)


def head_of(epoch: float) -> dict[str, Any]:
    """How an object begins; *epoch* is when the world began, in seconds since 1970, 0 in virtual time."""
    return {"schema": SCHEMA} | ({"started_at": _iso(epoch)} if epoch else {})


def _iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
