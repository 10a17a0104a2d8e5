"""A lab on loopback in a thread of its own, for tests of other SIP programs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from phone_emulator.config.model import PhoneConfig
from phone_emulator.events import Address, Bus, Transport
from phone_emulator.lab import plans
from phone_emulator.lab.behaviour import Behaviour, CalleeBehaviour
from phone_emulator.lab.lab import Lab, accepted_users, served_domains
from phone_emulator.lab.server import SipServer
from phone_emulator.world import RealWorld, WorldError

_Result = TypeVar("_Result")

NETWORKS = 20
"""How many loopback networks are tried: tests that run side by side each need one of their own."""
PATIENCE = 120.0
"""Seconds that the lab, or what is waited for, may take: a net, since a machine may be slow."""


@dataclass(frozen=True, slots=True)
class LabServer:
    """One server of a :class:`SipLab`."""

    lab: SipLab
    name: str

    @property
    def address(self) -> Address:
        """Its IP address, and the port of UDP and TCP."""
        return self._server.address

    @property
    def ports(self) -> dict[Transport, int]:
        """The port of each transport."""
        return self._server.ports

    @property
    def behaviour(self) -> str:
        """How it behaves now."""
        return str(self._server.behaviour)

    @property
    def bindings(self) -> dict[str, list[str]]:
        """Who is registered here: each user's Contacts, the latest last."""

        async def read() -> dict[str, list[str]]:
            found = self._server.bindings
            return {user: [binding.uri for binding in bindings] for user, bindings in found.items()}

        return self.lab.do(read)

    @property
    def received(self) -> dict[str, int]:
        """Requests heard, by method, retransmissions included."""

        async def read() -> dict[str, int]:
            return dict(self._server.received)

        return self.lab.do(read)

    @property
    def _server(self) -> SipServer:
        return self.lab.running.servers[self.name]


class SipLab:
    """SIP servers at the targets of the guide's example, a DNS server and someone to call, on loopback.

    ``sip_lab.primary``, ``.secondary`` and ``.fallback`` are its servers. They challenge with digest, accept
    ``users``, and connect calls to any number.

    Args:
        servers: how they behave at first: ``{"primary": "silent"}``.

    Raises:
        WorldError: no loopback network is free.
        ValueError: no such server or behaviour.
    """

    def __init__(self, servers: Mapping[str, object] | None = None) -> None:
        self.running: Lab
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._ready = threading.Event()
        self._failures: list[BaseException] = []
        self._wishes = {name: Behaviour.parse(wish) for name, wish in (servers or {}).items()}
        self.config: PhoneConfig = plans.example_config()
        self.servers = {place.name: LabServer(self, place.name) for place in plans.EXAMPLE_PLACES}
        """By name."""
        for name in self._wishes:
            self._known(name)
        self._thread = threading.Thread(target=self._run, name="SIP lab", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failures:
            self._thread.join()
            raise self._failures.pop()

    # -- what there is -------------------------------------------------------------------------------------

    @property
    def primary(self) -> LabServer:
        """The first server behind ``domain``."""
        return self.servers["primary"]

    @property
    def secondary(self) -> LabServer:
        """The second server behind ``domain``."""
        return self.servers["secondary"]

    @property
    def fallback(self) -> LabServer:
        """The server beside them."""
        return self.servers["fallback"]

    @property
    def domain(self) -> str:
        """The name that ``nameserver`` resolves to primary and secondary (NAPTR, SRV, A)."""
        return served_domains(self.config)[0]

    @property
    def nameserver(self) -> Address:
        """The DNS server."""
        return self.running.nameservers[0].address

    @property
    def users(self) -> dict[str, str]:
        """Who may register: user to password."""
        return accepted_users(self.config.accounts)

    @property
    def ca_pem(self) -> str | None:
        """The CA that signed the servers' certificates."""
        return self.running.ca_pem

    @property
    def phone_host(self) -> str:
        """A loopback address of the lab's network that is left for the program under test."""
        return self.running.plan.phone.host

    @property
    def bindings(self) -> dict[str, dict[str, list[str]]]:
        """Who is registered where: by server, each user's Contacts."""
        return {name: server.bindings for name, server in self.servers.items()}

    # -- orders --------------------------------------------------------------------------------------------

    def behave(self, name: str, behaviour: object) -> None:
        """The server *name* behaves so from now on: ``silent``, ``503``, ``{"INVITE": 503}`` …"""
        wish = Behaviour.parse(behaviour)
        self._known(name)
        self.do(lambda: self.running.behave(name, wish))

    def callee(self, behaviour: object) -> None:
        """Called users do so from now on: ``answer``, ``busy``, ``{"hang_up_after": "5s"}`` …"""
        wish = CalleeBehaviour.parse(behaviour)

        async def change() -> None:
            self.running.callee.behaviour = wish

        self.do(change)

    def dns(self, behaviour: str) -> None:
        """The DNS server behaves so from now on: ``ok``, ``silent``, ``refuse``, ``servfail``."""
        self.do(lambda: self.running.dns_behave(behaviour))

    def call(self, user: str, server: str | None = None) -> None:
        """Let someone call *user* through *server* (None: where that is registered); does not wait.

        Raises ValueError where *user* is registered nowhere.
        """
        if server is not None:
            self._known(server)

        async def call() -> None:
            bound = [name for name, each in self.running.servers.items() if user in each.bindings]
            if server is None and not bound:
                raise ValueError(f"{user} is registered at no server")
            self.running.callee.call(user, self.domain, server or bound[0])

        self.do(call)

    def wait_until(self, holds: Callable[[SipLab], object], timeout: float = PATIENCE) -> None:
        """Wait until *holds* is true of this lab; raises TimeoutError after *timeout* seconds."""
        __tracebackhide__ = True
        end = time.monotonic() + timeout
        while not holds(self):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {timeout:g} s; registered: {self.bindings}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop everything; raises Faulted where something in it raised, once. May be called again."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(PATIENCE)
        if self._failures:
            raise self._failures.pop()

    def do(self, order: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run *order* in the lab's own thread; raises what it raises."""
        __tracebackhide__ = True
        if not self._thread.is_alive():
            raise RuntimeError("the lab was stopped")

        async def run() -> _Result:
            return await order()

        work: Coroutine[Any, Any, _Result] = run()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _known(self, name: str) -> None:
        if name not in self.servers:
            raise ValueError(f"there is no server {name!r} here: {', '.join(self.servers)}")

    # -- in its thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        world = RealWorld()
        try:
            world.run(self._serve(world))
        except BaseException as error:  # whatever it is, the thread that waits is told
            self._failures.append(error)
        finally:
            self._ready.set()

    async def _serve(self, world: RealWorld) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self.running = await self._started(world)
        for name, wish in self._wishes.items():
            await self.running.behave(name, wish)
        self._ready.set()
        try:
            await self._stopping.wait()
        finally:
            await self.running.stop()

    async def _started(self, world: RealWorld) -> Lab:
        """A lab on the first loopback network that is free; where to begin depends on the process."""
        first = os.getpid() * NETWORKS
        for network in range(first, first + NETWORKS):
            host = f"127.{network // 250 % 200 + 20}.{network % 250 + 1}.21"
            stage = plans.loopback(
                plans.example_config(), plans.EXAMPLE_PLACES, plans.example_zone(), phone_host=host
            )
            lab = Lab(world, stage.plan, stage.config, Bus())
            try:
                await lab.start()
            except WorldError as error:
                failure = error
                continue
            self.config = stage.config
            return lab
        raise failure
