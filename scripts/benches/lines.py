"""Many registered lines in one process."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable

from benches.measuring import Bench
from benches.transactions import measured

PHONES, ACCOUNTS = 625, 16
"""10,000 lines as a user of the package has them: a `Phone` for each cfg file, all 16 accounts in use."""
LEASE = 300
"""Seconds that the registrar grants."""
SERVER = "192.168.1.13"


def cfg(server: str, port: int, phone: int) -> str:
    """The cfg file of one phone: 16 lines of one server, registered for LEASE seconds."""
    lines = ["#!version:1.0.0.1"]
    for number in range(1, ACCOUNTS + 1):
        settings = {
            "enable": 1,
            "user_name": 100_000 + ACCOUNTS * phone + number,
            "display_name": f"Line {number}",
            "password": "secret",
            "sip_server.1.address": server,
            "sip_server.1.port": port,
            "sip_server.1.expires": LEASE,
        }
        lines += [f"account.{number}.{key} = {value}" for key, value in settings.items()]
    return "\n".join([*lines, ""])


class Registrar:
    """Answers each REGISTER with a 200 that costs next to nothing: its first headers again."""

    def __init__(self) -> None:
        self.answered = 0

    async def open(self, world) -> None:  # type: ignore[no-untyped-def]
        from phone_emulator.events import Address

        self.socket = await world.open_udp(Address(SERVER, 5060), self)

    def datagram_received(self, data: bytes, remote: tuple[str, int]) -> None:
        """A REGISTER: its Via, From, To, Call-ID, CSeq and Contact come first. The rest are keep-alives."""
        if not data.startswith(b"REGISTER "):
            return
        self.answered += 1
        first = data.split(b"\r\n", 7)[1:7]
        first[-1] += b";expires=%d" % LEASE
        self.socket.send(b"\r\n".join((b"SIP/2.0 200 OK", *first, b"Content-Length: 0\r\n\r\n")), remote)

    def datagram_failed(self, remote: object, reason: str) -> None:
        raise AssertionError(reason)


Story = Callable[[Registrar, Callable[[], Awaitable[int]]], Awaitable[str]]


def simulated(phones: int, story: Story) -> str:
    """Run *story* in a simulated world; it is given the registrar, and what registers *phones* phones."""
    from phone_emulator.config import load_text
    from phone_emulator.phone import Phone, PhoneOptions
    from phone_emulator.world import SimulatedWorld

    world = SimulatedWorld(seed=1)
    configs = [load_text(cfg(SERVER, 5060, number)).config for number in range(phones)]

    async def main() -> str:
        registrar = Registrar()
        await registrar.open(world)
        running: list[Phone] = []

        async def register() -> int:
            for number, config in enumerate(configs):
                phone = Phone(config, world, options=PhoneOptions(local_port=10_000 + 2 * number))
                running.append(phone)
                await phone.start()
                await phone.register()
                await asyncio.sleep(LEASE / 2 / phones)
            return sum(len(phone.lines) for phone in running)

        told = await story(registrar, register)
        for phone in running:
            await phone.stop(unregister=False)
        return told

    return world.run(main())


def refreshed() -> str:
    """Half an hour of 10,000 lines in virtual time: all CPU of the process, the simulated network's too."""

    async def story(registrar: Registrar, register: Callable[[], Awaitable[int]]) -> str:
        lines = await register()
        await asyncio.sleep(LEASE)
        spent, answered, seconds = time.process_time(), registrar.answered, 6 * LEASE
        await asyncio.sleep(seconds)
        spent, answered = time.process_time() - spent, registrar.answered - answered
        each = 1e6 * spent / answered
        return (
            f"{100 * spent / seconds:.2f} % of a core for {lines:,} lines: {answered / seconds:.1f} REGISTERs"
            f" a second of {each:.0f} us, keep-alives included (asked for: under 10 %)"
        )

    return simulated(PHONES, story)


def on_loopback() -> str:
    """The same lines on sockets of this machine: their REGISTERs, which another process answers."""
    from phone_emulator.config import load_text
    from phone_emulator.phone import Phone, PhoneOptions
    from phone_emulator.redundancy.registration import refresh_delay
    from phone_emulator.world.real import RealWorld

    with measured("endpoint", "uvloop", t1=0.5) as server:
        configs = [load_text(cfg("127.0.0.1", server.port, number)).config for number in range(PHONES)]
        world = RealWorld(seed=1)

        def options(number: int) -> PhoneOptions:
            return PhoneOptions(local_address=f"127.77.{number // 250}.{number % 250 + 1}", local_port=5060)

        async def main() -> tuple[int, float]:
            phones = [Phone(each, world, options=options(number)) for number, each in enumerate(configs)]
            for phone in phones:
                await phone.start()
            began = time.process_time()
            for phone in phones:
                await phone.register()
            spent = time.process_time() - began
            registered = [line for phone in phones for line in phone.lines.values()]
            assert all(line.bindings.targets for line in registered)
            for phone in phones:
                await phone.stop(unregister=False)
            return len(registered), spent

        lines, spent = world.run(main())
    each, every = 1e6 * spent / lines, refresh_delay(LEASE, -1)
    return (
        f"{lines:,} lines registered, {each:.0f} us of CPU each: {100 * spent / every:.1f} % of a core where"
        f" they do so every {every:.0f} s (asked for: under 10 %)"
    )


def line_memory() -> str:
    """What a registered line that idles takes of Python's memory, its share of the phone's included."""

    async def story(registrar: Registrar, register: Callable[[], Awaitable[int]]) -> str:
        gc.collect()
        tracemalloc.start()
        lines = await register()
        await asyncio.sleep(LEASE - LEASE / 10)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return f"{taken / lines / 1024:.1f} KiB of {lines:,} lines (asked for: under 20)"

    return simulated(63, story)


BENCHES: dict[str, Bench] = {
    "10,000 lines refreshed, simulated": refreshed,
    "10,000 lines registered on loopback": on_loopback,
    "memory of an idle registered line": line_memory,
}
