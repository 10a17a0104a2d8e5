"""The real world: the system's clock, the machine's sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from phone_emulator.events import Address
from phone_emulator.scarcity import is_scarce, numbered, shortage

from . import clock, reasons, stream, udp
from .address import canonical, is_ipv6
from .base import Accept, DatagramReceiver, StreamReceiver, TimerHandle, TlsClient, TlsServer, WorldError
from .chance import SYSTEM, seeded
from .faults import Faults
from .system_loop import run_on_a_loop

_Result = TypeVar("_Result")

RESOLV_CONF = Path("/etc/resolv.conf")

ADDRESS_PACE = 2.0
"""Seconds between two looks at the machine's addresses: what tells of a change is another on each system."""
CLOSE_TIMEOUT = 1.0
"""Seconds that connections have to end in order when the world ends."""


class RealWorld:
    """Sockets of this machine, on whatever asyncio event loop runs.

    :param seed: of the world's chance, for tests: it lets strangers foretell tags and nonces; None has none
    :param fast: whether `run` uses uvloop where it is installed
    """

    virtual = False

    def __init__(self, seed: int | None = None, *, fast: bool = True) -> None:
        self.random = seeded(seed)
        self.unguessable = SYSTEM if seed is None else self.random
        self._fast = fast
        # Not loop.time(): the world may be older than its loop, and uvloop's clock moves in steps of 1 ms.
        self._began = clock.seconds()
        self.faults = Faults(self.now)
        self._open: set[Any] = set()

    def now(self) -> float:
        """Seconds since the world was made, those too that the machine slept."""
        return clock.seconds() - self._began

    @property
    def began(self) -> float:
        """When the world was made, in seconds since 1970, as the machine's wall clock has it now."""
        return time.time() - self.now()

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call *callback* when the clock shows *when* or a little more, never less."""
        return _Alarm(self, when, callback)

    def local_address_for(self, remote: str) -> str:
        """The address from which the machine reaches *remote*, an IP address; raises WorldError."""
        try:
            family = socket.AF_INET6 if is_ipv6(canonical(remote)) else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((remote, 9))  # sends nothing: it only asks the routing table
                return str(probe.getsockname()[0])
        except ValueError as error:
            raise WorldError(str(error)) from None
        except OSError as error:
            refusal = numbered(WorldError(f"no way to {remote}: {reasons.in_words(error)}"), error)
            with self._short_told(f"the way to {remote}"):
                raise refusal from None

    def has_address(self, host: str) -> bool:
        """Whether the machine lets a socket have the IP address *host*."""
        try:
            family = socket.AF_INET6 if is_ipv6(canonical(host)) else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.bind((host, 0))
                return True
        except ValueError:
            return False
        except OSError as error:
            # What speaks against the socket alone says nothing about the address: no descriptor is left, say.
            return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

    def watch_addresses(self, look: Callable[[], None]) -> TimerHandle:
        """Call *look* every 2 s until cancelled."""
        return _Watch(self, look)

    def nameservers(self) -> list[Address]:
        """The name servers in /etc/resolv.conf; none where there is no such file."""
        try:
            text = RESOLV_CONF.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        found = []
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "nameserver":
                try:
                    found.append(Address(canonical(words[1]), 53))
                except ValueError:
                    continue
        return found

    async def open_udp(
        self, local: Address, receiver: DatagramReceiver, *, dscp: int = 0
    ) -> udp.MachineSocket:
        """Bind a UDP socket; raises WorldError."""
        with self._short_told(f"a socket at {local}"):
            return await udp.open_udp(local, receiver, self._open, dscp=dscp)

    async def connect(
        self,
        remote: Address,
        receiver: StreamReceiver,
        *,
        local_host: str = "",
        tls: TlsClient | None = None,
        dscp: int = 0,
    ) -> stream.MachineStream:
        """Open a connection; raises ConnectFailed, TlsFailed. The caller bounds the wait."""
        with self._short_told(f"a connection to {remote}"):
            return await stream.connect(remote, receiver, local_host, tls, self._open, dscp)

    async def listen(
        self, local: Address, accept: Accept, *, tls: TlsServer | None = None, dscp: int = 0
    ) -> stream.MachineListener:
        """Listen for connections; raises WorldError."""
        with self._short_told(f"a listening socket at {local}"):
            return await stream.listen(local, accept, tls, self._open, dscp)

    @contextlib.contextmanager
    def _short_told(self, what: str) -> Iterator[None]:
        """Tell where the machine has run short of what *what* needs, whoever takes the error."""
        try:
            yield
        except (OSError, MemoryError) as error:
            if is_scarce(error):
                self.faults.tell_shortage(str(error) or shortage(error), what, "the world")
            raise

    def run(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        """Run *main* on an event loop of its own (uvloop's where it is installed); returns what it returns.

        What *main* leaves open is closed. Ctrl-C cancels *main* and raises KeyboardInterrupt. Raises what
        *main* raises, WorldError where the machine has no loop to give, and Faulted where anything else
        raised.
        """
        with self.faults.raised_at_the_end():
            return run_on_a_loop(self._run(main), main, fast=self._fast, unhandled=self.faults.heard)

    async def aclose(self) -> None:
        """Close what is open and wait until it is closed, at most 1 s; for those who do not use `run`."""
        streams = [thing for thing in self._open if isinstance(thing, stream.MachineStream)]
        for thing in list(self._open):
            thing.close()
        if streams:
            await asyncio.wait([connection.ended for connection in streams], timeout=CLOSE_TIMEOUT)
        for connection in streams:
            if not connection.ended.done():
                connection.reset()
        await asyncio.sleep(0)

    async def _run(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        try:
            return await main
        finally:
            await self.aclose()


_STEP = 0.001
"""Seconds by which uvloop's clock goes on."""


class _Alarm:
    """A callback that is never early: event loops may fire by their clock's step too soon."""

    def __init__(self, world: RealWorld, when: float, callback: Callable[[], None]) -> None:
        self._world = world
        self._when = when
        self._callback = callback
        self._arm()

    def cancel(self) -> None:
        """Forget the callback."""
        self._handle.cancel()

    def _arm(self, least: float = 0.0) -> None:
        delay = max(least, self._when - self._world.now())
        self._handle = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        if self._world.now() < self._when:
            self._arm(_STEP)  # what is shorter would be over at once, again and again
        else:
            self._callback()


class _Watch:
    """Looks again and again."""

    def __init__(self, world: RealWorld, look: Callable[[], None]) -> None:
        self._world = world
        self._look = look
        self._arm()

    def cancel(self) -> None:
        """Look no more."""
        self._handle.cancel()

    def _arm(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(ADDRESS_PACE, self._ring)

    def _ring(self) -> None:
        self._arm()
        self._look()
