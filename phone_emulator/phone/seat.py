"""A line's place in the phone: what everything that is done for one line shares."""

from __future__ import annotations

from typing import Protocol

from phone_emulator.config.model import AccountConfig
from phone_emulator.events import CallState, Event, Target
from phone_emulator.redundancy import Hop
from phone_emulator.world.tasks import Tasks

from .dialogs import Dialogs
from .wire.context import Context
from .wire.exchange import Exchange
from .wire.known import KnownServers
from .wire.lookup import targets_of

OVER = (CallState.ENDING, CallState.ENDED)


class LiveCall(Protocol):
    """A call, as far as the rest of its line looks at it."""

    state: CallState


class Seat:
    """One enabled account's place.

    Args:
        context: the phone.
        account: ``account.X.*``.
        dialogs: of the phone.
    """

    def __init__(self, context: Context, account: AccountConfig, dialogs: Dialogs) -> None:
        self.context = context
        self.account = account
        self.dialogs = dialogs
        self.known = KnownServers(account, context.known)
        """Whose word counts."""
        self.exchange = Exchange(context.endpoint, context.config, account, context.trust, self.known)
        self.tasks = Tasks(context.world, f"line {account.index}")
        """What is done for the line that no part of it owns."""
        self.calls: list[LiveCall] = []
        """Live calls, oldest first."""

    @property
    def number(self) -> int:
        """X of ``account.X``."""
        return self.account.index

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.context.world.now()

    def idle(self, beside: LiveCall | None = None) -> bool:
        """Whether there is no ringing, dialling, active or held call *beside* that one."""
        return all(call is beside or call.state in OVER for call in self.calls)

    async def locate(self, hop: Hop) -> list[Target]:
        """The targets of *hop*, primary first; raises Unresolved (D1-D4)."""
        context = self.context
        return await targets_of(context.resolver, self.account, hop, sources=context.hosts)

    def tell(self, event: Event) -> None:
        """Tell that *event* happened."""
        self.context.bus.tell(event)
