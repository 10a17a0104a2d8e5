"""Expecting a fault at a world's end, without losing what was asserted before it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from phone_emulator.world import Faulted


@contextlib.contextmanager
def faulted(match: str | None = None) -> Iterator[pytest.ExceptionInfo[Faulted]]:
    """As ``pytest.raises(Faulted)``; a failed assertion, which Faulted takes the place of, is raised."""
    with pytest.raises(Faulted, match=match) as raised:
        yield raised
    if isinstance(raised.value.__context__, AssertionError):
        raise raised.value.__context__
