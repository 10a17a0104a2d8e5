"""What the UAS core needs of the phone and its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import Bus
from phone_emulator.phone.calls.call import Call, CallLine
from phone_emulator.phone.calls.incoming import IncomingCall
from phone_emulator.phone.presence.mwi import Mailbox
from phone_emulator.phone.presence.subscriptions import Subscriptions
from phone_emulator.phone.registration.registrar import Registrar
from phone_emulator.phone.transfer.referral import Referrals
from phone_emulator.phone.wire.context import Context
from phone_emulator.world.base import World


class Station(CallLine, Protocol):
    """A line."""

    @property
    def subscriptions(self) -> Subscriptions:
        """What it subscribes to."""

    @property
    def registrar(self) -> Registrar:
        """What keeps it registered."""

    @property
    def mailbox(self) -> Mailbox:
        """Its voice mail."""


class Desk(Protocol):
    """The phone."""

    config: PhoneConfig
    world: World
    bus: Bus
    referrals: Referrals

    @property
    def context(self) -> Context:
        """The running phone."""

    @property
    def any_user(self) -> bool:
        """Whether calls to any number ring, at the line of the server that they come from."""

    @property
    def lines(self) -> Mapping[int, Station]:
        """The enabled lines, by X of ``account.X``."""

    @property
    def calls(self) -> Sequence[Call]:
        """Live calls, oldest first."""

    @property
    def history(self) -> Iterable[Call]:
        """Calls that have ended."""

    def new_call_id(self) -> str:
        """The next id by which people know a call."""

    def ring(self, call: IncomingCall) -> None:
        """Take *call* up and let it ring."""

    def replace(self, other: Call, call: IncomingCall) -> None:
        """Take *call* up in the place of *other*."""
