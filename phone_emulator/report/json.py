"""One JSON object a line, for scripts."""

from __future__ import annotations

import json
from typing import Any, Protocol


class HasJson(Protocol):
    """A result, a call or an attempt."""

    def as_json(self) -> dict[str, Any]: ...


def json_line(value: HasJson | dict[str, Any]) -> str:
    """*value* on one line, without its line end; text outside ASCII stays readable."""
    plain = value if isinstance(value, dict) else value.as_json()
    return json.dumps(plain, ensure_ascii=False, allow_nan=False)
