"""The simulated world: a virtual clock and a network in memory."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from phone_emulator.events import Address

from . import reasons, simulated_stream
from .address import canonical, is_ipv6
from .base import Accept, DatagramReceiver, StreamReceiver, TimerHandle, TlsClient, TlsServer, WorldError
from .chance import seeded
from .faults import Faults
from .loop import Deadlock, VirtualLoop, callback_of, cancel_all, describe, describe_timer
from .network import Network, SimulatedDatagramSocket
from .simulated_stream import SimulatedListener, SimulatedStream

_Result = TypeVar("_Result")

GRACE = 60.0
"""Virtual seconds that a task may take to end after it was cancelled."""
TIME_LIMIT = 30 * 86400.0
"""Virtual seconds that a simulation lasts at most, where nothing else is said."""


class SimulatedWorld:
    """A world of its own: one simulation, from 0.0 s to the end of the coroutine given to `run`.

    A world may be made and run in any thread, beside an event loop of another (the terminal's):
    ``await asyncio.to_thread(world.run, main())``. Its listeners are then called in that thread.

    :param seed: of the world's chance; the same seed gives the same simulation
    :param nameservers: what `nameservers` answers
    :param phone_host: the IPv4 address from which connections and sockets without one of their own come
    :param phone_host6: the same for IPv6
    :param time_limit: virtual seconds after which a simulation that goes on is ended with a Deadlock
    """

    virtual = True

    def __init__(
        self,
        seed: int = 0,
        nameservers: Sequence[Address] = (),
        *,
        phone_host: str = "192.168.1.21",
        phone_host6: str = "fd00::21",
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self.random = self.unguessable = seeded(seed)
        self._loop = VirtualLoop(time_limit)
        self.network = Network(self._loop, self.random, (phone_host, phone_host6))
        self._nameservers = list(nameservers)
        self._watches: dict[_Watch, None] = {}
        self._main: asyncio.Task[Any] | None = None
        self.faults = Faults(self.now)
        self._left: tuple[list[str], list[str]] | None = None

    def now(self) -> float:
        """Virtual seconds since the world was made."""
        return self._loop.time()

    @property
    def began(self) -> float:
        """0: virtual time begins with 1970."""
        return 0.0

    def call_at(self, when: float, callback: Callable[[], None]) -> TimerHandle:
        """Call *callback* when the clock shows exactly *when*, after those set for that time before."""
        return self._loop.call_at(when, callback)

    def local_address_for(self, remote: str) -> str:
        """The phone's address of the IP version of *remote*; raises WorldError if that is no IP address."""
        try:
            host = self.network.host(self.network.phone[is_ipv6(canonical(remote))])
        except ValueError as error:
            raise WorldError(str(error)) from None
        if not host.there:
            raise WorldError(f"no way to {remote}: {reasons.NETWORK_UNREACHABLE}")
        return host.address

    def has_address(self, host: str) -> bool:
        """Whether no `readdress` has taken *host* away: a machine of this world has whatever it binds to."""
        try:
            found = self.network.find(host)
        except ValueError:
            return False
        return found is None or found.there

    def watch_addresses(self, look: Callable[[], None]) -> TimerHandle:
        """Call *look* in the instant of each `readdress`, until cancelled."""
        return _Watch(self._watches, look)

    def readdress(self, before: str, after: str) -> None:
        """The phone's machine has the IP address *after* instead of *before*; empty for none, either way.

        What was open at *before* falls silent. Raises WorldError for what is no IP address.
        """
        self.network.readdress(before, after)
        for watch in tuple(self._watches):
            self._loop.call_soon(watch.look)

    def nameservers(self) -> list[Address]:
        """Those given when the world was made."""
        return list(self._nameservers)

    async def open_udp(
        self, local: Address, receiver: DatagramReceiver, *, dscp: int = 0
    ) -> SimulatedDatagramSocket:
        """Bind a UDP socket; raises WorldError. The unspecified address is the phone's."""
        return self.network.open_udp(local, receiver, dscp)

    async def connect(
        self,
        remote: Address,
        receiver: StreamReceiver,
        *,
        local_host: str = "",
        tls: TlsClient | None = None,
        dscp: int = 0,
    ) -> SimulatedStream:
        """Open a connection; raises ConnectFailed, TlsFailed. One that nobody answers waits without end."""
        return await simulated_stream.connect(self.network, remote, receiver, local_host, tls, dscp)

    async def listen(
        self, local: Address, accept: Accept, *, tls: TlsServer | None = None, dscp: int = 0
    ) -> SimulatedListener:
        """Listen for connections; raises WorldError."""
        return simulated_stream.listen(self.network, local, accept, tls, dscp)

    def run(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        """Run *main* to its end and the world with it; returns what *main* returns. May be called once.

        Tasks that are left are cancelled. Raises what *main* raises; Deadlock, naming who waits, when nothing
        can ever happen again; Faulted where anything else raised.
        """
        try:
            self._check_can_run(main)
        except BaseException:
            if inspect.iscoroutine(main):
                main.close()
            raise
        with self.faults.raised_at_the_end():
            return self._run(main)

    def _run(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        loop = self._loop
        loop.set_exception_handler(self._unhandled)
        self._main = asyncio.Task(main, loop=loop, name="main")
        self._main.add_done_callback(self._main_ended)
        try:
            loop.run_forever()
            loop.settle()
        finally:
            self._main.remove_done_callback(self._main_ended)
            stubborn = self._end()
            if self._main.done() and not self._main.cancelled():
                self._main.exception()  # an interrupt, which the loop has raised already, is told once
        if self._main.done() and not self._main.cancelled() and (error := self._main.exception()):
            raise error
        if stubborn:
            raise Deadlock("the simulation has ended, but not every task would end when cancelled", stubborn)
        return self._main.result()  # type: ignore[no-any-return]

    def pending_tasks(self) -> list[str]:
        """The tasks under way beside the main one, in words; after `run`, those that it left behind."""
        if self._left is not None:
            return self._left[0]
        own = {self._main, _current_task()}
        return sorted(describe(task) for task in asyncio.all_tasks(self._loop) - own)

    def pending_timers(self) -> list[str]:
        """The callbacks that are due later, in words; after `run`, those that the main task left behind.

        A task's own sleep or timeout is no timer of its own, and the network's deliveries are nobody's.
        """
        if self._left is not None:
            return self._left[1]
        timers = self._loop.timers()
        return [describe_timer(timer) for timer in timers if not _is_plumbing(callback_of(timer))]

    def _check_can_run(self, main: object) -> None:
        if not inspect.iscoroutine(main):
            raise TypeError(f"SimulatedWorld.run takes a coroutine, not {main!r}")
        if self._main is not None:
            raise RuntimeError("a simulated world runs once; make a new one")
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        raise RuntimeError(
            "an event loop runs in this thread already; run the simulation in another: "
            "await asyncio.to_thread(world.run, main())"
        )

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if loop.is_running():
            self.faults.heard(loop, context)
        else:
            loop.default_exception_handler(context)

    def _main_ended(self, main: asyncio.Task[Any]) -> None:
        self._loop.stop()

    def _end(self) -> list[str]:
        """Cancel what is left and close the loop; returns the tasks that would not end, in words."""
        self._left = (self.pending_tasks(), self.pending_timers())
        loop = self._loop
        try:
            ended, stubborn = cancel_all(loop, GRACE)
            for task in ended - {self._main}:
                if not task.cancelled() and (error := task.exception()):
                    self.faults.tell(error, task.get_name(), "the world's end")
            loop.run_until_complete(loop.shutdown_asyncgens())
            for task in stubborn:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is told in words instead
            return sorted(describe(task) for task in stubborn)
        finally:
            loop.close()


class _Watch:
    """Looks when the machine's addresses change."""

    def __init__(self, watches: dict[_Watch, None], look: Callable[[], None]) -> None:
        self._watches = watches
        self._look = look
        watches[self] = None

    def look(self) -> None:
        """They may have."""
        if self in self._watches:
            self._look()

    def cancel(self) -> None:
        """Look no more."""
        self._watches.pop(self, None)


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _is_plumbing(callback: Callable[..., Any]) -> bool:
    module = getattr(callback, "__module__", None) or ""
    return module.partition(".")[0] == "asyncio" or module.startswith(__package__ + ".")
