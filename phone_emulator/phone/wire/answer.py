"""What a request of somebody else is answered with."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """A final response, before it has the headers that every one has."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    reason: str | None = None
    """The reason phrase; None for that of the status."""
    why: str = ""
    """What a refusal is about, for people, where its status alone does not say it."""
