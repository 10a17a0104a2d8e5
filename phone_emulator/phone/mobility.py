"""The phone's own IP address, and what follows when it is another one (RFC 3261 sections 10.2 and 14.1).

Theory of operation: the world says when to look. An address that the user has given is kept, and missed
while it is gone; else the routes to the servers decide, as at the start. A move is made at once, and in this
order: what registers stops, the sockets are opened anew, then every line registers from there, calls that are
up get a re-INVITE, subscriptions a SUBSCRIBE. Where there is no address, nothing is tried: calls that are up
wait for 64*T1, as long as a request in their dialog would for an answer; all goes on when there is one again.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence

from phone_emulator.config.model import PhoneConfig
from phone_emulator.dns import dns_servers
from phone_emulator.events import Address, AddressChanged
from phone_emulator.scarcity import is_scarce
from phone_emulator.world.base import TimerHandle, WorldError
from phone_emulator.world.reasons import no_such_address
from phone_emulator.world.tasks import Tasks

from .calls.call import Call
from .line import Line
from .wire.addresses import own_addresses
from .wire.context import Context

PAUSE = 10.0
"""Seconds until a move is tried again that a fault of this program has kept from being done."""


class Mobility:
    """Keeps a phone at the addresses that its machine has.

    Args:
        context: the phone.
        config: whose servers' routes tell its address.
        given: what the user says, by commas; empty lets the routes decide.
        nameservers: what the user says; empty lets the files or the machine decide.
        lines: those that register.
        calls: those that are live.
        moved: called when all is as it will be, and all else may follow.
    """

    def __init__(
        self,
        context: Context,
        config: PhoneConfig,
        *,
        given: str,
        nameservers: Sequence[Address],
        lines: Mapping[int, Line],
        calls: Sequence[Call],
        moved: Callable[[], None],
    ) -> None:
        self._context = context
        self._config = config
        self._given = tuple(host.strip() for host in given.split(",") if host.strip())
        self._nameservers = nameservers
        self._lines = lines
        self._calls = calls
        self._moved = moved
        self.ordered: tuple[str, ...] | None = None
        """What `move` has said; None where the machine decides."""
        self.present = self._known = context.hosts
        """The phone's addresses; empty for none."""
        self.why = ""
        """Why there is none, for people."""
        self._tasks = Tasks(context.world, "the phone's address")
        self._moving = asyncio.Lock()
        self._watch: TimerHandle | None = None
        self._again: TimerHandle | None = None
        """The next look, where a move has met a fault."""
        self._looking = False
        self._unsure = False
        """Whether a move has met a fault, and may be done in part."""

    def start(self) -> None:
        """Look whenever the world says so."""
        self._watch = self._context.world.watch_addresses(self.look)

    async def stop(self) -> None:
        """Look no more, and leave undone what is not done."""
        for timer in (self._watch, self._again):
            if timer is not None:
                timer.cancel()
        self._watch = self._again = None
        await self._tasks.stop()

    def look(self) -> None:
        """See whether the machine still has the phone's addresses; costs next to nothing where it does."""
        if self._looking or self._watch is None:
            return
        with self._tasks.guarded("looking at the machine's addresses", on_fault=self._not_moved):
            hosts, why = self._found()
            if self._unsure or hosts != self.present or (not hosts and self.why != why):
                self._looking = True
                self._tasks.spawn(self._follow(), "the move to another address", on_fault=self._not_moved)

    def _not_moved(self, error: Exception) -> None:
        """A move has met *error*: try again in a while."""
        self._looking = False
        due = self._context.world.now() + PAUSE
        again = "looking at the machine's addresses again"
        self._again = self._tasks.call_at(due, self.look, again, on_fault=self._not_moved)

    async def move(self, hosts: Sequence[str]) -> None:
        """Have the phone at the IP addresses *hosts* from now on, whatever the machine has; none: at none.

        Returns when every line has registered from there, or cannot, and calls that are up have been told.
        """
        self.ordered = tuple(hosts)
        self._looking = True
        await asyncio.gather(*await self._follow(), return_exceptions=True)

    # -- where it is ---------------------------------------------------------------------------------------

    def _found(self) -> tuple[tuple[str, ...], str]:
        """The addresses that the phone is to have now; where there is none, why, for people."""
        world = self._context.world
        if self.ordered is not None:
            return self.ordered, "" if self.ordered else f"{' and '.join(self._known)} is gone"
        if self._given:
            there = tuple(host for host in self._given if world.has_address(host))
            missing = " and ".join(no_such_address(host) for host in self._given if host not in there)
            return there, f"{missing} (--local-address)"
        try:
            found = own_addresses(self._config, world, "", self._asked())
        except WorldError as error:
            if is_scarce(error) and error.errno != errno.EADDRNOTAVAIL:
                return self.present, self.why  # a machine without descriptors cannot say
            return (), str(error)
        return tuple(host for host in found if host), ""

    def _asked(self) -> list[Address]:
        """The name servers."""
        return list(self._nameservers) or dns_servers(self._config.dns, self._context.world)

    # -- moving --------------------------------------------------------------------------------------------

    async def _follow(self) -> list[asyncio.Task[None]]:
        """Go where the machine is; what is under way then to let everybody know."""
        async with self._moving:
            self._looking = False
            hosts, why = self._found()
            if hosts == self.present and not self._unsure:
                if not hosts:
                    self.why = why
                return []
            try:
                return await self._go(hosts, why)
            except Exception:
                self._unsure = True
                raise

    async def _go(self, hosts: tuple[str, ...], why: str) -> list[asyncio.Task[None]]:
        """Be at *hosts*, which are others than until now; what is under way then to let everybody know."""
        context, before = self._context, self.present
        unsure, self._unsure = self._unsure, False
        left = set(self._known) - set(hosts) if before and not unsure else set(self._known)
        told = _in_words(before if before != hosts else (), hosts, why)
        first, *others = hosts or ("",)
        other = "".join(others)
        context.absent = "" if hosts else told
        if hosts:
            context.host, context.other_host = first, other
            with self._tasks.guarded("asking DNS from another address"):
                context.resolver.move(self._asked(), first)
        if before or unsure:
            if before != hosts:
                self._tell(before, hosts, told)
            if not hosts:
                self._strand(told)
            leaving = [
                line.seat.tasks.spawn(
                    line.registrar.leave_address(hosts, told), "leaving the phone's address"
                )
                for line in self._lines.values()
            ]
            if leaving:
                await asyncio.wait(leaving)
        try:
            await context.endpoint.move(first, other, why=told)
        except WorldError as error:
            if before:
                self.present = hosts  # what was told
                return await self._go((), str(error))
            self.why = str(error)
            context.absent = _in_words(before, (), self.why)
            return []
        # From here on nothing else has its turn until everybody knows.
        self.present, self.why = hosts, why
        context.moves += 1
        if not hosts:
            return []
        if not before and not unsure:
            self._tell(before, hosts, told)
        self._known = hosts
        following: list[asyncio.Task[None]] = []
        for call in tuple(self._calls):
            with call.tasks.guarded("moving to another address"):
                telling = call.moved(left, told)
                following += [] if telling is None else [telling]
        following += [
            self._tasks.spawn(
                line.registrar.renew(told),
                f"registering line {line.number} from another address",
                on_fault=line.registrar.given_up,
            )
            for line in self._lines.values()
            if line.registrar.started
        ]
        with self._tasks.guarded("telling watchers of another address"):
            self._moved()
        return following

    def _strand(self, told: str) -> None:
        for call in tuple(self._calls):
            with call.tasks.guarded("losing the phone's address"):
                call.stranded(told)

    def _tell(self, before: tuple[str, ...], now: tuple[str, ...], reason: str) -> None:
        at = self._context.world.now()
        self._context.bus.tell(AddressChanged(at=at, before=before, now=now, reason=reason))


def _in_words(before: Sequence[str], now: Sequence[str], why: str) -> str:
    """The move from *before* to *now*, for people; *why* there is no address, where there is none."""
    if not now:
        return f"the phone has no address: {why}"
    if not before:
        return f"the phone has an address again: {' and '.join(now)}"
    return f"the phone's address has changed from {' and '.join(before)} to {' and '.join(now)}"
