"""What the terminal phone asks of a lab: its servers, and a hand on their behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from phone_emulator.lab.behaviour import Behaviour


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server of the lab, as the panel shows it."""

    name: str
    """What it is called in orders and events."""
    role: str
    """``primary``, ``secondary``, ``fallback``."""
    address: str
    """``127.0.0.13:5060``."""
    transports: tuple[str, ...]
    """``udp``, ``tcp``, ``tls``."""
    behaviour: str
    """In the words of :class:`Behaviour`: ``ok``, ``503``, ``silent``."""


class LabControl(Protocol):
    """The lab behind the phone."""

    def servers(self) -> Sequence[ServerView]:
        """Every server, in the order of the list."""

    async def behave(self, name: str, behaviour: Behaviour) -> None:
        """The server *name* behaves like this from now on; raises WorldError, ValueError."""

    @property
    def callee_behaviour(self) -> str:
        """What the called user does, in the words of :class:`CalleeBehaviour`."""

    def behave_callee(self, behaviour: str) -> None:
        """The called user does this from now on; raises ValueError."""

    def call_phone(self) -> None:
        """Somebody calls the phone; raises ValueError when nobody can."""
