"""What one line subscribes to at server 1: voice mail, BLF keys, its own registrations; and F6.

Subscriptions use server 1 only. With ``failback_subscribe.enable`` they are made anew at once wherever the
line has registered at another IP address; without it they stay where they are until they end there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from phone_emulator.config.model import FailbackMode, KeyType
from phone_emulator.events import Target
from phone_emulator.redundancy import hops
from phone_emulator.sip.message import Request

from .blf import WatchedList, WatchedNumber, keys_of
from .mwi import mailbox_of
from .reg_event import OwnRegistrations
from .subscription import Subscription

if TYPE_CHECKING:
    from .line import Line


class Subscriptions:
    """The subscriptions of one line.

    Args:
        line: who subscribes.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        account, config = line.account, line.context.config
        keys = keys_of(config, line.number, KeyType.BLF)
        numbers = [WatchedNumber(line, key) for key in keys if key.value]
        self.lamps = [each.lamp for each in numbers]
        """The lamps of its BLF keys."""
        self._all = [each.subscription for each in numbers]
        mailbox = mailbox_of(account, config)
        if mailbox is not None:
            heard = line.message_summary
            self._all.insert(0, Subscription(line, mailbox, lambda notify: heard(notify.body)))
        if account.blf_list_uri:
            listed = WatchedList(line, account.blf_list_uri, keys_of(config, line.number, KeyType.BLF_LIST))
            self.lamps += listed.lamps
            self._all.append(listed.subscription)
        if account.subscribe_register:
            self._all.append(OwnRegistrations(line).subscription)

    def registered_at(self, target: Target) -> None:
        """Server 1 accepted a REGISTER at *target*: subscribe, or renew there at once (F6)."""
        for each in self._all:
            moved = each.target is not None and each.target.address != target.address
            if not each.started or (moved and self._follow_registration()):
                each.start()

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
        hop = hops(self._line.account)[0]
        remembers = hop.failover.failback_mode is not FailbackMode.NEW_REQUESTS
        return hop.failover.failback_subscribe and remembers
