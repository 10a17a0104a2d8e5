"""Planting a fault, and expecting it: of a command, or at a world's end, where no assertion is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Never

import pytest
from click.testing import Result

from phone_emulator.world import Faulted

WALK = "phone_emulator.redundancy.walk.Walk.next"
IN_ORDER = "phone_emulator.phone.registration.registrar.Registrar._in_order"
REFRESH = "phone_emulator.phone.registration.registrar.Registrar._refresh_due"
RESOLVER = "phone_emulator.dns.resolver.Resolver._ask_servers"


def planted(*args: object, **named: object) -> Never:
    """Stands where a test plants a fault."""
    raise ValueError("planted")


@contextlib.contextmanager
def faulted(match: str | None = None) -> Iterator[pytest.ExceptionInfo[Faulted]]:
    """As ``pytest.raises(Faulted)``; a failed assertion, which Faulted takes the place of, is raised."""
    with pytest.raises(Faulted, match=match) as raised:
        yield raised
    if isinstance(raised.value.__context__, AssertionError):
        raise raised.value.__context__


def faulty(result: Result) -> str:
    """stderr of a command that met a fault of the program, a planted one."""
    assert result.exit_code == 4, (result.output, result.exception)
    assert "Traceback (most recent call last):" in result.stderr
    assert result.stderr.rstrip().endswith("ValueError: planted; please report it")
    return result.stderr
