"""A value that is not to be seen."""

from __future__ import annotations


class Secret(str):
    """A password: shows itself as dots, so that it never reaches a log, a report or a screen."""

    def __new__(cls, value: str = "") -> Secret:
        # str() of a Secret is its dots: a copy must be made of what lies behind them.
        return super().__new__(cls, value.reveal() if isinstance(value, Secret) else value)

    def __repr__(self) -> str:
        return "'••••'" if self else "''"

    def __str__(self) -> str:
        return "••••" if len(self) else ""

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """The password itself, for the digest."""
        return str.__str__(self)
