"""Changes of a what-if: which server, the name server or the called user behaves how, from when on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.nameserver import Behaviour as DnsBehaviour

CALLEE = "callee"
DNS = "dns"


@dataclass(frozen=True, slots=True)
class Change:
    """Somebody behaves differently from now on."""

    role: str
    """A role of the site (``primary``), ``dns`` or ``callee``."""
    behaviour: Behaviour | DnsBehaviour | CalleeBehaviour
    at: float = 0.0
    """Seconds since the phone was switched on."""


def parse_change(names: Mapping[str, str], role: str, text: str, at: float = 0.0) -> Change:
    """The change that a person wrote as ``ROLE=BEHAVIOUR``.

    Args:
        names: the roles that there are.
        role: one of them, ``dns`` or ``callee``.
        text: the behaviour, such as ``silent``.
        at: seconds since the phone was switched on.

    Raises:
        ValueError: in words for people.
    """
    if role == CALLEE:
        return Change(role, CalleeBehaviour.parse(text), at)
    if role == DNS:
        try:
            return Change(role, DnsBehaviour(text.strip().lower()), at)
        except ValueError:
            raise ValueError(f"dns cannot be {text!r}: one of {', '.join(DnsBehaviour)}") from None
    if role not in names:
        known = ", ".join([*names, DNS, CALLEE])
        raise ValueError(f"there is no server {role!r} here: {known}")
    try:
        return Change(role, Behaviour.parse(text), at)
    except ValueError as error:
        raise ValueError(f"{role}: {error}") from None
