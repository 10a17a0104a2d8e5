"""A line: composed of its place, its servers, its registrations and its subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from phone_emulator.config.model import AccountConfig
from phone_emulator.redundancy import Try

from .calls.call import Call, Handler
from .calls.floor import Floor
from .calls.publishing import QualityReports
from .dialogs import Dialogs
from .presence.mwi import Mailbox
from .presence.subscriptions import Subscriptions
from .registration.binding import Bindings
from .registration.health import LineHealth, NextRegister
from .registration.registrar import Registrar
from .registration.servers import Servers
from .seat import Seat
from .wire.context import Context


class Keeper(Protocol):
    """Who keeps the calls of every line: the phone."""

    @property
    def floor(self) -> Floor[Call]:
        """Which of them talks."""

    def ended(self, call: Call) -> None:
        """*call* is over."""


class Line:
    """One enabled account.

    Args:
        context: the phone.
        account: ``account.X.*``.
        dialogs: of the phone.
        handlers: by the method, what takes a request of the far end within a call.
        keeper: keeps the calls of every line.
    """

    def __init__(
        self,
        context: Context,
        account: AccountConfig,
        dialogs: Dialogs,
        handlers: Mapping[str, Handler],
        keeper: Keeper,
    ) -> None:
        self.seat = Seat(context, account, dialogs)
        self.servers = Servers(self.seat, Bindings(context, account))
        self.registrar = Registrar(self.seat, self.servers)
        self.mailbox = Mailbox(self.seat)
        self.subscriptions = Subscriptions(self.seat, self.servers, self.registrar, self.mailbox)
        self.registrar.followers.append(self.subscriptions)
        self.quality_reports = QualityReports(self.seat, self.servers)
        self.handlers = handlers
        self._keeper = keeper

    @property
    def number(self) -> int:
        """X of ``account.X``."""
        return self.seat.number

    @property
    def account(self) -> AccountConfig:
        """``account.X.*``."""
        return self.seat.account

    @property
    def floor(self) -> Floor[Call]:
        """Which of the phone's calls talks."""
        return self._keeper.floor

    @property
    def bindings(self) -> Bindings:
        """Where it is registered."""
        return self.servers.bindings

    def health(self) -> LineHealth:
        """How the line stands: which targets work, where it is registered, what it will try next."""
        planned = [
            NextRegister(binding.number, binding.next_at, binding.reason)
            for binding in self.bindings
            if binding.next_at is not None
        ]
        registered = tuple(self.bindings.targets)
        return LineHealth(
            self.number,
            registered,
            registered_nowhere=self.registrar.started and not registered,
            targets=self.servers.record.targets,
            next=tuple(sorted(planned, key=lambda plan: plan.at)),
            unreachable="; ".join(
                dict.fromkeys(why for each in self.bindings if (why := each.reach.unreachable))
            ),
        )

    async def register_first(self, step: Try) -> bool:
        """REGISTER at the target of *step*; False where the target has failed by that (R9)."""
        return await self.registrar.register_first(step)

    def up(self, call: Call) -> None:
        """Both ends of *call* can talk."""
        self.quality_reports.call_up(call)

    def ended(self, call: Call) -> None:
        """*call* is over."""
        if call in self.seat.calls:
            self.seat.calls.remove(call)
        self._keeper.ended(call)
        self.quality_reports.call_ended(call)
