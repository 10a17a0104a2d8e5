"""What one line subscribes to at server 1: voice mail, BLF keys, its own registrations; and F6.

Subscriptions use server 1 only. With ``failback_subscribe.enable`` they are made anew at once wherever the
line has registered at another IP address; without it they stay where they are until they end there.
"""

from __future__ import annotations

import asyncio

from phone_emulator.config.model import FailbackMode, KeyType
from phone_emulator.events import Target
from phone_emulator.phone.registration.registrar import Registrar
from phone_emulator.phone.registration.servers import Servers
from phone_emulator.phone.seat import Seat
from phone_emulator.redundancy import hops
from phone_emulator.sip.message import Request

from .blf import WatchedList, WatchedNumber, keys_of
from .mwi import Mailbox, mailbox_of
from .reg_event import OwnRegistrations
from .subscription import Subscription


class Subscriptions:
    """The subscriptions of one line.

    Args:
        seat: of the line that subscribes.
        servers: where.
        registrar: hears of its own registrations.
        mailbox: hears of voice mail.
    """

    def __init__(self, seat: Seat, servers: Servers, registrar: Registrar, mailbox: Mailbox) -> None:
        self._seat = seat
        account, config = seat.account, seat.context.config
        keys = keys_of(config, seat.number, KeyType.BLF)
        numbers = [WatchedNumber(seat, servers, key) for key in keys if key.value]
        self.lamps = [each.lamp for each in numbers]
        """The lamps of its BLF keys."""
        self._all = [each.subscription for each in numbers]
        voice_mail = mailbox_of(account, config)
        if voice_mail is not None:
            self._all.insert(0, Subscription(seat, servers, voice_mail, lambda part: mailbox.take(part.body)))
        if account.blf_list_uri:
            list_keys = keys_of(config, seat.number, KeyType.BLF_LIST)
            listed = WatchedList(seat, servers, account.blf_list_uri, list_keys)
            self.lamps += listed.lamps
            self._all.append(listed.subscription)
        if account.subscribe_register:
            self._all.append(OwnRegistrations(seat, servers, registrar).subscription)

    def registered_at(self, target: Target) -> None:
        """Server 1 accepted a REGISTER at *target*: subscribe, or renew there at once (F6)."""
        for each in self._all:
            moved = each.target is not None and each.target.address != target.address
            if not each.started or (moved and self._follow_registration()):
                each.start()

    def moved(self) -> None:
        """The phone's address has changed: the servers are told."""
        for each in self._all:
            each.moved()

    async def stop(self, *, unsubscribe: bool) -> None:
        """End them all; with *unsubscribe* the servers are told."""
        await asyncio.gather(*(each.stop(unsubscribe=unsubscribe) for each in self._all))

    def cancel(self) -> None:
        """Do nothing more for them."""
        for each in self._all:
            each.cancel()

    def awaiting(self, notify: Request) -> Subscription | None:
        """The subscription whose first NOTIFY *notify* is, come before the answer to the SUBSCRIBE."""
        return next((each for each in self._all if each.awaits(notify)), None)

    def _follow_registration(self) -> bool:
        hop = hops(self._seat.account)[0]
        remembers = hop.failover.failback_mode is not FailbackMode.NEW_REQUESTS
        return hop.failover.failback_subscribe and remembers
