"""A lab as the terminal phone takes hold of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour

from .lab_control import ServerView

if TYPE_CHECKING:
    from phone_emulator.lab.lab import Lab
    from phone_emulator.phone.phone import Phone


class LabPanel:
    """The :class:`LabControl` of a running lab.

    Args:
        lab: running.
        phone: the phone that it is the lab of.
    """

    def __init__(self, lab: Lab, phone: Phone) -> None:
        self._lab = lab
        self._phone = phone

    def servers(self) -> Sequence[ServerView]:
        """Every server, in the order of the lab's plan."""
        return [
            ServerView(
                name=place.name,
                role=place.name,
                address=str(self._lab.servers[place.name].address),
                transports=tuple(str(transport) for transport in place.transports),
                behaviour=str(self._lab.servers[place.name].behaviour),
            )
            for place in self._lab.plan.places
        ]

    async def behave(self, name: str, behaviour: Behaviour) -> None:
        """The server *name* behaves like this from now on; raises WorldError, ValueError."""
        await self._lab.behave(name, behaviour)

    @property
    def callee_behaviour(self) -> str:
        """What the called user does."""
        return str(self._lab.callee.behaviour)

    def behave_callee(self, behaviour: str) -> None:
        """The called user does this from now on; raises ValueError."""
        self._lab.callee.behaviour = CalleeBehaviour.parse(behaviour)

    def call_phone(self) -> None:
        """The callee calls the phone; raises ValueError when the phone is registered nowhere."""
        if self._lab.call_phone(self._phone) is None:
            raise ValueError("nobody can call the phone: it is registered at no server")
